// Cognito-reset resets the passwords of many Amazon Cognito users: never faster
// than it may, never twice, and so that every input row is accounted for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // a container may have no time zones

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
)

func main() {
	debug.SetGCPercent(usualGC)
	debug.SetTraceback("crash") // a panic that nobody recovers ends with SIGABRT, not with 2
	ctx, stop := stoppable(context.Background())
	code := Main(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, args []string, stdin *os.File, stdout, stderr *os.File) (code int) {
	defer func() {
		if p := recover(); p != nil {
			restoreTerminal()
			say(stderr, "cognito-reset: a fault in this program: %s\n%s\nThe journal of a run is whole: go on with cognito-reset resume DIR, and please report this.", batch.Panicked(p), debug.Stack())
			code = exitFailed
		}
	}()
	c := &command{stdin: stdin, stdout: stdout, stderr: stderr}
	app := c.app()
	var err error
	if c.args, err = flagsFirst(app, args); err == nil {
		err = app.RunContext(ctx, c.args)
	}
	return c.tell(c.exitCode(errors.Join(err, c.deleteCopies())), err)
}

// A command has the streams that every command writes to.
type command struct {
	stdin, stdout, stderr *os.File

	args     []string       // the command line, flags first
	observer *observer      // of the runs; nil if nobody asked for it
	copies   []*journal.Dir // of runs that are read, and kept elsewhere
}

func (c *command) app() *cli.App {
	app := &cli.App{
		Name:  "cognito-reset",
		Usage: "reset the passwords of many Amazon Cognito users, and account for each",
		UsageText: `cognito-reset run --user-pool-id eu-west-1_AbCdEfGhI --input users.csv
cognito-reset run --sandbox --input users.csv --yes   (no AWS account needed)
cognito-reset COMMAND --help`,
		Description: "Every flag can be given in the environment, too: --max-attempts is\n" +
			"COGNITO_RESET_MAX_ATTEMPTS.",
		Version:              version(),
		HideHelpCommand:      true,
		EnableBashCompletion: true, // and that of other shells
		// A value may hold commas; lists are given by repeating a flag.
		DisableSliceFlagSeparator: true,
		Commands: []*cli.Command{
			c.runCommand(), c.preflightCommand(), c.resumeCommand(), c.statusCommand(), c.ctlCommand(), c.reportCommand(), c.verifyCommand(), c.evidenceCommand(), c.runsCommand(),
			c.sandboxCommand(), c.singleCommand(), c.versionCommand(), c.completionCommand(), c.manCommand(),
		},
		Reader: c.stdin, Writer: c.stdout, ErrWriter: c.stderr,
		ExitErrHandler: func(*cli.Context, error) {}, // exitCode is the only one to decide
		OnUsageError:   usageFailed,
		Action: func(ctx *cli.Context) error {
			if ctx.Args().Present() {
				return usagef("there is no command %q; see cognito-reset --help", ctx.Args().First())
			}
			return cli.ShowAppHelp(ctx)
		},
	}
	for _, command := range app.Commands {
		if command.OnUsageError == nil { // not inherited
			command.OnUsageError = usageFailed
		}
		command.HideHelpCommand = true
	}
	return app
}

func usageFailed(_ *cli.Context, err error, _ bool) error { return &exit{code: exitUsage, err: err} }

// The exit codes of the contract.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitSomeFailed  = 3
	exitStopped     = 4
	exitInterrupted = 128 // and the signal's number
)

