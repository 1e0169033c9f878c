// Package recordtest makes records of runs for tests.
package recordtest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// Fates are how the rows of one input end.
func Fates(rows int) (fates []batch.Result) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	for i := range rows {
		at = at.Add(time.Second)
		r := batch.Result{
			Row: int64(i) + 1, Username: fmt.Sprintf("user-%d", i), Outcome: batch.Reset, Attempts: 1 + i%2, Throttled: i % 2,
			RequestID: fmt.Sprint("request-", i), StartedAt: at, FinishedAt: at.Add(87 * time.Millisecond), SettledBy: batch.ByAnswer,
		}
		switch i % 6 {
		case 1:
			r.Outcome, r.Reason, r.ErrorCode = batch.Failed, batch.UserNotFound, "UserNotFoundException"
		case 2:
			r.Outcome, r.Reason, r.SettledBy = batch.Unknown, batch.Network, ""
		case 3:
			r = batch.Result{Row: r.Row, Username: r.Username, Outcome: batch.NotAttempted, Reason: batch.Interrupted}
		case 4:
			r = batch.Result{Row: r.Row, Username: "user-0", Outcome: batch.Skipped, Reason: batch.Duplicate, ErrorMessage: "same username as row 1"}
		case 5:
			r = batch.Result{Row: r.Row, Outcome: batch.Invalid, Reason: batch.EmptyUsername, ErrorMessage: "the username is empty"}
		}
		r.Kept = []string{fmt.Sprint("team ", i%3)}
		fates = append(fates, r)
	}
	return fates
}

// Make makes the record of a run that had some rows of an input.
func Make(t testing.TB, path string, fates []batch.Result) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, err := journal.Create(path)
	check(err)
	survey, err := dir.Spool(func(yield func(batch.Entry, error) bool) {
		for i, r := range fates {
			e := batch.Entry{Row: int64(i) + 1, InputRow: r.Row, Username: r.Username, Kept: r.Kept}
			if r.Outcome == batch.Skipped || r.Outcome == batch.Invalid {
				e.Outcome, e.Reason, e.Detail = r.Outcome, r.Reason, r.ErrorMessage
			}
			if !yield(e, nil) {
				return
			}
		}
	})
	check(err)
	r := &rundir.Record{Dir: dir, Spec: spec.Spec{UserPoolID: "us-east-1_Sandbox"}, Found: rundir.Found{Roster: survey}}
	r.Spec.Keep = []string{"team"}
	check(r.Save())
	history, err := dir.Replay()
	check(err)
	j, err := history.Start("", survey.SHA256)
	check(err)
	for i, r := range fates {
		if r.StartedAt.IsZero() {
			continue
		}
		r.Row = int64(i) + 1
		check(j.WriteIntent(batch.Entry{Row: r.Row, Username: r.Username}))
		check(j.WriteResult(r))
	}
	check(errors.Join(j.End(exit.Interrupted+2, "SIGINT"), j.Close(), dir.Close()))
}
