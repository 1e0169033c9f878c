package userpool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// An app is what a user signs in with.
type app struct{ *cognito.Client }

func appOf(users *sandbox.Pool) app {
	return app{cognito.New(cognito.Options{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: users}, Retryer: aws.NopRetryer{},
	})}
}

func (a app) auth(ctx context.Context, flow types.AuthFlowType, parameters map[string]string) (*types.AuthenticationResultType, error) {
	out, err := a.InitiateAuth(ctx, &cognito.InitiateAuthInput{ClientId: aws.String("app"), AuthFlow: flow, AuthParameters: parameters})
	if err != nil {
		return nil, err
	}
	if out.AuthenticationResult == nil {
		return &types.AuthenticationResultType{}, nil // a challenge: the password was right
	}
	return out.AuthenticationResult, nil
}

func (a app) signIn(ctx context.Context, username, password string) (*types.AuthenticationResultType, error) {
	return a.auth(ctx, types.AuthFlowTypeUserPasswordAuth, map[string]string{"USERNAME": username, "PASSWORD": password})
}

func (a app) refresh(ctx context.Context, token *string) error {
	_, err := a.auth(ctx, types.AuthFlowTypeRefreshTokenAuth, map[string]string{"REFRESH_TOKEN": *token})
	return err
}

func TestASignedOutUserCannotRefresh(t *testing.T) {
	withoutAWS(t)
	users := sandbox.New(sandbox.Config{})
	users.Add(sandbox.NewUser("ann"))
	app, pool := appOf(users), open(t, &http.Client{Transport: users})
	tokens, err := app.signIn(t.Context(), "ann", sandbox.DefaultPassword)
	if err != nil || app.refresh(t.Context(), tokens.RefreshToken) != nil {
		t.Fatalf("the session was none to begin with: %v", err)
	}
	for range 2 {
		if answer, err := pool.SignOut().Do(t.Context(), ann); err != nil || answer.RequestID == "" {
			t.Fatalf("%+v, %v", answer, err)
		}
	}
	if app.refresh(t.Context(), tokens.RefreshToken) == nil {
		t.Error("the session lives on")
	}
	if _, err := app.signIn(t.Context(), "ann", sandbox.DefaultPassword); err != nil {
		t.Errorf("a new sign-in is hindered as well: %v", err)
	}
}

