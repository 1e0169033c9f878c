package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/preflight"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/cmd/cognito-reset/internal/users"
)

// Prepare does all that comes before the first call: it reads who is meant, looks
// at the pool, and asks. Where it fails it leaves no run directory.
func (s *Session) Prepare(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if err := s.begin(ctx, stop); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return errors.Join(err, s.Discard())
	}
	return nil
}

// ready is Prepare once the roster is there.
func (s *Session) ready(ctx context.Context) error {
	if err := s.lookFirst(ctx); err != nil {
		return err
	}
	if s.Record.Spec.DryRun {
		if s.Record.Spec.LooksInPool() {
			if err := s.forecast(ctx); err != nil {
				return err
			}
		}
		return s.reconcileDryRun(ctx)
	}
	if s.Plan != nil {
		if err := s.Plan.Verify(s.Record); err != nil {
			return err
		}
		if err := s.Plan.Write(s.Record.Dir, rundir.PlanFile); err != nil {
			return err
		}
		s.Record.Spec.PlanDigest = s.Plan.Digest
	}
	if err := s.confirm(ctx); err != nil {
		return err
	}
	if err := s.history.Begin(false); err != nil {
		return exit.Refuse(err)
	}
	s.Record.Found.Marked = true
	return s.Record.Save()
}

// begin reads who is meant into a new run directory, which stop ends. Where that cannot
// be used, it leaves none.
func (s *Session) begin(ctx context.Context, stop context.CancelCauseFunc) (err error) {
	if s.Record.Dir, err = s.Store.Create(ctx, s.Path); err != nil {
		s.Record.Dir = nil
		return cmp.Or(readNoFurther(ctx), s.notCreated(err))
	}
	s.listen(stop)
	var in *roster.Inputs
	if !s.Record.Spec.Listed() {
		if in, err = s.find.OpenInputs(ctx); err != nil {
			return errors.Join(cmp.Or(readNoFurther(ctx), notOpened(err)), s.Discard())
		}
		defer in.Close()
	}
	err = s.find.Spool(ctx, in)
	if stopped := readNoFurther(ctx); stopped != nil {
		return errors.Join(stopped, s.Discard())
	}
	if err != nil {
		return errors.Join(notRead(err), s.Discard())
	}
	s.Left = s.Record.Found.Roster.Users
	if s.Record.Spec.DryRun {
		return s.Record.Save()
	}
	s.history, err = s.Record.Dir.Replay()
	return err
}

// notCreated is why there is no new run directory.
func (s *Session) notCreated(err error) error {
	if _, none := os.Stat(filepath.Join(s.Path, journal.RunFile)); errors.Is(err, journal.ErrExists) && none != nil && !errors.Is(err, s3run.ErrBegun) {
		err = fmt.Errorf("%w, but no run that began: name a new folder, or delete this one", err)
	} else if errors.Is(err, journal.ErrExists) {
		err = fmt.Errorf("%w: name a new folder, or go on with that run by cognito-reset resume %s", err, term.Quote(s.Path))
	}
	return exit.Refusef("--run: %w", err)
}

// notOpened is why nobody is read.
func notOpened(err error) error {
	refused := &exit.Error{Code: exit.Usage, Err: err, NothingSent: true}
	if errors.Is(err, fs.ErrNotExist) {
		refused.Advice = "look where the file is; cognito-reset help start makes a list to try"
	}
	return refused
}

// notRead is why the users could not be read.
func notRead(err error) error {
	code := exit.Failed
	if e, ok := errors.AsType[*exit.Error](err); ok {
		code = e.Code
	} else if _, ok := errors.AsType[*roster.InputError](err); ok {
		code = exit.Usage
	} else if _, ok := errors.AsType[*userpool.GroupError](err); ok {
		code = exit.Usage
	} else if users.Denied(err) {
		code, err = exit.Usage, users.CaseUnknown(err)
	} else if _, ok := errors.AsType[*batch.Error](err); ok {
		code = exit.Stopped // the pool could not be asked
	}
	return &exit.Error{Code: code, Err: err, NothingSent: true}
}

// readNoFurther is an error if a signal came while the input was read. Even what
// then looks whole is not: whoever writes into a pipe gets the same Ctrl-C.
func readNoFurther(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return early(fmt.Errorf("%w while the input was read", context.Cause(ctx)))
}

// early is why a run ended before it began: nothing is to be resumed.
func early(why error) error {
	return &exit.Error{Code: exit.Of(exit.Early(why)), Err: why, NothingSent: true}
}

// confirm shows what the run would meet and lets a person say no.
func (s *Session) confirm(ctx context.Context) error {
	s.look(ctx)
	if ctx.Err() != nil {
		return early(context.Cause(ctx))
	}
	found, shown := &s.Record.Found, !s.Quiet || s.Ask
	if shown {
		_ = preflight.Write(s.Err, append(slices.Clone(found.Findings), // a closed stream is no reason to stop
			rundir.Finding{Name: "users", Level: rundir.OK, Text: s.who()},
			rundir.Finding{Name: "record", Level: rundir.OK, Text: s.Record.Path()}))
	}
	if err := preflight.Blocked(found.Findings); err != nil {
		return err
	}
	if s.RequireApproval {
		if err := s.Record.Spec.Approval.Missing(found.Caller); err != nil {
			return err
		}
	}
	if shown {
		term.Linef(s.Err, "")
	}
	if err := s.reconcile(ctx); err != nil {
		return err
	}
	if !s.Ask {
		return nil
	}
	term.Linef(s.Err, "Each of these users %s.", s.Record.Spec.Effect())
	return s.Agree(ctx)
}

// Agree lets a person say no.
func (s *Session) Agree(ctx context.Context) error {
	switch typed, err := s.Prompt(ctx, s.question()); {
	case err != nil:
		return exit.Early(err)
	case typed != s.Record.Spec.UserPoolID:
		return exit.Refusef("that is not the pool id")
	}
	return nil
}

// question names what is at stake.
func (s *Session) question() string {
	text := fmt.Sprintf("Type %s to %s %s", s.Record.Spec.UserPoolID, s.Record.Spec.Verb(), term.Plural(s.Left, "user"))
	if name := s.Record.Found.PoolName; name != "" {
		text += fmt.Sprintf(" of %q", name)
	}
	if account := s.Record.Found.Caller.Account; account != "" {
		text += " in account " + account
	}
	return text + ": "
}

// who says who is meant, and how many.
func (s *Session) who() string {
	survey := s.Record.Found.Roster
	rows := fmt.Sprintf("%s rows, %s users to %s", term.Comma(survey.Rows), term.Comma(survey.Users), s.Record.Spec.Verb())
	if other := survey.Rows - survey.Users; other > 0 {
		rows += fmt.Sprintf(", %s not (%s)", term.Comma(other), counted(survey.Reasons))
	}
	source := s.Record.Spec.Source.String()
	if how := s.find.Understood; how != "" {
		source += " (" + how + ")"
	}
	if s.Record.Spec.Shard.Count > 0 {
		source += ", shard " + s.Record.Spec.Shard.String()
	}
	return source + ": " + rows
}

// look asks what the run would meet, and notes it in the record.
func (s *Session) look(ctx context.Context) {
	f := s.find
	preflight.Look(ctx, s.Pool(), s.Record, preflight.Known{
		Excluded: f.Excluded, Unnamed: f.Unnamed, FirstNames: f.FirstNames, Force: s.Force, InFleet: s.Fleet != nil,
	})
}
