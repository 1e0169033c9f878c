package manual

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/preflight"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
)

// Complete lists how the last of the words of a command line may go on, a line each: the
// whole word, and after a tab what it means. The first word is the tool. No line means
// that a file may follow, or anything.
func Complete(app *cli.App, words []string) (lines []string) {
	c := newCompletion(app, words)
	for _, line := range c.candidates() {
		if strings.HasPrefix(line, c.word) {
			lines = append(lines, c.before+line)
		}
	}
	return lines
}

// A completion is a command line whose last word is to be completed.
type completion struct {
	app     *cli.App
	command *cli.Command // nil while there is none
	args    []string     // of the command, without flags and their values
	flag    string       // whose value the word is; "" if it is none
	before  string       // what of the word stays as it is
	word    string
}

func newCompletion(app *cli.App, words []string) *completion {
	c := &completion{app: app}
	last := len(words) - 1
	for i := 1; i < last; i++ {
		c.take(words[i])
	}
	if last > 0 {
		c.word = words[last]
	}
	if name, value, inline := strings.Cut(c.word, "="); c.flag == "" && inline && strings.HasPrefix(name, "-") {
		c.flag, c.before, c.word = strings.TrimLeft(name, "-"), name+"=", value
	}
	if c.flag == "only" || c.flag == "exclude-only" { // several words with commas
		at := strings.LastIndex(c.word, ",") + 1
		c.before, c.word = c.before+c.word[:at], c.word[at:]
	}
	return c
}

// take goes over a word before the last.
func (c *completion) take(word string) {
	switch name := strings.TrimLeft(word, "-"); {
	case word == "=" && c.flag != "": // bash makes three words of --flag=value
	case c.flag != "":
		c.flag = ""
	case strings.HasPrefix(word, "-") && c.command != nil:
		if c.takesValue(name) {
			c.flag = name
		}
	case strings.HasPrefix(word, "-"):
	case c.command == nil:
		c.command = c.app.Command(word)
	default:
		c.args = append(c.args, word)
	}
}

func (c *completion) takesValue(name string) bool {
	return slices.ContainsFunc(c.command.Flags, func(f cli.Flag) bool {
		d, ok := f.(cli.DocGenerationFlag)
		return ok && d.TakesValue() && slices.Contains(f.Names(), name)
	})
}

func (c *completion) candidates() []string {
	switch {
	case c.command == nil && strings.HasPrefix(c.word, "-"):
		return []string{"--help\tshow help", "--version\tprint the version"}
	case c.command == nil:
		return c.commands()
	case c.flag == "run" || c.flag == "history":
		return runDirectories()
	case c.flag == "force":
		return preflight.Names()
	case c.flag != "":
		return flags.Values(c.command.Name, c.flag)
	case strings.HasPrefix(c.word, "-"):
		return c.flags()
	}
	if args := c.arguments(); args != nil {
		return args
	}
	if c.word == "" && c.command.ArgsUsage == "" {
		return c.flags() // nothing else can follow
	}
	return nil
}

func (c *completion) commands() (lines []string) {
	for _, command := range c.app.VisibleCommands() {
		lines = append(lines, command.Name+"\t"+command.Usage)
	}
	return lines
}

func (c *completion) flags() (lines []string) {
	for _, f := range c.command.VisibleFlags() {
		if d, ok := f.(cli.DocGenerationFlag); ok {
			_, text := placeholder(d.GetUsage())
			lines = append(lines, "--"+f.Names()[0]+"\t"+text)
		}
	}
	return append(lines, "--help-all\tshow every flag")
}

// Verbs are what ctl does to a run.
var Verbs = []string{"status", "pause", "resume", "rate", "next-wave", "stop"}

// arguments are those that may come next.
func (c *completion) arguments() []string {
	n := len(c.args)
	first := map[string][]string{"report": {"merge"}, "evidence": {"check", "match"}, "runs": {"prune"}}
	switch name := c.command.Name; {
	case name == "help" && n == 0:
		var topics []string
		for _, topic := range slices.Concat(Topics, Playbooks) {
			topics = append(topics, topic+"\t"+Title(topic))
		}
		return append(topics, c.commands()...)
	case name == "completion" && n == 0:
		return Shells
	case name == "ctl" && n == 1:
		return Verbs
	case first[name] != nil && n == 0:
		return append(first[name], runDirectories()...)
	case slices.Contains([]string{"ctl", "resume", "status", "verify"}, name) && n == 0, name == "report" && n > 0 && c.args[0] == "merge":
		return runDirectories()
	}
	return nil
}

// runDirectories are the runs where they are unless told otherwise, and those beside.
func runDirectories() []string {
	return append(rundir.Beside(), rundir.RunsBelow(filepath.Clean(rundir.RunsFolder))...)
}
