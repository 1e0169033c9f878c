package report

import (
	"strings"
	"testing"

	"cognito-reset/batch"
)

// The verdict counts every row once.
func TestTheVerdictCountsEveryRowOnce(t *testing.T) {
	rows := func(n int, r batch.Result) (all []batch.Result) {
		for range n {
			all = append(all, r)
		}
		return all
	}
	signedIn := batch.Result{Outcome: batch.NotAttempted, Reason: batch.Interrupted, Steps: []batch.StepResult{{Step: "reset", Outcome: batch.Reset}, {Step: "sign-out", Outcome: batch.NotAttempted}}}
	for _, c := range []struct {
		rows    [][]batch.Result
		waiting int64
		dry     bool
		want    string
	}{
		{[][]batch.Result{rows(3, batch.Result{Outcome: batch.Reset})}, 0, false, "3 of 3 are safe."},
		{[][]batch.Result{
			rows(4400, batch.Result{Outcome: batch.Reset}), rows(71, batch.Result{Outcome: batch.Locked, Reason: batch.NoVerifiedContact}),
			rows(48, batch.Result{Outcome: batch.Failed, Reason: batch.Disabled}), rows(55, batch.Result{Outcome: batch.Failed, Reason: batch.ExternalProvider}),
			rows(7, batch.Result{Outcome: batch.Failed, Reason: batch.NoVerifiedContact}), rows(1, batch.Result{Outcome: batch.Unknown, Reason: batch.Network}),
			rows(2, batch.Result{Outcome: batch.Failed, Reason: batch.UserNotFound}), rows(3, batch.Result{Outcome: batch.Invalid, Reason: batch.EmptyUsername}),
			rows(5, batch.Result{Outcome: batch.Skipped, Reason: batch.Duplicate}), rows(6, signedIn),
		}, 0, false, "4,471 of 4,598 are safe. 7 keep their old password, 48 come back with their old password if enabled, 1 nobody knows of, " +
			"6 are reset but still signed in, 55 are federated, 2 are not in the pool, 3 rows name nobody and 5 are left out."},
		{[][]batch.Result{rows(2, batch.Result{Outcome: batch.Reset})}, 1, false, "2 of 3 are safe. 1 waits for its turn."},
		{[][]batch.Result{rows(2, batch.Result{Outcome: batch.WouldReset})}, 0, true, "2 of 2 would be safe."},
	} {
		s := Summary{DryRun: c.dry}
		for _, part := range c.rows {
			for _, r := range part {
				s.Write(r)
			}
		}
		s.Wait(c.waiting)
		s.Close()
		if got := s.Verdict(); got != c.want {
			t.Errorf("it says\n%s\nnot\n%s", got, c.want)
		}
		total := int64(0)
		for _, shown := range (panel{Page: NewPage(), Summary: s}).Shares() {
			total += shown.Count
		}
		if total != s.Rows {
			t.Errorf("the bar has %d of %d rows", total, s.Rows)
		}
	}
}

// Who watches sees the same page before, during and after, and no user's name.
func TestTheLivePageHasNoRowsAndNoCommands(t *testing.T) {
	p := NewPage()
	p.Write(batch.Result{Row: 1, Username: "ann@example.com", Outcome: batch.Failed, Reason: batch.NoVerifiedContact, Attempts: 1, StartedAt: start, FinishedAt: start.Add(1)})
	s := Summary{UserPoolName: "prod-eu", RunDirectory: "night", UserPoolID: "eu-west-1_AbCdEfGhI"}
	s.Write(batch.Result{Outcome: batch.Failed, Reason: batch.NoVerifiedContact})
	s.Wait(9)
	pieces, err := p.Pieces("run-1-", s, &Now{Why: "rate, 20/s", Ahead: "done ≈ Thu 21:15 UTC", InFlight: 3, Rate: "19.8 users a second"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := RenderLive(&b, nil, pieces); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"prod-eu", "LIVE", "0 of 10 are safe. 9 wait for their turn and 1 keeps the old password.", "rate, 20/s", "Thu 21:15", `id="run-1-outcomes"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in it", want)
		}
	}
	for _, never := range []string{"ann@", "cognito-reset run", `id="rows"`} {
		if strings.Contains(b.String(), never) {
			t.Errorf("%q is in it", never)
		}
	}
}

func TestTimesAreSaidAsPeopleDo(t *testing.T) {
	for seconds, want := range map[float64]string{0.25: "250ms", 36: "36s", 320: "5m 20s", 11_100: "3h 5m", 187_200: "2d 4h", 3600: "1h", 86_399: "23h 59m"} {
		if got := took(seconds); got != want {
			t.Errorf("%v s is %s, not %s", seconds, got, want)
		}
	}
}
