package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/urfave/cli/v2"
)

func configFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupInput, "config", "", "take from `FILE`, in YAML, the flags that are not given: each by its name, and a list of targets for several user pools"),
		&cli.BoolFlag{Category: groupOutput, Name: "print-config", Usage: "show what every flag would be, and where that comes from, in place of a run"},
	}
}

// A job is a configuration file: flags by their names, and the targets that have
// flags of their own.
type job struct {
	file    string
	common  []setting
	targets []target
}

// A target is one user pool of several.
type target struct {
	at       string // where the file has it
	settings []setting
}

// A setting is a flag in a configuration file.
type setting struct {
	flag   string // its name
	at     string // FILE:LINE
	values []value
}

// A value is what a flag is given, or one of several.
type value struct {
	at   string // FILE:LINE:COLUMN
	text string
}

// readJob reads a configuration file of [command.runCommand]. Whatever it does
// not know, it refuses.
func (c *command) readJob(path string) (*job, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--config: %w", err)
	}
	r := jobReader{file: path, flags: c.runCommand().Flags}
	j, err := r.read(text)
	if err != nil {
		return nil, &exit{exitUsage, err}
	}
	return j, nil
}

// A jobReader makes a job of what YAML says.
type jobReader struct {
	file  string
	flags []cli.Flag
}

func (r jobReader) read(text []byte) (*job, error) {
	parsed, err := parser.ParseBytes(text, 0)
	if broken, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		return nil, fmt.Errorf("%s:%d:%d: %s", r.file, broken.Token.Position.Line, broken.Token.Position.Column, broken.Message)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", r.file, err)
	}
	j := &job{file: r.file}
	switch documents := slices.DeleteFunc(parsed.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil }); len(documents) {
	case 0:
		return j, nil
	case 1:
		j.common, err = r.settings(documents[0].Body, func(key string, n ast.Node) (bool, error) {
			if key != "targets" {
				return false, nil
			}
			list, ok := n.(*ast.SequenceNode)
			if !ok {
				return true, r.wrong(n, "targets is a list: of each user pool, its flags")
			}
			for _, n := range list.Values {
				settings, err := r.settings(n, nil)
				if err != nil {
					return true, err
				}
				j.targets = append(j.targets, target{r.line(n), settings})
			}
			return true, nil
		})
		return j, err
	default:
		return nil, r.wrong(documents[1].Body, "a second document: a job is one")
	}
}

// settings reads a mapping of flags. What apart takes is none of them.
func (r jobReader) settings(n ast.Node, apart func(key string, n ast.Node) (bool, error)) (all []setting, err error) {
	mapping, ok := n.(ast.MapNode)
	if !ok {
		return nil, r.wrong(n, "here stand flags, each as NAME: VALUE")
	}
	for pair := mapping.MapRange(); pair.Next(); {
		key, err := r.text(pair.Key())
		if err != nil {
			return nil, err
		}
		if apart != nil {
			if taken, err := apart(key, pair.Value()); err != nil {
				return nil, err
			} else if taken {
				continue
			}
		}
		s, err := r.setting(key, pair.Key(), pair.Value())
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(all, func(other setting) bool { return other.flag == s.flag }); i >= 0 {
			return nil, r.wrong(pair.Key(), "%s stands in %s already", key, all[i].at)
		}
		all = append(all, s)
	}
	return all, nil
}

// setting reads one flag, in whose name _ may stand for -.
func (r jobReader) setting(key string, at, n ast.Node) (setting, error) {
	s := setting{flag: strings.ReplaceAll(key, "_", "-"), at: r.line(at)}
	i := slices.IndexFunc(r.flags, func(f cli.Flag) bool { return f.Names()[0] == s.flag })
	if i < 0 || s.flag == "config" || s.flag == "print-config" {
		if near := strings.TrimPrefix(cli.SuggestFlag(r.flags, s.flag, true), "--"); i < 0 && near != "" {
			return s, r.wrong(at, "run has no flag %s; is %s meant?", key, near)
		}
		return s, r.wrong(at, "%s does not go into a file", key)
	}
	_, list := r.flags[i].(*cli.StringSliceFlag)
	switch n := n.(type) {
	case *ast.SequenceNode:
		if !list {
			return s, r.wrong(n, "%s takes one value", key)
		}
		for _, n := range n.Values {
			if err := s.add(r, n); err != nil {
				return s, err
			}
		}
	case ast.MapNode:
		if s.flag != "client-metadata" {
			return s, r.wrong(n.(ast.Node), "%s takes no names of its own", key)
		}
		for pair := n.MapRange(); pair.Next(); {
			name, err := r.text(pair.Key())
			if err != nil {
				return s, err
			}
			text, err := r.text(pair.Value())
			if err == nil {
				text, err = pairText(name, text)
			}
			if err != nil {
				return s, err
			}
			s.values = append(s.values, value{r.place(pair.Value()), text})
		}
	default:
		return s, s.add(r, n)
	}
	return s, nil
}

func (s *setting) add(r jobReader, n ast.Node) error {
	text, err := r.text(n)
	s.values = append(s.values, value{r.place(n), text})
	return err
}

