package userpool_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

func TestAnInputIsHeldAgainstTheWholePool(t *testing.T) {
	users := sandbox.New(sandbox.Config{CaseInsensitive: true})
	users.PopulateN(1000)
	ann, bob, cleo := sandbox.NewUser("ann"), sandbox.NewUser("bob"), sandbox.NewUser("cleo")
	ann.Email, bob.Email = "ann@example.com", "bob@example.com"
	bob.EmailVerified = false // in a call it names nobody
	users.Add(ann, bob, cleo)
	pool := open(t, &http.Client{Transport: users})

	input := func(yield func(batch.Entry, error) bool) {
		for i, e := range []batch.Entry{
			{Username: "Ann@example.com"}, {Username: "ann"}, {Username: "bob@example.com"},
			{Username: "CLEO", Outcome: batch.Skipped, Reason: batch.Excluded}, {Outcome: batch.Invalid, Reason: batch.EmptyUsername},
		} {
			if e.Row = int64(i + 1); !yield(e, nil) {
				return
			}
		}
		for i := range 900 {
			if !yield(batch.Entry{Row: int64(i + 6), Username: fmt.Sprintf("user-%07d", i+1)}, nil) {
				return
			}
		}
	}
	var left []string
	got, err := pool.Coverage(t.Context(), input, func(u userpool.User) error {
		left = append(left, u.Username)
		return nil
	})
	inPool := int64(users.Len())
	if err != nil || got.Both+got.InputOnly != 904 || got.Both-1+got.PoolOnly != inPool || got.PoolOnly != int64(len(left)) {
		t.Errorf("%+v, %v, of %d users in the pool", got, err, inPool)
	}
	slices.Sort(left)
	if slices.Contains(left, "bob") || slices.Contains(left, "ann") || slices.Contains(left, "cleo") || slices.Contains(left, "user-0000900") {
		t.Errorf("not covered: %s …", left[:3])
	}
}

func TestAPoolThatCannotBeListedIsNotCompared(t *testing.T) {
	nobody := rows("ann")
	full := errors.New("disk full")
	for _, c := range []struct {
		denied string
		write  error
		want   string
	}{
		{"cognito-idp:DescribeUserPool", nil, "allow cognito-idp:DescribeUserPool"},
		{"cognito-idp:ListUsers", nil, "allow cognito-idp:ListUsers"},
		{"", full, "disk full"},
	} {
		users := sandbox.New(sandbox.Config{Denied: []string{c.denied}})
		users.PopulateN(10)
		_, err := open(t, &http.Client{Transport: users}).Coverage(t.Context(), nobody, func(userpool.User) error { return c.write })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}
