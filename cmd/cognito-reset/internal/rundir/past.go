package rundir

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/report"
)

// Past reads whom earlier runs have reset into a [History].
type Past struct {
	*Store
	History *History
	PoolID  string
	Since   time.Time         // the time of the history
	Own     string            // the run that asks, which does not count
	Crossed func(path string) // is told of a run that was at work at Since
}

// Add takes in the runs in a folder or below a prefix, and returns how many there
// are. A run whose record is gone, and which may have reset somebody since, is an
// error.
func (p *Past) Add(ctx context.Context, folder string) (runs int, err error) {
	var paths []string
	if s3run.Named(folder) {
		paths, err = s3run.Find(ctx, folder, p.S3)
	} else {
		var dirs []*journal.Dir
		dirs, err = Find(folder)
		for _, dir := range dirs {
			paths = append(paths, dir.Path)
		}
	}
	if err != nil {
		return 0, exit.Usagef("--history: %w", err)
	}
	for _, path := range paths {
		if path == p.Own {
			continue // resumed with a changed input: its own resets are no reason to skip anybody
		}
		if err := p.addRun(ctx, path); err != nil {
			return 0, exit.Usagef("--history: %w", err)
		}
	}
	return len(paths), nil
}

func (p *Past) addRun(ctx context.Context, path string) (err error) {
	dir, bytes, err := p.glance(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	past, err := Load(dir)
	if err != nil {
		return err
	}
	if past.Spec.UserPoolID != p.PoolID || !past.Spec.ForReal() {
		return nil
	}
	head, err := ReadHeader(dir)
	pruned := !past.Found.PrunedAt.IsZero()
	switch {
	case err == nil && (pruned || head.JournalBytes == bytes):
		return p.addIndex(dir, path)
	case pruned && endedBefore(dir, p.Since):
		return nil
	case pruned:
		return past.Gone()
	}
	indexed, done, err := p.indexed(ctx, past, path)
	defer func() { _ = done() }() // copies; nothing is lost with them
	if err != nil {
		return err
	}
	return p.addIndex(indexed, path)
}

func (p *Past) addIndex(dir *journal.Dir, path string) error {
	n, err := p.History.Add(dir)
	if err == nil && n.Before > 0 && n.Since > 0 {
		p.Crossed(path)
	}
	return err
}

// indexed makes the index of a run that has none, or an old one, and returns the
// directory that holds it. It is kept with the run unless a process works on that, or
// we may not write there: then done deletes it.
func (p *Past) indexed(ctx context.Context, past *Record, path string) (_ *journal.Dir, done func() error, err error) {
	done = func() error { return nil }
	if s3run.Named(path) { // of which past is but a glance
		dir, err := s3run.View(ctx, path, p.S3)
		if err != nil {
			return nil, done, err
		}
		past, done = &Record{Dir: dir, Spec: past.Spec, Found: past.Found}, dir.Close
	}
	if !past.Dir.Held() {
		err := past.WriteIndex(past.Dir)
		if _, inS3 := errors.AsType[*s3run.Error](err); err == nil || !inS3 && !errors.Is(err, fs.ErrPermission) {
			return past.Dir, done, err
		}
	}
	folder, drop, err := disk.TempDir(disk.OS)
	if err != nil {
		return nil, done, err
	}
	temporary, closed := &journal.Dir{Path: folder}, done
	done = func() error { return errors.Join(closed(), drop()) }
	return temporary, done, past.WriteIndex(temporary)
}

// WriteIndex writes the index of a run into a directory, perhaps its own.
func (r *Record) WriteIndex(to *journal.Dir) error {
	history, err := r.Replay()
	if err != nil {
		return err
	}
	return r.WriteIndexOf(to, history)
}

// WriteIndexOf is [Record.WriteIndex] of a journal that was read already.
func (r *Record) WriteIndexOf(to *journal.Dir, history *journal.History) error {
	return Write(to, r.Spec.UserPoolID, history.Size(), Replaced(history.Results(batch.Interrupted)))
}

// endedBefore reports whether a run was over at a time, by its summary.
func endedBefore(dir *journal.Dir, at time.Time) bool {
	var last report.Summary
	return dir.ReadJSON(SummaryFile, &last) == nil && last.FinishedAt.Before(at)
}
