package pool

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// A client notes what STS is asked, and answers nothing that helps.
type client struct{ asked []url.Values }

func (c *client) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") == "AssumeRole" {
		c.asked = append(c.asked, form)
	}
	return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// Whoever assumes a role is named in its session, which CloudTrail shows with each call:
// by the name of the login here, or as they say, and by the source identity if they give
// one.
func TestTheSessionOfARoleSaysWhoAssumedIt(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	asked := func(s spec.Settings) url.Values {
		c := new(client)
		s.RoleARN, s.ExternalID = "arn:aws:iam::123456789012:role/ops", "ours"
		p, err := Open(t.Context(), spec.Spec{UserPoolID: "us-east-1_A", Settings: s}, Options{HTTPClient: c})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Settings(context.WithoutCancel(t.Context())); err == nil || len(c.asked) == 0 {
			t.Fatalf("nobody assumed the role: %v", err)
		}
		return c.asked[0]
	}
	byDefault := asked(spec.Settings{})
	if name := byDefault.Get("RoleSessionName"); !regexp.MustCompile(`^cognito-reset-[\w+=,.@-]+$`).MatchString(name) || len(name) > 64 {
		t.Errorf("the session is called %q", name)
	}
	if byDefault.Has("SourceIdentity") || byDefault.Get("ExternalId") != "ours" {
		t.Errorf("asked was %v", byDefault)
	}
	said := asked(spec.Settings{SessionName: "night", SourceIdentity: "ann@example.com"})
	if said.Get("RoleSessionName") != "night" || said.Get("SourceIdentity") != "ann@example.com" {
		t.Errorf("asked was %v", said)
	}
}
