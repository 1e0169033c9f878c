package userpool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Timeout is how long an answer may take. A trigger of the pool may take three
// tries of 5 s, so less would leave calls in doubt.
const Timeout = 30 * time.Second

// dialTimeout is less than Timeout, so that a call which found nobody to talk to
// is known never to have left.
const dialTimeout = 10 * time.Second

// errNoAnswer is that Timeout is over.
var errNoAnswer = fmt.Errorf("no answer within %v", Timeout)

// newHTTPClient returns a client of pools, as the shared AWS configuration can still
// add to it. It keeps all its connections until they are idle for the SDK's 90 s: there
// are never more than calls were under way at one time.
func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(Timeout).WithDialerOptions(func(d *net.Dialer) {
		d.Timeout = dialTimeout
	}).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, math.MaxInt
		t.OnProxyConnectResponse = connected
	})
}

// direct goes to the transport itself. What [http.Client] does around one is for redirects
// and cookies, which a call to AWS has none of, and took a tenth of a call's time.
type direct struct{ http.RoundTripper }

// Do implements [aws.HTTPClient].
func (d direct) Do(r *http.Request) (*http.Response, error) {
	if err := inMemory(r); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), Timeout, errNoAnswer)
	answer, err := d.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	answer.Body = &body{answer.Body, cancel}
	return answer, nil
}

// body ends the time limit with the answer.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// inMemory gives a request a body of a type that net/http knows to be at hand. Before
// any other, as the SDK's is, net/http sends the headers in a packet of their own: two
// writes here and two reads in the service, a tenth of what a call costs.
func inMemory(r *http.Request) error {
	if r.Body == nil || r.ContentLength < 1 || r.ContentLength > mostSent {
		return nil
	}
	text := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, text); err != nil {
		return err
	}
	err := r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(text))
	return err
}

// mostSent is how many bytes a body may have that is copied.
const mostSent = 64 << 10

// mostRead is how many bytes of an answer are read. A page of users has 60 of them.
const mostRead = 8 << 20

// timed is an HTTP client whose answers a clock learns from.
type timed struct {
	aws.HTTPClient
	clock *clock
}

func (t timed) Do(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	answer, err := t.HTTPClient.Do(r)
	if err != nil {
		return nil, err
	}
	if date, wrong := http.ParseTime(answer.Header.Get("Date")); wrong == nil {
		t.clock.observe(sent, time.Now(), date)
	}
	answer.Body = limited{io.LimitReader(answer.Body, mostRead), answer.Body}
	return answer, nil
}

// limited is the body of an answer. It has no WriteTo: that of net/http loses to the
// SDK, which closes a body while its last packet is on the way, and a good answer would
// end in doubt.
type limited struct {
	io.Reader
	io.Closer
}
