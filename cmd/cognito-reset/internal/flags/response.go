package flags

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"

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

// aboutResets are the flags that mean nothing where nobody is reset, with what each is if
// only the environment gives it, which speaks to every command. Those without choose
// users, or belong to others that do: they are refused wherever they come from.
var aboutResets = []struct{ name, unset string }{
	{"rate", fmt.Sprint(spec.DefaultRate)}, {"headroom", "33%"}, {"max-resets", "0"}, {"on-message-limit", "stop"}, {"on-unknown", "report"},
	{"settle-after", fmt.Sprint(userpool.Linger)}, {"if-unresettable", spec.DoReport},
	{name: "if-reset-required"}, {name: "not-reset-within"}, {name: "rotate-every"}, {name: "wave-gate"},
	{name: "client-metadata"}, {name: "client-metadata-from-columns"},
}

// CheckResets refuses flags that are about resets where the steps have none, and
// unsets those that only the environment gives.
func CheckResets(ctx *cli.Context, steps report.Steps) error {
	if !steps.SignOutAlone() {
		return nil
	}
	for _, about := range aboutResets {
		text, everywhere := os.LookupEnv(Env(about.name)[0])
		switch name, value := about.name, fmt.Sprint(ctx.Value(about.name)); {
		case !ctx.IsSet(name) || value == about.unset:
		case about.unset != "" && everywhere && text == value:
			if err := ctx.Set(name, about.unset); err != nil {
				return err
			}
		case name == "rate" || name == "headroom":
			return exit.Usagef("--%s is about resets, and --steps sign-out resets nobody: the rate of sign-outs is --update-rate", name)
		default:
			return exit.Usagef("--%s is about resets, and --steps sign-out resets nobody: leave it out", name)
		}
	}
	return nil
}

// Steps are those that a command line asks for.
func Steps(ctx *cli.Context) report.Steps { return strings.Split(ctx.String("steps"), ",") }

// ReadResponse takes from the command line what is done to each user. known says
// that the pool is asked beforehand what state its users are in.
func ReadResponse(ctx *cli.Context, known bool) (r spec.Response, err error) {
	r = spec.Response{Steps: Steps(ctx), IfResetRequired: ctx.String("if-reset-required"), Snapshot: ctx.Bool("snapshot")}
	if !slices.Contains(stepLists, ctx.String("steps")) {
		return r, exit.Usagef("--steps is %s; not %q", strings.Join(stepLists, ", or "), ctx.String("steps"))
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
