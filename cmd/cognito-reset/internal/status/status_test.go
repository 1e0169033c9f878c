package status

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/recordtest"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
)

// finished makes the record of a run that called everybody, with its reports.
func finished(t *testing.T) *rundir.Record {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run")
	recordtest.Make(t, path, slices.DeleteFunc(recordtest.Fates(30), func(r batch.Result) bool { return r.Outcome == batch.NotAttempted }))
	r := load(t, path)
	if r.Found.Marked = true; r.Save() != nil {
		t.Fatal("run.json is not written")
	}
	history, err := r.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := render.Files(r, history, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

func load(t *testing.T, path string) *rundir.Record {
	t.Helper()
	dir, err := journal.View(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rundir.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// session opens the record for another session, and has it end.
func session(t *testing.T, path string, work func(*journal.Journal) error) {
	t.Helper()
	dir, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	history, err := dir.Replay()
	if err != nil {
		t.Fatal(err)
	}
	j, err := history.Start("", history.RosterSHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(work(j), j.End(0, ""), j.Close(), dir.Close()); err != nil {
		t.Fatal(err)
	}
}

// rewrite changes the summary of a run, which keeps its time.
func rewrite(t *testing.T, r *rundir.Record, change func(*report.Summary)) {
	t.Helper()
	var sum report.Summary
	if err := r.Dir.ReadJSON(rundir.SummaryFile, &sum); err != nil {
		t.Fatal(err)
	}
	change(&sum)
	if err := r.Dir.WriteJSON(rundir.SummaryFile, sum); err != nil {
		t.Fatal(err)
	}
}

// What the summary tells of a finished run is what its journal tells, to the letter.
func TestAFinishedRunIsToldOfByItsSummaryAsByItsJournal(t *testing.T) {
	r := finished(t)
	session(t, r.Dir.Path, func(j *journal.Journal) error { return errors.Join(j.Steer("ann", "pause"), j.Note("wave 1")) })
	history, err := r.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := render.Files(r, history, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Finished(); !ok {
		t.Fatal("the summary does not count")
	}
	told := func() string {
		st, err := Of(t.Context(), load(t, r.Dir.Path))
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	bySummary := told()
	if err := os.Remove(r.Dir.File(rundir.SummaryFile)); err != nil {
		t.Fatal(err)
	}
	if byJournal := told(); bySummary != byJournal {
		t.Errorf("by the summary\n%s\nby the journal\n%s", bySummary, byJournal)
	}
}

// A summary that may not be of all of the journal is not believed.
func TestASummaryThatMayBeStaleIsNotBelieved(t *testing.T) {
	const forged = 999 // tells the summary from the journal
	later := func(file string) func(*testing.T, *rundir.Record) {
		return func(t *testing.T, r *rundir.Record) {
			at := time.Now().Add(time.Hour)
			if err := os.Chtimes(r.Dir.File(file), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	changed := func(change func(*report.Summary)) func(*testing.T, *rundir.Record) {
		return func(t *testing.T, r *rundir.Record) { rewrite(t, r, change) }
	}
	for what, test := range map[string]struct {
		then     func(*testing.T, *rundir.Record)
		believed bool
	}{
		"nothing":                   {func(*testing.T, *rundir.Record) {}, true},
		"the journal was touched":   {later(journal.JournalFile), false},
		"the roster was touched":    {later(journal.RosterFile), false},
		"another size":              {changed(func(s *report.Summary) { s.JournalBytes-- }), false},
		"an earlier version's":      {changed(func(s *report.Summary) { s.Sessions = nil }), false},
		"somebody was left":         {changed(func(s *report.Summary) { s.Sessions.Left = 1 }), false},
		"rows of another roster":    {changed(func(s *report.Summary) { s.Rows++ }), false},
		"the summary is in pieces":  {func(t *testing.T, r *rundir.Record) { cut(t, r, rundir.SummaryFile) }, false},
		"the journal was cut short": {func(t *testing.T, r *rundir.Record) { cut(t, r, journal.JournalFile) }, false},
		"the mark is in pieces":     {func(t *testing.T, r *rundir.Record) { cut(t, r, journal.MarkFile) }, false},
		"it was taken up again": {func(t *testing.T, r *rundir.Record) {
			session(t, r.Dir.Path, func(*journal.Journal) error { return nil })
			later(rundir.SummaryFile)(t, r) // as where clocks are set
		}, false},
		"somebody works on it": {func(t *testing.T, r *rundir.Record) {
			dir, err := journal.Open(r.Dir.Path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { dir.Close() })
		}, false},
	} {
		t.Run(what, func(t *testing.T) {
			r := finished(t)
			rewrite(t, r, func(s *report.Summary) { s.Outcomes[batch.Reset] = forged })
			test.then(t, r)
			st, err := Of(t.Context(), load(t, r.Dir.Path))
			if believed := err == nil && st.Outcomes[batch.Reset] == forged; believed != test.believed {
				t.Errorf("believed: %t; %+v, %v", believed, st, err)
			}
		})
	}
}

// cut cuts a file short, which keeps its time.
func cut(t *testing.T, r *rundir.Record, file string) {
	t.Helper()
	info, err := r.Dir.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	path := r.Dir.File(file)
	if err := errors.Join(os.Truncate(path, info.Size()/3), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
}
