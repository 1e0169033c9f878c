// Package config reads a job from a YAML file, as flags by their names, and shows
// what a command line and a job say together.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal/disk"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"
)

// A Job is a configuration file: flags by their names, and the targets that have
// flags of their own.
type Job struct {
	File    string
	Common  []Setting
	Targets []Target
}

// A Target is one user pool of several.
type Target struct {
	At       string // where the file has it
	Settings []Setting
}

// A Setting is a flag in a configuration file.
type Setting struct {
	Flag   string // its name
	at     string // FILE:LINE
	values []value
}

// value is what a flag is given, or one of several.
type value struct {
	at   string // FILE:LINE:COLUMN
	text string
}

// Sharded reports whether the job is on one shard of the users.
func (j *Job) Sharded() bool { return text(j.Common, "shard") != "" }

// PoolID is the user pool of the target.
func (t Target) PoolID() string { return text(t.Settings, "user-pool-id") }

// text is what a flag with one value is given; "" if it is not.
func text(settings []Setting, flag string) string {
	for _, s := range settings {
		if s.Flag == flag && len(s.values) == 1 {
			return s.values[0].text
		}
	}
	return ""
}

// Read reads a configuration file of a command with these flags. Whatever it does
// not know, it refuses.
func Read(path string, flags []cli.Flag) (*Job, error) {
	text, err := disk.ReadFile(disk.OS, path)
	if err != nil {
		return nil, exit.Usagef("--config: %w", err)
	}
	if err := modest(path, text); err != nil {
		return nil, err
	}
	r := jobReader{file: path, flags: flags}
	j, err := r.read(text)
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	return j, nil
}

// The most that a job file may be: a parser takes gigabytes for one that only nests.
const (
	largestJob  = 1 << 20 // bytes
	deepestJob  = 100     // brackets, dashes or spaces before a value
	longestLine = 64 << 10
)

// modest refuses what no job is.
func modest(path string, text []byte) error {
	if len(text) > largestJob {
		return exit.Usagef("--config: %s has %d bytes, and a job has %d at most", path, len(text), largestJob)
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		indent := len(line) - len(bytes.TrimLeft(line, " -?"))
		if nested := bytes.Count(line, []byte("[")) + bytes.Count(line, []byte("{")); max(indent, nested) > deepestJob || len(line) > longestLine {
			return exit.Usagef("--config: %s:%d: this is nested too deeply, or too long, for a job", path, number)
		}
	}
	if nested := bytes.Count(text, []byte("[")) - bytes.Count(text, []byte("]")) + bytes.Count(text, []byte("{")) - bytes.Count(text, []byte("}")); nested > deepestJob {
		return exit.Usagef("--config: %s: no job is so deep", path)
	}
	return nil
}

// jobReader makes a job of what YAML says.
type jobReader struct {
	file  string
	flags []cli.Flag
}

func (r jobReader) read(text []byte) (*Job, error) {
	parsed, err := parser.ParseBytes(text, 0)
	if broken, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		return nil, fmt.Errorf("%s:%d:%d: %s", r.file, broken.Token.Position.Line, broken.Token.Position.Column, broken.Message)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", r.file, err)
	}
	j := &Job{File: r.file}
	switch documents := slices.DeleteFunc(parsed.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil }); len(documents) {
	case 0:
		return j, nil
	case 1:
		j.Common, err = r.settings(documents[0].Body, func(key string, n ast.Node) (bool, error) {
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
				j.Targets = append(j.Targets, Target{r.line(n), settings})
			}
			return true, nil
		})
		return j, err
	default:
		return nil, r.wrong(documents[1].Body, "a second document: a job is one")
	}
}

// settings reads a mapping of flags. What apart takes is none of them.
func (r jobReader) settings(n ast.Node, apart func(key string, n ast.Node) (bool, error)) (all []Setting, err error) {
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
		if i := slices.IndexFunc(all, func(other Setting) bool { return other.Flag == s.Flag }); i >= 0 {
			return nil, r.wrong(pair.Key(), "%s stands in %s already", key, all[i].at)
		}
		all = append(all, s)
	}
	return all, nil
}

// setting reads one flag, in whose name _ may stand for -.
func (r jobReader) setting(key string, at, n ast.Node) (Setting, error) {
	s := Setting{Flag: strings.ReplaceAll(key, "_", "-"), at: r.line(at)}
	i := slices.IndexFunc(r.flags, func(f cli.Flag) bool { return f.Names()[0] == s.Flag })
	if i < 0 || s.Flag == "config" || s.Flag == "print-config" {
		if near := strings.TrimPrefix(cli.SuggestFlag(r.flags, s.Flag, true), "--"); i < 0 && near != "" {
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
		if s.Flag != "client-metadata" {
			return s, r.wrong(n.(ast.Node), "%s takes no names of its own", key)
		}
		for pair := n.MapRange(); pair.Next(); {
			name, err := r.text(pair.Key())
			if err != nil {
				return s, err
			}
			text, err := r.text(pair.Value())
			if err == nil {
				text, err = spec.MetadataPair(name, text)
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

func (s *Setting) add(r jobReader, n ast.Node) error {
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

// Check finds what a target cannot have. ctx is the command line of the target.
func (t Target) Check(ctx *cli.Context) error {
	own := func(flag string) bool {
		return slices.ContainsFunc(t.Settings, func(s Setting) bool { return s.Flag == flag })
	}
	for _, flag := range []string{"run", "shard", "shards", "yes", "json", "quiet", "dry-run", "lease", "expected-bucket-owner", "s3-kms-key"} {
		if own(flag) {
			return exit.Usagef("%s is for all targets together: it stands outside of them", flag)
		}
	}
	switch {
	case !own("user-pool-id"):
		return exit.Usagef("say which user pool by user-pool-id: each target has one")
	case ctx.String("plan") != "":
		return exit.Usagef("a plan is of one user pool: run its target by itself")
	case slices.Contains(flags.ColumnsOf(ctx, "keep-column"), report.PoolColumn):
		return exit.Usagef("keep-column %s: the report has a column of its own of that name; rename the input's", report.PoolColumn)
	}
	return nil
}
