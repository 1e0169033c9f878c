package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"cognito-reset/batch"
	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/plan"
	"cognito-reset/cmd/cognito-reset/internal/preflight"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A Resumption is how to go on with a run.
type Resumption struct {
	Path               string
	Retry              []string // kinds of settled users to take up again: failed, unknown
	UsernameCase       string   // where the pool does not tell; "" is as before
	AcceptChangedInput bool
	Moved              bool // the directory was moved, and nobody goes on with another copy
	EndpointNamed      bool // the endpoint is not only the run directory's word

	// Change is the settings with what replaces them. Flags are those that were
	// given, to be compared with a plan.
	Change func(spec.Spec) (spec.Settings, error)
	Flags  plan.Flags
}

// Resume prepares to go on with a run. Nobody is left if Left is 0.
func Resume(ctx context.Context, r Resumption, env Env) (s *Session, err error) {
	retry, err := retried(r.Retry)
	if err != nil {
		return nil, err
	}
	dir, err := env.Store.Open(ctx, r.Path)
	if err != nil {
		return nil, cmp.Or(readNoFurther(ctx), exit.With(exit.Usage, err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.Close())
		}
	}()
	record, err := resumable(dir, r)
	if err != nil {
		return nil, err
	}
	s = newSession(record, Options{Path: r.Path, Force: record.Found.Forced()}, env)
	s.retry = retry
	if way := record.Spec.Way(); way != "" && !s.Quiet {
		term.Linef(s.Err, "Calls are made with %s.", way)
	}
	if err := s.Connect(ctx); err != nil { // which calls nobody, but asks for MFA codes as long as ctx lasts
		return nil, exit.With(exit.Usage, err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.listen(stop)
	defer func(opened *Session) {
		if err != nil {
			opened.hangUp()
		}
	}(s)
	if err := s.find.CheckInput(ctx, r.AcceptChangedInput); err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	if s.history, err = record.Replay(); err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	s.printUnmatched()
	inDoubt, err := s.count()
	if err != nil {
		return s, err
	}
	if s.Left == 0 {
		return s, s.mark()
	}
	if err := s.wholeAndHere(r.Moved); err != nil {
		return nil, exit.Refuse(err)
	}
	if !s.Quiet {
		term.Linef(s.Err, "Going on with %s: %s of %s users are left%s", s.Path, term.Comma(s.Left), term.Comma(record.Found.Roster.Users), s.ofDoubts(inDoubt))
	}
	if record.Spec.FindRate {
		if record.Spec = preflight.FindRate(record.Spec, awsaccount.Of(s.Pool()).Quota(ctx, awsaccount.Recovery)); !s.Quiet {
			term.Linef(s.Err, "Rate       %.4g a second: %s", record.Spec.Rate, record.Spec.RateAuto)
		}
	}
	return s, record.Save()
}

// resumable reads the record of a run that can go on, with the settings changed.
func resumable(dir *journal.Dir, r Resumption) (*rundir.Record, error) {
	record, err := rundir.Load(dir)
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	if err := record.Gone(); err != nil {
		return nil, err
	}
	switch s := record.Spec; {
	case s.DryRun:
		return nil, exit.Usagef("%s is a dry run: there is nothing to resume", r.Path)
	case s.Sandbox:
		return nil, exit.Usagef("%s was against a sandbox inside a process that is gone: there is nothing to resume", r.Path)
	case s.PlanDigest != "":
		if err := plan.Keeps(r.Flags, dir); err != nil {
			return nil, err
		}
	}
	if record.Spec.Settings, err = r.Change(record.Spec); err != nil {
		return nil, err
	}
	if err := record.Spec.Trusted(r.EndpointNamed); err != nil {
		return nil, err
	}
	if !spec.KnownCase(r.UsernameCase) {
		return nil, exit.Usagef("--username-case is sensitive or insensitive, not %q", r.UsernameCase)
	}
	record.Spec.UsernameCase = cmp.Or(r.UsernameCase, record.Spec.UsernameCase)
	return record, nil
}

// printUnmatched says what of the journal is not so any more.
func (s *Session) printUnmatched() {
	if s.history.Torn {
		term.Linef(s.Err, "The journal's last line was cut short by a crash; it is cut off. No call leaves before its own is whole.")
	}
	if n := s.history.Unmatched; n > 0 {
		term.Linef(s.Err, "%d users of the journal are not in the input any more; they stay in the journal, not in the report.", n)
	}
	if n := s.history.UnmatchedInDoubt; n > 0 {
		if s.Record.Spec.SignOutAlone() { // no look would tell
			term.Linef(s.Err, "Of %d of them it is not known whether they were signed out; name them in the input again, or sign them out in a run of their own.", n)
			return
		}
		term.Linef(s.Err, "Of %d of them it is not known whether they were reset; look them up, or name them in the input again.", n)
	}
}

// ofDoubts ends a sentence about who is left by what becomes of those whose answers were lost.
func (s *Session) ofDoubts(n int64) string {
	switch {
	case n == 0:
		return "."
	case !s.Record.Spec.SignOutAlone():
		return fmt.Sprintf(", %s of them to be read back first.", term.Comma(n))
	}
	return fmt.Sprintf(". The answers of %s of them were lost: they are signed out once more.", term.Comma(n))
}

// count counts who is left, and who of them is in doubt.
func (s *Session) count() (inDoubt int64, err error) {
	s.Left, inDoubt = s.history.Open()
	if s.retry != nil {
		s.Left = 0
		for _, err := range s.history.Remaining(s.retry) {
			if err != nil {
				return 0, err
			}
			s.Left++
		}
	}
	return inDoubt, nil
}

// mark brings the mark of a run of which nobody is left up to its journal: the
// process that made the last calls may have been killed. Wherever the record is now,
// nobody is called.
func (s *Session) mark() error {
	err := s.history.Begin(false)
	if _, moved := errors.AsType[*journal.MovedError](err); moved {
		return nil
	}
	return err
}

// wholeAndHere sees to it that the journal is the one that the run left, and that
// the run directory is where it was.
func (s *Session) wholeAndHere(moved bool) error {
	found, path := &s.Record.Found, s.Record.Dir.File(journal.JournalFile)
	lines, _ := s.history.Head()
	switch {
	case lines == 0 && (!found.Marked || !s.history.Marked()):
		return &journal.CutError{Path: path, What: "has no line, and nothing tells that there never was one"}
	case found.Marked && !s.history.Marked() && !moved:
		return askMoved(&journal.MovedError{Path: s.Path, What: "has no " + journal.MarkFile})
	}
	if err := s.history.Begin(moved); err != nil {
		return askMoved(err)
	}
	found.Marked = true
	return nil
}

// askMoved says how to go on with a directory that is somewhere else.
func askMoved(err error) error {
	if _, ok := errors.AsType[*journal.MovedError](err); ok {
		return fmt.Errorf("%w; make sure that this is the latest copy and that nobody goes on with another, then add --moved", err)
	}
	return err
}

// retried picks the settled users to take up again; nil is nobody.
func retried(kinds []string) (func(batch.Result) bool, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	for _, kind := range kinds {
		if kind != "failed" && kind != "unknown" {
			return nil, exit.Usagef("--retry is failed or unknown, not %q", kind)
		}
	}
	return func(r batch.Result) bool { return slices.Contains(kinds, rundir.RetryKind(r)) }, nil
}
