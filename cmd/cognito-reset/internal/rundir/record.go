package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"
)

// The files of a run directory, beside those of the journal. SummaryFile is the
// run in numbers; it stays when the rest is pruned. UncoveredFile lists the users
// of the pool whom the input does not name, and can be the input of another run.
const (
	SummaryFile   = "summary.json"
	PlanFile      = "plan.json"
	VerifyFile    = "verify.csv"
	UncoveredFile = "uncovered.csv"
	ConflictsFile = "conflicts.csv" // of a merging: the rows of several runs that contradict each other
)

// JobFile is the configuration of a fleet, in its folder: what a resume reads.
const JobFile = "job.yaml"

// RunsFolder is where runs are recorded unless they are told where.
const RunsFolder = "cognito-reset-runs"

// Minute is the layout of a time in UTC, as people are shown it.
const Minute = "2006-01-02 15:04 UTC"

// A Record is a run directory, what was asked of the run, and what it found out.
type Record struct {
	Dir   *journal.Dir
	Spec  spec.Spec
	Found Found
}

// Found is what a run found out while it worked. It stands in run.json beside the
// [spec.Spec].
type Found struct {
	PoolName    string             `json:"user_pool_name"`
	Caller      awsaccount.Caller  `json:"caller"`
	Roster      journal.Survey     `json:"roster"`
	Findings    []Finding          `json:"preflight,omitempty"`
	Forecast    *report.Forecast   `json:"forecast,omitempty"`
	Coverage    *userpool.Coverage `json:"coverage,omitempty"`      // nil if input and pool were not compared
	Read        []roster.Source    `json:"read,omitempty"`          // what the inputs were
	InputSHA256 string             `json:"input_sha256,omitempty"`  // of the bytes of all of them
	Notices     []string           `json:"input_notices,omitempty"` // what a person should know of the inputs
	Marked      bool               `json:"marked"`                  // the directory has a mark of how far its journal reaches
	PrunedAt    time.Time          `json:"pruned_at,omitzero"`      // when all but numbers were deleted
}

// Forced are the names of the blockers that were overruled.
func (f Found) Forced() (names []string) {
	for _, finding := range f.Findings {
		if finding.Forced {
			names = append(names, finding.Name)
		}
	}
	return names
}

// A Finding is what a preflight found out about one thing.
type Finding struct {
	Name   string `json:"name"` // never changes
	Level  Level  `json:"level"`
	Text   string `json:"text"`
	Forced bool   `json:"forced,omitzero"` // a blocker that was overruled
}

// A Level is how bad a finding is.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Blocker Level = "blocker"
)

// runJSON is run.json: one flat object.
type runJSON struct {
	*spec.Spec
	*Found
}

// Save writes run.json.
func (r *Record) Save() error { return r.Dir.WriteJSON(journal.RunFile, runJSON{&r.Spec, &r.Found}) }

// Load reads run.json, of a run that was pruned as well.
func Load(dir *journal.Dir) (*Record, error) {
	r := &Record{Dir: dir}
	return r, dir.ReadJSON(journal.RunFile, &runJSON{&r.Spec, &r.Found})
}

// Path names the run directory as a person did.
func (r *Record) Path() string { return r.Dir.String() }

// File is where a file of the run directory is, as a person names it.
func (r *Record) File(name string) string {
	if r.Dir.IsCopy() {
		return r.Path() + "/" + name
	}
	return r.Dir.File(name)
}

// Gone is an error if the run was pruned.
func (r *Record) Gone() error {
	if r.Found.PrunedAt.IsZero() {
		return nil
	}
	return exit.Usagef("%s was pruned on %s: users, journal and reports were deleted; %s has the numbers",
		r.Dir.Path, r.Found.PrunedAt.Format(time.DateOnly), r.Dir.File(SummaryFile))
}

// Replay reads the journal, and sees to it that it is all of it: the users are
// those of run.json, and it is no shorter than when the summary was made of it.
func (r *Record) Replay() (*journal.History, error) {
	history, err := r.Dir.Replay()
	if err != nil {
		return nil, err
	}
	const restore = "restore it from a copy; without it nobody can say who was called, and to go on could call users twice"
	if history.RosterSHA256 != r.Found.Roster.SHA256 {
		return nil, fmt.Errorf("%s is not what run.json says: it was changed, or cut short, after it was written; %s", r.Dir.File(journal.RosterFile), restore)
	}
	var last report.Summary
	switch err := r.Dir.ReadJSON(SummaryFile, &last); {
	case errors.Is(err, fs.ErrNotExist), err != nil && r.Found.Marked:
		last = report.Summary{} // it can be rendered again, and the mark shows whether the journal is whole
	case err != nil:
		return nil, err
	}
	if _, err := r.Dir.Stat(journal.JournalFile); r.Found.Marked && errors.Is(err, fs.ErrNotExist) {
		return nil, &journal.CutError{Path: r.Dir.File(journal.JournalFile), What: "is not there, though the run began"}
	}
	if size := history.Size(); size < last.JournalBytes {
		return nil, fmt.Errorf("%s has %d bytes, and had %d when summary.json was made of it: it was cut short; %s", r.Dir.File(journal.JournalFile), size, last.JournalBytes, restore)
	}
	return history, nil
}

// Unnamed is the record without names, paths and texts that people wrote, and without
// the sum of the input, from which a short list can be guessed, in no directory. What is added to [Found] is not in it unless it is added here.
func (r *Record) Unnamed() *Record {
	u := &Record{Spec: r.Spec.Unnamed(), Found: Found{
		Roster: r.Found.Roster, Forecast: r.Found.Forecast, Coverage: r.Found.Coverage, PrunedAt: r.Found.PrunedAt,
	}}
	u.Found.Caller.Account = r.Found.Caller.Account
	for _, f := range r.Found.Findings {
		u.Found.Findings = append(u.Found.Findings, Finding{Name: f.Name, Level: f.Level, Forced: f.Forced})
	}
	return u
}

// JournalSize is the size of a run's journal in bytes; 0 if there is none.
func JournalSize(dir *journal.Dir) int64 {
	info, err := dir.Stat(journal.JournalFile)
	if err != nil {
		return 0
	}
	return info.Size()
}
