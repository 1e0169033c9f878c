package sandbox

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", `sub ^= "0"`, `email="a@b"`, `username = "c\"\\d"`, `status = "x`, `name=`, `username = "\`, `sub = "a" = "b"`} {
		f.Add(s)
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := parseFilter(s)
		if err != nil || parsed == (filter{}) {
			return
		}
		operator := "="
		if parsed.prefix {
			operator = "^="
		}
		canonical := parsed.attribute + " " + operator + ` "` + quoted.Replace(parsed.value) + `"`
		if again, err := parseFilter(canonical); err != nil || again != parsed {
			t.Errorf("%q is %+v, but %q is %+v", s, parsed, canonical, again)
		}
		parsed.matches(&User{Status: Confirmed}, strings.ToLower)
	})
}

func FuzzRequest(f *testing.F) {
	for op := range operations {
		f.Add("AWSCognitoIdentityProviderService."+op, `{"UserPoolId":"us-east-1_Sandbox01","Username":"ann","ClientId":"app"}`)
	}
	f.Add("AWSCognitoIdentityProviderService.ListUsers", `{"UserPoolId":"us-east-1_Sandbox01","PaginationToken":"e30"}`)
	f.Add("AWSCognitoIdentityProviderService.InitiateAuth", `{"ClientId":"app","AuthFlow":"REFRESH_TOKEN","AuthParameters":{"REFRESH_TOKEN":"a.b"}}`)
	f.Add("", "null")
	f.Fuzz(func(t *testing.T, target, body string) {
		pool := New(Config{})
		pool.Add(NewUser("ann"), NewUser("bob"))
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", target)
		req.Header.Set("X-Amz-Date", "20260102T030405Z")
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260102/us-east-1/cognito-idp/aws4_request, SignedHeaders=host, Signature=00")
		w := httptest.NewRecorder()
		pool.ServeHTTP(w, req)
		failed := w.Header().Get("x-amzn-ErrorType") != ""
		if (w.Code == http.StatusOK) == failed {
			t.Errorf("%s %s: %d %s", target, body, w.Code, w.Body)
		}
		if s := pool.Stats(); len(s.Calls) != 1 {
			t.Errorf("counted %v", s.Calls)
		}
	})
}
