package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/roster"
)

func (c *command) resumeCommand() *cli.Command {
	flags := append(paceFlags(), safetyFlags()...)
	flags = append(flags,
		boolFlag(groupSafety, "accept-changed-input", "go on although the input changed; rows then match by username"),
		&cli.StringSliceFlag{Category: groupSafety, Name: "retry", Usage: "take up settled users again: `failed` (by the moment, not by the user's own fault) or unknown (read back first)", EnvVars: env("retry")},
	)
	flags = append(flags, awsFlags()...)
	flags = append(flags, outputFlags()...)
	return &cli.Command{
		Name:      "resume",
		Usage:     "go on with a run that was stopped",
		ArgsUsage: "DIR",
		UsageText: "cognito-reset resume cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI",
		Description: "Takes everything from the run directory. Nobody whose reset is recorded is called\n" +
			"again; those whose call may have left are read back first. Flags given here\n" +
			"replace those of the run.",
		Flags:  flags,
		Action: c.resume,
	}
}

func (c *command) resume(ctx *cli.Context) (err error) {
	path, err := oneDirectory(ctx)
	if err != nil {
		return err
	}
	s := &session{command: c, json: ctx.Bool("json"), quiet: ctx.Bool("quiet")}
	if s.log, err = logger(ctx, c.stderr); err != nil {
		return err
	}
	retry, err := retried(strings.Split(strings.Join(ctx.StringSlice("retry"), ","), ","))
	if err != nil {
		return err
	}
	if s.dir, err = journal.Open(path); err != nil {
		return &exit{exitUsage, err}
	}
	defer func() { err = errors.Join(err, s.dir.Close()) }()
	r := &s.request
	if err := s.dir.ReadJSON(journal.RunFile, r); err != nil {
		return &exit{exitUsage, err}
	}
	switch {
	case r.DryRun:
		return usagef("%s is a dry run: there is nothing to resume", path)
	case r.Sandbox:
		return usagef("%s was against a sandbox inside a process that is gone: there is nothing to resume", path)
	}
	if err := r.settings.read(ctx, false); err != nil {
		return err
	}
	if err := s.checkInput(ctx.Context, ctx.Bool("accept-changed-input")); err != nil {
		return &exit{exitUsage, err}
	}
	if s.history, err = s.dir.Replay(); err != nil {
		return &exit{exitUsage, err}
	}
	if s.history.Torn {
		say(c.stderr, "The journal's last line was cut short by a crash; it is cut off. No call left without its whole promise.")
	}
	if n := s.history.Strangers; n > 0 {
		say(c.stderr, "%d users of the journal are not in the input any more; they stay in the journal, not in the report.", n)
	}
	left, doubts := s.history.Open()
	if left == 0 && retry == nil {
		say(c.stderr, "This run is finished; nothing was sent.")
		return s.finish(nil)
	}
	if !s.quiet {
		say(c.stderr, "Going on with %s: %d of %d users are left, %d of them to be read back first.", path, left, r.Roster.Users, doubts)
	}
	if err := s.connect(ctx.Context); err != nil {
		return err
	}
	if r.findRate {
		if r.rateFrom(s.pool.RecoveryQuota(ctx.Context)); !s.quiet {
			say(c.stderr, "Rate       %.4g a second: %s", r.Rate, r.RateAuto)
		}
	}
	if err := s.dir.WriteJSON(journal.RunFile, r); err != nil {
		return err
	}
	return s.work(ctx.Context, retry)
}

// retried picks the settled users to take up again.
func retried(kinds []string) (func(batch.Result) bool, error) {
	if len(kinds) == 1 && kinds[0] == "" {
		return nil, nil
	}
	for _, kind := range kinds {
		if kind != "failed" && kind != "unknown" {
			return nil, usagef("--retry is failed or unknown, not %q", kind)
		}
	}
	moments := []batch.Reason{batch.ServerError, batch.Network, batch.AttemptLimit, batch.LambdaRefused, batch.Other}
	return func(r batch.Result) bool {
		switch r.Outcome {
		case batch.Failed:
			return slices.Contains(kinds, "failed") && slices.Contains(moments, r.Reason)
		case batch.Unknown:
			return slices.Contains(kinds, "unknown")
		}
		return false
	}, nil
}

// checkInput compares the input with what it was when the run began. The run
// works on its own copy; but an operator who edited the file means something by
// it, and must say what.
func (s *session) checkInput(ctx context.Context, accept bool) error {
	r := &s.request
	if r.Input == "-" {
		return nil
	}
	in, err := s.openInput(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		if !s.quiet {
			say(s.stderr, "%s is gone; going on with the copy in the run directory.", s.inputName())
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("the input has changed since the run began: %w", err)
	}
	defer in.Close()
	var added, gone int64
	if accept {
		survey, err := s.dir.Spool(roster.Unique(in.roster.Entries(), nil))
		if err != nil {
			return err
		}
		if in.sum() != r.InputSHA256 {
			r.Roster, r.InputSHA256 = survey, in.sum()
			return s.dir.WriteJSON(journal.RunFile, r)
		}
		return nil
	}
	sum, err := in.rest()
	if err != nil || sum == r.InputSHA256 {
		return err
	}
	if added, gone, err = s.compare(ctx); err != nil {
		return fmt.Errorf("%s has changed since the run began, and cannot be read any more: %w", s.inputName(), err)
	}
	return fmt.Errorf("%s has changed since %s: %d users are new and %d are gone (SHA-256 %.12s…, was %.12s…). "+
		"Restore it, or go on with it as it is now by --accept-changed-input: rows then match by username. Nothing was sent",
		s.inputName(), r.CreatedAt.Format(time.RFC3339), added, gone, sum, r.InputSHA256)
}

// rest hashes the input to its end without making entries of it.
func (in *input) rest() (string, error) {
	file := in.Closer.(*os.File)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	in.hash.Reset()
	_, err := io.Copy(in.hash, file)
	return in.sum(), err
}

// compare counts the users that only the input or only the run's copy has.
func (s *session) compare(ctx context.Context) (added, gone int64, err error) {
	in, err := s.openInput(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer in.Close()
	return journal.Compare(s.dir.Entries(), roster.Unique(in.roster.Entries(), nil))
}
