package report

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
)

func sequence(results []batch.Result) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for _, r := range results {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func partOf(name string, ended time.Time, results ...batch.Result) Part {
	return Part{Name: name, Rows: int64(len(results)), Ended: ended, Results: sequence(results)}
}

// written is a sequence as JSON lines.
func written(t *testing.T, results iter.Seq2[batch.Result, error], kept ...string) string {
	t.Helper()
	var b strings.Builder
	w := NewJSONL(&b, kept...)
	for r, err := range results {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// whole is a run in which everything happens.
func whole(rows int) (results []batch.Result) {
	for i := range rows {
		at := start.Add(time.Duration(i) * time.Second)
		r := batch.Result{Row: int64(i) + 1, Username: fmt.Sprint("user", i), Outcome: batch.Reset, Attempts: 1, StartedAt: at, FinishedAt: at.Add(time.Second), SettledBy: batch.ByAnswer, Kept: []string{"x"}}
		switch i % 7 {
		case 1:
			r.Outcome, r.Reason = batch.Failed, batch.UserNotFound
		case 2:
			r = batch.Result{Row: r.Row, Username: "user0", Outcome: batch.Skipped, Reason: batch.Duplicate, ErrorMessage: "same username as row 1"}
		case 3:
			r = batch.Result{Row: r.Row, Outcome: batch.Invalid, Reason: batch.EmptyUsername, ErrorMessage: "the username is empty"}
		case 4:
			r.Outcome, r.Reason, r.FinishedAt, r.SettledBy = batch.Unknown, batch.Interrupted, time.Time{}, ""
		case 5:
			r = batch.Result{Row: r.Row, Username: r.Username, Outcome: batch.NotAttempted, Reason: batch.Interrupted}
		}
		results = append(results, r)
	}
	return results
}

func TestTheMergedShardsAreTheWhole(t *testing.T) {
	const shards = 8
	all := whole(1000)
	var parts []Part
	for n := range shards {
		var some []batch.Result
		for i, r := range all {
			if i*i%shards == n { // which leaves some without any
				some = append(some, r)
			}
		}
		part := partOf(fmt.Sprint(n), start, some...)
		part.Kept = []string{"plan"}
		parts = append(parts, part)
	}
	for _, atATime := range []int64{usersAtATime, 100} {
		m, err := merge(atATime, false, parts)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := written(t, m.Results(), m.Kept...), written(t, sequence(all), "plan"); got != want {
			t.Errorf("%d at a time: %d bytes, not %d", atATime, len(got), len(want))
		}
		if m.Conflicts != 0 || written(t, m.Contradictions(), "run") != "" {
			t.Errorf("%d conflicts", m.Conflicts)
		}
	}
}

func TestTheLastWordOnAUserCounts(t *testing.T) {
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	called := func(row int64, username string, n int, o batch.Outcome, r batch.Reason) batch.Result {
		return batch.Result{Row: row, Username: username, Outcome: o, Reason: r, Attempts: 1, StartedAt: day(n), FinishedAt: day(n)}
	}
	uncalled := func(row int64, username string, o batch.Outcome, r batch.Reason) batch.Result {
		return batch.Result{Row: row, Username: username, Outcome: o, Reason: r}
	}
	first := partOf("first", day(1),
		called(1, "ann", 1, batch.Reset, ""),
		called(2, "ben", 1, batch.Failed, batch.Network),
		called(3, "cid", 1, batch.Reset, ""),
		uncalled(4, "dan", batch.NotAttempted, batch.Stopped),
		uncalled(5, "eve", batch.NotAttempted, batch.Stopped),
		uncalled(6, "ann", batch.Skipped, batch.Duplicate),
		called(7, "fay", 1, batch.Failed, batch.Disabled))
	first.Kept = []string{"plan"}
	second := partOf("second", day(2),
		uncalled(1, "ann", batch.NotAttempted, batch.Stopped),
		called(2, "ben", 2, batch.Reset, ""),
		called(3, "cid", 2, batch.Failed, batch.NoVerifiedContact),
		called(4, "dan", 2, batch.Reset, ""),
		uncalled(5, "eve", batch.Skipped, batch.Excluded),
		uncalled(6, "ann", batch.Skipped, batch.Duplicate),
		called(9, "fay", 2, batch.Failed, batch.Disabled))
	second.Kept = []string{"rank", "plan"}
	for _, parts := range [][]Part{{first, second}, {second, first}} {
		m, err := Merge(parts...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for r, err := range m.Results() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(r.Row, r.Username, r.Outcome, r.Reason))
		}
		want := []string{"1annreset", "2benreset", "3cidfailedno_verified_contact", "4danreset", "5eveskippedexcluded", "6annskippedduplicate", "9fayfaileddisabled"}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		contradictions := written(t, m.Contradictions(), "run")
		for _, name := range []string{"ben", "cid"} {
			if strings.Count(contradictions, `"`+name+`"`) != 2 {
				t.Errorf("%s is not in\n%s", name, contradictions)
			}
		}
		if m.Conflicts != 2 || strings.Count(contradictions, "\n") != 4 || strings.Count(contradictions, `{"run":"first"}`) != 2 {
			t.Errorf("%d conflicts, and\n%s", m.Conflicts, contradictions)
		}
	}
}

func TestMergedResultsCarryTheColumnsOfAllRuns(t *testing.T) {
	a, b := batch.Result{Row: 1, Username: "ann", Kept: []string{"gold"}}, batch.Result{Row: 2, Username: "ben", Kept: []string{"7", "free"}}
	one, two := partOf("one", start, a, batch.Result{Row: 3, Outcome: batch.Invalid}), partOf("two", start, b)
	one.Kept, two.Kept = []string{"plan"}, []string{"rank", "plan"}
	m, err := Merge(one, two)
	if err != nil || !slices.Equal(m.Kept, []string{"plan", "rank"}) {
		t.Fatalf("%q, %v", m.Kept, err)
	}
	var got []string
	for r := range m.Results() {
		got = append(got, strings.Join(r.Kept, "/"))
	}
	if want := []string{"gold/", "free/7", ""}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestARunThatCannotBeReadIsNotMerged(t *testing.T) {
	broken := Part{Results: func(yield func(batch.Result, error) bool) { yield(batch.Result{}, fmt.Errorf("broken")) }}
	if _, err := Merge(partOf("good", start, results...), broken); err == nil {
		t.Error("no error")
	}
}
