package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/config"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/fleet"
	"cognito-reset/cmd/cognito-reset/internal/run"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

func (a *app) resumeCommand() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "go on with a run that was stopped",
		ArgsUsage: "DIR",
		UsageText: "cognito-reset resume cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI",
		Description: "Takes everything from the run directory. Nobody whose reset is recorded is called\n" +
			"again; those whose call may have left are read back first. Flags given here\n" +
			"replace those of the run. DIR may be that of a job on several user pools.",
		Flags: slices.Concat(flags.Rates(), flags.Guards(), []cli.Flag{
			flags.Bool(flags.Safety, "accept-changed-input", "go on although the input changed; rows then match by user"),
			flags.UsernameCase(),
			&cli.StringSliceFlag{Category: flags.Safety, Name: "retry", Usage: "take up settled users again: `failed` (by the moment, not by the user's own fault) or unknown (read back first)", EnvVars: flags.Env("retry")},
			flags.Bool(flags.Safety, "yes", "on a terminal, do not ask before the first call"),
			flags.Bool(flags.Safety, "moved", "the run directory was copied, moved or restored, and nobody goes on with another copy of it"),
		}, flags.Account(), []cli.Flag{flags.CSVSafe(), flags.Workbook(), flags.Lease()}, flags.Watch(), flags.Display()),
		Action: a.resume,
	}
}

func (a *app) resume(ctx *cli.Context) error {
	path, err := flags.OneDirectory(ctx)
	if err != nil {
		return err
	}
	if err := a.observe(ctx); err != nil {
		return err
	}
	a.openStore(ctx)
	if _, err := os.Stat(filepath.Join(path, rundir.JobFile)); err == nil {
		return a.resumeFleet(ctx, path)
	}
	return a.goOn(ctx, path)
}

// goOn goes on with the run in a directory.
func (a *app) goOn(ctx *cli.Context, path string) (err error) {
	env, err := a.env(ctx)
	if err != nil {
		return err
	}
	r := resumption(ctx, ctx)
	r.Path = path
	s, err := run.Resume(ctx.Context, r, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if s.Left == 0 {
		term.Linef(a.Err, "This run is finished; nothing was sent.")
		return s.Finish(nil)
	}
	if a.asksToResume(ctx) {
		if err := s.Agree(ctx.Context); err != nil {
			return err
		}
	}
	return work(ctx.Context, s)
}

// asksToResume reports whether a person is there to agree once more. Without one a
// run goes on: it was agreed to when it began.
func (a *app) asksToResume(ctx *cli.Context) bool { return !ctx.Bool("yes") && term.IsTerminal(a.In) }

// resumption is how to go on with a run: with the settings of given in place of its
// own.
func resumption(ctx, given *cli.Context) run.Resumption {
	r := run.Resumption{
		UsernameCase: ctx.String("username-case"), AcceptChangedInput: ctx.Bool("accept-changed-input"), Moved: ctx.Bool("moved"),
		EndpointNamed: given.IsSet("endpoint-url"),
		Change: func(before spec.Spec) (spec.Settings, error) {
			if err := flags.CheckResets(given, before.Steps); err != nil {
				return before.Settings, err
			}
			return flags.ReadSettings(given, before.Settings, false)
		},
		Flags: planFlags(given),
	}
	if kinds := strings.Join(ctx.StringSlice("retry"), ","); kinds != "" {
		r.Retry = strings.Split(kinds, ",")
	}
	return r
}

// resumeFleet goes on with the runs of a fleet, and begins those that are missing. It
// goes by the job as it was.
func (a *app) resumeFleet(ctx *cli.Context, path string) error {
	if err := journal.CloseToOthers(path); err != nil { // a job may hold a command to run
		return exit.Refuse(err)
	}
	j, err := config.Read(filepath.Join(path, rundir.JobFile), a.runCommand().Flags)
	if err != nil {
		return err
	}
	args := a.args
	if ctx.Command.Name != "run" { // what is said now counts for runs that have not begun, too
		args = []string{a.args[0], "run"}
		for _, fl := range ctx.Command.Flags {
			if name := fl.Names()[0]; a.typed(name) && !slices.Contains([]string{"retry", "accept-changed-input", "moved"}, name) {
				args = append(args, fmt.Sprintf("--%s=%v", name, ctx.Value(name)))
			}
		}
	}
	common, err := a.runContext(ctx.Context, args)
	if err != nil {
		return err
	}
	if err := config.Set(common, j.Common, make(config.Origins)); err != nil {
		return err
	}
	job := fleet.Job{Folder: fleet.Folder{Path: path, GoesOn: true}, Ask: a.asksToResume(ctx)}
	if job.Shard, err = flags.Shard(common, a.store); err != nil {
		return err
	}
	if job.Resume, err = a.memberResumption(ctx, args); err != nil {
		return err
	}
	if job.Targets, err = a.targets(ctx.Context, j, args); err != nil {
		return err
	}
	env, err := a.env(ctx)
	if err != nil {
		return err
	}
	return fleet.Run(ctx.Context, job, env)
}

// memberResumption is how the runs of a fleet go on: by the flags that are given now,
// without those of the job.
func (a *app) memberResumption(ctx *cli.Context, args []string) (run.Resumption, error) {
	given, err := a.runContext(ctx.Context, args)
	if err != nil {
		return run.Resumption{}, err
	}
	return resumption(ctx, given), nil
}
