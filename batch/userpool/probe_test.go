package userpool_test

import (
	"net/http"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

func TestPermissionsAreProbedOnNobody(t *testing.T) {
	users := sandbox.New(sandbox.Config{})
	pool := open(t, &http.Client{Transport: users})
	if err := pool.MayList(t.Context()); err != nil {
		t.Errorf("listing: %v", err)
	}
	if err := pool.MayRead(t.Context()); err != nil {
		t.Errorf("reading: %v", err)
	}
	pool = open(t, inProcess(sandbox.Config{Denied: []string{"cognito-idp:*"}}))
	for operation, err := range map[string]error{"ListUsers": pool.MayList(t.Context()), "AdminGetUser": pool.MayRead(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "is not authorized to perform: cognito-idp:"+operation) {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func TestTheEndpointIsTheOneThatCallsGoTo(t *testing.T) {
	for given, want := range map[string]string{
		"":                      "https://cognito-idp.us-east-1.amazonaws.com",
		"http://127.0.0.1:9229": "http://127.0.0.1:9229",
	} {
		pool := open(t, nil, func(o *userpool.Options) { o.EndpointURL = given })
		if got, err := pool.Endpoint(t.Context()); err != nil || got != want {
			t.Errorf("%s, %v, not %s", got, err, want)
		}
	}
}

func TestSESTellsWhatTheAccountMaySend(t *testing.T) {
	for _, c := range []struct {
		ses  sandbox.SES
		want userpool.EmailAccount
	}{
		{sandbox.SES{}, userpool.EmailAccount{Region: "eu-west-1", DailyQuota: 50_000, Rate: 14}},
		{sandbox.SES{Sandbox: true, Sent: 7}, userpool.EmailAccount{Region: "eu-west-1", Sandbox: true, DailyQuota: 200, Rate: 1, Sent: 7}},
		{sandbox.SES{Paused: true, DailyQuota: -1, Rate: 3}, userpool.EmailAccount{Region: "eu-west-1", Paused: true, DailyQuota: -1, Rate: 3}},
	} {
		host := ""
		users := sandbox.New(sandbox.Config{SES: c.ses})
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			host = r.URL.Host
			return users.RoundTrip(r)
		}))
		got, err := pool.EmailAccount(t.Context(), userpool.Settings{EmailSourceARN: "arn:aws:ses:eu-west-1:123456789012:identity/example.com"})
		if err != nil || got != c.want || host != "email.eu-west-1.amazonaws.com" {
			t.Errorf("%+v, %v, from %s, not %+v", got, err, host, c.want)
		}
	}
	pool := open(t, inProcess(sandbox.Config{Denied: []string{"ses:GetAccount"}}))
	if _, err := pool.EmailAccount(t.Context(), userpool.Settings{}); err == nil || !strings.HasPrefix(err.Error(), "reading SES: ") {
		t.Errorf("denied: %v", err)
	}
}
