package main

import (
	"context"
	"encoding/csv"
	"errors"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
)

// uncoveredFile lists the users of the pool whom the input does not name. It
// can be the input of another run.
const uncoveredFile = "uncovered.csv"

func reconcileFlag() cli.Flag {
	return boolFlag(groupSafety, "reconcile", "list the pool first and tell whom the input leaves out, in uncovered.csv")
}

// reconcile compares the input with the whole pool, if it was asked for.
func (s *session) reconcile(ctx context.Context) error {
	if !s.comparePool {
		return nil
	}
	if !s.quiet {
		say(s.stderr, "Listing the pool, to compare it with the input.")
	}
	r := &s.request
	err := s.dir.Write(uncoveredFile, func(f *os.File) error {
		w := csv.NewWriter(f)
		err := w.Write([]string{"username", "status", "enabled", "sub"})
		if err != nil {
			return err
		}
		coverage, err := s.pool.Coverage(ctx, s.dir.Entries(), func(u userpool.User) error {
			return w.Write([]string{u.Username, string(u.Status), strconv.FormatBool(u.Enabled), u.Sub})
		})
		w.Flush()
		r.Coverage = &coverage
		return errors.Join(err, w.Error())
	})
	switch {
	case ctx.Err() != nil:
		return s.stopError(context.Cause(ctx))
	case err != nil:
		return usagef("--reconcile: %w; nothing was sent", caseUnknown(err))
	}
	if !s.quiet {
		say(s.stderr, "%s users are in the pool but not in the input: %s\n", comma(r.Coverage.PoolOnly), s.dir.File(uncoveredFile))
	}
	return s.dir.WriteJSON(journal.RunFile, r)
}

// reconcileDryRun is reconcile for a run that makes no other calls.
func (s *session) reconcileDryRun(ctx context.Context) error {
	if !s.comparePool {
		return nil
	}
	if s.pool == nil {
		if err := s.connect(ctx); err != nil {
			return usagef("%w; nothing was sent", err)
		}
	}
	return s.reconcile(ctx)
}
