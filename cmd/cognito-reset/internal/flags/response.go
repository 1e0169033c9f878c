package flags

import (
	"slices"
	"strings"

	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"

	"github.com/urfave/cli/v2"
)

// Answer are the flags that say what is done to each user.
func Answer() []cli.Flag {
	return []cli.Flag{
		String(Response, "steps", spec.StepReset, "do this `LIST` to each user: reset, or reset,sign-out to end the sessions as well"),
		String(Response, "if-unresettable", spec.DoReport, "do `WHAT` for users whom a reset cannot reach: report, lock, disable or invite; or by reason, as no_verified_contact=lock,temporary_password=invite"),
		String(Response, "if-reset-required", "", "of users who must reset already: `skip` them, or again (default: skip where the pool was asked who is meant)"),
		Bool(Response, "snapshot", "look in the pool what each user is before, for the record"),
	}
}

// ReadResponse takes from the command line what is done to each user. known says
// that the pool is asked beforehand what state its users are in.
func ReadResponse(ctx *cli.Context, known bool) (r spec.Response, err error) {
	r = spec.Response{Steps: strings.Split(ctx.String("steps"), ","), IfResetRequired: ctx.String("if-reset-required"), Snapshot: ctx.Bool("snapshot")}
	if !slices.Equal(r.Steps, []string{spec.StepReset}) && !slices.Equal(r.Steps, []string{spec.StepReset, spec.StepSignOut}) {
		return r, exit.Usagef("--steps is reset, or reset,sign-out; not %q", ctx.String("steps"))
	}
	switch r.IfResetRequired {
	case "again", "skip":
	case "":
		if r.IfResetRequired = "again"; known {
			r.IfResetRequired = "skip"
		}
	default:
		return r, exit.Usagef("--if-reset-required is again or skip, not %q", r.IfResetRequired)
	}
	r.IfUnresettable, err = spec.ParseFallbacks(ctx.String("if-unresettable"))
	return r, err
}
