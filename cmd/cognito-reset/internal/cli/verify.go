package cli

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/pool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/cmd/cognito-reset/internal/verify"
)

func (a *app) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "read back whether the resets of a run are still in force",
		ArgsUsage: "DIR",
		UsageText: "cognito-reset verify cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI",
		Description: "Looks in the pool what has become of every user whom the run reset, by listing,\n" +
			"which is free of charge, and writes verify.csv into the run directory. Ends with 0\n" +
			"if no old password can work any more, and with 3 otherwise. DIR may be that of a\n" +
			"job on several user pools: each of its runs is looked at.",
		Flags: append(append(flags.Account(), flags.Display()...),
			&cli.DurationFlag{Category: flags.Pace, Name: "watch", Usage: "look again after every `TIME`, such as 15m, until everybody has a new password", EnvVars: flags.Env("watch")}),
		Action: a.verify,
	}
}

func (a *app) verify(ctx *cli.Context) error {
	path, err := flags.OneDirectory(ctx)
	if err != nil {
		return err
	}
	a.openStore(ctx)
	paths := []string{path}
	if runs := rundir.FleetRuns(path); runs != nil {
		paths = runs
	}
	var runs []*verify.Run
	for _, path := range paths {
		r, err := a.verifiable(ctx, path)
		if err != nil {
			return err
		}
		runs = append(runs, r)
	}
	return verify.Watch(ctx.Context, runs, ctx.Duration("watch"))
}

// verifiable is a run at whose pool one can look.
func (a *app) verifiable(ctx *cli.Context, path string) (*verify.Run, error) {
	log, err := flags.Logger(ctx, a.Err)
	if err != nil {
		return nil, err
	}
	record, err := a.store.Read(ctx.Context, path)
	if err != nil {
		return nil, err
	}
	s := &record.Spec
	if !s.ForReal() {
		return nil, exit.Usagef("%s reset nobody in a pool that is still there: there is nothing to verify", path)
	}
	if s.SignOutAlone() {
		return nil, exit.Usagef("%s signed users out, and no pool shows that: there is nothing to verify. Verify the run that reset them", path)
	}
	for name, to := range map[string]*string{"profile": &s.Profile, "region": &s.Region, "endpoint-url": &s.EndpointURL, "role-arn": &s.RoleARN, "external-id": &s.ExternalID, "role-session-name": &s.SessionName, "source-identity": &s.SourceIdentity} {
		if ctx.IsSet(name) {
			*to = ctx.String(name)
		}
	}
	if err := s.Trusted(ctx.IsSet("endpoint-url")); err != nil {
		return nil, err
	}
	if way := s.Way(); way != "" && !ctx.Bool("quiet") {
		term.Linef(a.Err, "Calls are made with %s.", way)
	}
	asked, err := pool.Open(ctx.Context, *s, pool.Options{Log: log})
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	return &verify.Run{Streams: a.Streams, JSON: ctx.Bool("json"), Record: record, Pool: asked, Again: a.readAgain(path)}, nil
}

// readAgain reads a run in S3 anew, for its copy here never changes; nil for one on this
// machine.
func (a *app) readAgain(path string) func(context.Context) (*rundir.Record, error) {
	if !s3run.Named(path) {
		return nil
	}
	return func(ctx context.Context) (*rundir.Record, error) {
		next := a.store.As(spec.Settings{})
		record, err := next.Read(ctx, path)
		if err != nil {
			return nil, errors.Join(err, next.Close())
		}
		err = a.store.Close() // the last copy
		a.store = next
		return record, err
	}
}