func TestADisabledUserCannotSignIn(t *testing.T) {
	withoutAWS(t)
	users := sandbox.New(sandbox.Config{})
	users.Add(sandbox.NewUser("ann"))
	pool := open(t, &http.Client{Transport: users})
	for range 2 {
		if _, err := pool.Disable().Do(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := appOf(users).signIn(t.Context(), "ann", sandbox.DefaultPassword); err == nil {
		t.Error("the user signs in")
	}
}

func TestALockLeavesAPasswordThatNobodyKnows(t *testing.T) {
	withoutAWS(t)
	for name, change := range map[string]func(*sandbox.User){
		"confirmed":          func(*sandbox.User) {},
		"without contact":    func(u *sandbox.User) { u.EmailVerified = false },
		"temporary password": func(u *sandbox.User) { u.Status = sandbox.ForceChangePassword },
		"disabled":           func(u *sandbox.User) { u.Enabled = false },
	} {
		t.Run(name, func(t *testing.T) {
			users := sandbox.New(sandbox.Config{})
			user := sandbox.NewUser("ann")
			change(&user)
			users.Add(user)
			answer, err := open(t, &http.Client{Transport: users}).Lock().Do(t.Context(), ann)
			if err != nil || answer.RequestID == "" || answer.Before == nil || answer.Before.Status != string(user.Status) || answer.Before.Enabled != user.Enabled {
				t.Fatalf("%+v, %v", answer, err)
			}
			locked, _ := users.Get("ann")
			if len(locked.Password) != 64 || locked.Status != sandbox.Confirmed || locked.Enabled != user.Enabled {
				t.Errorf("%d characters, %s, enabled %t", len(locked.Password), locked.Status, locked.Enabled)
			}
			users.Update("ann", func(u *sandbox.User) { u.Enabled = true }) // as somebody may
			if _, err := appOf(users).signIn(t.Context(), "ann", sandbox.DefaultPassword); err == nil {
				t.Error("the old password works")
			}
		})
	}
}

func TestNobodyIsLockedWhoWouldBeConfirmedByIt(t *testing.T) {
	withoutAWS(t)
	for status, reason := range map[sandbox.Status]batch.Reason{
		sandbox.Unconfirmed: batch.Unconfirmed, sandbox.ExternalProvider: batch.ExternalProvider,
		sandbox.Archived: batch.WrongState, sandbox.UnknownStatus: batch.WrongState, sandbox.Compromised: batch.WrongState,
	} {
		users := sandbox.New(sandbox.Config{})
		user := sandbox.NewUser("ann")
		user.Status = status
		users.Add(user)
		_, err := open(t, &http.Client{Transport: users}).Lock().Do(t.Context(), ann)
		answer, ok := errors.AsType[*batch.Error](err)
		if !ok || answer.Class != batch.ClassUser || answer.Reason != reason || !strings.Contains(answer.Message, string(status)) {
			t.Errorf("%s: %v", status, err)
		}
		if after, _ := users.Get("ann"); after.Status != status || after.Password != user.Password {
			t.Errorf("%s: it is %s now", status, after.Status)
		}
		if n := calls(users, "AdminSetUserPassword"); n > 0 {
			t.Errorf("%s: %d calls", status, n)
		}
	}
}

func TestAnInvitationReplacesTheTemporaryPassword(t *testing.T) {
	withoutAWS(t)
	for name, change := range map[string]func(*sandbox.User){
		"by e-mail": func(*sandbox.User) {},
		"by phone":  func(u *sandbox.User) { u.Email, u.Phone = "", "+15550100" },
	} {
		t.Run(name, func(t *testing.T) {
			users := sandbox.New(sandbox.Config{})
			user := sandbox.NewUser("ann")
			user.Status = sandbox.ForceChangePassword
			change(&user)
			users.Add(user)
			if _, err := open(t, &http.Client{Transport: users}).Invite().Do(t.Context(), ann); err != nil {
				t.Fatal(err)
			}
			if _, err := appOf(users).signIn(t.Context(), "ann", sandbox.DefaultPassword); err == nil {
				t.Error("the old temporary password works")
			}
			if after, _ := users.Get("ann"); after.Status != sandbox.ForceChangePassword {
				t.Errorf("the user is %s", after.Status)
			}
			if n := len(users.Outbox()); n != 1 {
				t.Errorf("%d messages", n)
			}
		})
	}
	users := sandbox.New(sandbox.Config{})
	users.Add(sandbox.NewUser("ann"))
	_, err := open(t, &http.Client{Transport: users}).Invite().Do(t.Context(), ann)
	if answer, ok := errors.AsType[*batch.Error](err); !ok || answer.Class != batch.ClassUser || answer.Reason != batch.WrongState {
		t.Errorf("a confirmed user: %v", err)
	}
}

func TestAnInvitationGoesToOneContact(t *testing.T) {
	type contact struct{ there, verified bool }
	no, unverified, verified := contact{}, contact{true, false}, contact{true, true}
	for _, c := range []struct {
		email, phone contact
		want         string
	}{
		{verified, no, "email"}, {verified, unverified, "email"}, {verified, verified, "email"},
		{unverified, no, "email"}, {unverified, unverified, "email"}, {unverified, verified, "sms"},
		{no, unverified, "sms"}, {no, verified, "sms"}, {no, no, ""},
	} {
		users := sandbox.New(sandbox.Config{})
		user := sandbox.NewUser("ann")
		user.Status, user.EmailVerified, user.PhoneVerified = sandbox.ForceChangePassword, c.email.verified, c.phone.verified
		if !c.email.there {
			user.Email = ""
		}
		if c.phone.there {
			user.Phone = "+15550100"
		}
		users.Add(user)
		_, err := open(t, &http.Client{Transport: users}).Invite().Do(t.Context(), ann)
		sent := users.Outbox()
		if c.want == "" {
			check(t, errorOf(t, err), batch.ClassUser, batch.NoVerifiedContact)
			if calls(users, "AdminCreateUser") > 0 {
				t.Error("a user with nowhere to send to was asked for")
			}
		} else if err != nil || len(sent) != 1 || sent[0].Channel != c.want {
			t.Errorf("e-mail %v, phone %v: %v, sent %+v, not by %s", c.email, c.phone, err, sent, c.want)
		}
	}
}

// AdminCreateUser takes no alias for a username, and no sub where usernames are
// addresses.
func TestAnInvitationNamesTheUserAsANewOneIsNamed(t *testing.T) {
	for _, c := range []struct{ row, username, want string }{
		{"ann@example.com", "ann", "ann"},
		{"sub-1", "ann", "ann"},
		{"ann@example.com", "sub-1", "ann@example.com"},
		{"sub-1", "sub-1", "sub-1"},
	} {
		asked := ""
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			if target := r.Header.Get("X-Amz-Target"); strings.HasSuffix(target, ".AdminGetUser") {
				return jsonResponse(200, `{"Username":"`+c.username+`","UserStatus":"FORCE_CHANGE_PASSWORD","UserAttributes":[{"Name":"sub","Value":"sub-1"},{"Name":"email","Value":"ann@example.com"}]}`), nil
			}
			body, err := io.ReadAll(r.Body)
			asked = string(body)
			return jsonResponse(200, "{}"), err
		}))
		_, err := pool.Invite().Do(t.Context(), batch.Entry{Username: c.row, ClientMetadata: map[string]string{"why": "breach"}})
		want := `{"ClientMetadata":{"why":"breach"},"DesiredDeliveryMediums":["EMAIL"],"MessageAction":"RESEND","Username":"` + c.want + `","UserPoolId":"us-east-1_Sandbox01"}`
		if err != nil || asked != want {
			t.Errorf("%v, asked %s, not %s", err, asked, want)
		}
	}
}

