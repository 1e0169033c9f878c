package sandbox_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
)

const poolID = "us-east-1_Sandbox01"

type in map[string]any

// An answer is what came back, decoded.
type answer struct {
	status  int
	code    string // "" for success
	message string
	body    map[string]any
	id      string
}

// says is "Code: message", or "" for success.
func (a answer) says() string {
	if a.code == "" {
		return ""
	}
	return a.code + ": " + a.message
}

// A client calls a pool in process, as a signed request.
type client struct {
	t    testing.TB
	http http.Client
}

func connect(t testing.TB, p *sandbox.Pool) *client {
	return &client{t, http.Client{Transport: p}}
}

func request(t testing.TB, url, op, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+op)
	req.Header.Set("X-Amz-Date", "20260102T030405Z")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/us-east-1/cognito-idp/aws4_request, SignedHeaders=host;x-amz-date, Signature=00")
	return req
}

func (c *client) try(req *http.Request) (answer, error) {
	c.t.Helper()
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, id: res.Header.Get("x-amzn-RequestId")}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(res.Body); err != nil {
		return answer{}, err
	}
	_ = json.Unmarshal(raw.Bytes(), &a.body) // some answers are no JSON
	if a.status != http.StatusOK {
		a.code, _ = a.body["__type"].(string)
		a.message, _ = a.body["message"].(string)
		if head := res.Header.Get("x-amzn-ErrorType"); head != a.code {
			c.t.Errorf("header says %q, body %q", head, a.code)
		}
	}
	return a, nil
}

// call calls an operation on the pool; poolID is filled in.
func (c *client) call(op string, params in) answer {
	c.t.Helper()
	full := in{"UserPoolId": poolID}
	for k, v := range params {
		full[k] = v
	}
	body, err := json.Marshal(full)
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := c.try(request(c.t, "http://sandbox/", op, string(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *client) reset(username string) answer {
	c.t.Helper()
	return c.call("AdminResetUserPassword", in{"Username": username})
}

// must is call for what cannot fail.
func (c *client) must(op string, params in) map[string]any {
	c.t.Helper()
	a := c.call(op, params)
	if a.code != "" {
		c.t.Fatalf("%s: %s", op, a.says())
	}
	return a.body
}

func user(name string, change func(*sandbox.User)) sandbox.User {
	u := sandbox.NewUser(name)
	if change != nil {
		change(&u)
	}
	return u
}

func TestAddingAUsernameAgainReplacesItsUser(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.Add(sandbox.NewUser("ann"))
	if _, found := pool.Get("ann@example.com"); !found {
		t.Fatal("no alias")
	}
	pool.Add(user("ann", func(u *sandbox.User) { u.Email = "new@example.com" }))
	if _, found := pool.Get("ann@example.com"); found || pool.Len() != 1 {
		t.Errorf("the old address still names somebody, or there are two: %d", pool.Len())
	}
	if u, _ := pool.Get("new@example.com"); u.Username != "ann" {
		t.Errorf("the new address names %q", u.Username)
	}
}
