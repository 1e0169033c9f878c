package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/config"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/status"
)

func (a *app) statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "tell how a run stands, while it runs or after",
		ArgsUsage: "DIR",
		UsageText: "cognito-reset status cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI\n" +
			"cognito-reset status monday --watch",
		Description: "Changes nothing and calls nothing. Reads and checks the whole journal, unless the run is\n" +
			"finished and its summary is of all of it: then that is what it tells. Of a job on\n" +
			"several user pools, and of a folder of shards, it tells of each.",
		Flags: append(flags.Record(),
			flags.Bool(flags.Output, "watch", "go on telling until the run ends: on a terminal in place, elsewhere as lines with the time"),
			flags.Bool(flags.Output, "json", "print JSON")),
		Action: a.status,
	}
}

func (a *app) status(ctx *cli.Context) error {
	path, err := flags.OneDirectory(ctx)
	if err != nil {
		return err
	}
	if !ctx.Bool("watch") {
		a.openStore(ctx)
		return a.statusOf(ctx, path)
	}
	if ctx.Bool("json") {
		return exit.Usagef("--watch is for people and --json for programs; give one")
	}
	return status.Watch(ctx.Context, a.Out, func(look context.Context) ([]status.Status, error) {
		store := a.openStore(ctx)
		all, err := a.statusesOf(look, path)
		return all, errors.Join(err, store.Close()) // a copy of a run in S3 is of one look
	})
}

// ofFleet does something to each run of a fleet.
func ofFleet(runs []string, do func(path string) error) error {
	var errs []error
	for _, path := range runs {
		errs = append(errs, do(path))
	}
	return errors.Join(errs...)
}

// statusOf prints how a run stands, or each of several.
func (a *app) statusOf(ctx *cli.Context, path string) error {
	all, failed := a.statusesOf(ctx.Context, path)
	for _, st := range all {
		var err error
		if ctx.Bool("json") {
			err = render.Object(a.Out, st)
		} else {
			err = status.Print(a.Out, st)
		}
		if err != nil {
			return err
		}
	}
	return failed
}

// statusesOf is how a run stands, or each of those of a fleet or of several shards. One
// that cannot be read hides no other.
func (a *app) statusesOf(ctx context.Context, path string) (all []status.Status, err error) {
	runs := rundir.Members(path)
	if runs == nil {
		st, err := a.statusOfOne(ctx, path)
		if err != nil {
			return nil, err
		}
		return []status.Status{st}, nil
	}
	err = ofFleet(runs, func(path string) error {
		more, err := a.statusesOf(ctx, path)
		all = append(all, more...)
		return err
	})
	missing, unread := a.missing(path, runs)
	return append(all, missing...), errors.Join(err, unread)
}

// missing is how the targets of a fleet stand that have no run among those in its folder.
// Those of one shard may be another's.
func (a *app) missing(path string, runs []string) (all []status.Status, err error) {
	job := filepath.Join(path, rundir.JobFile)
	if _, err := os.Stat(job); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	j, err := config.Read(job, a.runCommand().Flags)
	if err != nil || j.Sharded() {
		return nil, err
	}
	for _, t := range j.Targets {
		if id := t.PoolID(); !slices.ContainsFunc(runs, func(run string) bool { return filepath.Base(run) == id }) {
			all = append(all, status.OfMissing(filepath.Join(path, id), id, path))
		}
	}
	return all, nil
}

func (a *app) statusOfOne(ctx context.Context, path string) (st status.Status, err error) {
	r, err := a.store.Read(ctx, path)
	if errors.Is(err, fs.ErrNotExist) && !s3run.Named(path) && preparing(path) {
		return status.OfPrepared(path), nil
	}
	if err != nil {
		return st, err
	}
	if st, err = status.Of(ctx, r); err != nil {
		return st, err
	}
	st.Path = path
	return st, nil
}
