package sandbox_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
)

func (c *client) signIn(username, password string) answer {
	c.t.Helper()
	return c.call("InitiateAuth", in{"ClientId": "app", "AuthFlow": "USER_PASSWORD_AUTH",
		"AuthParameters": in{"USERNAME": username, "PASSWORD": password}})
}

func (c *client) refresh(token string) answer {
	c.t.Helper()
	return c.call("InitiateAuth", in{"ClientId": "app", "AuthFlow": "REFRESH_TOKEN_AUTH",
		"AuthParameters": in{"REFRESH_TOKEN": token}})
}

func refreshToken(a answer) string {
	result, _ := a.body["AuthenticationResult"].(map[string]any)
	token, _ := result["RefreshToken"].(string)
	return token
}

func (c *client) confirm(code, password string) answer {
	c.t.Helper()
	return c.call("ConfirmForgotPassword", in{"ClientId": "app", "Username": "ann", "ConfirmationCode": code, "Password": password})
}

func TestAResetUserComesBackWithACodeAndTheOldSessionEndsOnlyAtSignOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{})
		pool.Add(sandbox.NewUser("ann"))
		c := connect(t, pool)
		const own = "My-Own-Password-2"

		attacker := refreshToken(c.signIn("ann", sandbox.DefaultPassword))
		if attacker == "" {
			t.Fatal("the breached password does not work to begin with")
		}

		c.must("AdminResetUserPassword", in{"Username": "ann"})
		if got := c.signIn("ann", sandbox.DefaultPassword); got.says() != "PasswordResetRequiredException: Password reset required for the user" {
			t.Error("old password:", got.says())
		}
		if got := c.refresh(attacker); got.code != "" {
			t.Error("a reset signs nobody out, but:", got.says())
		}

		time.Sleep(time.Hour + time.Second)
		if got := c.confirm(pool.Outbox()[0].Code, own); got.code != "ExpiredCodeException" {
			t.Error("after an hour:", got.says())
		}
		sent := c.must("ForgotPassword", in{"ClientId": "app", "Username": "ann"})
		if d := sent["CodeDeliveryDetails"].(map[string]any); d["Destination"] != "a***@e***" || d["DeliveryMedium"] != "EMAIL" {
			t.Error("delivery:", d)
		}
		box := pool.Outbox()
		code := box[len(box)-1].Code
		if got := c.confirm("no code", own); got.code != "CodeMismatchException" {
			t.Error("wrong code:", got.says())
		}
		if got := c.confirm(code, "password"); got.code != "InvalidPasswordException" {
			t.Error("weak password:", got.says())
		}
		if got := c.confirm(code, own); got.code != "" {
			t.Error("right code:", got.says())
		}
		if got := c.confirm(code, own); got.code != "ExpiredCodeException" {
			t.Error("used code:", got.says())
		}

		if got := c.signIn("ann", sandbox.DefaultPassword); got.says() != "NotAuthorizedException: Incorrect username or password." {
			t.Error("old password:", got.says())
		}
		mine := refreshToken(c.signIn("ann", own))
		if mine == "" {
			t.Error("the new password does not work")
		}

		c.must("AdminUserGlobalSignOut", in{"Username": "ann"})
		for _, token := range []string{attacker, mine} {
			if got := c.refresh(token); got.says() != "NotAuthorizedException: Refresh Token has been revoked" {
				t.Error("after sign-out:", got.says())
			}
		}
		if got := c.refresh(mine + "x"); got.says() != "NotAuthorizedException: Invalid Refresh Token" {
			t.Error("forged token:", got.says())
		}
	})
}

func TestADisabledUserHasTheOldPasswordBackOnceEnabled(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.Add(sandbox.NewUser("ann"))
	c := connect(t, pool)
	token := refreshToken(c.signIn("ann", sandbox.DefaultPassword))
	c.must("AdminDisableUser", in{"Username": "ann"})
	if got := c.signIn("ann", sandbox.DefaultPassword); got.says() != disabled {
		t.Error(got.says())
	}
	if got := c.refresh(token); got.message != "Refresh Token has been revoked" {
		t.Error(got.says())
	}
	c.must("AdminEnableUser", in{"Username": "ann"})
	if refreshToken(c.signIn("ann", sandbox.DefaultPassword)) == "" {
		t.Error("the old password did not come back")
	}
}

