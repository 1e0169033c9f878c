package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
)

// periodStart is when the period of a time began, by calendars in UTC: of quarter,
// month or year, or of so many days or weeks (90d, 13w), counted from 1970-01-01.
func periodStart(period string, at time.Time) (time.Time, error) {
	at = at.UTC()
	switch period {
	case "year":
		return time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC), nil
	case "quarter":
		return time.Date(at.Year(), (at.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC), nil
	case "month":
		return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC), nil
	}
	for unit, days := range map[string]int64{"d": 1, "w": 7} {
		if number, ok := strings.CutSuffix(period, unit); ok {
			if n, err := strconv.ParseInt(number, 10, 32); err == nil && n > 0 {
				length := n * days * 24 * 60 * 60
				return time.Unix(at.Unix()/length*length, 0).UTC(), nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a period: write quarter, month, year, or days or weeks such as 90d or 13w", period)
}

// recentlyReset finds out whom the runs of --history have reset since the cutoff; nil
// without --history. Where nobody tells whether letter case counts, it does not: a user
// who may have been reset counts as reset.
func (s *session) recentlyReset(ctx context.Context) (*rundir.History, error) {
	r := s.request
	if len(r.History) == 0 {
		return nil, nil
	}
	fold, err := s.knownFold(ctx)
	if err != nil {
		fold = userpool.Settings{}.Fold
	}
	history := rundir.NewHistory(r.UserPoolID, r.ResetBefore, fold)
	for _, path := range r.History {
		found := 0
		for run, err := range s.pastRunsIn(ctx, path) {
			if err != nil {
				return nil, usagef("--history: %w", err)
			}
			if found++; run == s.dir.String() {
				continue // resumed with a changed input: its own resets are no reason to skip anybody
			}
			if err := s.addRun(ctx, history, run); err != nil {
				return nil, usagef("--history: %w", err)
			}
		}
		switch {
		case found > 0:
		case r.RotateEvery == "":
			return nil, usagef("--history: there is no run in %s", path)
		case !s.quiet:
			say(s.stderr, "There is no run in %s yet: this is the first rotation.", path)
		}
	}
	return history, nil
}

// recent reports of a user of the pool whether an earlier run has reset them, under
// whatever name; nil without --history.
func (s *session) recent() func(userpool.User) bool {
	if s.past == nil {
		return nil
	}
	return func(u userpool.User) bool { return s.past.Has(u.Names()...) }
}

// pastRunsIn yields the names of the runs in a folder or below a prefix.
func (s *session) pastRunsIn(ctx context.Context, path string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var runs []string
		var err error
		if s3run.Named(path) {
			runs, err = s3run.Find(ctx, path, s.s3)
		} else {
			var dirs []*journal.Dir
			dirs, err = rundir.Find(path)
			for _, dir := range dirs {
				runs = append(runs, dir.Path)
			}
		}
		if err != nil {
			yield("", err)
			return
		}
		for _, run := range runs {
			if !yield(run, nil) {
				return
			}
		}
	}
}

// addRun takes the resets of a run into a history.
func (s *session) addRun(ctx context.Context, history *rundir.History, path string) (err error) {
	dir, bytes, err := s.glance(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	var past request
	if err := dir.ReadJSON(journal.RunFile, &past); err != nil {
		return err
	}
	r := s.request
	if past.UserPoolID != r.UserPoolID || past.DryRun || past.Sandbox {
		return nil
	}
	head, err := rundir.ReadHeader(dir)
	pruned := !past.PrunedAt.IsZero()
	switch {
	case err == nil && (pruned || head.JournalBytes == bytes):
	case pruned && endedBefore(dir, r.ResetBefore):
		return nil
	case pruned:
		return past.gone(dir)
	default:
		indexed, done, err := s.indexed(ctx, dir, path, past)
		defer func() { _ = done() }() // copies; nothing is lost with them
		if err != nil {
			return err
		}
		return s.addIndex(history, indexed, path)
	}
	return s.addIndex(history, dir, path)
}

func (s *session) addIndex(history *rundir.History, dir *journal.Dir, path string) error {
	n, err := history.Add(dir)
	if err == nil && n.Before > 0 && n.Since > 0 {
		s.sayCutoff(path)
	}
	return err
}

// glance opens a run for a look at its index, and tells how long its journal is.
func (s *session) glance(ctx context.Context, path string) (dir *journal.Dir, bytes int64, err error) {
	if s3run.Named(path) {
		return s3run.Glance(ctx, path, s.s3, journal.RunFile, summaryFile, rundir.IndexFile)
	}
	if dir, err = journal.View(path); err != nil {
		return nil, 0, err
	}
	return dir, journalSize(dir), nil
}

// indexed makes the index of a run that has none, or an old one, and returns the
// directory that holds it. It is kept with the run unless a process works on that, or
// we may not write there: then done deletes it.
func (s *session) indexed(ctx context.Context, dir *journal.Dir, path string, past request) (_ *journal.Dir, done func() error, err error) {
	done = func() error { return nil }
	if s3run.Named(path) { // of which dir is but a glance
		if dir, err = s3run.View(ctx, path, s.s3); err != nil {
			return nil, done, err
		}
		done = dir.Close
	}
	if !dir.Held() {
		err := indexInto(dir, dir, past)
		if _, inS3 := errors.AsType[*s3run.Error](err); err == nil || inS3 || !errors.Is(err, fs.ErrPermission) {
			if inS3 { // but the copy has it
				err = nil
			}
			return dir, done, err
		}
	}
	folder, err := os.MkdirTemp("", "cognito-reset-") // mode 0700
	if err != nil {
		return nil, done, err
	}
	temporary, closed := &journal.Dir{Path: folder}, done
	done = func() error { return errors.Join(closed(), os.RemoveAll(folder)) }
	return temporary, done, indexInto(temporary, dir, past)
}

func (s *session) sayCutoff(run string) {
	at := s.request.ResetBefore.Format(time.RFC3339)
	if every := s.request.RotateEvery; every != "" {
		if !s.quiet {
			say(s.stderr, "The period of --rotate-every %s began at %s, while %s was at work: whom it reset since then has had the turn of this period.", every, at, run)
		}
		return
	}
	say(s.stderr, "The cutoff of --not-reset-within, %s, falls inside the run %s: whom it reset before that is taken again, and whom it reset after that is left out until a later run. "+
		"--rotate-every quarter (or month, or 90d) takes everybody once in each period.", at, run)
}

// indexInto writes the index of the run in dir into a directory, perhaps its own.
func indexInto(to, dir *journal.Dir, r request) error {
	history, err := replay(dir, r)
	if err != nil {
		return err
	}
	return rundir.Write(to, r.UserPoolID, history.Size(), replaced(history.Results(batch.Interrupted)))
}

// replaced yields the results whose users have lost their password.
func replaced(results iter.Seq2[batch.Result, error]) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for r, err := range results {
			if err == nil && (!r.Outcome.Done() || r.Outcome == batch.UserDisabled) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// endedBefore reports whether a run was over at a time, by its summary.
func endedBefore(dir *journal.Dir, at time.Time) bool {
	var last report.Summary
	return dir.ReadJSON(summaryFile, &last) == nil && last.FinishedAt.Before(at)
}
