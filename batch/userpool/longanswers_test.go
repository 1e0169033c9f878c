package userpool_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"cognito-reset/batch"
)

// A server decides how much it says, and not how much of it is kept.
func TestWhatAServerSaysIsKeptShort(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	for what, answer := range map[string]*http.Response{
		"a refusal": jsonResponse(400, `{"__type":"`+long+`","message":"`+long+`"}`),
		"a page":    response(502, "text/html", long),
		"success":   jsonResponse(200, "{}"),
	} {
		answer.Header.Set("X-Amzn-Requestid", long)
		answer.Header.Set("X-Amzn-Errortype", long)
		pool := open(t, transport(func(*http.Request) (*http.Response, error) { return answer, nil }))
		done, err := pool.Do(t.Context(), batch.Entry{Username: "ann"})
		all := done.RequestID
		if e, ok := errors.AsType[*batch.Error](err); ok {
			all += e.Code + e.Message + e.RequestID + e.Error()
		} else if err != nil || what != "success" {
			t.Errorf("%s: %v", what, err)
		}
		if len(all) > 64<<10 {
			t.Errorf("%s: %d bytes are kept", what, len(all))
		}
	}
}

// endless is an answer without an end, which counts what is read of it.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.read += int64(len(p)); e.read > 1<<30 {
		return 0, errors.New("a gigabyte was read")
	}
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestAnAnswerWithoutAnEndIsNotReadToIt(t *testing.T) {
	for _, status := range []int{200, 400, 500} {
		body := new(endless)
		pool := open(t, transport(func(*http.Request) (*http.Response, error) {
			answer := jsonResponse(status, "")
			answer.Body, answer.ContentLength = io.NopCloser(body), -1
			return answer, nil
		}))
		_, err := pool.Do(t.Context(), batch.Entry{Username: "ann"})
		if e, ok := errors.AsType[*batch.Error](err); !ok || e.Class != batch.ClassInDoubt && status == 200 {
			t.Errorf("%d: %v", status, err)
		}
		if _, err := pool.Settings(t.Context()); status != 200 && err == nil {
			t.Errorf("%d: the pool is described", status)
		}
		if body.read > 64<<20 {
			t.Errorf("%d: %d MiB were read", status, body.read>>20)
		}
	}
}

// A pool asks for as long a password as Cognito takes, at most, whatever it answers.
func TestNoPolicyAsksForAPasswordWithoutAnEnd(t *testing.T) {
	var set struct{ Password string }
	pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
		switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation {
		case "DescribeUserPool":
			return jsonResponse(200, `{"UserPool":{"Policies":{"PasswordPolicy":{"MinimumLength":1500000000}}}}`), nil
		case "AdminGetUser":
			return jsonResponse(200, `{"Username":"ann","UserStatus":"CONFIRMED","Enabled":true}`), nil
		case "AdminSetUserPassword":
			return jsonResponse(200, "{}"), json.NewDecoder(r.Body).Decode(&set)
		}
		return jsonResponse(400, `{"__type":"InvalidParameterException"}`), nil
	}))
	if _, err := pool.Lock().Do(t.Context(), batch.Entry{Username: "ann"}); err != nil || len(set.Password) != 99 {
		t.Errorf("a password of %d characters, %v", len(set.Password), err)
	}
}
