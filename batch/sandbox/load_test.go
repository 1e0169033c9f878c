package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
)

const listed = `{"Users": [
	{"Username": "ann", "UserStatus": "CONFIRMED", "Enabled": true, "UserCreateDate": 1700000000.5, "UserLastModifiedDate": "2026-01-02T03:04:05.678+01:00", "Groups": ["staff"],
	 "Attributes": [{"Name": "sub", "Value": "11111111-1111-4111-8111-111111111111"}, {"Name": "email", "Value": "Ann@x.example"}, {"Name": "email_verified", "Value": "true"},
	                {"Name": "phone_number", "Value": "+15550100"}, {"Name": "custom:tier", "Value": "gold"}]},
	{"Username": "ben", "Enabled": false, "UserStatus": "EXTERNAL_PROVIDER"}
], "PaginationToken": "more"}
[{"Username": "cid"}]`

func TestAPoolIsFilledFromWhatListUsersAnswers(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	if n, err := pool.Load(strings.NewReader(listed)); n != 3 || err != nil {
		t.Fatalf("%d users, %v", n, err)
	}
	ann, _ := pool.Get("ann")
	if ann.Sub[0] != '1' || ann.Email != "Ann@x.example" || !ann.EmailVerified || ann.Phone != "+15550100" || ann.PhoneVerified ||
		ann.Attributes["custom:tier"] != "gold" || ann.Groups[0] != "staff" || !ann.Enabled || ann.Password != sandbox.DefaultPassword ||
		!ann.Created.Equal(time.UnixMilli(1700000000500)) || !ann.Modified.Equal(time.Date(2026, 1, 2, 2, 4, 5, 678e6, time.UTC)) {
		t.Errorf("ann is %+v", ann)
	}
	if ben, _ := pool.Get("ben"); ben.Enabled || ben.Status != sandbox.ExternalProvider || ben.Password != "" || ben.Sub == "" {
		t.Errorf("ben is %+v", ben)
	}
	if cid, _ := pool.Get("cid"); !cid.Enabled || cid.Status != sandbox.Confirmed || cid.Created.IsZero() {
		t.Errorf("cid is %+v", cid)
	}
}

func TestWhatListUsersDoesNotAnswerFillsNoPool(t *testing.T) {
	for text, says := range map[string]string{
		"":                               "no users",
		`{"Users": []}`:                  "no users",
		"username\nann":                  "not what ListUsers answers",
		`[{"Username": "ann"}, {}]`:      "user 2: ",
		`[{"Username": "a b"}]`:          "user 1: ",
		`[{"Username": "ann"}] {"Users"`: "not what ListUsers answers",
		`[{"Username": "ann", "UserStatus": "SLEEPY"}]`:        `no state "SLEEPY"`,
		`[{"Username": "ann", "UserCreateDate": "yesterday"}]`: "yesterday",
	} {
		pool := sandbox.New(sandbox.Config{})
		if _, err := pool.Load(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) || pool.Len() > 0 {
			t.Errorf("%s: %v, %d users", text, err, pool.Len())
		}
	}
}

// In a pool that signs in by e-mail the address names the user, verified or not, and
// the username is a sub that the pool makes.
func TestUsersSignInByEmail(t *testing.T) {
	pool := sandbox.New(sandbox.Config{SignIn: "email", CaseInsensitive: true})
	pool.Add(sandbox.NewUser("Ann@x.example"), user("ben@x.example", func(u *sandbox.User) { u.EmailVerified = false }))
	c := connect(t, pool)
	c.must("AdminCreateUser", in{"Username": "cid@x.example"})
	described := c.must("DescribeUserPool", in{})["UserPool"].(map[string]any)
	if _, alias := described["AliasAttributes"]; alias || described["UsernameAttributes"].([]any)[0] != "email" {
		t.Errorf("described as %v", described)
	}
	for _, email := range []string{"Ann@x.example", "ben@x.example", "cid@x.example"} {
		u, ok := pool.Get(strings.ToUpper(email))
		if !ok || u.Email != email || u.Username != u.Sub || strings.Count(u.Username, "-") != 4 {
			t.Errorf("%s is %+v", email, u)
		}
		if byName, _ := pool.Get(u.Username); byName.Sub != u.Sub {
			t.Errorf("%s is not found by the username", email)
		}
	}
	c.must("AdminResetUserPassword", in{"Username": "ann@x.example"})
	if pool.Resets("Ann@x.example") != 1 {
		t.Error("ann was not reset")
	}
	if got := c.call("AdminCreateUser", in{"Username": "ANN@x.example"}); got.code != "UsernameExistsException" {
		t.Errorf("another ann: %s", got.says())
	}
}

func TestAPopulatedPoolThatSignsInByEmailHasUUIDs(t *testing.T) {
	pool := sandbox.New(sandbox.Config{SignIn: "email"})
	if n := pool.PopulateN(1000); n < 900 || n != pool.Len() {
		t.Errorf("%d users of %d", n, pool.Len())
	}
	pool.EachUser(func(u sandbox.User, _, _ int) {
		if u.Username != u.Sub || !strings.HasPrefix(u.Email, "user-0") || !strings.HasSuffix(u.Email, "@example.com") {
			t.Errorf("%+v", u)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add(listed)
	f.Add(`[{"Username": "ann", "Attributes": [null], "UserCreateDate": null}]`)
	f.Fuzz(func(t *testing.T, text string) {
		pool := sandbox.New(sandbox.Config{SignIn: "email"})
		n, err := pool.Load(strings.NewReader(text))
		if (n == 0) != (err != nil) || (pool.Len() == 0) != (err != nil) || pool.Len() > n {
			t.Errorf("%d users of %d, %v", pool.Len(), n, err)
		}
	})
}
