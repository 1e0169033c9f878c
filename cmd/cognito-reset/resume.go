package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
		boolFlag(groupSafety, "accept-changed-input", "go on although the input changed; rows then match by user"),
		usernameCaseFlag(),
		&cli.StringSliceFlag{Category: groupSafety, Name: "retry", Usage: "take up settled users again: `failed` (by the moment, not by the user's own fault) or unknown (read back first)", EnvVars: env("retry")},
	)
	flags = append(flags, boolFlag(groupSafety, "moved", "the run directory was copied, moved or restored, and nobody goes on with another copy of it"))
	flags = append(flags, awsFlags()...)
	flags = append(append(flags, csvSafeFlag(), leaseFlag()), watchFlags()...)
	flags = append(flags, outputFlags()...)
	return &cli.Command{
		Name:      "resume",
		Usage:     "go on with a run that was stopped",
		ArgsUsage: "DIR",
		UsageText: "cognito-reset resume cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI",
		Description: "Takes everything from the run directory. Nobody whose reset is recorded is called\n" +
			"again; those whose call may have left are read back first. Flags given here\n" +
			"replace those of the run. DIR may be that of a job on several user pools.",
		Flags:  flags,
		Action: c.resume,
	}
}

func (c *command) resume(ctx *cli.Context) (err error) {
	path, err := oneDirectory(ctx)
	if err != nil {
		return err
	}
	if err := c.observe(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(path, jobFile)); err == nil {
		return c.resumeFleet(ctx, path)
	}
	return c.goOn(ctx, path)
}

// goOn goes on with the run in a directory.
func (c *command) goOn(ctx *cli.Context, path string) (err error) {
	s := &session{command: c, s3: c.inS3(ctx), json: ctx.Bool("json"), quiet: ctx.Bool("quiet"), path: path}
	if s.log, err = logger(ctx, c.stderr); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.reopen(ctx); err != nil {
		return err
	}
	if s.left == 0 {
		say(c.stderr, "This run is finished; nothing was sent.")
		return s.finish(nil)
	}
	return s.work(ctx.Context)
}

// reopen prepares to go on with the run in the session's directory.
func (s *session) reopen(ctx *cli.Context) (err error) {
	if s.retry, err = retried(strings.Split(strings.Join(ctx.StringSlice("retry"), ","), ",")); err != nil {
		return err
	}
	if s.dir, err = s.openRun(ctx.Context, s.path); err != nil {
		return cmp.Or(s.readNoFurther(ctx.Context), error(&exit{exitUsage, err}))
	}
	r := &s.request
	if err := readRequest(s.dir, r); err != nil {
		return err
	}
	switch {
	case r.DryRun:
		return usagef("%s is a dry run: there is nothing to resume", s.path)
	case r.Sandbox:
		return usagef("%s was against a sandbox inside a process that is gone: there is nothing to resume", s.path)
	}
	flags := ctx
	if s.own != nil {
		flags = s.own
	}
	if r.PlanDigest != "" {
		if err := keepsPlan(flags, s.dir); err != nil {
			return err
		}
	}
	if err := r.settings.read(flags, false); err != nil {
		return err
	}
	if told := ctx.String("username-case"); !knownCase(told) {
		return usagef("--username-case is sensitive or insensitive, not %q", told)
	} else if told != "" {
		r.UsernameCase = told
	}
	if err := s.connect(ctx.Context); err != nil {
		return err
	}
	for _, c := range r.Preflight {
		if c.Forced {
			s.force = append(s.force, c.Name)
		}
	}
	if err := s.checkInput(ctx.Context, ctx.Bool("accept-changed-input")); err != nil {
		return &exit{exitUsage, err}
	}
	if s.history, err = replay(s.dir, *r); err != nil {
		return &exit{exitUsage, err}
	}
	if s.history.Torn {
		say(s.stderr, "The journal's last line was cut short by a crash; it is cut off. No call left without its whole promise.")
	}
	if n := s.history.Strangers; n > 0 {
		say(s.stderr, "%d users of the journal are not in the input any more; they stay in the journal, not in the report.", n)
	}
	if n := s.history.StrangersInDoubt; n > 0 {
		say(s.stderr, "Of %d of them it is not known whether they were reset; look them up, or name them in the input again.", n)
	}
	doubts := int64(0)
	s.left, doubts = s.history.Open()
	if s.retry != nil {
		s.left = 0
		for _, err := range s.history.Remaining(s.retry) {
			if err != nil {
				return err
			}
			s.left++
		}
	}
	if s.left == 0 {
		return nil
	}
	if err := s.wholeAndHere(ctx.Bool("moved")); err != nil {
		return &exit{exitUsage, fmt.Errorf("%w; nothing was sent", err)}
	}
	if !s.quiet {
		say(s.stderr, "Going on with %s: %d of %d users are left, %d of them to be read back first.", s.path, s.left, r.Roster.Users, doubts)
	}
	if r.findRate {
		if r.rateFrom(s.pool.RecoveryQuota(ctx.Context)); !s.quiet {
			say(s.stderr, "Rate       %.4g a second: %s", r.Rate, r.RateAuto)
		}
	}
	return s.dir.WriteJSON(journal.RunFile, r)
}

