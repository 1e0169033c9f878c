package sandbox_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
)

const (
	wrongState = "NotAuthorizedException: User password cannot be reset in the current state."
	noContact  = "InvalidParameterException: Cannot reset password for the user as there is no registered/verified email or phone_number"
	disabled   = "NotAuthorizedException: User is disabled."
	tooOften   = "LimitExceededException: Attempt limit exceeded, please try after some time."
)

func TestEachStateHasItsAnswerToAReset(t *testing.T) {
	in := func(s sandbox.Status) func(*sandbox.User) { return func(u *sandbox.User) { u.Status = s } }
	for name, tc := range map[string]struct {
		change func(*sandbox.User)
		want   string
		sms    bool
	}{
		"confirmed":            {nil, "", false},
		"reset_required":       {in(sandbox.ResetRequired), "", false},
		"unconfirmed":          {in(sandbox.Unconfirmed), wrongState, false},
		"force_change":         {in(sandbox.ForceChangePassword), wrongState, false},
		"external":             {in(sandbox.ExternalProvider), wrongState, false},
		"archived":             {in(sandbox.Archived), wrongState, false},
		"compromised":          {in(sandbox.Compromised), wrongState, false},
		"unknown":              {in(sandbox.UnknownStatus), wrongState, false},
		"disabled":             {func(u *sandbox.User) { u.Enabled = false }, disabled, false},
		"unverified":           {func(u *sandbox.User) { u.EmailVerified = false }, noContact, false},
		"no_address":           {func(u *sandbox.User) { u.Email = "" }, noContact, false},
		"phone_only":           {func(u *sandbox.User) { u.Email, u.Phone, u.PhoneVerified = "", "+15550100", true }, "", true},
		"both":                 {func(u *sandbox.User) { u.Phone, u.PhoneVerified = "+15550101", true }, "", false},
		"disabled_first":       {func(u *sandbox.User) { u.Enabled, u.Status = false, sandbox.ExternalProvider }, disabled, false},
		"state_before_contact": {func(u *sandbox.User) { u.Email, u.Status = "", sandbox.Unconfirmed }, wrongState, false},
	} {
		t.Run(name, func(t *testing.T) {
			pool := sandbox.New(sandbox.Config{})
			pool.Add(user(name, tc.change))
			before, _ := pool.Get(name)

			got := connect(t, pool).reset(name)

			if got.says() != tc.want {
				t.Fatalf("answer %q, want %q", got.says(), tc.want)
			}
			after, _ := pool.Get(name)
			sent := pool.Outbox()
			if tc.want != "" {
				if !reflect.DeepEqual(after, before) || len(sent) != 0 || pool.Resets(name) != 0 {
					t.Errorf("a refusal changed something: %+v, %d messages", after, len(sent))
				}
				return
			}
			if after.Status != sandbox.ResetRequired || after.Password != "" || !after.Modified.Equal(before.Modified) {
				t.Errorf("after the reset: %+v", after)
			}
			channel := map[bool]string{false: "email", true: "sms"}[tc.sms]
			if len(sent) != 1 || sent[0].Channel != channel || sent[0].Username != name ||
				sent[0].Kind != sandbox.ResetMessage || len(sent[0].Code) != 6 {
				t.Errorf("messages: %+v", sent)
			}
		})
	}
}

func TestAResetIsRefusedForWhatIsWrongWithTheCall(t *testing.T) {
	const pattern = `Member must satisfy regular expression pattern: `
	pool := sandbox.New(sandbox.Config{})
	pool.Add(sandbox.NewUser("ann"))
	c := connect(t, pool)
	for _, tc := range []struct{ pool, username, want string }{
		{poolID, "nobody", "UserNotFoundException: User does not exist."},
		{"us-east-1_Absent", "ann", "ResourceNotFoundException: User pool us-east-1_Absent does not exist."},
		{" " + poolID, "ann", "InvalidParameterException: 1 validation error detected: Value ' " + poolID + "' at 'userPoolId' failed to satisfy constraint: " + pattern + `[\w-]+_[0-9a-zA-Z]+`},
		{"us-east-1_", "ann", "InvalidParameterException: 1 validation error detected: Value 'us-east-1_' at 'userPoolId' failed to satisfy constraint: " + pattern + `[\w-]+_[0-9a-zA-Z]+`},
		{poolID, "", "InvalidParameterException: 1 validation error detected: Value '' at 'username' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{poolID, "ann lee", "InvalidParameterException: 1 validation error detected: Value 'ann lee' at 'username' failed to satisfy constraint: " + pattern + `[\p{L}\p{M}\p{S}\p{N}\p{P}]+`},
		{poolID, strings.Repeat("ü", 128), "UserNotFoundException: User does not exist."},
	} {
		got := c.call("AdminResetUserPassword", in{"UserPoolId": tc.pool, "Username": tc.username})
		if got.says() != tc.want || got.status != 400 {
			t.Errorf("pool %q, user %q: %d %s", tc.pool, tc.username, got.status, got.says())
		}
	}
	if got := c.reset(strings.Repeat("ü", 129)); !strings.HasSuffix(got.message, "Member must have length less than or equal to 128") {
		t.Error(got.says())
	}
}

func TestAPoolWithoutSelfServiceRecoveryResetsNobody(t *testing.T) {
	pool := sandbox.New(sandbox.Config{AdminOnlyRecovery: true})
	pool.Add(sandbox.NewUser("ann"))
	if got := connect(t, pool).reset("ann"); got.code != "OperationNotEnabledException" {
		t.Error(got.says())
	}
}

func TestUsersAreNamedByUsernameAliasOrSub(t *testing.T) {
	pool := sandbox.New(sandbox.Config{Aliases: []string{"email", "phone_number"}})
	pool.Add(
		user("ann", func(u *sandbox.User) { u.Email, u.Phone, u.PhoneVerified = "ann@x.example", "+15550100", true }),
		user("bob", func(u *sandbox.User) { u.Email, u.EmailVerified = "ann@x.example", false }),
	)
	ann, _ := pool.Get("ann")
	c := connect(t, pool)
	for _, name := range []string{"ann", "ann@x.example", "+15550100", ann.Sub} {
		if got := c.must("AdminGetUser", in{"Username": name}); got["Username"] != "ann" {
			t.Errorf("%s names %v", name, got["Username"])
		}
	}
	for _, name := range []string{"Ann", "ANN@x.example", "+15550101", "00000000-0000-4000-8000-000000000000"} {
		if got := c.call("AdminGetUser", in{"Username": name}); got.code != "UserNotFoundException" {
			t.Errorf("%s: %s", name, got.says())
		}
	}

	folding := sandbox.New(sandbox.Config{CaseInsensitive: true, Aliases: []string{}})
	folding.Add(sandbox.NewUser("Ann"))
	c = connect(t, folding)
	if got := c.must("AdminGetUser", in{"Username": "aNN"}); got["Username"] != "Ann" {
		t.Error("case counted:", got)
	}
	if got := c.reset("Ann@example.com"); got.code != "UserNotFoundException" {
		t.Error("an e-mail address worked as alias where it is none:", got.says())
	}
}

func TestAUserIsSentTenCodesAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{})
		pool.Add(sandbox.NewUser("ann"), sandbox.NewUser("bob"))
		c := connect(t, pool)
		for range 10 {
			c.must("AdminResetUserPassword", in{"Username": "ann"})
		}
		if got := c.reset("ann"); got.says() != tooOften {
			t.Error(got.says())
		}
		c.must("AdminResetUserPassword", in{"Username": "bob"})
		time.Sleep(time.Hour)
		c.must("AdminResetUserPassword", in{"Username": "ann"})
		if n := pool.Resets("ann"); n != 11 {
			t.Errorf("%d resets", n)
		}
	})
}

