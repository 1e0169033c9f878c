package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"cmp"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/config"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/fleet"
	"cognito-reset/cmd/cognito-reset/internal/run"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"
)

// runFleet is run with a job of several targets.
func (a *app) runFleet(ctx *cli.Context, j *config.Job, from config.Origins) error {
	shard, err := flags.Shard(ctx, a.store)
	if err != nil {
		return err
	}
	if ctx.IsSet("user-pool-id") {
		return exit.Usagef("%s has targets, and each target names its own user pool: leave --user-pool-id out", j.File)
	}
	dry, _, err := flags.DryRun(ctx)
	if err != nil {
		return err
	}
	folder, begun, err := fleet.Place(ctx.String("run"), shard, ctx.String("shard") == "auto", dry)
	if err != nil {
		return err
	}
	if begun {
		return a.resumeFleet(ctx, folder.Path)
	}
	job := fleet.Job{Folder: folder, Shard: shard, Dry: dry, Keep: a.keepConfig(ctx, j, from, shard)}
	if job.Resume, err = a.memberResumption(ctx, a.args); err != nil {
		return err
	}
	if job.Targets, err = a.targets(ctx.Context, j, a.args); err != nil {
		return err
	}
	if job.Ask, err = a.mustAsk(ctx, false); err != nil {
		return err
	}
	env, err := a.env(ctx)
	if err != nil {
		return err
	}
	return fleet.Run(ctx.Context, job, env)
}

// resumeFleet goes on with the runs of a fleet, and begins those that are missing. It
// goes by the job as it was.
func (a *app) resumeFleet(ctx *cli.Context, path string) error {
	j, err := config.Read(filepath.Join(path, rundir.JobFile), a.runCommand().Flags)
	if err != nil {
		return err
	}
	args := a.args
	if ctx.Command.Name != "run" { // what is said now counts for runs that have not begun, too
		args = []string{a.args[0], "run"}
		for _, fl := range ctx.Command.Flags {
			if name := fl.Names()[0]; a.typed(name) && name != "retry" && name != "accept-changed-input" {
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
	job := fleet.Job{Folder: fleet.Folder{Path: path, GoesOn: true}}
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

// targets are those of a job.
func (a *app) targets(ctx context.Context, j *config.Job, args []string) (all []fleet.Target, err error) {
	for _, t := range j.Targets {
		own, _, err := a.targetContext(ctx, args, j, t)
		if err != nil {
			return nil, err
		}
		if err := checkTarget(own, t); err != nil {
			return nil, fmt.Errorf("%s: %w", t.At, err)
		}
		id := own.String("user-pool-id")
		region, _, _ := strings.Cut(id, "_")
		all = append(all, fleet.Target{
			At: t.At, PoolID: id, Region: cmp.Or(own.String("region"), region),
			Credentials: own.String("profile") + "\x00" + own.String("role-arn"),
			Ask:         func(shard roster.Shard) (spec.Spec, run.Options, error) { return a.ask(own, shard) },
		})
	}
	return all, nil
}

// checkTarget finds what a target cannot have.
func checkTarget(ctx *cli.Context, t config.Target) error {
	own := func(flag string) bool {
		return slices.ContainsFunc(t.Settings, func(s config.Setting) bool { return s.Flag == flag })
	}
	for _, flag := range []string{"run", "shard", "shards", "yes", "json", "quiet", "dry-run", "lease"} {
		if own(flag) {
			return exit.Usagef("%s is for all targets together: it stands outside of them", flag)
		}
	}
	switch {
	case !own("user-pool-id"):
		return exit.Usagef("say which user pool by user-pool-id: each target has one")
	case ctx.String("plan") != "":
		return exit.Usagef("a plan is of one user pool: run its target by itself")
	case slices.Contains(flags.ColumnsOf(ctx, "keep-column"), report.PoolColumn):
		return exit.Usagef("keep-column %s: the report has a column of its own of that name; rename the input's", report.PoolColumn)
	}
	return nil
}

// targetContext is the command line of a target: that of all, with the flags of its own.
func (a *app) targetContext(ctx context.Context, args []string, j *config.Job, t config.Target) (*cli.Context, config.Origins, error) {
	from := make(config.Origins)
	own, err := a.runContext(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	if err := config.Set(own, t.Settings, from); err != nil {
		return nil, nil, err
	}
	return own, from, config.Set(own, j.Common, from)
}

// runContext is what a command line of run says, with nothing done.
func (a *app) runContext(ctx context.Context, args []string) (parsed *cli.Context, err error) {
	app := a.app()
	app.Command("run").Action = func(ctx *cli.Context) error {
		parsed = ctx
		return nil
	}
	err = app.RunContext(ctx, args)
	return parsed, err
}
