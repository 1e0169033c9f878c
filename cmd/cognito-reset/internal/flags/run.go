package flags

import (
	"time"

	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"

	"github.com/urfave/cli/v2"
)

// ReadSpec is what the command line asks for, of a shard.
func ReadSpec(ctx *cli.Context, version string, shard roster.Shard) (s spec.Spec, err error) {
	dry, live, err := DryRun(ctx)
	if err != nil {
		return s, err
	}
	if err := CheckResets(ctx, Steps(ctx)); err != nil {
		return s, err
	}
	s = spec.Spec{
		Version: version, CreatedAt: time.Now().UTC(), UserPoolID: ctx.String("user-pool-id"),
		DryRun: dry, Offline: dry && !live, Sandbox: ctx.Bool("sandbox"), PoolUsers: ctx.String("pool-users"),
		Approval: spec.Approval{ApprovedBy: ctx.String("approved-by"), Reason: ctx.String("reason")},
	}
	if s.Settings, err = ReadSettings(ctx, spec.Settings{Shard: shard}, true); err != nil {
		return s, err
	}
	if s.SignIn, err = SignIn(ctx); err != nil {
		return s, err
	}
	if s.Sandbox && s.UserPoolID == "" {
		s.UserPoolID = "us-east-1_Sandbox"
	}
	if err := s.ValidatePool(); err != nil {
		return s, err
	}
	if s.Source, err = ReadSource(ctx, s.CreatedAt); err != nil {
		return s, err
	}
	if s.Response, err = ReadResponse(ctx, s.StatesKnown() || ctx.String("plan") != ""); err != nil {
		return s, err
	}
	return s, s.Validate(len(ctx.StringSlice("input")))
}

// DryRun reads --dry-run: whether the run is one, and whether it looks in the
// pool.
func DryRun(ctx *cli.Context) (dry, live bool, err error) {
	switch text := ctx.String("dry-run"); text {
	case "", "false":
	case "live", "true":
		dry, live = true, true
	case "offline":
		dry = true
	default:
		return false, false, exit.Usagef("--dry-run is live or offline, not %q", text)
	}
	if ctx.Bool("read-each") && !live {
		return false, false, exit.Usagef("--read-each goes with --dry-run, which then reads users one by one")
	}
	return dry, live, nil
}

// Approval are the flags of plans and of those who approve.
func Approval() []cli.Flag {
	return []cli.Flag{
		String(Safety, "plan", "", "with --dry-run write what was seen to `FILE`; without, do exactly what stands there"),
		&cli.DurationFlag{Category: Safety, Name: "plan-max-age", Value: 24 * time.Hour, Usage: "refuse a plan that is older than this `TIME`", EnvVars: Env("plan-max-age")},
		String(Safety, "approved-by", "", "`NAME` of who approved the run, for the record"),
		String(Safety, "reason", "", "`TEXT` for the record, such as a ticket"),
		Bool(Safety, "require-approval", "refuse a run that nobody but its caller approved"),
	}
}

// Watch are the flags by which others see how a run stands.
func Watch() []cli.Flag {
	return []cli.Flag{
		String(Output, "listen", "", "show the run on a live page at `ADDRESS`, such as 127.0.0.1:8080, with /metrics for Prometheus and /healthz"),
		&cli.DurationFlag{Category: Output, Name: "stall-after", Value: 10 * time.Minute, Usage: "/healthz turns bad when no user was settled for this `LONG`, unless the run waits on purpose", EnvVars: Env("stall-after")},
		String(Output, "notify-exec", "", "have the shell run `COMMAND` at the beginning, the end, an early stop and a stall, with the summary as JSON on its standard input"),
		&cli.DurationFlag{Category: Output, Name: "notify-every", Usage: "and after every `TIME`, such as 15m, while it works", EnvVars: Env("notify-every")},
	}
}

// SignInFlag is --sign-in.
func SignInFlag() cli.Flag {
	return String(Input, "sign-in", "username", "what the sandbox's users sign in with: `username`, or email, and usernames are then UUIDs")
}

// SignIn is --sign-in as the sandbox has it.
func SignIn(ctx *cli.Context) (string, error) {
	switch how := ctx.String("sign-in"); how {
	case "", "username":
		return "", nil
	case "email":
		return how, nil
	default:
		return "", exit.Usagef("--sign-in is username or email, not %q", how)
	}
}