func TestALockMeetsThePoolsPolicy(t *testing.T) {
	for _, c := range []struct {
		cfg    sandbox.Config
		length int
	}{
		{sandbox.Config{PasswordMinLength: 6}, 64},
		{sandbox.Config{PasswordMinLength: 65}, 65},
		{sandbox.Config{PasswordMinLength: 99}, 99},
		{sandbox.Config{Denied: []string{"cognito-idp:DescribeUserPool"}}, 64},
	} {
		users := sandbox.New(c.cfg)
		users.Add(sandbox.NewUser("ann"))
		pool := open(t, &http.Client{Transport: users})
		for range 3 {
			if _, err := pool.Lock().Do(t.Context(), ann); err != nil {
				t.Errorf("minimum %d: %v", c.cfg.PasswordMinLength, err)
			}
		}
		if user, _ := users.Get("ann"); len(user.Password) != c.length {
			t.Errorf("minimum %d: %d characters, not %d", c.cfg.PasswordMinLength, len(user.Password), c.length)
		}
		if n := calls(users, "DescribeUserPool"); n != 1 {
			t.Errorf("the pool was asked %d times", n)
		}
	}
}

// A pool that cannot be described costs a run a few seconds once, and no lock.
func TestLocksDoNotWaitForAPoolThatDoesNotTell(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{})
		users.Add(sandbox.NewUser("ann"))
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeUserPool") {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return users.RoundTrip(r)
		}))
		begun := time.Now()
		for range 10 {
			if _, err := pool.Lock().Do(t.Context(), ann); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took > 6*time.Second {
			t.Errorf("ten locks took %v", took)
		}
	})
}

// What the pool did not tell once is asked again, and not taken for what is usual.
func TestAPolicyThatWasNotToldIsAskedForAgain(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{PasswordMinLength: 99})
		users.Add(sandbox.NewUser("ann"))
		tells := false
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeUserPool") && !tells {
				return jsonResponse(400, `{"__type":"TooManyRequestsException","message":"Rate exceeded"}`), nil
			}
			return users.RoundTrip(r)
		}))
		pool.Lock().Do(t.Context(), ann) // by what is usual, which this pool refuses
		tells = true
		time.Sleep(time.Hour)
		if _, err := pool.Lock().Do(t.Context(), ann); err != nil {
			t.Error(err)
		}
		if user, _ := users.Get("ann"); len(user.Password) != 99 {
			t.Errorf("the password has %d characters", len(user.Password))
		}
	})
}

