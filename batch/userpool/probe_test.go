package userpool_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// probes are all of them, by the operation that each asks for.
func probes(p *userpool.Pool) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"ListUsers": p.MayList, "AdminGetUser": p.MayRead, "AdminUserGlobalSignOut": p.MaySignOut,
		"AdminSetUserPassword": p.MaySetPassword, "AdminDisableUser": p.MayDisable, "AdminCreateUser": p.MayInvite,
	}
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
	pool := open(t, &http.Client{Transport: users})
	for operation, probe := range probes(pool) {
		if err := probe(t.Context()); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
		if n := calls(users, operation); n != 1 {
			t.Errorf("%s was called %d times", operation, n)
		}
	}
	if after := all(); !slices.Equal(after, before) || len(users.Outbox()) > 0 {
		t.Errorf("%d users, %d messages", len(after), len(users.Outbox()))
	}
	pool = open(t, inProcess(sandbox.Config{Denied: []string{"cognito-idp:*"}}))
	for operation, probe := range probes(pool) {
		if err := probe(t.Context()); err == nil || !strings.Contains(err.Error(), "is not authorized to perform: cognito-idp:"+operation) {
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
		pool := open(t, transport(func(*http.Request) (*http.Response, error) { return jsonResponse(400, answer), nil }))
		for operation, probe := range probes(pool) {
			if operation == "ListUsers" || operation == "AdminGetUser" {
				continue // these do nothing, whoever is named
			}
			if err := probe(t.Context()); (err == nil) != may {
				t.Errorf("%s, %s: %v", operation, answer, err)
			}
		}
	}
}

func TestTheEndpointIsTheOneThatCallsGoTo(t *testing.T) {
	for given, want := range map[string]string{
		"":                      "https://cognito-idp.us-east-1.amazonaws.com",
		"http://127.0.0.1:9229": "http://127.0.0.1:9229",
	} {
		pool := open(t, nil, func(o *userpool.Options) { o.EndpointURL = given })
		if got, err := pool.Endpoint(t.Context()); err != nil || got != want {
			t.Errorf("%s, %v, not %s", got, err, want)
		}
	}
}
