// Package cli is the command line: one file a command, which makes flags a spec,
// makes one call down, and returns an exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster/s3input"
	"cognito-reset/cmd/cognito-reset/internal/awscli"
	"cognito-reset/cmd/cognito-reset/internal/config"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/manual"
	"cognito-reset/cmd/cognito-reset/internal/observe"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A Process is what the command line needs of the process that it is of.
type Process struct {
	term.Streams

	// Calls is called when calls to Cognito begin, and what it returns when they
	// end. The two may be nested.
	Calls func() (end func())
}

// app is one command line.
type app struct {
	Process
	args     []string              // flags first
	version  string                // of the tool
	store    *rundir.Store         // nil before openStore
	observer *observe.Observer     // of the runs; nil if nobody asked for it
	helpAll  bool                  // help shows every flag
	from     config.Origins        // of the flags that a job file sets
	lines    map[string]targetLine // of the targets of a job, by where they stand in it
}

// helpAll asks for the help of a command with every flag of it.
const helpAll = "--help-all"

// Main runs a command line and returns the exit code.
func Main(ctx context.Context, args []string, p Process) (code int) {
	defer func() {
		if fault := recover(); fault != nil {
			term.Restore()
			term.Linef(p.Err, "cognito-reset: a fault in this program: %s\n%s\nThe journal of a run is whole: go on with cognito-reset resume DIR, and please report this.", batch.Panicked(fault), debug.Stack())
			code = exit.Failed
		}
	}()
	a := &app{Process: p, version: builtAs().Version, lines: make(map[string]targetLine), helpAll: slices.Contains(args, helpAll)}
	if a.helpAll {
		args = slices.Clone(args)
		args[slices.Index(args, helpAll)] = "--help"
	}
	command := a.app()
	if n := len(args) - 1; n > 0 && args[n] == manual.Completing {
		for _, line := range manual.Complete(command, args[:n]) {
			_ = term.Write(p.Out, line+"\n") // a shell that is gone wants nothing completed
		}
		return exit.Done
	}
	var err error
	if a.args, err = flagsFirst(command, args); err == nil {
		err = command.RunContext(ctx, a.args)
	}
	if signal, ok := errors.AsType[exit.Signal](context.Cause(ctx)); ok {
		early := exit.Early(signal)
		if errors.Is(err, context.Canceled) || errors.Is(err, signal) && exit.Of(err) != exit.Of(early) {
			err = early // whatever it was that the signal cut short
		}
	}
	if a.store != nil {
		err = errors.Join(err, a.store.Close())
	}
	if text := exit.Text(err); text != "" {
		_ = term.Write(p.Err, "cognito-reset: "+text+"\n"+a.elsewhere(err, text))
	}
	code = exit.Of(err)
	a.observer.EndedEarly(code, err)
	return code
}

// flagNames are the flags in a message.
var flagNames = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)

// elsewhere says of the flags in a message about a command line which do not stand on
// it, and where they come from: nobody looks for them there.
func (a *app) elsewhere(err error, text string) (lines string) {
	if exit.Of(err) != exit.Usage {
		return ""
	}
	said := make(map[string]bool)
	for _, m := range flagNames.FindAllStringSubmatch(text, -1) {
		name := m[1]
		variable := flags.Env(name)[0]
		if said[name] || a.typed(name) || strings.Contains(text, variable) {
			continue
		}
		said[name] = true
		if at := a.from[name]; at != "" {
			lines += fmt.Sprintf("  --%s comes from %s.\n", name, term.Visible(at))
		} else if _, set := os.LookupEnv(variable); set {
			lines += fmt.Sprintf("  --%s comes from the environment: %s is set.\n", name, variable)
		}
	}
	return lines
}

// app is the command line as urfave/cli has it.
func (a *app) app() *cli.App {
	run := a.runCommand()
	if !a.helpAll {
		run.CustomHelpTemplate = runHelp(run)
	}
	return a.appOf(
		run, a.preflightCommand(), a.resumeCommand(), a.statusCommand(), a.ctlCommand(), a.reportCommand(), a.verifyCommand(), a.evidenceCommand(), a.runsCommand(),
		a.sandboxCommand(), (&awscli.Command{Streams: a.Streams}).Command(), a.helpCommand(), a.versionCommand(), a.completionCommand(), a.manCommand(),
	)
}

