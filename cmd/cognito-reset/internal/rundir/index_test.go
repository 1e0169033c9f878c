package rundir_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
)

func indexOf(t testing.TB, at time.Time, names ...string) *journal.Dir {
	t.Helper()
	dir := &journal.Dir{Path: t.TempDir()}
	if err := rundir.Write(dir, "p_1", 7, func(yield func(batch.Result, error) bool) {
		for _, name := range names {
			if !yield(batch.Result{Username: name, Outcome: batch.Reset, FinishedAt: at}, nil) {
				return
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An index compares names as the pool does, and knows those of its pool alone.
func TestIndexComparesNamesAsThePoolDoes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 31, 23, 0, 0, 0, time.UTC)
	dir := indexOf(t, at, "Ann", "ben")
	for _, c := range []struct {
		pool, name string
		since      time.Time
		fold       func(string) string
		want       bool
	}{
		{"p_1", "Ann", at, nil, true},
		{"p_1", "ann", at, nil, false},
		{"p_1", "aNN", at, strings.ToLower, true},
		{"p_1", "BEN", at, strings.ToLower, true},
		{"p_1", "BEN", at, nil, false},
		{"p_1", "cid", at, strings.ToLower, false},
		{"p_1", "Ann", at.Add(time.Millisecond), nil, false},
		{"p_2", "Ann", at, nil, false},
	} {
		h := rundir.NewHistory(c.pool, c.since, c.fold)
		if _, err := h.Add(dir); err != nil {
			t.Fatal(err)
		}
		if got := h.Has(c.name); got != c.want {
			t.Errorf("%s in %s since %v: %v", c.name, c.pool, c.since, got)
		}
	}
}

// An index that is not whole is not believed.
func TestAnIndexThatIsNotWholeIsAnError(t *testing.T) {
	t.Parallel()
	at := time.Now()
	dir := indexOf(t, at, "ann", "ben")
	whole, err := os.ReadFile(dir.File(rundir.IndexFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"short": whole[:len(whole)-1], "long": append(whole[:len(whole):len(whole)], 0), "empty": nil} {
		if err := os.WriteFile(dir.File(rundir.IndexFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := rundir.NewHistory("p_1", at.Add(-time.Hour), nil).Add(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
