package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/manual"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// build is what the binary knows of how it was made. What it does not know is
// empty.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the source
	Time     string `json:"time"`     // of the revision, RFC 3339
	Modified bool   `json:"modified"` // the source was not all of the revision
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func builtAs() build {
	b := build{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, b.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (a *app) versionCommand() *cli.Command {
	return &cli.Command{
		Name:      "version",
		Usage:     "tell how this binary was built",
		UsageText: "cognito-reset version --json",
		Flags: []cli.Flag{
			flags.Bool(flags.Output, "json", "print JSON"),
			flags.Bool(flags.Output, "notices", "print the licenses of what is in this binary instead"),
		},
		Action: func(ctx *cli.Context) error {
			if ctx.Bool("notices") {
				return term.Write(a.Out, manual.Notices)
			}
			b := builtAs()
			if ctx.Bool("json") {
				return render.Object(a.Out, b)
			}
			source := cmp.Or(b.Revision, "not known")
			if b.Modified {
				source += ", modified"
			}
			_, err := fmt.Fprintf(a.Out, "cognito-reset %s\nsource  %s %s\nbuilt   %s %s/%s\n", b.Version, source, b.Time, b.Go, b.OS, b.Arch)
			return err
		},
	}
}

func (a *app) completionCommand() *cli.Command {
	return &cli.Command{
		Name:        "completion",
		Usage:       "print what has a shell complete the tool's command lines",
		ArgsUsage:   strings.Join(manual.Shells, "|"),
		UsageText:   "source <(cognito-reset completion bash)",
		Description: "The line above goes into ~/.bashrc, with zsh into ~/.zshrc, which needs nothing else.\nFor fish: cognito-reset completion fish >~/.config/fish/completions/cognito-reset.fish\nFor PowerShell a line of $PROFILE: cognito-reset completion powershell | Out-String |\nInvoke-Expression",
		Action: func(ctx *cli.Context) error {
			shell := ctx.Args().First()
			if ctx.NArg() != 1 || !slices.Contains(manual.Shells, shell) {
				return exit.Usagef("completion takes the name of a shell: %s", strings.Join(manual.Shells, ", "))
			}
			_, err := io.WriteString(a.Out, manual.Completion(shell))
			return err
		},
	}
}

func (a *app) manCommand() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "print the manual page",
		UsageText: "cognito-reset man | man -l -",
		Action: func(ctx *cli.Context) error {
			if err := flags.NoArguments(ctx); err != nil {
				return err
			}
			b := builtAs()
			day := time.Now().UTC().Format(time.DateOnly)
			if at, err := time.Parse(time.RFC3339, b.Time); err == nil { // of the source
				day = at.Format(time.DateOnly)
			}
			_, err := io.WriteString(a.Out, manual.Page(ctx.App, b.Version, day))
			return err
		},
	}
}

func (a *app) helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show a topic of the manual, or a command",
		ArgsUsage: "[TOPIC|COMMAND]",
		UsageText: "cognito-reset help\ncognito-reset help breach",
		Action:    a.help,
	}
}

func (a *app) help(ctx *cli.Context) error {
	if ctx.NArg() > 1 {
		return exit.Usagef("help takes one topic or command: cognito-reset help TOPIC")
	}
	name := ctx.Args().First()
	if name == "" {
		return a.page(term.Fitted(a.Out, "New here?  cognito-reset help start\nA breach?  cognito-reset help breach\n\nTopics, by cognito-reset help TOPIC:\n"+manual.List(manual.Topics)+"\nPlaybooks and texts, by cognito-reset help NAME:\n"+manual.List(manual.Playbooks)+"\nCommands, by cognito-reset COMMAND --help:\n"+commands(ctx.App)))
	}
	text, ok := manual.Topic(name)
	if !ok {
		text, ok = manual.Playbook(name)
	}
	if topic := manual.Otherwise[name]; !ok && ctx.App.Command(name) == nil {
		text, ok = manual.Topic(topic)
	}
	if ok {
		return a.page(manual.Show(text, term.Columns(a.Out)))
	}
	if ctx.App.Command(name) != nil {
		return cli.ShowCommandHelp(ctx, name)
	}
	return exit.Usagef("there is no topic and no command %q%s See cognito-reset help", name, flags.Meant("is %s meant?", name, slices.Concat(flags.CommandNames(ctx.App), manual.Topics, manual.Playbooks)))
}

// commands names those of the application, a line each.
func commands(app *cli.App) string {
	var b strings.Builder
	for _, c := range app.VisibleCommands() {
		b.WriteString("   " + c.Name + strings.Repeat(" ", max(1, 27-len(c.Name))) + c.Usage + "\n")
	}
	return b.String()
}

// page shows a text, on a terminal by the pager that there is.
func (a *app) page(text string) error {
	pager := strings.Fields(cmp.Or(os.Getenv("PAGER"), "less -FRX"))
	if term.IsTerminal(a.Out) {
		cmd := exec.Command(pager[0], pager[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), a.Out, a.Err
		if err := cmd.Run(); !errors.Is(err, exec.ErrNotFound) {
			return nil // it was shown, or the reader has had enough
		}
	}
	return term.Write(a.Out, text)
}