func TestALocksPasswordIsNeverTold(t *testing.T) {
	users := sandbox.New(sandbox.Config{})
	users.Add(sandbox.NewUser("ann"))
	password := ""
	log, said := logged()
	pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminSetUserPassword") {
			return users.RoundTrip(r)
		}
		var in struct{ Password string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		password = in.Password
		body, err := json.Marshal(map[string]string{
			"__type": "InvalidParameterException", "message": "1 validation error detected: Value '" + password + "' at 'password' failed to satisfy constraint",
		})
		return jsonResponse(400, string(body)), err
	}), func(o *userpool.Options) { o.Log = log })
	answer, err := pool.Lock().Do(t.Context(), ann)
	got := errorOf(t, err)
	check(t, got, batch.ClassUser, batch.InvalidParameter)
	if want := "Value '(hidden)' at 'password'"; !strings.Contains(got.Message, want) {
		t.Errorf("%q does not say %q", got.Message, want)
	}
	if all := fmt.Sprintf("%+v %#v %v %+v %s", got, got, err, answer, said); len(password) != 64 || strings.Contains(all, password) {
		t.Errorf("a password of %d is told", len(password))
	}
}

// responses are all the actions beside the reset, by their operations.
func responses(p *userpool.Pool) map[string]batch.Action {
	return map[string]batch.Action{
		"AdminUserGlobalSignOut": p.SignOut(), "AdminDisableUser": p.Disable(),
		"AdminSetUserPassword": p.Lock(), "AdminCreateUser": p.Invite(),
	}
}

func TestEveryActionFailsLikeAReset(t *testing.T) {
	for operation := range responses(nil) {
		for _, c := range []struct {
			name   string
			faults sandbox.Faults
			class  batch.Class
			reason batch.Reason
		}{
			{"throttled", sandbox.Faults{Throttle: 1}, batch.ClassThrottle, batch.Throttled},
			{"lost before", sandbox.Faults{LostBefore: 1}, batch.ClassInDoubt, batch.Network},
			{"lost after", sandbox.Faults{LostAfter: 1}, batch.ClassInDoubt, batch.Network},
			{"failed", sandbox.Faults{Internal: 1}, batch.ClassInDoubt, batch.ServerError},
		} {
			t.Run(operation+" "+c.name, func(t *testing.T) {
				user := sandbox.NewUser("ann")
				user.Status = sandbox.ForceChangePassword
				users, sound := sandbox.New(sandbox.Config{Faults: c.faults}), sandbox.New(sandbox.Config{})
				users.Add(user)
				sound.Add(user) // is read
				pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+operation) {
						return users.RoundTrip(r)
					}
					return sound.RoundTrip(r)
				}))
				before, _ := users.Get("ann")
				_, err := responses(pool)[operation].Do(t.Context(), ann)
				check(t, errorOf(t, err), c.class, c.reason)
				if n := calls(users, operation); n != 1 {
					t.Errorf("%d calls", n)
				}
				after, _ := users.Get("ann")
				if changed := !reflect.DeepEqual(after, before); changed != (c.faults.LostAfter > 0 && operation != "AdminUserGlobalSignOut") {
					t.Errorf("became %+v", after)
				}
			})
		}
	}
}

// Nothing has been done by then, so the user may be tried again.
func TestALookThatFailsIsNoDoubt(t *testing.T) {
	for _, c := range []struct {
		answer func() (*http.Response, error)
		class  batch.Class
		reason batch.Reason
	}{
		{func() (*http.Response, error) {
			return jsonResponse(500, `{"__type":"InternalErrorException","message":"No."}`), nil
		}, batch.ClassMoment, batch.ServerError},
		{func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, batch.ClassMoment, batch.Network},
		{func() (*http.Response, error) {
			return jsonResponse(400, `{"__type":"TooManyRequestsException","message":"Rate exceeded"}`), nil
		}, batch.ClassThrottle, batch.Throttled},
		{func() (*http.Response, error) {
			return jsonResponse(400, `{"__type":"UserNotFoundException","message":"User does not exist."}`), nil
		}, batch.ClassUser, batch.UserNotFound},
	} {
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			if target := r.Header.Get("X-Amz-Target"); !strings.HasSuffix(target, ".AdminGetUser") {
				t.Errorf("%s was called", target)
			}
			return c.answer()
		}))
		for _, action := range []batch.Action{pool.Lock(), pool.Invite()} {
			answer, err := action.Do(t.Context(), ann)
			got := errorOf(t, err)
			check(t, got, c.class, c.reason)
			if answer.Before != nil || answer.RequestID != got.RequestID {
				t.Errorf("%+v of %v", answer, got)
			}
		}
	}
}

