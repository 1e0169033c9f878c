// Package manual is the text that people read about the tool: the lines of --help,
// the manual page, and what has a shell complete a command line.
package manual

import (
	"fmt"
	"reflect"
	"strings"

	"cognito-reset/cmd/cognito-reset/internal/term"

	"github.com/urfave/cli/v2"
)

// The columns of the help text.
const (
	helpIndent = 3  // of a flag, by the template
	helpText   = 24 // of what it does
	helpWidth  = 80
)

// DescribeFlag is a flag's lines in the help text. Its variable of the environment
// follows from its name, and a default of nothing says nothing.
func DescribeFlag(f cli.Flag) string {
	name, value, text, ok := describe(f)
	if !ok {
		return fmt.Sprint(f)
	}
	if value != "" {
		name += " " + value
	}
	lines := term.Wrap(text, helpWidth-helpText)
	if len(name) < helpText-helpIndent-1 {
		lines[0] = fmt.Sprintf("%-*s%s", helpText-helpIndent, name, lines[0])
	} else {
		lines = append([]string{name}, lines...)
	}
	for i := range lines[1:] {
		lines[i+1] = strings.Repeat(" ", helpText) + lines[i+1]
	}
	return strings.Join(lines, "\n")
}

// describe is a flag's name with its dashes, the placeholder of its value, "" if it takes
// none, and what it does.
func describe(f cli.Flag) (name, value, text string, ok bool) {
	d, ok := f.(cli.DocGenerationFlag)
	if !ok {
		return "", "", "", false
	}
	value, text = placeholder(d.GetUsage())
	name = "--" + f.Names()[0]
	if len(name) == len("--")+1 {
		name = name[1:]
	}
	if !d.TakesValue() {
		return name, "", text, true
	}
	if def := d.GetDefaultText(); !strings.Contains(text, "(default") && def != "" && !isZero(f) {
		text += " (default: " + strings.Trim(def, `"`) + ")"
	}
	return name, value, text, true
}

// placeholder is what a usage quotes, and the usage without the quotes.
func placeholder(usage string) (value, text string) {
	before, rest, found := strings.Cut(usage, "`")
	value, after, closed := strings.Cut(rest, "`")
	if !found || !closed {
		return "VALUE", usage
	}
	return value, before + value + after
}

// isZero reports whether a flag's default is nothing.
func isZero(f cli.Flag) bool {
	v := reflect.ValueOf(f).Elem().FieldByName("Value")
	return !v.IsValid() || v.IsZero()
}

// A Group is flags that answer one question.
type Group struct {
	Question string
	Flags    []string
}

// Short is the help of a command on one screen: examples and the flags that most people
// need, in the order in which one thinks of them.
func Short(c *cli.Command, examples []string, groups []Group) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cognito-reset %s: %s\n\n", c.Name, c.Usage)
	for _, example := range examples {
		fmt.Fprintf(&b, "   %s\n", example)
	}
	b.WriteString("\n")
	byName := make(map[string]cli.Flag)
	for _, f := range c.Flags {
		byName[f.Names()[0]] = f
	}
	for _, group := range groups {
		fmt.Fprintf(&b, "%s\n", group.Question)
		for _, name := range group.Flags {
			if f := byName[name]; f != nil {
				fmt.Fprintf(&b, "   %s\n", DescribeFlag(f))
			}
		}
	}
	fmt.Fprintf(&b, "\ncognito-reset %s --help-all shows all %d flags, cognito-reset help the topics.\n", c.Name, len(c.Flags))
	return b.String()
}