func TestSignInTellsWhyNot(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.Add(
		sandbox.NewUser("ann"),
		user("uma", func(u *sandbox.User) { u.Status = sandbox.Unconfirmed }),
		user("ext", func(u *sandbox.User) { u.Status, u.Password = sandbox.ExternalProvider, "" }),
	)
	c := connect(t, pool)
	for _, tc := range []struct{ username, password, want string }{
		{"ann", "wrong", "NotAuthorizedException: Incorrect username or password."},
		{"nobody", "wrong", "UserNotFoundException: User does not exist."},
		{"uma", sandbox.DefaultPassword, "UserNotConfirmedException: User is not confirmed."},
		{"ext", "", "NotAuthorizedException: Incorrect username or password."},
	} {
		if got := c.signIn(tc.username, tc.password); got.says() != tc.want {
			t.Errorf("%s: %s", tc.username, got.says())
		}
	}
	admin := in{"ClientId": "app", "AuthFlow": "ADMIN_USER_PASSWORD_AUTH", "AuthParameters": in{"USERNAME": "ann", "PASSWORD": sandbox.DefaultPassword}}
	if refreshToken(c.call("AdminInitiateAuth", admin)) == "" {
		t.Error("the administrator's flow gives no token")
	}
	if got := c.call("InitiateAuth", admin); got.code != "InvalidParameterException" {
		t.Error("the administrator's flow is an app's:", got.says())
	}
}

func TestAnInvitedUserChoosesAPasswordAndCanBeInvitedAgainUntilThen(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	c := connect(t, pool)
	c.must("AdminCreateUser", in{"Username": "ann", "UserAttributes": []in{{"Name": "email", "Value": "ann@x.example"}, {"Name": "email_verified", "Value": "true"}}})
	if got := c.call("AdminCreateUser", in{"Username": "ann"}); got.code != "UsernameExistsException" {
		t.Error(got.says())
	}
	if got := c.call("AdminCreateUser", in{"Username": "bob", "MessageAction": "RESEND"}); got.code != "UserNotFoundException" {
		t.Error(got.says())
	}
	c.must("AdminCreateUser", in{"Username": "ann", "MessageAction": "RESEND"})
	box := pool.Outbox()
	if len(box) != 2 || box[0].Kind != sandbox.InvitationMessage || box[1].Kind != sandbox.ResendMessage {
		t.Fatalf("outbox: %+v", box)
	}

	challenge := c.signIn("ann", box[1].Code)
	if challenge.body["ChallengeName"] != "NEW_PASSWORD_REQUIRED" {
		t.Fatalf("temporary password: %+v", challenge)
	}
	respond := in{"ClientId": "app", "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge.body["Session"],
		"ChallengeResponses": in{"USERNAME": "ann", "NEW_PASSWORD": "My-Own-Password-2"}}
	if refreshToken(c.call("RespondToAuthChallenge", respond)) == "" {
		t.Error("choosing a password did not sign in")
	}
	if got := c.call("RespondToAuthChallenge", respond); got.code != "NotAuthorizedException" {
		t.Error("a session was good twice:", got.says())
	}
	if got := c.call("AdminCreateUser", in{"Username": "ann", "MessageAction": "RESEND"}); got.code != "UnsupportedUserStateException" {
		t.Error("confirmed user invited again:", got.says())
	}

	c.must("AdminCreateUser", in{"Username": "cid", "MessageAction": "SUPPRESS"})
	c.must("AdminDeleteUser", in{"Username": "ann"})
	if pool.Len() != 1 || len(pool.Outbox()) != 2 {
		t.Errorf("%d users, %d messages", pool.Len(), len(pool.Outbox()))
	}
}

