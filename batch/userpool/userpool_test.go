package userpool_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cognito-reset/batch"
	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/internal/pooltest"
	"cognito-reset/batch/userpool"
)

// What the tests of this package share with others.
type transport = pooltest.Transport

const poolID = pooltest.PoolID

var (
	withoutAWS     = pooltest.WithoutAWS
	anyCredentials = pooltest.AnyCredentials
	open           = pooltest.Open
	response       = pooltest.Response
	jsonResponse   = pooltest.JSON
)

func TestACallAsksCognitoToResetTheUser(t *testing.T) {
	var asked *http.Request
	var body []byte
	pool := open(t, transport(func(r *http.Request) (_ *http.Response, err error) {
		asked = r
		body, err = io.ReadAll(r.Body)
		return jsonResponse(200, "{}"), err
	}))
	answer, err := pool.Do(t.Context(), batch.Entry{Username: "änn <x>", ClientMetadata: map[string]string{"why": "breach"}})
	if err != nil || answer.RequestID != "request-1" {
		t.Errorf("request id %q, error %v", answer.RequestID, err)
	}
	if got := asked.URL.String(); got != "https://cognito-idp.us-east-1.amazonaws.com/" {
		t.Errorf("asked %s", got)
	}
	if got := asked.Header.Get("X-Amz-Target"); got != "AWSCognitoIdentityProviderService.AdminResetUserPassword" {
		t.Errorf("asked for %s", got)
	}
	if got := asked.Header.Get("Authorization"); !strings.HasPrefix(got, "AWS4-HMAC-SHA256 ") {
		t.Errorf("signed as %q", got)
	}
	want := `{"ClientMetadata":{"why":"breach"},"Username":"änn <x>","UserPoolId":"us-east-1_Sandbox01"}`
	if got := string(body); got != want {
		t.Errorf("asked %s, not %s", got, want)
	}
}

func TestTheRegionIsThatOfThePool(t *testing.T) {
	for id, want := range map[string]string{"eu-west-1_AbC": "eu-west-1", "us-gov-west-1_x_y": "us-gov-west-1", "nonsense": "", "": ""} {
		if got := userpool.RegionOf(id); got != want {
			t.Errorf("RegionOf(%q) = %q, not %q", id, got, want)
		}
	}
	pool := open(t, transport(nil), func(o *userpool.Options) { o.Region = "eu-central-1" })
	if pool.Region != "eu-central-1" {
		t.Errorf("a given Region gave way to %s", pool.Region)
	}
}

// Retries belong to package batch alone: no setting of the machine may bring
// the SDK's back.
func TestTheSDKNeverRetries(t *testing.T) {
	for _, code := range []string{"TooManyRequestsException", "LimitExceededException", "InternalErrorException", "ThrottlingException"} {
		var calls atomic.Int32
		client := transport(func(*http.Request) (*http.Response, error) {
			calls.Add(1)
			return jsonResponse(400, `{"__type":"`+code+`","message":"no"}`), nil
		})
		withoutAWS(t)
		t.Setenv("AWS_MAX_ATTEMPTS", "10")
		t.Setenv("AWS_RETRY_MODE", "adaptive")
		pool, err := userpool.Open(t.Context(), userpool.Options{PoolID: poolID, HTTPClient: client, Credentials: anyCredentials})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Do(t.Context(), batch.Entry{Username: "ann"}); err == nil {
			t.Errorf("%s: no error", code)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%s: %d requests", code, n)
		}
	}
}

func TestTheCallerAndThePoolAreNamed(t *testing.T) {
	pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Target") != "" {
			return jsonResponse(200, `{"UserPool":{"Name":"customers"}}`), nil
		}
		return response(200, "text/xml", `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
			`<Arn>arn:aws:iam::123456789012:user/ops</Arn><UserId>AIDA</UserId><Account>123456789012</Account>`+
			`</GetCallerIdentityResult></GetCallerIdentityResponse>`), nil
	}))
	if caller, err := awsaccount.Of(pool).Caller(t.Context()); err != nil || caller.Account != "123456789012" || caller.ARN != "arn:aws:iam::123456789012:user/ops" {
		t.Errorf("%+v, %v", caller, err)
	}
	if s, err := pool.Settings(t.Context()); err != nil || s.Name != "customers" {
		t.Errorf("%+v, %v", s, err)
	}
}

// logged is a logger, and how often it was told something.
func logged() (*slog.Logger, *bytes.Buffer) {
	var log bytes.Buffer
	return slog.New(slog.NewTextHandler(&log, nil)), &log
}

// deny is a provider of credentials that has none.
type deny struct{ error }

func (d deny) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials{}, d.error }

var discard = log.New(io.Discard, "", 0)

// CloudTrail shows which version called.
func TestEveryCallNamesTheTool(t *testing.T) {
	agent := ""
	pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
		agent = r.Header.Get("User-Agent")
		return jsonResponse(200, "{}"), nil
	}), func(o *userpool.Options) { o.Version = "v1.2.3" })
	if _, err := pool.Reset(t.Context(), batch.Entry{Username: "ann"}); err != nil || !strings.Contains(agent, "cognito-reset/v1.2.3") {
		t.Errorf("%v; it is %q", err, agent)
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
