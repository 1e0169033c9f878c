package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

func (a *app) ctlCommand() *cli.Command {
	return &cli.Command{
		Name:      "ctl",
		Usage:     "steer a run: pause, resume, rate N, next-wave or stop",
		ArgsUsage: "DIR status|pause|resume|rate N|next-wave|stop",
		UsageText: "cognito-reset ctl cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI rate 10",
		Description: "Takes effect at once and is journaled with time and who. stop lets calls under\n" +
			"way finish and ends the run with exit code 4; cognito-reset resume goes on. On\n" +
			"the run's own terminal the keys p, +, - and q pause, quicken, slow and stop it. DIR\n" +
			"of a job on several user pools steers all of its runs.",
		Flags:  []cli.Flag{flags.Bool(flags.Output, "json", "print the status as JSON")},
		Action: a.ctl,
	}
}

func (a *app) ctl(ctx *cli.Context) error {
	args := ctx.Args().Slice()
	wants := 2
	if len(args) > 1 && args[1] == "rate" {
		wants = 3
	}
	if len(args) != wants {
		return exit.Usagef("ctl takes a run directory and what to do: cognito-reset ctl DIR status|pause|resume|rate N|next-wave|stop")
	}
	a.openStore(ctx)
	if args[1] == "status" {
		return a.statusOf(ctx, args[0])
	}
	if s3run.Named(args[0]) {
		return exit.Usagef("a run in S3 is steered where it works: by the keys of its terminal, by ctl on its copy (cognito-reset-*/run in the folder for temporary files), and by SIGTERM to stop it")
	}
	if runs := rundir.FleetRuns(args[0]); runs != nil {
		runs = slices.DeleteFunc(runs, func(path string) bool { // those that are done need no steering
			dir, err := journal.View(path)
			return err != nil || !dir.Held()
		})
		if len(runs) == 0 {
			return nobodyWorks(args[0], true)
		}
		return ofFleet(runs, func(path string) error { return a.steer(ctx, path, args[1], args[2:]...) })
	}
	return a.steer(ctx, args[0], args[1], args[2:]...)
}

// steer tells the session that works on a run what to do.
func (a *app) steer(ctx *cli.Context, path, command string, value ...string) error {
	dir, err := journal.View(path)
	if errors.Is(err, fs.ErrNotExist) && preparing(path) {
		dir, err = &journal.Dir{Path: path}, nil
	}
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	if !dir.Held() {
		record, err := rundir.Load(dir)
		if err == nil {
			if _, finished := record.Finished(); finished {
				return exit.Usagef("%s is finished: there is nothing to steer any more", path)
			}
		}
		return nobodyWorks(path, err == nil && record.Spec.ForReal())
	}
	done, err := control.Steer(ctx.Context, dir, command, value...)
	if err != nil {
		return exit.With(exit.Usage, fmt.Errorf("%s: %w", path, err))
	}
	err = term.Write(a.Out, done+"\n")
	return err
}

// preparing reports whether a process prepares a run in a directory that is none yet.
func preparing(path string) bool { return (&journal.Dir{Path: path}).Held() }

// nobodyWorks is that there is nothing to steer.
func nobodyWorks(path string, resumable bool) error {
	if !resumable {
		return exit.Usagef("nothing works on %s now", path)
	}
	return exit.Usagef("nothing works on %s now; cognito-reset resume %s goes on with it", path, term.Quote(path))
}
