package sandbox_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
)

func accessToken(a answer) string {
	result, _ := a.body["AuthenticationResult"].(map[string]any)
	token, _ := result["AccessToken"].(string)
	return token
}

// An app works for a signed-in user until a sign-out, or the end of the token's hour.
func TestASignedInUserIsServedUntilASignOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{})
		pool.Add(sandbox.NewUser("ann"))
		c := connect(t, pool)
		const own = "My-Own-Password-2"
		token := accessToken(c.signIn("ann", sandbox.DefaultPassword))
		if got := c.must("GetUser", in{"AccessToken": token}); got["Username"] != "ann" {
			t.Error("GetUser:", got)
		}
		for what, forged := range map[string]string{"none": "", "cut": token[:len(token)-2], "an ID token": strings.Replace(token, ".", ".x", 1)} {
			if got := c.call("GetUser", in{"AccessToken": forged}); got.says() != "NotAuthorizedException: Invalid Access Token" {
				t.Errorf("%s: %s", what, got.says())
			}
		}
		change := func(from, to string) string {
			return c.call("ChangePassword", in{"AccessToken": token, "PreviousPassword": from, "ProposedPassword": to}).says()
		}
		if got := change("wrong", own); got != "NotAuthorizedException: Incorrect username or password." {
			t.Error("wrong password:", got)
		}
		if got := change(sandbox.DefaultPassword, "short"); !strings.HasPrefix(got, "InvalidPasswordException") {
			t.Error("weak password:", got)
		}
		if got := c.call("ChangePassword", in{"AccessToken": token, "PreviousPassword": sandbox.DefaultPassword, "ProposedPassword": own}); got.code != "" {
			t.Error("ChangePassword:", got.says())
		}
		second := c.signIn("ann", own)
		c.must("AdminResetUserPassword", in{"Username": "ann"})
		c.must("GetUser", in{"AccessToken": token}) // a reset signs nobody out
		c.must("GlobalSignOut", in{"AccessToken": token})
		for _, revoked := range []string{token, accessToken(second)} {
			if got := c.call("GetUser", in{"AccessToken": revoked}); got.says() != "NotAuthorizedException: Access Token has been revoked" {
				t.Error("after the sign-out:", got.says())
			}
		}
		if got := c.refresh(refreshToken(second)); got.message != "Refresh Token has been revoked" {
			t.Error("refreshing after the sign-out:", got.says())
		}

		pool.Add(sandbox.NewUser("ben"))
		token = accessToken(c.signIn("ben", sandbox.DefaultPassword))
		time.Sleep(time.Hour)
		if got := c.call("GetUser", in{"AccessToken": token}); got.says() != "NotAuthorizedException: Access Token has expired" {
			t.Error("an hour later:", got.says())
		}
	})
}

// Whoever signs up is unconfirmed, and signs in once an administrator has confirmed
// them.
func TestASignUpIsConfirmedByAnAdministrator(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	c := connect(t, pool)
	signUp := in{"ClientId": "app", "Username": "new", "Password": sandbox.DefaultPassword,
		"UserAttributes": []in{{"Name": "email", "Value": "new@example.com"}, {"Name": "given_name", "Value": "Ann"}}}
	got := c.must("SignUp", signUp)
	user, _ := pool.Get("new")
	if got["UserConfirmed"] != false || got["UserSub"] != user.Sub || user.Status != sandbox.Unconfirmed || user.EmailVerified || user.Attributes["given_name"] != "Ann" {
		t.Errorf("%v makes %+v", got, user)
	}
	if box := pool.Outbox(); len(box) != 1 || box[0].Kind != sandbox.SignUpMessage {
		t.Errorf("sent: %v", box)
	}
	if got := c.call("SignUp", signUp); got.says() != "UsernameExistsException: User already exists" {
		t.Error("again:", got.says())
	}
	if got := c.signIn("new", sandbox.DefaultPassword); got.code != "UserNotConfirmedException" {
		t.Error("before it is confirmed:", got.says())
	}
	c.must("AdminConfirmSignUp", in{"Username": "new"})
	if accessToken(c.signIn("new", sandbox.DefaultPassword)) == "" {
		t.Error("a confirmed user does not sign in")
	}
	if got := c.call("AdminConfirmSignUp", in{"Username": "new"}); got.says() != "NotAuthorizedException: User cannot be confirmed. Current status is CONFIRMED" {
		t.Error("again:", got.says())
	}
}