// appOf is a command line of these commands.
func (a *app) appOf(commands ...*cli.Command) *cli.App {
	app := &cli.App{
		Name:  "cognito-reset",
		Usage: "reset the passwords of many Amazon Cognito users, and account for each",
		UsageText: `cognito-reset run --user-pool-id eu-west-1_AbCdEfGhI --input users.csv
cognito-reset run --sandbox --input users.csv --yes   (no AWS account needed)
cognito-reset COMMAND --help
cognito-reset help start                              (the first five minutes)
cognito-reset help                                    (the manual)`,
		Description: "Every flag can be given in the environment, too: --max-attempts is\n" +
			"COGNITO_RESET_MAX_ATTEMPTS.",
		Version: a.version,
		// The library leaves its --help out of an application that has a help command of its own.
		Flags:           []cli.Flag{cli.HelpFlag},
		HideHelpCommand: true,
		// A value may hold commas; lists are given by repeating a flag.
		DisableSliceFlagSeparator: true,
		Commands:                  commands,
		Reader:                    a.In, Writer: a.Out, ErrWriter: a.Err,
		ExitErrHandler: func(*cli.Context, error) {}, // Main is the only one to decide
		OnUsageError:   flags.UsageFailed,
		Action: func(ctx *cli.Context) error {
			if ctx.Args().Present() {
				return flags.NoCommand(ctx)
			}
			return cli.ShowAppHelp(ctx)
		},
	}
	for _, command := range app.Commands {
		if command.OnUsageError == nil { // not inherited
			command.OnUsageError = flags.UsageFailed
		}
		command.HideHelpCommand = true
	}
	return app
}

// DescribeFlags has the library write flags as the manual does, and help as wide as the
// terminal. It is the process's. The library writes the flags of all commands at every
// start, to sort them: their names do for that.
func DescribeFlags() {
	cli.FlagStringer = func(f cli.Flag) string { return f.Names()[0] }
	print := cli.HelpPrinter
	cli.HelpPrinter = func(w io.Writer, template string, data any) {
		cli.FlagStringer = manual.DescribeFlag
		var b strings.Builder
		print(&b, template, data)
		_ = term.Write(w, b.String())
	}
}

// openStore is how a command reaches run directories, until the process ends.
func (a *app) openStore(ctx *cli.Context) *rundir.Store {
	a.store = &rundir.Store{S3: s3run.Options{
		Options: s3input.Options{
			Profile: ctx.String("profile"), Region: ctx.String("region"), EndpointURL: ctx.String("endpoint-url"),
			ExpectedBucketOwner: ctx.String("expected-bucket-owner"), KMSKey: ctx.String("s3-kms-key"),
		},
		TTL: ctx.Duration("lease"),
		OnSilence: func(why error, wait time.Duration) {
			term.Linef(a.Err, "S3 does not answer (%v): no call leaves until it does, for %v at most; then the run stops.", why, wait.Round(time.Second))
		},
		OnWait: func(holder string, wait time.Duration) {
			term.Linef(a.Err, "The run is held by %s; waiting up to %v to see whether that is still at work.", holder, wait)
		},
	}}
	return a.store
}

// impliedValues are those of flags that may stand without one.
var impliedValues = map[string]string{"generate-cli-skeleton": "input", "dry-run": "live"}

// flagsFirst moves the flags of a command before its arguments: urfave/cli
// stops reading flags at the first argument, so that "run users.csv --dry-run"
// would run for real.
func flagsFirst(app *cli.App, args []string) ([]string, error) {
	if len(args) < 2 {
		return args, nil
	}
	command := app.Command(args[1])
	if command == nil {
		return args, nil
	}
	takesValue := valueFlags(command)
	var given, rest []string
	for i := 2; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if arg == "#" { // zsh at a terminal passes a comment on as arguments
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			rest = append(rest, arg)
			continue
		}
		given = append(given, arg)
		name, _, inline := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if slices.Contains(cli.HelpFlag.Names(), name) && !inline { // to the library, an argument beside it is a topic
			return append(args[:2:2], arg), nil
		}
		if value, ok := impliedValues[name]; ok && takesValue[name] && !inline && (i+1 == len(args) || strings.HasPrefix(args[i+1], "-")) {
			given[len(given)-1] += "=" + value
			continue
		}
		if !inline && takesValue[name] && i+1 < len(args) {
			i++
			if next := args[i]; strings.HasPrefix(next, "--") {
				return nil, exit.Usagef("%s needs a value, but %s follows it; if that is the value, write %s=%s", arg, next, arg, next)
			}
			given = append(given, args[i])
		}
	}
	out := append(args[:2:2], given...)
	if len(rest) > 0 {
		out = append(append(out, "--"), rest...)
	}
	return out, nil
}

// valueFlags are the names of the flags that take a value.
func valueFlags(command *cli.Command) map[string]bool {
	takesValue := make(map[string]bool)
	for _, f := range command.Flags {
		value, ok := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			takesValue[name] = ok && value.TakesValue()
		}
	}
	return takesValue
}

// typed reports whether a flag stands on the command line.
func (a *app) typed(flag string) bool {
	return slices.ContainsFunc(a.args, func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		return strings.HasPrefix(arg, "-") && name == flag
	})
}

// mustAsk reports whether a person has to agree, for which there must be a
// terminal that is nobody's input.
func (a *app) mustAsk(ctx *cli.Context, taken bool) (bool, error) {
	if dry, _, err := flags.DryRun(ctx); err != nil || dry || ctx.Bool("yes") {
		return false, err
	}
	if taken || !term.IsTerminal(a.In) {
		return false, exit.Refusef("there is no terminal to ask on: look at a --dry-run first, then say --yes")
	}
	return true, nil
}
