package config

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"

	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// Origins say of flags where their values come from. Those that are not here
// were given by command line or environment, or have their default.
type Origins map[string]string

// Set gives the flags that have no value yet theirs.
func Set(ctx *cli.Context, settings []Setting, from Origins) error {
	given := ctx.LocalFlagNames()
	for _, s := range settings {
		if slices.Contains(given, s.Flag) {
			continue
		}
		for _, v := range s.values {
			if err := ctx.Set(s.Flag, v.text); err != nil {
				return exit.Usagef("%s: %s takes %s, not %q", v.at, s.Flag, flags.KindOf(ctx.Command.Flags, s.Flag), v.text)
			}
		}
		from[s.Flag] = s.at
	}
	return nil
}

// A Printer shows configurations of a command line.
type Printer struct {
	Typed  func(flag string) bool                      // reports whether a flag stands on the command line
	Target func(Target) (*cli.Context, Origins, error) // is the command line of a target
}

// Print shows the flags of a job as a configuration file that says the same: first what
// was set, with where each comes from, then the targets, then as comments those that have
// their defaults.
func (p Printer) Print(ctx *cli.Context, w io.Writer, j *Job, from Origins) error {
	var set, defaults strings.Builder
	given := ctx.LocalFlagNames()
	for _, group := range ctx.Command.VisibleFlagCategories() {
		heading := fmt.Sprintf("\n# %s, by default\n", group.Name())
		for _, f := range group.Flags() {
			name := f.Names()[0]
			if slices.Contains([]string{"config", "print-config", "help"}, name) {
				continue
			}
			line, err := written(ctx, f)
			if err != nil {
				return err
			}
			if slices.Contains(given, name) {
				fmt.Fprintf(&set, "%s  # %s\n", line, p.origin(name, from))
				continue
			}
			fmt.Fprintf(&defaults, "%s# %s  # default\n", heading, line)
			heading = ""
		}
	}
	heading := "\ntargets:\n"
	for _, t := range j.Targets {
		set.WriteString(heading)
		heading = ""
		if err := p.target(&set, t); err != nil {
			return err
		}
	}
	first := "# Set, and where\n"
	if set.Len() == 0 {
		first = "# Nothing is set.\n"
	}
	_, err := io.WriteString(w, first+set.String()+defaults.String())
	return err
}

// origin is where a flag that is set has its value from.
func (p Printer) origin(name string, from Origins) string {
	switch {
	case from[name] != "":
		return from[name]
	case p.Typed(name):
		return "command line"
	}
	return flags.Env(name)[0]
}

// target shows the flags of a target's own.
func (p Printer) target(b *strings.Builder, t Target) error {
	own, from, err := p.Target(t)
	if err != nil {
		return err
	}
	indent := "  - "
	for _, s := range t.Settings {
		i := slices.IndexFunc(own.Command.Flags, func(f cli.Flag) bool { return f.Names()[0] == s.Flag })
		line, err := written(own, own.Command.Flags[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%s%s  # %s\n", indent, line, cmp.Or(from[s.Flag], "command line or environment, not "+s.at))
		indent = "    "
	}
	return nil
}

// paths are the flags whose values are files, which a configuration that is read
// in another folder names in full.
var paths = []string{"input", "exclude", "from-report", "history"}

// written is a flag as a line of YAML.
func written(ctx *cli.Context, f cli.Flag) (string, error) {
	name := f.Names()[0]
	var v any
	switch f.(type) {
	case *cli.StringSliceFlag:
		list := slices.Clone(ctx.StringSlice(name))
		if slices.Contains(paths, name) {
			if _, err := spec.Absolute(list); err != nil {
				return "", err
			}
		}
		v = append([]string{}, list...)
	case *cli.StringFlag:
		text := []string{ctx.String(name)}
		if slices.Contains(paths, name) && text[0] != "" {
			if _, err := spec.Absolute(text); err != nil {
				return "", err
			}
		}
		v = text[0]
	case *cli.DurationFlag:
		v = ctx.Duration(name).String()
	default:
		v = ctx.Value(name)
	}
	text, err := yaml.MarshalWithOptions(map[string]any{name: v}, yaml.Flow(true))
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(text)), "{"), "}"), err
}