// rememberUsers reads whom the journal names before the roster is made anew. The
// roster would not do: it may be one that was made anew before.
func (s *session) rememberUsers() error {
	known := make(map[string]int)
	for e, err := range s.dir.Named() {
		if err != nil {
			return err
		}
		at, found := known[e.Username]
		if !found {
			known[e.Username] = len(s.prior)
			s.prior = append(s.prior, e)
		} else if e.Sub != "" {
			s.prior[at].Sub = e.Sub
		}
	}
	return nil
}

// wholeAndHere sees to it that the journal is the one that the run left, and that
// the run directory is where it was.
func (s *session) wholeAndHere(moved bool) error {
	r, path := &s.request, s.dir.File(journal.JournalFile)
	lines, _ := s.history.Head()
	switch {
	case lines == 0 && (!r.Marked || !s.history.Marked()):
		return &journal.CutError{Path: path, What: "has no line, and nothing tells that there never was one"}
	case r.Marked && !s.history.Marked() && !moved:
		return s.askMoved(&journal.MovedError{Path: s.path, What: "has no " + journal.MarkFile})
	}
	if err := s.history.Begin(moved); err != nil {
		return s.askMoved(err)
	}
	r.Marked = true
	return nil
}

// askMoved says how to go on with a directory that is somewhere else.
func (s *session) askMoved(err error) error {
	if _, ok := errors.AsType[*journal.MovedError](err); ok {
		return fmt.Errorf("%w; make sure that this is the latest copy and that nobody goes on with another, then add --moved", err)
	}
	return err
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
	return func(r batch.Result) bool { return slices.Contains(kinds, retryKind(r)) }, nil
}

// retryKind is the --retry that takes a settled user up again; "" if none does.
func retryKind(r batch.Result) string {
	moments := []batch.Reason{batch.ServerError, batch.Network, batch.AttemptLimit, batch.LambdaRefused, batch.Other}
	switch {
	case r.Outcome == batch.Failed && slices.Contains(moments, r.Reason):
		return "failed"
	case r.Outcome == batch.Unknown:
		return "unknown"
	}
	return ""
}

// checkInput compares the input with what it was when the run began. The run
// works on its own copy; but an operator who edited the file means something by
// it, and must say what.
func (s *session) checkInput(ctx context.Context, accept bool) error {
	r := &s.request
	sum, err := r.inputSum()
	switch {
	case r.listed() || errors.Is(err, errElsewhere):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if !s.quiet {
			say(s.stderr, "%s is gone; going on with the copy in the run directory.", &r.source)
		}
		return nil
	case err != nil || sum == r.InputSHA256 && !accept:
		return err
	}
	if accept {
		if err := r.approval.fixed(r.CreatedAt); err != nil {
			return err
		}
	}
	in, err := s.openInputs(ctx)
	if err != nil {
		return fmt.Errorf("the input has changed since the run began: %w", err)
	}
	defer in.Close()
	if accept {
		r.IfResetRequired = "again" // this run's own resets are no reason to skip anybody
		if err := s.rememberUsers(); err != nil {
			return err
		}
		back, drop, err := s.dir.Aside()
		if err != nil {
			return err
		}
		if err := s.spool(ctx, in); err != nil {
			return errors.Join(err, back())
		}
		return errors.Join(s.dir.WriteJSON(journal.RunFile, r), drop())
	}
	if r.Match != "" || len(r.Where)+len(r.Only) > 0 { // what is left of it takes the pool, or a choice, to say
		return fmt.Errorf("%s has changed since %s (SHA-256 %.12s…, was %.12s…). Restore it, or go on with it as it is now by --accept-changed-input. Nothing was sent",
			&r.source, r.CreatedAt.Format(time.RFC3339), sum, r.InputSHA256)
	}
	fold, _ := s.knownFold(ctx) // else as they are written
	added, gone, err := journal.Compare(s.dir.Entries(), roster.Unique(in.Entries(), fold))
	if err != nil {
		return fmt.Errorf("%s has changed since the run began, and cannot be read any more: %w", &r.source, err)
	}
	return fmt.Errorf("%s has changed since %s: %d users are new and %d are gone (SHA-256 %.12s…, was %.12s…). "+
		"Restore it, or go on with it as it is now by --accept-changed-input: rows then match by user. Nothing was sent",
		&r.source, r.CreatedAt.Format(time.RFC3339), added, gone, sum, r.InputSHA256)
}
