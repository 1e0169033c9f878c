package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// RoundTrip answers a request in process, as the transport of an
// [http.Client], with no listener and no goroutine. A lost connection is a
// [net.OpError] of ECONNRESET; a caller who gives up gets the cause of their
// context's end.
func (p *Pool) RoundTrip(r *http.Request) (res *http.Response, err error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			res = nil
			if err = context.Cause(r.Context()); err == nil {
				err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
			}
		default:
			panic(v)
		}
	}()
	rec := &recorder{header: make(http.Header), status: http.StatusOK}
	p.ServeHTTP(rec, r)
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", rec.status, http.StatusText(rec.status)),
		StatusCode:    rec.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        rec.header,
		Body:          io.NopCloser(&rec.body),
		ContentLength: int64(rec.body.Len()),
		Request:       r,
	}, nil
}

// A recorder is the ResponseWriter of RoundTrip.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
