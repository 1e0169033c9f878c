package userpool_test

import (
	"fmt"
	"iter"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

func TestVerifyFindsEveryResetThatIsNotInForce(t *testing.T) {
	const n = 1000
	users := sandbox.New(sandbox.Config{})
	at := time.Now().Add(-time.Hour)
	want := make(map[string]userpool.Effect)
	for i := range n {
		u := sandbox.NewUser(fmt.Sprintf("user-%04d", i))
		u.Created, u.Modified, u.Status = at.AddDate(-1, 0, 0), at.AddDate(0, -1, 0), sandbox.ResetRequired
		want[u.Username] = userpool.Waiting
		switch {
		case i%143 == 7: // seven whose reset was undone behind its back
			u.Status, want[u.Username] = sandbox.Confirmed, userpool.NotInForce
		case i%33 == 5 && i < 990: // thirty who chose a new password
			u.Status, u.Modified, want[u.Username] = sandbox.Confirmed, at.Add(time.Minute), userpool.Completed
		case i == 998:
			u.Enabled, want[u.Username] = false, userpool.Barred
		case i == 999:
			want[u.Username] = userpool.Gone
			continue
		}
		users.Add(u)
	}
	resets := func(yield func(batch.Result, error) bool) {
		for i := range n {
			if !yield(batch.Result{Row: int64(i + 1), Username: fmt.Sprintf("user-%04d", i), Outcome: batch.Reset, FinishedAt: at}, nil) {
				return
			}
		}
	}
	counts := make(map[userpool.Effect]int)
	row := int64(0)
	for v, err := range open(t, &http.Client{Transport: users}).Verify(t.Context(), iter.Seq2[batch.Result, error](resets)) {
		if err != nil {
			t.Fatal(err)
		}
		if row++; v.Row != row || v.Effect != want[v.Username] {
			t.Errorf("row %d, %s: %s, not %s", v.Row, v.Username, v.Effect, want[v.Username])
		}
		counts[v.Effect]++
	}
	if row != n || counts[userpool.NotInForce] != 7 || counts[userpool.Completed] != 30 {
		t.Errorf("of %d: %v", row, counts)
	}
	if reads := calls(users, "AdminGetUser"); reads > 0 {
		t.Errorf("%d users were read one by one", reads)
	}
}

func TestVerifyMindsTheServersClock(t *testing.T) {
	withoutAWS(t)
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		for modified, want := range map[time.Duration]userpool.Effect{-time.Minute: userpool.NotInForce, time.Minute: userpool.Completed} {
			synctest.Test(t, func(t *testing.T) {
				users, reset := sandbox.New(sandbox.Config{}), time.Now()
				u := sandbox.NewUser("ann")
				u.Modified = reset.Add(ahead + modified)
				users.Add(u)
				time.Sleep(time.Hour)
				pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
					response, err := users.RoundTrip(r)
					if err == nil {
						response.Header.Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
					}
					return response, err
				}))
				for v, err := range pool.Verify(t.Context(), func(yield func(batch.Result, error) bool) {
					yield(batch.Result{Row: 1, Username: "ann", Outcome: batch.Reset, FinishedAt: reset}, nil)
				}) {
					if err != nil || v.Effect != want {
						t.Errorf("clock ahead by %v, modified %v after the reset: %s, %v", ahead, modified, v.Effect, err)
					}
				}
			})
		}
	}
}
