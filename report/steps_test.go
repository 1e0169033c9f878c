package report

import (
	"errors"
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

// Nobody is told of a reset where there was none.
func TestASignOutAloneIsNamedAsOne(t *testing.T) {
	steps := Steps{"sign-out"}
	for r, want := range map[batch.Reason]string{
		batch.Disabled:     "no session: being disabled ended them",
		batch.AttemptLimit: "called too often; try these again in an hour",
		batch.WrongState:   "the report has Cognito's words",
	} {
		if got := (Summary{Steps: steps}).advise(r); got != want || len(got) > 50 {
			t.Errorf("%s: %s", r, got)
		}
		if got := (Summary{}).advise(r); got != Advice(r) {
			t.Errorf("%s of a reset: %s", r, got)
		}
	}
	for title, of := range map[string]Steps{"<title>Sign-outs</title>": steps, "<title>Password resets</title>": nil} {
		var page strings.Builder
		if err := RenderLive(&page, of, nil); err != nil || !strings.Contains(page.String(), title) {
			t.Errorf("%s is not on the page, %v", title, err)
		}
	}
	var list strings.Builder
	m := NewRemaining(&list, Subject{Run: "after", Pool: "eu-west-1_A", Steps: steps}, false, scratches(t, new(int)))
	err := m.Write(batch.Result{Row: 1, Username: "ann", Outcome: batch.Failed, Reason: batch.Disabled})
	if err = errors.Join(err, m.Close()); err != nil || !strings.Contains(list.String(), ",ended when the user was disabled,") || strings.Contains(list.String(), "live on") {
		t.Errorf("%v\n%s", err, list.String())
	}
}

func TestThePageOfASignOutCountsCallsOfSignOuts(t *testing.T) {
	for steps, want := range map[string]string{"sign-out": `<th scope="col">users</th></tr>`, "reset": `<th scope="col">users, for the reset</th>`} {
		page := NewPage()
		sum := Summary{Steps: Steps{steps}, Calls: 1}
		row := batch.Result{Row: 1, Username: "ann", Attempts: 1, FinishedAt: start, Steps: []batch.StepResult{{Step: steps, Attempts: 1}}}
		var text strings.Builder
		if err := errors.Join(page.Write(row), page.Render(&text, sum)); err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut(text.String(), "How many calls users took")
		if table, _, _ = strings.Cut(table, "</table>"); !strings.Contains(table, want) || strings.Count(table, "<td") != strings.Count(table, `scope="col"`)-1 {
			t.Errorf("%s: %s", steps, table)
		}
	}
}
