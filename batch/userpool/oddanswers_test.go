package userpool_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/userpool"
)

// Whatever a server answers, nothing here panics.
func TestNoAnswerPanics(t *testing.T) {
	withoutAWS(t)
	for _, body := range []string{
		``, `null`, `{}`, `[]`, `""`, `{`, `<html>`, `{"UserPool":null}`, `{"UserPool":{}}`, `{"UserPool":{"Policies":{"PasswordPolicy":null},"AccountRecoverySetting":{"RecoveryMechanisms":[null]}}}`,
		`{"Users":null}`, `{"Users":[null]}`, `{"Users":[{}]}`, `{"Users":[{"Attributes":[null,{}]}]}`, `{"UserAttributes":[null]}`,
		`{"Quota":null}`, `{"Quota":{}}`, `{"SendQuota":null}`, `{"User":null}`, `{"__type":null}`,
	} {
		for _, status := range []int{200, 400, 500} {
			synctest.Test(t, func(t *testing.T) {
				answer := transport(func(*http.Request) (*http.Response, error) { return jsonResponse(status, body), nil })
				askEverything(t, open(t, answer))
			})
		}
	}
}

// Whatever bytes answer, with whatever status: nothing panics, nobody counts as reset by
// an answer that refuses, and no error is longer than it may be.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/x-amz-json-1.1", "", []byte(`{}`))
	f.Add(400, "application/x-amz-json-1.1", "UserNotFoundException:http://internal", []byte(`{"__type":"a#UserNotFoundException","message":"no"}`))
	f.Add(200, "application/x-amz-json-1.1", "", []byte(`{"Users":[{"Username":"ann","UserStatus":"CONFIRMED","Enabled":true,"Attributes":[{"Name":"sub","Value":"1"}],"UserLastModifiedDate":1.7e9}],"PaginationToken":"next"}`))
	f.Add(200, "text/html", "", []byte(`<html>`))
	f.Add(403, "text/xml", "", []byte(`<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`))
	f.Add(200, "application/x-amz-json-1.1", "", []byte(`{"UserPool":{"Policies":{"PasswordPolicy":{"MinimumLength":-1}},"SchemaAttributes":[{}],"LambdaConfig":{"CustomMessage":""}}}`))
	withoutAWS(f)
	f.Fuzz(func(t *testing.T, status int, contentType, kind string, body []byte) {
		if status < 200 || status > 599 {
			return // no answer of HTTP
		}
		synctest.Test(t, func(t *testing.T) {
			pool := open(t, transport(func(*http.Request) (*http.Response, error) {
				answer := response(status, contentType, string(body))
				answer.Header.Set("X-Amzn-Errortype", kind)
				return answer, nil
			}))
			_, err := pool.Do(t.Context(), batch.Entry{Row: 1, Username: "ann"})
			e, ok := errors.AsType[*batch.Error](err)
			switch {
			case err == nil && status/100 != 2:
				t.Errorf("an answer of %d is a reset", status)
			case err != nil && (!ok || len(e.Error()) > 64<<10):
				t.Errorf("%d: %v", status, err)
			}
			if ok && e.Class == batch.ClassThrottle {
				return // which a listing waits out, however long
			}
			askEverything(t, pool)
		})
	})
}

// askEverything asks a pool all that can be asked of it.
func askEverything(t *testing.T, pool *userpool.Pool) {
	ctx := t.Context()
	e := batch.Entry{Row: 1, Username: "ann", Intended: time.Now()}
	entries := func(yield func(batch.Entry, error) bool) { yield(batch.Entry{Row: 1, Username: "ann"}, nil) }
	results := func(yield func(batch.Result, error) bool) {
		yield(batch.Result{Row: 1, Username: "ann", Outcome: batch.Reset}, nil)
	}
	settings, _ := pool.Settings(ctx)
	account := awsaccount.Of(pool)
	account.EmailAccount(ctx, settings)
	account.Caller(ctx)
	account.Quota(ctx, awsaccount.Recovery)
	account.May(ctx, awsaccount.ListUsers)
	account.May(ctx, awsaccount.GetUser)
	account.May(ctx, awsaccount.ResendInvite)
	pool.Do(ctx, e)
	pool.Settle(ctx, e, time.Now())
	for _, action := range []batch.Action{pool.Lock(), pool.Disable(), pool.Invite(), pool.SignOut()} {
		action.Do(ctx, e)
	}
	pool.Coverage(ctx, entries, func(userpool.User) error { return nil })
	pool.Naming(ctx, []string{"ann@example.com"})
	for range pool.Users(ctx, userpool.Filter{}) {
	}
	for range pool.Group(ctx, "staff") {
	}
	for range pool.Look(ctx, false, entries) {
	}
	for range pool.Match(ctx, "email", userpool.Selection{}, entries) {
	}
	for range pool.Forecast(ctx, entries) {
	}
	for range pool.ForecastEach(ctx, entries) {
	}
	for range pool.Verify(ctx, results) {
	}
}