func TestTheDaysMailsAreCountedFromNineUTC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{DailyMessages: 2}) // the bubble begins at midnight UTC
		pool.Add(sandbox.NewUser("ann"), sandbox.NewUser("bob"), sandbox.NewUser("cid"))
		pool.Add(user("dee", func(u *sandbox.User) { u.Email, u.Phone, u.PhoneVerified = "", "+15550100", true }))
		c := connect(t, pool)
		c.must("AdminResetUserPassword", in{"Username": "ann"})
		c.must("AdminResetUserPassword", in{"Username": "bob"})
		time.Sleep(9*time.Hour - time.Nanosecond)
		got := c.reset("cid")
		if got.code != "LimitExceededException" || !strings.HasPrefix(got.message, "Exceeded daily email limit for the operation or the account.") {
			t.Error(got.says())
		}
		if u, _ := pool.Get("cid"); u.Status != sandbox.Confirmed {
			t.Error("refused, and yet", u.Status)
		}
		c.must("AdminResetUserPassword", in{"Username": "dee"}) // by text message
		time.Sleep(time.Nanosecond)
		c.must("AdminResetUserPassword", in{"Username": "cid"})

		describe := c.must("DescribeUserPool", nil)["UserPool"].(map[string]any)
		if mail := describe["EmailConfiguration"].(map[string]any)["EmailSendingAccount"]; mail != "COGNITO_DEFAULT" {
			t.Error("sends by", mail)
		}
	})
}

func TestAResetMovesTheModifiedDateOnlyIfToldTo(t *testing.T) {
	for _, moves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			pool := sandbox.New(sandbox.Config{ResetMovesModified: moves})
			pool.Add(sandbox.NewUser("ann"))
			before, _ := pool.Get("ann")
			time.Sleep(time.Minute)
			connect(t, pool).reset("ann")
			after, _ := pool.Get("ann")
			if moved := !after.Modified.Equal(before.Modified); moved != moves {
				t.Errorf("moved %v, want %v", moved, moves)
			}
		})
	}
}

func TestThePopulationIsABelievableMix(t *testing.T) {
	pool := sandbox.New(sandbox.Config{Seed: 1})
	const names = 20_000
	added := pool.PopulateN(names)
	if added != pool.Len() || pool.PopulateN(names) != 0 {
		t.Errorf("added %d, has %d", added, pool.Len())
	}
	c := connect(t, pool)
	counts := map[string]int{"UserNotFoundException": names - added}
	pool.EachUser(func(u sandbox.User, _, _ int) {
		if u.Status == sandbox.ResetRequired {
			counts["already"]++
		}
		counts[c.reset(u.Username).says()]++
	})
	for what, percent := range map[string]int{"": 91, "UserNotFoundException": 2, noContact: 2, disabled: 1, wrongState: 4, "already": 1} {
		if got, want := counts[what], names*percent/100; got < want*3/4 || got > want*5/4 {
			t.Errorf("%q: %d of %d, want about %d", what, got, names, want)
		}
	}

	backwards := sandbox.New(sandbox.Config{Seed: 1})
	backwards.Populate(func(yield func(string) bool) {
		pool.EachUser(func(u sandbox.User, _, _ int) { yield(u.Username) })
	}, 1)
	if backwards.Len() != added {
		t.Errorf("of the same names %d were added, then %d", added, backwards.Len())
	}
}
