package rundir

import (
	"context"
	"fmt"
	"os"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/report"
)

// A Run is a run directory in a list.
type Run struct {
	Path       string                  `json:"path"`
	State      string                  `json:"state"` // finished, open, in use, damaged or pruned
	StartedAt  time.Time               `json:"started_at,omitzero"`
	EndedAt    time.Time               `json:"ended_at,omitzero"` // by its last event
	UserPoolID string                  `json:"user_pool_id,omitzero"`
	DryRun     bool                    `json:"dry_run"`
	Sandbox    bool                    `json:"sandbox"`
	Rows       int64                   `json:"rows"`
	Outcomes   map[batch.Outcome]int64 `json:"outcomes"` // those that there are
	Bytes      int64                   `json:"bytes"`    // of all files
	PrunedAt   time.Time               `json:"pruned_at,omitzero"`

	record  *Record
	summary report.Summary
	files   []string // that pruning deletes
}

// The states of a run.
const (
	Finished = "finished"
	LeftOpen = "open"        // a resume would go on, or some users are in doubt
	Ended    = "ended early" // nobody goes on with it: it was a rehearsal or a dry run
	InUse    = "in use"
	Damaged  = "damaged"
	Pruned   = "pruned"
)

// List tells of the runs in a folder or below a prefix of S3, at any depth, what can be
// told without reading much: it goes by summary.json where that is newer than the journal.
func (s *Store) List(ctx context.Context, folder string) (runs []Run, err error) {
	if s3run.Named(folder) {
		return s.listInS3(ctx, folder)
	}
	dirs, err := Find(folder)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		run, err := lookAt(dir, JournalSize(dir))
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// lookAt tells of the run in a directory, whose journal has so many bytes.
func lookAt(dir *journal.Dir, journalBytes int64) (run Run, err error) {
	run = Run{Path: dir.String(), record: &Record{Dir: dir}, Outcomes: make(map[batch.Outcome]int64)}
	entries, err := os.ReadDir(dir.Path)
	if err != nil {
		return run, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || e.IsDir() {
			continue // it was deleted just now, or is not of the run
		}
		run.Bytes += info.Size()
		switch name := e.Name(); name {
		case journal.RunFile:
			run.EndedAt = info.ModTime() // unless better is known
		case SummaryFile, journal.LockFile, journal.HolderFile, IndexFile:
		default:
			run.files = append(run.files, name)
		}
	}
	if run.record, err = Load(dir); err != nil {
		run.State = Damaged
		return run, nil
	}
	asked, found := run.record.Spec, run.record.Found
	run.StartedAt, run.EndedAt, run.UserPoolID, run.DryRun, run.Sandbox, run.PrunedAt = asked.CreatedAt, asked.CreatedAt, asked.UserPoolID, asked.DryRun, asked.Sandbox, found.PrunedAt
	run.Rows = found.Roster.Rows
	run.State = run.state(journalBytes)
	if run.summary.Outcomes != nil {
		run.Rows, run.EndedAt = run.summary.Rows, run.summary.FinishedAt
	}
	for outcome, n := range run.summary.Outcomes {
		if n > 0 {
			run.Outcomes[outcome] = n
		}
	}
	return run, nil
}

// state finds in which state a run is, and its summary. That is in its file,
// unless the journal went on after it was written.
func (run *Run) state(journalBytes int64) string {
	dir := run.record.Dir
	if dir.Held() {
		return InUse
	}
	known := dir.ReadJSON(SummaryFile, &run.summary) == nil && run.summary.JournalBytes == journalBytes
	switch {
	case !run.PrunedAt.IsZero():
		return Pruned
	case !known:
		history, err := run.record.Replay()
		if err != nil {
			return Damaged
		}
		rows := run.record.Rows(history, nil)
		if err := rows.Write(); err != nil {
			return Damaged
		}
		run.summary = rows.Summary
	}
	switch {
	case !isOpen(run.summary):
		return Finished
	case run.DryRun || run.Sandbox:
		return Ended
	}
	return LeftOpen
}

// isOpen reports whether somebody is left to be called, or in doubt.
func isOpen(s report.Summary) bool {
	for reason, n := range s.Reasons {
		if n > 0 && (reason.StopsRun() || reason == batch.Stopped || reason == batch.Interrupted) {
			return true
		}
	}
	return s.Outcomes[batch.NotAttempted]+s.Outcomes[batch.Unknown] > 0
}

// Old picks the runs that ended before a time and have something to delete, and
// says of other old ones why they are kept.
func Old(runs []Run, before time.Time, includeOpen, forget bool) (old []Run, kept []string) {
	for _, run := range runs {
		switch dir := run.record.Dir; {
		case !run.EndedAt.Before(before) || run.State == Pruned && len(run.files) == 0 && !(forget && dir.Has(IndexFile)):
		case run.State == InUse:
			kept = append(kept, fmt.Sprintf("%s is kept: it is in use by %s.", run.Path, dir.Holder()))
		case (run.State == LeftOpen || run.State == Damaged) && !includeOpen:
			kept = append(kept, fmt.Sprintf("%s is kept: it is %s; --include-open takes it as well.", run.Path, run.State))
		default:
			old = append(old, run)
		}
	}
	return old, kept
}
