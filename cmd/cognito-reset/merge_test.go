package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
)

// fates are how the rows of one input end.
func fates(rows int) (fates []batch.Result) {
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

// recordFates makes the record of a run that had some rows of an input.
func recordFates(t *testing.T, path string, fates []batch.Result) {
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
	r := request{UserPoolID: "us-east-1_Sandbox", Roster: survey}
	r.Keep = []string{"team"}
	check(dir.WriteJSON(journal.RunFile, r))
	history, err := dir.Replay()
	check(err)
	j, err := history.Start("", survey.SHA256)
	check(err)
	for i, r := range fates {
		if r.StartedAt.IsZero() {
			continue
		}
		r.Row = int64(i) + 1
		check(j.Promise(batch.Entry{Row: r.Row, Username: r.Username}))
		check(j.Settle(r))
	}
	check(errors.Join(j.End(exitInterrupted+2, "SIGINT"), j.Close(), dir.Close()))
}

// report runs the command and returns a file that it wrote, its lines sorted.
func sortedReport(t *testing.T, file string, args ...string) []string {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if code := Main(t.Context(), append([]string{"cognito-reset", "report"}, args...), null, null, os.Stderr); code != exitStopped && code != exitInterrupted+2 {
		t.Fatalf("it ended with %d", code)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(strings.Lines(string(text)))
}

func TestTheMergedReportOfShardsIsThatOfOneRun(t *testing.T) {
	const shards = 8
	dir := t.TempDir()
	all := fates(1000)
	one := filepath.Join(dir, "one")
	recordFates(t, one, all)
	merge := []string{"merge"}
	for n := range shards {
		var some []batch.Result
		for i, r := range all {
			if i/3%shards == n {
				some = append(some, r)
			}
		}
		path := filepath.Join(dir, fmt.Sprint("shard", n))
		recordFates(t, path, some)
		merge = append(merge, path)
	}
	both := filepath.Join(dir, "both")
	for _, name := range []string{"report.csv", "report.jsonl"} {
		want := sortedReport(t, filepath.Join(one, name), one)
		got := sortedReport(t, filepath.Join(both, name), append(merge, "--output", both)...)
		if len(got) < len(all) || !slices.Equal(got, want) {
			t.Errorf("%s: %d lines are not the %d of one run", name, len(got), len(want))
		}
	}
	if _, err := os.Stat(filepath.Join(both, conflictsFile)); err == nil {
		t.Error("shards contradict each other")
	}
}