func TestSettingAPasswordConfirmsEvenAFederatedUser(t *testing.T) {
	for _, status := range []sandbox.Status{sandbox.ExternalProvider, sandbox.Unconfirmed, sandbox.ResetRequired} {
		pool := sandbox.New(sandbox.Config{})
		pool.Add(user("ann", func(u *sandbox.User) { u.Status = status }))
		c := connect(t, pool)
		if got := c.call("AdminSetUserPassword", in{"Username": "ann", "Password": "short", "Permanent": true}); got.says() != "InvalidPasswordException: Password did not conform with policy: Password not long enough" {
			t.Error(got.says())
		}
		c.must("AdminSetUserPassword", in{"Username": "ann", "Password": "Long-enough-3", "Permanent": true})
		if u, _ := pool.Get("ann"); u.Status != sandbox.Confirmed {
			t.Errorf("%s became %s", status, u.Status)
		}
		c.must("AdminSetUserPassword", in{"Username": "ann", "Password": "Long-enough-4"})
		if u, _ := pool.Get("ann"); u.Status != sandbox.ForceChangePassword {
			t.Errorf("a temporary password left %s", u.Status)
		}
	}
}

func TestAnInvitationGoesWhereItIsAskedTo(t *testing.T) {
	for _, tc := range []struct {
		email, phone string
		mediums      []string
		want         []string
	}{
		{"ann@x.example", "+15550100", nil, []string{"sms"}}, // the documented default
		{"ann@x.example", "", nil, []string{"email"}},
		{"", "+15550100", nil, []string{"sms"}},
		{"ann@x.example", "+15550100", []string{"EMAIL"}, []string{"email"}},
		{"ann@x.example", "+15550100", []string{"SMS", "EMAIL"}, []string{"email", "sms"}},
		{"ann@x.example", "", []string{"SMS"}, nil},
		{"", "", nil, nil},
	} {
		pool := sandbox.New(sandbox.Config{})
		pool.Add(user("ann", func(u *sandbox.User) {
			u.Status, u.Email, u.Phone = sandbox.ForceChangePassword, tc.email, tc.phone
		}))
		c := connect(t, pool)
		c.must("AdminCreateUser", in{"Username": "ann", "MessageAction": "RESEND", "DesiredDeliveryMediums": tc.mediums})
		var sent []string
		for _, m := range pool.Outbox() {
			sent = append(sent, m.Channel)
		}
		if !slices.Equal(sent, tc.want) {
			t.Errorf("%+v: sent by %v", tc, sent)
		}
		if got := c.call("AdminCreateUser", in{"Username": "ann", "MessageAction": "RESEND", "DesiredDeliveryMediums": []string{"PIGEON"}}); got.code != "InvalidParameterException" {
			t.Error("by pigeon:", got.says())
		}
	}
}

func TestThePasswordPolicyCanAskForMore(t *testing.T) {
	pool := sandbox.New(sandbox.Config{PasswordMinLength: 30})
	c := connect(t, pool)
	c.must("AdminCreateUser", in{"Username": "ann", "UserAttributes": []in{{"Name": "email", "Value": "ann@x.example"}}})
	if sent := pool.Outbox(); len(sent) != 1 || len(sent[0].Code) != 30 {
		t.Errorf("outbox: %+v", sent)
	}
	if got := c.call("AdminSetUserPassword", in{"Username": "ann", "Password": "Long-enough-3", "Permanent": true}); got.says() != "InvalidPasswordException: Password did not conform with policy: Password not long enough" {
		t.Error(got.says())
	}
	c.must("AdminSetUserPassword", in{"Username": "ann", "Password": "Long-enough-for-thirty-letters-3", "Permanent": true})
	policy := c.must("DescribeUserPool", nil)["UserPool"].(map[string]any)["Policies"].(map[string]any)["PasswordPolicy"].(map[string]any)
	if policy["MinimumLength"] != 30.0 {
		t.Error(policy)
	}
}