// A new address is unverified unless the call says otherwise, whatever the order, and
// names the user as soon as it is verified.
func TestAttributesAreChangedAllOrNone(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.Add(sandbox.NewUser("ann"))
	c := connect(t, pool)
	update := func(attributes ...in) answer {
		return c.call("AdminUpdateUserAttributes", in{"Username": "ann", "UserAttributes": attributes})
	}
	update(in{"Name": "email", "Value": "a@example.org"}, in{"Name": "custom:tier", "Value": "gold"})
	if u, _ := pool.Get("ann"); u.Email != "a@example.org" || u.EmailVerified || u.Attributes["custom:tier"] != "gold" {
		t.Errorf("%+v", u)
	}
	if _, found := pool.Get("a@example.org"); found {
		t.Error("an unverified address names somebody")
	}
	update(in{"Name": "email_verified", "Value": "true"}, in{"Name": "email", "Value": "b@example.org"})
	if u, found := pool.Get("b@example.org"); !found || u.Username != "ann" {
		t.Error("a verified address names nobody")
	}
	if got := update(in{"Name": "given_name", "Value": "Ann"}, in{"Name": "sub", "Value": "x"}); got.code != "InvalidParameterException" {
		t.Error("a new sub:", got.says())
	}
	if u, _ := pool.Get("ann"); u.Attributes["given_name"] != "" {
		t.Error("a refused call has changed something")
	}
}

// Nobody who is wrong again and again guesses a code; an hour later, or with the code in
// time, the user comes back.
func TestWrongCodesHaveALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{AttemptLimit: 3})
		pool.Add(sandbox.NewUser("ann"))
		c := connect(t, pool)
		c.must("AdminResetUserPassword", in{"Username": "ann"})
		for range 3 {
			if got := c.confirm("no code", "My-Own-Password-2"); got.code != "CodeMismatchException" {
				t.Fatal("a wrong code:", got.says())
			}
		}
		if got := c.confirm(pool.Outbox()[0].Code, "My-Own-Password-2"); got.says() != "LimitExceededException: Attempt limit exceeded, please try after some time." {
			t.Error("the right code after too many:", got.says())
		}
		time.Sleep(time.Hour)
		c.must("ForgotPassword", in{"ClientId": "app", "Username": "ann"})
		if got := c.confirm(pool.Outbox()[1].Code, "My-Own-Password-2"); got.code != "" {
			t.Error("an hour later:", got.says())
		}
	})
}

// A client id that the pool has not is refused by every operation that takes one.
func TestUnknownClientsAreRefused(t *testing.T) {
	pool := sandbox.New(sandbox.Config{Clients: []string{"web", "phone"}})
	pool.Add(sandbox.NewUser("ann"))
	c := connect(t, pool)
	for _, op := range []string{"InitiateAuth", "AdminInitiateAuth", "RespondToAuthChallenge", "ForgotPassword", "ConfirmForgotPassword", "SignUp"} {
		if got := c.call(op, in{"ClientId": "app", "Username": "ann"}); got.says() != "ResourceNotFoundException: User pool client app does not exist." {
			t.Errorf("%s: %s", op, got.says())
		}
	}
	c.must("ForgotPassword", in{"ClientId": "phone", "Username": "ann"})
	var ids []string
	for _, client := range c.must("ListUserPoolClients", nil)["UserPoolClients"].([]any) {
		ids = append(ids, client.(map[string]any)["ClientId"].(string))
	}
	if !slices.Equal(ids, []string{"web", "phone"}) {
		t.Errorf("the clients are %q", ids)
	}
}
