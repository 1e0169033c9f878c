package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/observe"
	"cognito-reset/cmd/cognito-reset/internal/preflight"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/users"
)

func (a *app) preflightCommand() *cli.Command {
	return &cli.Command{
		Name:      "preflight",
		Usage:     "look at a user pool and its account before a run",
		UsageText: "cognito-reset preflight --user-pool-id eu-west-1_AbCdEfGhI --input users.csv",
		Description: "Says of everything that a run depends on if it is ok, a warning or a blocker, as\n" +
			"run does before it begins. Takes the flags of run, and sends nothing. Without\n" +
			"--input it speaks of a run over the whole pool. Ends with 2 if there is a blocker.",
		Flags: slices.Concat(flags.Config()[:1], flags.Source(), flags.Answer(), flags.Rates(), flags.Guards(),
			[]cli.Flag{flags.Force(), flags.UserPoolID()}, flags.Account(), flags.Display()),
		Action: a.preflight,
	}
}

func (a *app) preflight(ctx *cli.Context) error {
	record, f, err := a.preflightOf(ctx)
	if err != nil {
		return err
	}
	if !record.Spec.Listed() {
		if err := f.Count(ctx.Context); err != nil {
			return exit.With(exit.Usage, err)
		}
	}
	if err := f.Connect(ctx.Context); err != nil {
		return exit.With(exit.Usage, err)
	}
	if err := f.CheckExcluded(ctx.Context); err != nil && ctx.Context.Err() == nil {
		return exit.With(exit.Usage, err)
	}
	preflight.Look(ctx.Context, f.Pool(), record, preflight.Known{Excluded: f.Excluded, Unnamed: f.Unnamed, FirstNames: f.FirstNames, Force: f.Force})
	if ctx.Context.Err() != nil {
		return exit.Early(context.Cause(ctx.Context))
	}
	found := record.Found.Findings
	if ctx.Bool("json") {
		err = render.Object(a.Out, struct {
			UserPoolID string           `json:"user_pool_id"`
			Checks     []rundir.Finding `json:"checks"`
		}{record.Spec.UserPoolID, found})
	} else {
		err = preflight.Write(a.Out, found)
	}
	return cmp.Or(err, preflight.Blocked(found))
}

// preflightOf is what the command line asks to look at.
func (a *app) preflightOf(ctx *cli.Context) (*rundir.Record, *users.Finder, error) {
	if err := flags.NoArguments(ctx); err != nil {
		return nil, nil, err
	}
	job, _, err := a.configure(ctx)
	if err != nil {
		return nil, nil, err
	}
	if job.Targets != nil {
		return nil, nil, exit.Usagef("%s has several targets, and a preflight is of one user pool: run --config %[1]s --dry-run looks at them all", job.File)
	}
	if err := flags.CheckResets(ctx, flags.Steps(ctx)); err != nil {
		return nil, nil, err
	}
	record := &rundir.Record{Spec: spec.Spec{UserPoolID: ctx.String("user-pool-id")}}
	s := &record.Spec
	f := &users.Finder{Streams: a.Streams, Record: record, Store: a.openStore(ctx)}
	if s.Settings, err = flags.ReadSettings(ctx, spec.Settings{}, true); err != nil {
		return nil, nil, err
	}
	if f.Force, err = preflight.ParseForce(ctx.StringSlice("force")); err != nil {
		return nil, nil, err
	}
	if f.Log, err = flags.Logger(ctx, a.Err); err != nil {
		return nil, nil, err
	}
	if s.ValidatePool() != nil {
		return nil, nil, exit.Usagef("say which user pool with --user-pool-id ID, such as eu-west-1_AbCdEfGhI; %q is none", s.UserPoolID)
	}
	if s.Source, err = flags.ReadSource(ctx, time.Now()); err != nil {
		return nil, nil, err
	}
	if err := s.Source.Validate(len(ctx.StringSlice("input"))); err != nil && !errors.Is(err, spec.ErrNobody) {
		return nil, nil, err
	}
	s.Response, err = flags.ReadResponse(ctx, s.StatesKnown())
	return record, f, err
}

// observe begins to tell what --listen and --notify-exec ask for.
func (a *app) observe(ctx *cli.Context) (err error) {
	a.observer, err = observe.New(ctx.Context, observe.Options{
		Streams: a.Streams, Version: a.version, Listen: ctx.String("listen"), StallAfter: ctx.Duration("stall-after"),
		Exec: ctx.String("notify-exec"), Every: ctx.Duration("notify-every"), Grace: ctx.Duration("grace"),
	})
	return err
}
