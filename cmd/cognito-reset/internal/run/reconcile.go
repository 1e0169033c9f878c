package run

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strconv"

	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/cmd/cognito-reset/internal/users"
)

// reconcile compares the input with the whole pool, if it was asked for.
func (s *Session) reconcile(ctx context.Context) error {
	if !s.Options.Reconcile {
		return nil
	}
	if !s.Quiet {
		term.Linef(s.Err, "Listing the pool, to compare it with the input.")
	}
	found := &s.Record.Found
	err := s.Record.Dir.Write(rundir.UncoveredFile, func(f io.Writer) error {
		w := csv.NewWriter(f)
		err := w.Write([]string{"username", "status", "enabled", "sub"})
		if err != nil {
			return err
		}
		coverage, err := s.Pool().Coverage(ctx, s.Record.Dir.Entries(), func(u userpool.User) error {
			return w.Write([]string{u.Username, string(u.Status), strconv.FormatBool(u.Enabled), u.Sub})
		})
		w.Flush()
		found.Coverage = &coverage
		return errors.Join(err, w.Error())
	})
	switch {
	case ctx.Err() != nil:
		return exit.Early(context.Cause(ctx))
	case err != nil:
		return exit.Refusef("--reconcile: %w", users.CaseUnknown(err))
	}
	if !s.Quiet {
		term.Linef(s.Err, "%s users are in the pool but not in the input: %s\n", term.Comma(found.Coverage.PoolOnly), s.Record.File(rundir.UncoveredFile))
	}
	return s.Record.Save()
}

// reconcileDryRun is reconcile for a run that makes no other calls.
func (s *Session) reconcileDryRun(ctx context.Context) error {
	if !s.Options.Reconcile {
		return nil
	}
	if s.Pool() == nil {
		if err := s.Connect(ctx); err != nil {
			return exit.Refuse(err)
		}
	}
	return s.reconcile(ctx)
}
