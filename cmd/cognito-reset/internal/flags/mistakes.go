package flags

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// otherwise are words that people try, and what has their meaning here.
var otherwise = map[string]string{
	"list": "runs", "ls": "runs", "plan": "run --dry-run --plan FILE", "dry-run": "run --dry-run", "reset": "run", "start": "run",
	"stop": "ctl DIR stop", "pause": "ctl DIR pause", "continue": "resume DIR", "check": "preflight", "merge": "report merge", "prune": "runs prune",
	"demo": "run --sandbox --input FILE --yes", "try": "run --sandbox --input FILE --yes", "tutorial": "help start", "init": "help start", "watch": "status DIR --watch",
}

// NoCommand says which command may be meant.
func NoCommand(ctx *cli.Context) error {
	name := ctx.Args().First()
	if other, ok := otherwise[name]; ok {
		return exit.Usagef("there is no command %q: cognito-reset %s does that. See cognito-reset help", name, other)
	}
	return exit.Usagef("there is no command %q%s See cognito-reset help", name, Meant("is %s meant?", name, CommandNames(ctx.App)))
}

// CommandNames are the names of the commands that people see.
func CommandNames(app *cli.App) (names []string) {
	for _, c := range app.VisibleCommands() {
		names = append(names, c.Name)
	}
	return names
}

// What the library and package flag say of a command line that cannot be read.
var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -+(.*)$`)
	noValue     = regexp.MustCompile(`^flag needs an argument: -+(.*)$`)
	badValue    = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-+([\w-]+): .*$`)
	badVariable = regexp.MustCompile(`^could not parse "(.*)" as \w+ value from environment variable "(\w+)" for flag ([\w-]+): .*$`)
)

// UsageFailed says in words of ours what is wrong with a command line.
func UsageFailed(ctx *cli.Context, err error, _ bool) error {
	all := ctx.App.Flags
	command := "cognito-reset"
	if ctx.Command != nil && ctx.Command.Name != "" {
		all, command = ctx.Command.Flags, command+" "+ctx.Command.Name
	}
	text := err.Error()
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		name, _, _ := strings.Cut(m[1], "=")
		var names []string
		for _, f := range all {
			names = append(names, f.Names()[0])
		}
		return exit.Usagef("%s has no flag --%s%s See %s --help", command, name, Meant("is --%s meant?", name, names), command)
	}
	if m := noValue.FindStringSubmatch(text); m != nil {
		return exit.Usagef("--%s takes %s", m[1], KindOf(all, m[1]))
	}
	if m := badValue.FindStringSubmatch(text); m != nil {
		return exit.Usagef("--%s takes %s, not %q", m[2], KindOf(all, m[2]), m[1])
	}
	if m := badVariable.FindStringSubmatch(text); m != nil {
		return exit.Usagef("%s is set, and takes %s, not %q", m[2], KindOf(all, m[3]), m[1])
	}
	return exit.With(exit.Usage, err)
}

// KindOf says in words what a flag takes.
func KindOf(all []cli.Flag, name string) string {
	for _, f := range all {
		if f.Names()[0] != name {
			continue
		}
		switch f.(type) {
		case *cli.IntFlag, *cli.Int64Flag, *cli.Uint64Flag:
			return "a whole number"
		case *cli.Float64Flag:
			return "a number"
		case *cli.DurationFlag:
			return "a time such as 90s, 15m or 6h"
		case *cli.BoolFlag:
			return "true or false, or no value"
		}
	}
	return "a value"
}

// Meant ends a sentence about a name that is wrong: by a question with the name that comes
// closest to it, or by a full stop if none is close.
func Meant(format, wrong string, names []string) string {
	best, least := "", 1+len(wrong)/3
	for _, name := range names {
		if d := distance(wrong, name); d <= least && (best == "" || d < least) {
			best, least = name, d
		}
	}
	if best == "" {
		return "."
	}
	return "; " + fmt.Sprintf(format, best)
}

// distance is how many letters must be changed, added, left out or swapped with their
// neighbour.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