// text is a value as it is written. Numbers are not read as such: that is for the
// flag to do.
func (r jobReader) text(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case *ast.NullNode:
		return "", r.wrong(n, "there is no value; leave the line out, or write \"\"")
	}
	return "", r.wrong(n, "a value was expected, not a %s", strings.ToLower(n.Type().String()))
}

func (r jobReader) wrong(n ast.Node, format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{r.place(n)}, args...)...)
}

func (r jobReader) line(n ast.Node) string {
	return fmt.Sprintf("%s:%d", r.file, first(n).GetToken().Position.Line)
}

func (r jobReader) place(n ast.Node) string {
	return fmt.Sprintf("%s:%d", r.line(n), first(n).GetToken().Position.Column)
}

// first is where a node begins: the token of a mapping is its colon.
func first(n ast.Node) ast.Node {
	if mapping, ok := n.(ast.MapNode); ok {
		if pair := mapping.MapRange(); pair.Next() {
			return first(pair.Key())
		}
	}
	return n
}

// Origins say of flags where their values come from. Those that are not here
// were given by command line or environment, or have their default.
type origins map[string]string

// set gives the flags that have no value yet theirs.
func set(ctx *cli.Context, settings []setting, from origins) error {
	for _, s := range settings {
		if ctx.IsSet(s.flag) {
			continue
		}
		for _, v := range s.values {
			if err := ctx.Set(s.flag, v.text); err != nil {
				return usagef("%s: %s cannot be %q: %w", v.at, s.flag, v.text, err)
			}
		}
		from[s.flag] = s.at
	}
	return nil
}

// configure sets the flags of a command that neither command line nor environment
// gives to those of --config. It returns that job, an empty one without.
func (c *command) configure(ctx *cli.Context) (*job, origins, error) {
	from := make(origins)
	path := ctx.String("config")
	if path == "" {
		return new(job), from, nil
	}
	j, err := c.readJob(path)
	if err != nil {
		return nil, nil, err
	}
	has := func(s setting) bool { // preflight has not all flags of run
		return slices.ContainsFunc(ctx.Command.Flags, func(f cli.Flag) bool { return f.Names()[0] == s.flag })
	}
	common := slices.DeleteFunc(slices.Clone(j.common), func(s setting) bool { return !has(s) })
	return j, from, set(ctx, common, from)
}

// of is the command line of a target: that of all, with the flags of its own.
func (c *command) of(ctx context.Context, args []string, j *job, t target) (*cli.Context, origins, error) {
	from := make(origins)
	own, err := c.runContext(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	if err := set(own, t.settings, from); err != nil {
		return nil, nil, err
	}
	return own, from, set(own, j.common, from)
}

// runContext is what a command line of run says, with nothing done.
func (c *command) runContext(ctx context.Context, args []string) (parsed *cli.Context, err error) {
	app := c.app()
	app.Command("run").Action = func(ctx *cli.Context) error {
		parsed = ctx
		return nil
	}
	err = app.RunContext(ctx, args)
	return parsed, err
}

// printConfig shows the flags of a job as a configuration file that says the
// same, with where each comes from. Those with their defaults are comments.
func (c *command) printConfig(ctx *cli.Context, w io.Writer, j *job, from origins) error {
	var b strings.Builder
	for _, group := range ctx.Command.VisibleFlagCategories() {
		heading := fmt.Sprintf("\n# %s\n", group.Name())
		for _, f := range group.Flags() {
			name := f.Names()[0]
			if slices.Contains([]string{"config", "print-config", "help"}, name) {
				continue
			}
			line, err := written(ctx, f)
			if err != nil {
				return err
			}
			b.WriteString(heading)
			heading = ""
			switch {
			case !ctx.IsSet(name):
				fmt.Fprintf(&b, "# %s  # default\n", line)
			case from[name] != "":
				fmt.Fprintf(&b, "%s  # %s\n", line, from[name])
			case c.typed(name):
				fmt.Fprintf(&b, "%s  # command line\n", line)
			default:
				fmt.Fprintf(&b, "%s  # %s\n", line, env(name)[0])
			}
		}
	}
	heading := "\ntargets:\n"
	for _, t := range j.targets {
		b.WriteString(heading)
		heading = ""
		if err := c.printTarget(ctx, &b, j, t); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// printTarget shows the flags of a target's own.
func (c *command) printTarget(ctx *cli.Context, b *strings.Builder, j *job, t target) error {
	own, from, err := c.of(ctx.Context, c.args, j, t)
	if err != nil {
		return err
	}
	indent := "  - "
	for _, s := range t.settings {
		i := slices.IndexFunc(own.Command.Flags, func(f cli.Flag) bool { return f.Names()[0] == s.flag })
		line, err := written(own, own.Command.Flags[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "%s%s  # %s\n", indent, line, cmp.Or(from[s.flag], "command line or environment, not "+s.at))
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
			if _, err := absolute(list); err != nil {
				return "", err
			}
		}
		v = append([]string{}, list...)
	case *cli.StringFlag:
		text := []string{ctx.String(name)}
		if slices.Contains(paths, name) && text[0] != "" {
			if _, err := absolute(text); err != nil {
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

// typed tells that a flag stands on the command line.
func (c *command) typed(flag string) bool {
	return slices.ContainsFunc(c.args, func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		return strings.HasPrefix(arg, "-") && name == flag
	})
}
