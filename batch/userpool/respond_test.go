package userpool_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
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
	add("locked and changed", batch.Locked, userpool.Completed, func(u *sandbox.User) { u.Modified = at.AddDate(0, 0, 1) })
	add("locked, reset later", batch.Locked, userpool.Waiting, func(u *sandbox.User) { u.Status = sandbox.ResetRequired })
	add("locked and disabled", batch.Locked, userpool.Barred, func(u *sandbox.User) { u.Enabled = false })
	add("locked in vain", batch.Locked, userpool.NotInForce, func(u *sandbox.User) { u.Status = sandbox.ForceChangePassword })
	add("disabled", batch.UserDisabled, userpool.Barred, func(u *sandbox.User) { u.Enabled = false })
	add("disabled, enabled", batch.UserDisabled, userpool.NotInForce, func(u *sandbox.User) { u.Modified = at.AddDate(0, 0, 1) })
	add("invited", batch.Invited, userpool.Waiting, func(u *sandbox.User) { u.Status = sandbox.ForceChangePassword })
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