// An exit is an error that chose its exit code.
type exit struct {
	code int
	err  error // nil where all was said
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// usagef is an error of what was asked: nothing has been sent.
func usagef(format string, args ...any) error {
	return &exit{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// exitCode says what went wrong, where that is not said yet, and maps it to the
// contract's exit codes.
func (c *command) exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	code := exitFailed
	if e, ok := errors.AsType[*exit](err); ok {
		code = e.code
	}
	if text := err.Error(); text != "" {
		say(c.stderr, "cognito-reset: %s", text)
	}
	return code
}

// A signalled stop carries the signal into the exit code.
type signalled struct{ signal syscall.Signal }

func (s signalled) Error() string {
	return map[syscall.Signal]string{syscall.SIGINT: "SIGINT", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "SIGHUP"}[s.signal]
}

// sameSignal is how soon a second signal is taken for the first: some that
// stop a process signal its whole group as well.
const sameSignal = 250 * time.Millisecond

// stoppable returns a context that the first signal ends, with a [*batch.Stop]
// as its cause. A second signal ends the process at once; the journal is whole
// at any time.
func stoppable(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	aborts := make(chan os.Signal, 1) // the runtime would end with 2, which promises that nothing was sent
	signal.Notify(aborts, syscall.SIGQUIT, syscall.SIGABRT)
	go abortOn(aborts)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error to handle, not an end
	go func() {
		var first time.Time
		for {
			s, ok := (<-signals).(syscall.Signal)
			switch {
			case !ok:
				return
			case first.IsZero():
				first = time.Now()
			case time.Since(first) < sameSignal:
				continue
			default:
				restoreTerminal()
				os.Exit(exitInterrupted + int(s))
			}
			cancel(&batch.Stop{Reason: batch.Interrupted, Message: "interrupted by " + signalled{s}.Error(), Err: signalled{s}})
		}
	}()
	return ctx, func() { signal.Stop(signals); signal.Stop(aborts); close(signals); close(aborts) }
}

// abortOn ends the process at once, as the runtime would, with the stacks of all
// goroutines. The journal is whole at any time.
func abortOn(aborts <-chan os.Signal) {
	s, ok := (<-aborts).(syscall.Signal)
	if !ok {
		return
	}
	restoreTerminal()
	stacks := make([]byte, 1<<20)
	say(os.Stderr, "%s\ncognito-reset: %v; the journal of a run is whole: go on with cognito-reset resume DIR", stacks[:runtime.Stack(stacks, true)], s)
	os.Exit(exitInterrupted + int(s))
}

// flagsFirst moves the flags of a command before its arguments: urfave/cli
// stops reading flags at the first argument, so that "run users.csv --dry-run"
// would run for real.
func flagsFirst(app *cli.App, args []string) ([]string, error) {
	if len(args) < 2 || args[len(args)-1] == completing {
		return args, nil
	}
	command := app.Command(args[1])
	if command == nil {
		return args, nil
	}
	takesValue := make(map[string]bool)
	for _, f := range command.Flags {
		value, ok := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			takesValue[name] = ok && value.TakesValue()
		}
	}
	var flags, rest []string
	for i := 2; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		name, _, inline := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if value, ok := impliedValues[name]; ok && takesValue[name] && !inline && (i+1 == len(args) || strings.HasPrefix(args[i+1], "-")) {
			flags[len(flags)-1] += "=" + value
			continue
		}
		if !inline && takesValue[name] && i+1 < len(args) {
			i++
			if next := args[i]; strings.HasPrefix(next, "--") {
				return nil, command.OnUsageError(nil, fmt.Errorf("%s needs a value, but %s follows it; if that is the value, write %s=%s", arg, next, arg, next), true)
			}
			flags = append(flags, args[i])
		}
	}
	out := append(args[:2:2], flags...)
	if len(rest) > 0 {
		out = append(append(out, "--"), rest...)
	}
	return out, nil
}

// impliedValues are those of flags that may stand without one.
var impliedValues = map[string]string{"generate-cli-skeleton": "input", "dry-run": "live"}

// noArguments refuses what the command would ignore.
func noArguments(ctx *cli.Context) error {
	if ctx.Args().Present() {
		return usagef("%q is one argument too many; an input is given as --input FILE (see cognito-reset %s --help)", ctx.Args().First(), ctx.Command.Name)
	}
	return nil
}

// oneDirectory is the run directory that a command takes.
func oneDirectory(ctx *cli.Context) (string, error) {
	if ctx.NArg() != 1 {
		return "", usagef("%s takes one run directory: cognito-reset %[1]s DIR", ctx.Command.Name)
	}
	return ctx.Args().First(), nil
}

// say writes for a person; a closed stream is no reason to stop.
func say(w io.Writer, format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
