package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/report"
)

// Prune deletes what is personal of a run, and returns how many bytes that were. The
// numbers are safe before the record goes. With forget the index goes as well, without
// which --history refuses the run.
func (run Run) Prune(now time.Time, forget bool) (freed int64, err error) {
	dir, err := journal.Open(run.Path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if run.summary.Outcomes != nil {
		if err := dir.WriteJSON(SummaryFile, unnamed(run.summary)); err != nil {
			return 0, err
		}
	} else if err := os.Remove(dir.File(SummaryFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err // what cannot be read cannot be believed to name nobody
	}
	if err := run.keepIndex(dir, forget); err != nil {
		return 0, err
	}
	left := run.record.Unnamed()
	left.Dir = dir
	if left.Found.PrunedAt.IsZero() {
		left.Found.PrunedAt = now
	}
	if err := left.Save(); err != nil {
		return 0, err
	}
	for _, name := range run.files {
		if err := os.Remove(dir.File(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	after, err := lookAt(dir)
	return run.Bytes - after.Bytes, err
}

// keepIndex sees to it that the index of a run is of all that its journal says. If
// that cannot be told, there is none: a later --history then refuses the run rather
// than take somebody again unnoticed.
func (run Run) keepIndex(dir *journal.Dir, forget bool) error {
	if run.State == Pruned && !forget {
		return nil
	}
	if !forget {
		if run.DryRun || run.Sandbox {
			return nil
		}
		head, err := ReadHeader(dir)
		whole := &Record{Dir: dir, Spec: run.record.Spec, Found: run.record.Found}
		if err == nil && head.JournalBytes >= JournalSize(dir) || run.State != Damaged && whole.WriteIndex(dir) == nil {
			return nil
		}
	}
	if err := os.Remove(dir.File(IndexFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// withheld stands for a text in a summary that was pruned.
const withheld = "withheld"

// unnamed is a summary without paths and texts.
func unnamed(s report.Summary) report.Summary {
	s.RunDirectory, s.Next = filepath.Base(s.RunDirectory), ""
	if s.StoppedBecause != "" {
		s.StoppedBecause = withheld
	}
	s.Targets = slices.Clone(s.Targets)
	for i, t := range s.Targets {
		if s.Targets[i].RunDirectory = filepath.Base(t.RunDirectory); t.StoppedBecause != "" {
			s.Targets[i].StoppedBecause = withheld
		}
	}
	return s
}
