package cli

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/cmd/cognito-reset/internal/flags"
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
			flags.Bool(flags.Safety, "moved", "the run directory was copied, moved or restored, and nobody goes on with another copy of it"),
		}, flags.Account(), []cli.Flag{flags.CSVSafe(), flags.Lease()}, flags.Watch(), flags.Display()),
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
	return work(ctx.Context, s)
}

// resumption is how to go on with a run: with the settings of given in place of its
// own.
func resumption(ctx, given *cli.Context) run.Resumption {
	r := run.Resumption{
		UsernameCase: ctx.String("username-case"), AcceptChangedInput: ctx.Bool("accept-changed-input"), Moved: ctx.Bool("moved"),
		Change: func(before spec.Settings) (spec.Settings, error) { return flags.ReadSettings(given, before, false) },
		Flags:  planFlags(given),
	}
	if kinds := strings.Join(ctx.StringSlice("retry"), ","); kinds != "" {
		r.Retry = strings.Split(kinds, ",")
	}
	return r
}
