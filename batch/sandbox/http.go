package sandbox

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is the largest request body that is read.
const maxBody = 1 << 20

// ServeHTTP answers a Cognito operation or one of Service Quotas (POST / with
// an X-Amz-Target), STS GetCallerIdentity and AssumeRole (POST / of a form), CloudWatch
// GetMetricData and SES GetAccount (by their paths), or one of the sandbox's
// own questions, which need no signature:
//
//	GET /sandbox/outbox   every [Message], oldest first; JSON, one a line
//	GET /sandbox/users    every user: username, status, enabled, resets,
//	                      messages; JSON, one a line, in order of usernames
//	GET /sandbox/stats    [Stats] as one JSON object
//
// Where the caller is to lose its answer (see [Faults]), or gave up waiting,
// ServeHTTP panics with [http.ErrAbortHandler]: net/http's server then cuts
// the connection, and [Pool.RoundTrip] makes it a network error. Whoever else
// calls ServeHTTP in process must do as much.
func (p *Pool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amzn-RequestId", p.requestID())
	if question, ok := strings.CutPrefix(r.URL.Path, "/sandbox/"); ok {
		p.introspect(w, r, question)
		return
	}
	if r.URL.Path == sesAccountPath && r.Method == http.MethodGet {
		p.serveSES(w, r)
		return
	}
	metrics, isMetrics := strings.CutPrefix(r.URL.Path, metricsPath)
	if !isMetrics && r.URL.Path != "/" && r.URL.Path != "" {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST alone", http.StatusMethodNotAllowed)
		return
	}
	body, err := readBody(r)
	if err != nil {
		writeError(w, err)
		return
	}
	target := r.Header.Get("X-Amz-Target")
	switch {
	case isMetrics:
		p.serveMetrics(w, r, metrics, body)
	case strings.HasPrefix(target, quotaTarget):
		p.serveQuotas(w, r, body)
	case target == "" && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		p.serveSTS(w, r, body)
	default:
		p.serveCognito(w, r, body)
	}
}

// serveCognito answers one operation, in the middle of the time that an answer
// takes.
func (p *Pool) serveCognito(w http.ResponseWriter, r *http.Request, body []byte) {
	name, op, refusal := p.route(r)
	var do work
	var malformed *apiError
	if refusal == nil {
		do, malformed = op.decode(body)
	}

	delay := p.latency()
	wait(r.Context(), delay/2)
	var reply any
	lost := false
	if refusal == nil {
		reply, lost, refusal = p.call(name, op, do, malformed)
	} else {
		p.tally(name, refusal)
	}
	wait(r.Context(), delay-delay/2)

	if lost {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Date", p.Now().UTC().Format(http.TimeFormat))
	if refusal != nil {
		writeError(w, refusal)
		return
	}
	writeJSON(w, http.StatusOK, reply)
}

// call does one operation under the pool's lock: first the quota, then what
// chance has in store, then the work.
func (p *Pool) call(name string, op operation, do work, malformed *apiError) (reply any, lost bool, err *apiError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if !p.quotas.take(op.category, now) {
		p.count(name, tooManyRequests.code)
		return nil, false, tooManyRequests
	}
	fate := p.strikes(op.faults)
	switch fate {
	case strikeInternal:
		err = internalError
	case strikeThrottle:
		err = tooManyRequests
		p.quotas.refused(op.category, now)
	case strikeLostBefore:
		p.count(name, LostBefore)
		return nil, true, nil
	default:
		if err = malformed; err == nil {
			reply, err = do(p, p.now())
		}
	}
	switch {
	case fate == strikeLostAfter:
		p.count(name, LostAfter)
	case err != nil:
		p.count(name, err.code)
	default:
		p.count(name, OK)
	}
	return reply, fate == strikeLostAfter, err
}

// An apiError is an answer other than success.
type apiError struct {
	status        int // HTTP
	code, message string
}

// refuse is an answer of HTTP status 400, as nearly all refusals are.
func refuse(code, message string) *apiError {
	return &apiError{http.StatusBadRequest, code, message}
}

var (
	tooManyRequests  = refuse("TooManyRequestsException", "Rate exceeded")
	internalError    = &apiError{http.StatusInternalServerError, "InternalErrorException", "Something went wrong"}
	unknownOperation = refuse("UnknownOperationException", "The sandbox knows no such operation")
	serialization    = refuse("SerializationException", "The request is not one of this operation")
)

func writeError(w http.ResponseWriter, e *apiError) {
	w.Header().Set("x-amzn-ErrorType", e.code)
	writeJSON(w, e.status, struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.code, e.message})
}

// writeJSON writes a reply; nil is the empty object, the answer to a reset.
func writeJSON(w http.ResponseWriter, status int, reply any) {
	body := []byte("{}")
	if reply != nil {
		var err error
		if body, err = json.Marshal(reply); err != nil {
			panic(err) // replies are plain structs of the sandbox's own
		}
	}
	write(w, status, "application/x-amz-json-1.1", body)
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller who is gone misses nothing
}

func readBody(r *http.Request) ([]byte, *apiError) {
	if r.Body == nil {
		return nil, nil
	}
	size := r.ContentLength
	if size < 0 || size > maxBody {
		size = 512
	}
	body := make([]byte, 0, size+1)
	for {
		if len(body) > maxBody {
			return nil, &apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request body larger than 1 MiB"}
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the caller is gone
		}
	}
}

// wait waits, or aborts if the caller gives up.
func wait(ctx context.Context, d time.Duration) {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

// requestID is unique to the pool, and looks like Cognito's.
func (p *Pool) requestID() string {
	p.mu.Lock()
	p.requests++
	n, salt := p.requests, p.cfg.Seed
	p.mu.Unlock()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], (n^salt)*0x9e3779b97f4a7c15) // spread by Fibonacci hashing
	binary.BigEndian.PutUint64(b[8:], n)                           // the part that is unique
	return uuid(b)
}

// isJSON says whether a request is of the protocol JSON 1.1.
func isJSON(r *http.Request) bool {
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return contentType == "application/x-amz-json-1.1"
}

// authorize says whether a request is signed for the service and may do the
// action, which is named as IAM policies name it.
func (p *Pool) authorize(r *http.Request, service, action string) *apiError {
	if err := signed(r, service); err != nil {
		return err
	}
	prefix, _, _ := strings.Cut(action, ":")
	caller, _ := p.caller(r)
	denied := slices.Contains(p.cfg.Denied, action) || slices.Contains(p.cfg.Denied, prefix+":*")
	if denied || p.cfg.Allowed != nil && !slices.Contains(p.cfg.Allowed, action) {
		return refuse("AccessDeniedException", fmt.Sprintf(
			"User: %s is not authorized to perform: %s because no identity-based policy allows the %[2]s action", caller, action))
	}
	return nil
}

// signed says whether a request carries what Signature Version 4 asks for,
// made out to the service. The signature itself is not verified: any key does,
// but for the credentials of a role that have expired.
func signed(r *http.Request, service string) *apiError {
	fields, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return refuse("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	have := 0
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch {
		case name == "Credential" && strings.HasSuffix(value, "/"+service+"/aws4_request"):
			have |= 1
		case name == "SignedHeaders" && value != "":
			have |= 2
		case name == "Signature" && value != "":
			have |= 4
		}
	}
	if have != 7 || r.Header.Get("X-Amz-Date") == "" {
		return refuse("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	if role, ok := bearer(r); ok && !time.Now().Before(role.expires) {
		return refuse("ExpiredTokenException", "The security token included in the request is expired")
	}
	return nil
}
