package flags

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"

	"github.com/urfave/cli/v2"
)

// Answer are the flags that say what is done to each user.
func Answer() []cli.Flag {
	return []cli.Flag{
		String(Response, "steps", spec.StepReset, "do this `LIST` to each user: reset; reset,sign-out, which ends sessions; or sign-out alone"),
		String(Response, "if-unresettable", spec.DoReport, "do `WHAT` for users whom a reset cannot reach: report, lock, disable or invite; or by reason, as no_verified_contact=lock,temporary_password=invite"),
		String(Response, "if-reset-required", "", "of users who must reset already: `skip` them, or again (default: skip where the pool was asked who is meant)"),
		Bool(Response, "snapshot", "look in the pool what each user is before, for the record"),
	}
}

// stepLists are what --steps may be.
var stepLists = []string{spec.StepReset, spec.StepReset + "," + spec.StepSignOut, spec.StepSignOut}

// aboutResets are the flags that mean nothing where nobody is reset.
var aboutResets = []string{
	"rate", "headroom", "max-resets", "on-message-limit", "on-unknown", "settle-after", "wave-gate", "if-unresettable", "if-reset-required",
	"client-metadata", "client-metadata-from-columns", "not-reset-within", "rotate-every",
}

// CheckResets refuses flags that are about resets where the response has none. The
// environment may have them all the same: it speaks to every command.
func CheckResets(ctx *cli.Context, r spec.Response) error {
	if !r.SignOutAlone() {
		return nil
	}
	for _, name := range aboutResets {
		text, everywhere := os.LookupEnv(Env(name)[0])
		switch {
		case !ctx.IsSet(name) || everywhere && text == fmt.Sprint(ctx.Value(name)):
		case name == "rate" || name == "headroom":
			return exit.Usagef("--%s is about resets, and --steps sign-out resets nobody: the rate of sign-outs is --update-rate", name)
		default:
			return exit.Usagef("--%s is about resets, and --steps sign-out resets nobody: leave it out", name)
		}
	}
	return nil
}

// ReadResponse takes from the command line what is done to each user. known says
// that the pool is asked beforehand what state its users are in.
func ReadResponse(ctx *cli.Context, known bool) (r spec.Response, err error) {
	r = spec.Response{Steps: strings.Split(ctx.String("steps"), ","), IfResetRequired: ctx.String("if-reset-required"), Snapshot: ctx.Bool("snapshot")}
	if !slices.Contains(stepLists, ctx.String("steps")) {
		return r, exit.Usagef("--steps is %s; not %q", strings.Join(stepLists, ", or "), ctx.String("steps"))
	}
	if err := CheckResets(ctx, r); err != nil {
		return r, err
	}
	switch r.IfResetRequired {
	case "again", "skip":
	case "":
		if r.IfResetRequired = "again"; known && !r.SignOutAlone() {
			r.IfResetRequired = "skip"
		}
	default:
		return r, exit.Usagef("--if-reset-required is again or skip, not %q", r.IfResetRequired)
	}
	r.IfUnresettable, err = spec.ParseFallbacks(ctx.String("if-unresettable"))
	return r, err
}
