package awsaccount_test

import (
	"net/http"
	"strings"
	"testing"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/internal/pooltest"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

func TestSESTellsWhatTheAccountMaySend(t *testing.T) {
	for _, c := range []struct {
		ses  sandbox.SES
		want awsaccount.EmailAccount
	}{
		{sandbox.SES{}, awsaccount.EmailAccount{Region: "eu-west-1", DailyQuota: 50_000, Rate: 14}},
		{sandbox.SES{Sandbox: true, Sent: 7}, awsaccount.EmailAccount{Region: "eu-west-1", Sandbox: true, DailyQuota: 200, Rate: 1, Sent: 7}},
		{sandbox.SES{Paused: true, DailyQuota: -1, Rate: 3}, awsaccount.EmailAccount{Region: "eu-west-1", Paused: true, DailyQuota: -1, Rate: 3}},
	} {
		host := ""
		users := sandbox.New(sandbox.Config{SES: c.ses})
		account := of(t, pooltest.Transport(func(r *http.Request) (*http.Response, error) {
			host = r.URL.Host
			return users.RoundTrip(r)
		}))
		got, err := account.EmailAccount(t.Context(), userpool.Settings{EmailSourceARN: "arn:aws:ses:eu-west-1:123456789012:identity/example.com"})
		if err != nil || got != c.want || host != "email.eu-west-1.amazonaws.com" {
			t.Errorf("%+v, %v, from %s, not %+v", got, err, host, c.want)
		}
	}
	account := of(t, inProcess(sandbox.Config{Denied: []string{"ses:GetAccount"}}))
	if _, err := account.EmailAccount(t.Context(), userpool.Settings{}); err == nil || !strings.HasPrefix(err.Error(), "reading SES: ") {
		t.Errorf("denied: %v", err)
	}
}