func TestADeniedActionNamesThePermission(t *testing.T) {
	for _, operation := range []string{"AdminUserGlobalSignOut", "AdminDisableUser", "AdminSetUserPassword", "AdminCreateUser", "AdminGetUser"} {
		users := sandbox.New(sandbox.Config{Denied: []string{"cognito-idp:" + operation}})
		user := sandbox.NewUser("ann")
		user.Status = sandbox.ForceChangePassword
		users.Add(user)
		pool := open(t, &http.Client{Transport: users})
		tried := []batch.Action{responses(pool)[operation]}
		if operation == "AdminGetUser" {
			tried = []batch.Action{pool.Lock(), pool.Invite()}
		}
		for _, action := range tried {
			_, err := action.Do(t.Context(), ann)
			got := errorOf(t, err)
			check(t, got, batch.ClassRun, batch.AccessDenied)
			if !strings.Contains(got.Message, "is not authorized to perform: cognito-idp:"+operation+" ") {
				t.Errorf("%s: %q", operation, got.Message)
			}
		}
	}
}

func errorOf(t *testing.T, err error) *batch.Error {
	t.Helper()
	answer, ok := errors.AsType[*batch.Error](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	return answer
}

func TestOnlyAResetIsReadBack(t *testing.T) {
	withoutAWS(t)
	pool := open(t, &http.Client{Transport: sandbox.New(sandbox.Config{})})
	for _, a := range []batch.Action{pool.SignOut(), pool.Lock(), pool.Disable(), pool.Invite()} {
		if _, ok := a.(batch.Settler); ok {
			t.Errorf("%T is read back as if it were a reset", a)
		}
	}
}

func TestVerifyKnowsWhatTookAResetsPlace(t *testing.T) {
	withoutAWS(t)
	users, at := sandbox.New(sandbox.Config{}), time.Now().AddDate(0, -1, 0)
	var results []batch.Result
	want := make(map[string]userpool.Effect)
	add := func(name string, outcome batch.Outcome, effect userpool.Effect, change func(*sandbox.User)) {
		user := sandbox.NewUser(name)
		user.Created = at.AddDate(-1, 0, 0)
		change(&user)
		users.Add(user)
		results = append(results, batch.Result{Row: int64(len(results) + 1), Username: name, Outcome: outcome, FinishedAt: at})
		want[name] = effect
	}
	add("locked", batch.Locked, userpool.Shut, func(*sandbox.User) {})
	add("locked by a clock that is ahead", batch.Locked, userpool.Shut, func(u *sandbox.User) { u.Modified = at.Add(time.Second) })
	add("locked and changed", batch.Locked, userpool.Completed, func(u *sandbox.User) { u.Modified = at.AddDate(0, 0, 1) })
	add("locked, reset later", batch.Locked, userpool.Waiting, func(u *sandbox.User) { u.Status = sandbox.ResetRequired })
	add("locked and disabled", batch.Locked, userpool.Barred, func(u *sandbox.User) { u.Enabled = false })
	add("locked in vain", batch.Locked, userpool.NotInForce, func(u *sandbox.User) { u.Status = sandbox.ForceChangePassword })
	add("disabled", batch.UserDisabled, userpool.Barred, func(u *sandbox.User) { u.Enabled = false })
	add("disabled, enabled", batch.UserDisabled, userpool.NotInForce, func(u *sandbox.User) { u.Modified = at.AddDate(0, 0, 1) })
	add("invited", batch.Invited, userpool.Waiting, func(u *sandbox.User) { u.Status = sandbox.ForceChangePassword })
	add("invited and come at once", batch.Invited, userpool.Completed, func(u *sandbox.User) { u.Modified = at })
	add("invited and come", batch.Invited, userpool.Completed, func(u *sandbox.User) { u.Modified = at.AddDate(0, 0, 1) })
	for v, err := range open(t, &http.Client{Transport: users}).Verify(t.Context(), func(yield func(batch.Result, error) bool) {
		for _, r := range results {
			if !yield(r, nil) {
				return
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if v.Effect != want[v.Username] {
			t.Errorf("%s: %s, not %s", v.Username, v.Effect, want[v.Username])
		}
	}
}
