package awsaccount_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/internal/pooltest"
	"cognito-reset/batch/sandbox"
)

// probed are all operations that can be tried on nobody.
var probed = []awsaccount.Operation{
	awsaccount.ListUsers, awsaccount.GetUser, awsaccount.SignOut, awsaccount.Disable, awsaccount.SetPassword, awsaccount.ResendInvite,
}

func TestPermissionsAreProbedOnNobody(t *testing.T) {
	users := sandbox.New(sandbox.Config{})
	users.PopulateN(100)
	all := func() (all []string) {
		users.EachUser(func(u sandbox.User, resets, messages int) {
			all = append(all, fmt.Sprintf("%+v %d %d", u, resets, messages))
		})
		return all
	}
	before := all()
	account := of(t, &http.Client{Transport: users})
	for _, operation := range probed {
		if err := account.May(t.Context(), operation); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		calls := 0
		for _, n := range users.Stats().Calls[string(operation)] {
			calls += n
		}
		if calls != 1 {
			t.Errorf("%s was called %d times", operation, calls)
		}
	}
	if after := all(); !slices.Equal(after, before) || len(users.Outbox()) > 0 {
		t.Errorf("%d users, %d messages", len(after), len(users.Outbox()))
	}
	account = of(t, inProcess(sandbox.Config{Denied: []string{"cognito-idp:*"}}))
	for _, operation := range probed {
		if err := account.May(t.Context(), operation); err == nil || !strings.Contains(err.Error(), "is not authorized to perform: cognito-idp:"+string(operation)) {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

// Whoever is told that the name is nobody's, or cannot be anybody's, may call.
func TestAProbeKnowsOnlyAnAnswerAboutNobody(t *testing.T) {
	for answer, may := range map[string]bool{
		`{"__type":"UserNotFoundException","message":"User does not exist."}`:             true,
		`{"__type":"InvalidParameterException","message":"Username should be an email."}`: true,
		`{"__type":"ResourceNotFoundException","message":"User pool x does not exist."}`:  false,
		`{"__type":"TooManyRequestsException","message":"Rate exceeded"}`:                 false,
		`{"__type":"ExpiredTokenException","message":"The security token is expired"}`:    false,
		`{"__type":"SomethingNewException","message":"New."}`:                             false,
	} {
		account := of(t, pooltest.Transport(func(*http.Request) (*http.Response, error) { return pooltest.JSON(400, answer), nil }))
		for _, operation := range probed {
			if err := account.May(t.Context(), operation); (err == nil) != may {
				t.Errorf("%s, %s: %v", operation, answer, err)
			}
		}
	}
}

// A reset of nobody counts against the quota all the same.
func TestAResetIsNeverTried(t *testing.T) {
	account := of(t, pooltest.Transport(func(*http.Request) (*http.Response, error) {
		t.Error("a call was made")
		return pooltest.JSON(200, "{}"), nil
	}))
	if err := account.May(t.Context(), "AdminResetUserPassword"); err == nil {
		t.Error("it may")
	}
}
