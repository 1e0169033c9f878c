package report

import (
	"strings"
	"testing"

	"cognito-reset/batch"
)

// A sign-out alone says nothing of old passwords, and who is left is still signed in.
func TestASignOutAloneTellsOfSessions(t *testing.T) {
	rows := []batch.Result{
		{Row: 1, Username: "ann", Outcome: batch.SignedOut, Attempts: 1, Steps: []batch.StepResult{{Step: "sign-out", Outcome: batch.SignedOut, Attempts: 1}}},
		{Row: 2, Username: "ben", Outcome: batch.Failed, Reason: batch.Disabled},
		{Row: 3, Username: "cid", Outcome: batch.Failed, Reason: batch.UserNotFound},
		{Row: 4, Username: "dan", Outcome: batch.NotAttempted, Reason: batch.Stopped},
		{Row: 5, Username: "eve", Outcome: batch.Skipped, Reason: batch.Disabled},
	}
	for steps, want := range map[string]struct {
		keep, remaining int64
		verdict         string
	}{
		"sign-out": {0, 2, "1 of 5 are signed out. 2 are still signed in, 1 is not in the pool and 1 is left out."},
		"reset":    {3, 3, "1 of 5 are safe. 1 keeps the old password, 2 come back with their old password if enabled and 1 is not in the pool."},
	} {
		s := &Summary{Steps: Steps{steps}}
		for _, r := range rows {
			_ = s.Write(r) // which never fails
		}
		if s.KeepPassword != want.keep || s.Remaining != want.remaining || s.Verdict() != want.verdict {
			t.Errorf("%s: %d keep the password, %d remain: %s", steps, s.KeepPassword, s.Remaining, s.Verdict())
		}
		var text strings.Builder
		if err := s.Text(&text, false); err != nil {
			t.Fatal(err)
		}
		if shouts := strings.Contains(text.String(), "OLD PASSWORD"); shouts != (steps == "reset") {
			t.Errorf("%s:\n%s", steps, text.String())
		}
	}
}
