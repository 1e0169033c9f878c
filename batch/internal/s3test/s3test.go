// Package s3test is an S3 within the process, which fails as it is told.
package s3test

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Bucket is the one that there is.
const Bucket = "bucket"

// OwnCredentials keep a test from whatever AWS configuration is around.
func OwnCredentials(t testing.TB) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_REGION", "")
}

// A Fault is what becomes of a request.
type Fault int

// The faults.
const (
	None      Fault = iota
	Broken          // 500, and nothing was done
	SlowDown        // 503, and nothing was done
	CutBefore       // no answer, and nothing was done
	CutAfter        // no answer, but all was done
	Denied          // 403
	Unheeding       // the conditions of a write are ignored
	Unable          // 501 for a write with a condition
)

// A Server is an S3 with one empty bucket.
type Server struct {
	// Fault, if set, says what becomes of each request. It may take its time.
	Fault func(*http.Request) Fault

	s3 http.Handler
}

// New is a server without faults.
func New() *Server {
	memory := s3mem.New()
	if err := memory.CreateBucket(Bucket); err != nil {
		panic(err) // of an empty one
	}
	return &Server{s3: gofakes3.New(memory, gofakes3.WithTimeSkewLimit(0), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()}
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := None
	if s.Fault != nil {
		fault = s.Fault(r)
	}
	fail := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
	}
	// gofakes3 would still tell it of an object that an upload in parts has replaced.
	r.Header.Del("X-Amz-Checksum-Crc32")
	conditional := r.Header.Get("If-None-Match")+r.Header.Get("If-Match") != ""
	switch {
	case fault == Broken:
		fail(http.StatusInternalServerError, "InternalError")
	case fault == SlowDown:
		fail(http.StatusServiceUnavailable, "SlowDown")
	case fault == Denied:
		fail(http.StatusForbidden, "AccessDenied")
	case fault == Unable && conditional:
		fail(http.StatusNotImplemented, "NotImplemented")
	case fault == CutBefore:
		panic(http.ErrAbortHandler)
	case fault == CutAfter:
		s.s3.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case fault == Unheeding:
		r.Header.Del("If-None-Match")
		r.Header.Del("If-Match")
		s.s3.ServeHTTP(w, r)
	case r.Method == http.MethodPost && conditional && !s.holds(r):
		fail(http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPost && r.URL.Query().Has("uploadId"):
		s.end(w, r)
	default:
		s.s3.ServeHTTP(w, r)
	}
}

// holds reports whether the condition of the end of an upload in parts holds, which
// gofakes3 does not look at.
func (s *Server) holds(r *http.Request) bool {
	if want := r.Header.Get("If-Match"); want != "" {
		return want == s.etag(r.URL.Path)
	}
	return s.etag(r.URL.Path) == ""
}

// etag is that of the object at a path; "" if there is none.
func (s *Server) etag(path string) string {
	w := httptest.NewRecorder()
	s.s3.ServeHTTP(w, httptest.NewRequest(http.MethodHead, path, nil))
	return w.Header().Get("ETag")
}

// end ends an upload in parts. gofakes3 answers with another ETag than it lists then.
func (s *Server) end(w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	s.s3.ServeHTTP(answer, r)
	w.WriteHeader(answer.Code)
	if answer.Code == http.StatusOK {
		fmt.Fprintf(w, "<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>", html.EscapeString(s.etag(r.URL.Path)))
	} else {
		w.Write(answer.Body.Bytes())
	}
}

// Do makes the server an HTTP client that reaches nothing else, without a
// network.
func (s *Server) Do(r *http.Request) (res *http.Response, err error) {
	defer func() {
		if cut := recover(); cut == http.ErrAbortHandler {
			err = errors.New("the connection was cut")
		} else if cut != nil {
			panic(cut)
		}
	}()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Host = r.URL.Host
	r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10)) // as a server has it
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res = w.Result()
	res.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return res, nil
}

// Uploads is how many uploads in parts were begun and neither ended nor given up.
func (s *Server) Uploads() int {
	w := httptest.NewRecorder()
	s.s3.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+Bucket+"?uploads", nil))
	return strings.Count(w.Body.String(), "<UploadId>")
}

// Keys are the objects there are, in their order.
func (s *Server) Keys() (keys []string) {
	w := httptest.NewRecorder()
	s.s3.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+Bucket, nil))
	for _, part := range strings.Split(w.Body.String(), "<Key>")[1:] {
		key, _, _ := strings.Cut(part, "</Key>")
		keys = append(keys, key)
	}
	return keys
}
