package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// A client is the service as one process reaches it.
type client struct {
	service *service
	process *process
}

// An answer is what comes back, unless it is lost.
type answer struct {
	status int
	body   string
	noID   bool
	lost   bool
}

const amzJSON = "application/x-amz-json-1.1"

func fails(status int, code, message string) answer {
	return answer{status: status, body: fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message)}
}

// timeout is how long a client waits for an answer, as the real one does.
const timeout = 30 * time.Second

// Do implements aws.HTTPClient.
func (c client) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	var in struct{ Username, Filter string }
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if service != "AWSCognitoIdentityProviderService" {
		operation = r.URL.Host // which tells of accounts and quotas
	} else if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	f := c.process.pass("call", operation)
	if f.err != nil {
		return nil, &net.OpError{Op: "write", Net: "tcp", Err: f.err}
	}
	answers := make(chan answer, 1)
	a := c.service.accounts[in.Username]
	switch {
	case operation == "DescribeUserPool":
		answers <- answer{status: http.StatusOK, body: fmt.Sprintf(`{"UserPool":{"Id":%q,"Name":"simulated","UsernameConfiguration":{"CaseSensitive":true}}}`, poolID)}
	case operation == "ListUsers":
		answers <- answer{status: http.StatusOK, body: c.service.list(in.Filter)}
	case a == nil && in.Username != "": // a look at what is permitted
		answers <- fails(http.StatusBadRequest, "UserNotFoundException", "User does not exist.")
	case operation == c.service.operation():
		c.service.serveReset(a, c.process, answers)
	case operation == "AdminGetUser":
		c.service.serveRead(a, answers)
	default:
		answers <- fails(http.StatusBadRequest, "AccessDeniedException", "not authorized to perform "+operation)
	}
	if f.then != nil {
		c.service.loseAnswer(a)
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: f.then()}
	}
	return c.wait(r, a, answers)
}

// wait is for an answer, as long as the process is there and has patience.
func (c client) wait(r *http.Request, a *account, answers <-chan answer) (*http.Response, error) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	select {
	case got := <-answers:
		c.process.awake()
		if got.lost || c.process.dead() {
			c.service.loseAnswer(a)
			return nil, reset
		}
		return c.response(r, a, got), nil
	case <-r.Context().Done():
		c.service.loseAnswer(a)
		return nil, r.Context().Err()
	case <-c.process.gone:
		c.service.loseAnswer(a)
		return nil, reset
	case <-time.After(timeout):
		c.service.loseAnswer(a)
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ETIMEDOUT}
	}
}

func (c client) response(r *http.Request, a *account, got answer) *http.Response {
	c.service.mu.Lock()
	defer c.service.mu.Unlock()
	header := http.Header{"Content-Type": {amzJSON}, "Date": {c.service.clock().UTC().Format(http.TimeFormat)}}
	if !got.noID {
		header.Set("X-Amzn-Requestid", fmt.Sprintf("%08d-0000-4000-8000-%012d", c.service.resets, c.service.reads))
	} else if a != nil {
		a.lost = true
	}
	return &http.Response{
		Status: http.StatusText(got.status), StatusCode: got.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(got.body)), ContentLength: int64(len(got.body)), Request: r,
	}
}

func (s *service) loseAnswer(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a != nil {
		a.lost = true
	}
}
