package rundir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/report"
)

// Prune deletes what is personal of a run, and returns how many bytes that were. The
// numbers are safe before the record goes. With forget the index goes as well, without
// which --history refuses the run.
func (s *Store) Prune(ctx context.Context, run Run, now time.Time, forget bool) (freed int64, err error) {
	s = s.As(run.record.Spec.Settings)
	dir, err := s.Open(ctx, run.Path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if run.summary.Outcomes != nil {
		if err := dir.WriteJSON(SummaryFile, unnamed(run.summary)); err != nil {
			return 0, err
		}
	} else if err := s.remove(ctx, dir, SummaryFile); err != nil {
		return 0, err // what cannot be read cannot be believed to name nobody
	}
	if !run.keepsIndex(dir, forget) {
		if err := s.remove(ctx, dir, IndexFile); err != nil {
			return 0, err
		}
	}
	left := run.record.Unnamed()
	left.Dir = dir
	if left.Found.PrunedAt.IsZero() {
		left.Found.PrunedAt = now
	}
	if err := left.Save(); err != nil {
		return 0, err
	}
	if err := s.remove(ctx, dir, run.files...); err != nil {
		return 0, err
	}
	if s3run.Named(run.Path) {
		after, err := s.bytesInS3(ctx, run.Path)
		return run.Bytes - after, err
	}
	after, err := lookAt(dir, 0)
	return run.Bytes - after.Bytes, err
}

// remove deletes files of a run, in S3 if it is there.
func (s *Store) remove(ctx context.Context, dir *journal.Dir, names ...string) error {
	if dir.IsCopy() {
		return s3run.Delete(ctx, dir.String(), s.S3, names...)
	}
	for _, name := range names {
		if err := os.Remove(dir.File(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// keepsIndex sees to it that the index of a run is of all that its journal says, and
// reports whether it is. Without one, a later --history refuses the run rather than take
// somebody again unnoticed.
func (run Run) keepsIndex(dir *journal.Dir, forget bool) bool {
	if run.State == Pruned && !forget {
		return true
	}
	if !forget {
		if run.DryRun || run.Sandbox {
			return true
		}
		head, err := ReadHeader(dir)
		whole := &Record{Dir: dir, Spec: run.record.Spec, Found: run.record.Found}
		if err == nil && head.JournalBytes >= JournalSize(dir) || run.State != Damaged && whole.WriteIndex(dir) == nil {
			return true
		}
	}
	return false
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
