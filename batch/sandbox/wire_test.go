package sandbox_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
)

func TestAdminOperationsMustBeSigned(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.Add(sandbox.NewUser("ann"))
	c := connect(t, pool)
	const body = `{"UserPoolId":"` + poolID + `","Username":"ann","ClientId":"app"}`
	for name, spoil := range map[string]func(http.Header){
		"no authorization": func(h http.Header) { h.Del("Authorization") },
		"no date":          func(h http.Header) { h.Del("X-Amz-Date") },
		"bearer":           func(h http.Header) { h.Set("Authorization", "Bearer x") },
		"no signature": func(h http.Header) {
			h.Set("Authorization", strings.Replace(h.Get("Authorization"), "Signature=00", "", 1))
		},
		"another service": func(h http.Header) {
			h.Set("Authorization", strings.Replace(h.Get("Authorization"), "cognito-idp", "s3", 1))
		},
	} {
		req := request(t, "http://sandbox/", "AdminResetUserPassword", body)
		spoil(req.Header)
		got, err := c.try(req)
		if err != nil || got.says() != "MissingAuthenticationTokenException: Missing Authentication Token" {
			t.Errorf("%s: %s, %v", name, got.says(), err)
		}
	}
	public := request(t, "http://sandbox/", "ForgotPassword", body)
	public.Header.Del("Authorization")
	if got, err := c.try(public); err != nil || got.code != "" {
		t.Errorf("an app signs nothing, and got %s, %v", got.says(), err)
	}
	if pool.Resets("ann") != 0 {
		t.Error("an unsigned reset was done")
	}
}

func TestWhatIsNoRequestIsRefused(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	c := connect(t, pool)
	for name, tc := range map[string]struct {
		op, body string
		change   func(*http.Request)
		status   int
		code     string
	}{
		"unknown operation": {"MakeTea", `{}`, nil, 400, "UnknownOperationException"},
		"no target":         {"", `{}`, func(r *http.Request) { r.Header.Del("X-Amz-Target") }, 400, "UnknownOperationException"},
		"content type":      {"ListUsers", `{}`, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 400, "UnknownOperationException"},
		"not JSON":          {"ListUsers", `{`, nil, 400, "SerializationException"},
		"no body":           {"ListUsers", ``, nil, 400, "SerializationException"},
		"wrong type":        {"ListUsers", `{"UserPoolId":7}`, nil, 400, "SerializationException"},
		"too large":         {"ListUsers", `{"Filter":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "RequestEntityTooLargeException"},
		"GET":               {"ListUsers", ``, func(r *http.Request) { r.Method = http.MethodGet }, 405, ""},
		"elsewhere":         {"ListUsers", `{}`, func(r *http.Request) { r.URL.Path = "/v2/email/account" }, 404, ""},
	} {
		req := request(t, "http://sandbox/", tc.op, tc.body)
		if tc.change != nil {
			tc.change(req)
		}
		got, err := c.try(req)
		if err != nil || got.status != tc.status || got.code != tc.code {
			t.Errorf("%s: %d %s, %v", name, got.status, got.says(), err)
		}
	}
}

func TestAPoolDescribesItself(t *testing.T) {
	pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_Abc", PoolName: "customers", CaseInsensitive: true})
	pool.PopulateN(100)
	c := connect(t, pool)
	raw, err := json.Marshal(c.must("DescribeUserPool", in{"UserPoolId": "eu-west-1_Abc"}))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		UserPool struct {
			ID, Name, ARN          string
			EstimatedNumberOfUsers int
			UsernameConfiguration  struct{ CaseSensitive bool }
			AccountRecoverySetting struct{ RecoveryMechanisms []struct{ Name string } }
			AliasAttributes        []string
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	p := got.UserPool
	if p.ID != "eu-west-1_Abc" || p.Name != "customers" || p.ARN != "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_Abc" ||
		p.EstimatedNumberOfUsers != pool.Len() || p.UsernameConfiguration.CaseSensitive ||
		p.AccountRecoverySetting.RecoveryMechanisms[0].Name != "verified_email" || p.AliasAttributes[0] != "email" {
		t.Errorf("%+v", p)
	}
	if pools := c.must("ListUserPools", in{"MaxResults": 1})["UserPools"].([]any); len(pools) != 1 {
		t.Error("pools:", pools)
	}
	if got := c.call("ListUserPools", in{}); got.code != "InvalidParameterException" {
		t.Error(got.says())
	}
}

func TestSTSTellsTheCaller(t *testing.T) {
	srv := httptest.NewServer(sandbox.New(sandbox.Config{}))
	defer srv.Close()
	ask := func(form, authorization string) (status int, body []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		req.Header.Set("Authorization", authorization)
		req.Header.Set("X-Amz-Date", "20260102T030405Z")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err = io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, body
	}
	const signature = "AWS4-HMAC-SHA256 Credential=A/20260102/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=00"

	status, body := ask("Action=GetCallerIdentity&Version=2011-06-15", signature)
	var who struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
		ARN     string `xml:"GetCallerIdentityResult>Arn"`
	}
	if err := xml.Unmarshal(body, &who); err != nil || status != 200 || who.Account != "123456789012" || who.ARN != "arn:aws:iam::123456789012:user/sandbox" {
		t.Errorf("%d %s %v", status, body, err)
	}
	if status, body := ask("Action=GetCallerIdentity", ""); status != 403 || !strings.Contains(string(body), "MissingAuthenticationToken") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := ask("Action=AssumeRoleWithSAML", signature); status != 400 || !strings.Contains(string(body), "InvalidAction") {
		t.Errorf("%d %s", status, body)
	}
}

func TestAnotherProcessCanAskWhatHappened(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.Add(sandbox.NewUser("bob"), sandbox.NewUser("ann"))
	srv := httptest.NewServer(pool)
	defer srv.Close()
	connect(t, pool).reset("ann")
	get := func(path string) *json.Decoder {
		res, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return json.NewDecoder(res.Body)
	}

	var stats sandbox.Stats
	if err := get("/sandbox/stats").Decode(&stats); err != nil || stats.Users != 2 || stats.Messages != 1 ||
		stats.Calls["AdminResetUserPassword"][sandbox.OK] != 1 || stats.Peak[sandbox.UserAccountRecovery] != 1 {
		t.Errorf("%+v %v", stats, err)
	}
	var m sandbox.Message
	if err := get("/sandbox/outbox").Decode(&m); err != nil || m.Username != "ann" || len(m.Code) != 6 {
		t.Errorf("%+v %v", m, err)
	}
	users := get("/sandbox/users")
	for _, want := range []string{"ann RESET_REQUIRED true 1 1", "bob CONFIRMED true 0 0"} {
		var raw json.RawMessage
		if err := users.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(want)
		line := `{"username":"` + f[0] + `","status":"` + f[1] + `","enabled":` + f[2] + `,"resets":` + f[3] + `,"messages":` + f[4] + `}`
		if string(raw) != line {
			t.Errorf("%s, want %s", raw, line)
		}
	}
}
