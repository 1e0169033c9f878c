package userpool_test

import (
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
				pool := open(t, answer)
				ctx := t.Context()
				e := batch.Entry{Row: 1, Username: "ann", Promised: time.Now()}
				entries := func(yield func(batch.Entry, error) bool) { yield(batch.Entry{Row: 1, Username: "ann"}, nil) }
				results := func(yield func(batch.Result, error) bool) {
					yield(batch.Result{Row: 1, Username: "ann", Outcome: batch.Reset}, nil)
				}
				settings, _ := pool.Settings(ctx)
				account := awsaccount.Of(pool)
				account.EmailAccount(ctx, settings)
				account.Caller(ctx)
				account.RecoveryQuota(ctx)
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
			})
		}
	}
}
