package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/report"
)

// conflictsFile has the rows of several runs that contradict each other.
const conflictsFile = "conflicts.csv"

// A merger makes one report of several runs.
type merger struct {
	*command
	*report.Merged
	request request        // what all runs have in common, and how to write reports
	summary report.Summary // but for what the rows tell
}

// merge is report merge DIR....
func (c *command) merge(ctx *cli.Context) error {
	paths, format, output := ctx.Args().Tail(), ctx.String("format"), ctx.String("output")
	if len(paths) == 0 {
		return usagef("report merge takes run directories: cognito-reset report merge DIR...; a run directory of that name is ./merge")
	}
	if format != "" {
		if err := c.checkFormat(format, output); err != nil {
			return err
		}
	} else if _, err := journal.View(output); output != "" && err == nil {
		return usagef("--output: %s is a run directory, with reports of its own; name another folder", output)
	}
	var runs []string
	for _, path := range paths {
		if s3run.Named(path) {
			runs = append(runs, path)
		} else if members := fleetRuns(path); members != nil {
			runs = append(runs, members...)
		} else {
			runs = append(runs, path)
		}
	}
	m := &merger{command: c}
	if err := m.read(ctx, runs, report.Merge); err != nil {
		return err
	}
	m.request.CSVSafe = ctx.Bool("csv-safe")
	if m.Conflicts > 0 {
		where := conflictsFile + " in the folder --output would say who"
		if format == "" && output != "" {
			where = filepath.Join(output, conflictsFile) + " says who"
		}
		say(c.stderr, "The runs contradict each other on %s users, of whom the last word counts; %s.", comma(m.Conflicts), where)
	}
	switch {
	case format != "":
		code := exitDone
		if err := c.write(output, func(f *os.File) (err error) {
			code, err = writeFormat(f, format, m.request, m.pour)
			return err
		}); err != nil {
			return err
		}
		return &exit{code: code}
	case output != "":
		sum, err := m.render(output)
		if err != nil {
			return err
		}
		return m.finish(sum, ctx.Bool("json"))
	}
	summary, err := m.pour()
	if err != nil {
		return err
	}
	return m.finish(summary, ctx.Bool("json"))
}

// mergeInto makes the report of a fleet in its folder again.
func (c *command) mergeInto(ctx *cli.Context, path string, runs []string) error {
	m := &merger{command: c}
	if err := m.read(ctx, runs, report.MergePools); err != nil {
		return err
	}
	m.request.CSVSafe = ctx.Bool("csv-safe")
	sum, err := m.render(path)
	if err != nil {
		return err
	}
	return m.finish(sum, ctx.Bool("json"))
}

// read finds out what counts of the runs.
func (m *merger) read(ctx *cli.Context, paths []string, merge func(...report.Part) (*report.Merged, error)) error {
	var parts []report.Part
	for i, path := range paths {
		var r request
		dir, err := m.ended(ctx, path, &r)
		if err != nil {
			return err
		}
		if i == 0 {
			m.request = request{UserPoolID: r.UserPoolID, DryRun: r.DryRun, Sandbox: r.Sandbox}
		}
		switch common := m.request; {
		case r.DryRun != common.DryRun || r.Sandbox != common.Sandbox:
			return usagef("of %s and %s only one reset anybody: the other is a dry run, or was against a sandbox", paths[0], path)
		}
		history, err := replay(dir, r)
		if err != nil {
			return err
		}
		rec := newRecord(dir, history, r, nil)
		parts = append(parts, report.Part{Name: path, Pool: r.UserPoolID, Rows: r.Roster.Rows, Ended: rec.summary.FinishedAt, Kept: r.Keep, Results: rec.results})
		m.add(rec.summary)
	}
	var err error
	if m.Merged, err = merge(parts...); err != nil {
		return err
	}
	m.request.UserPoolID, m.request.Keep = strings.Join(m.Pools, ", "), m.Kept
	return nil
}

// add takes a run's times into the summary.
func (m *merger) add(run report.Summary) {
	s := &m.summary
	s.DryRun = run.DryRun
	s.ElapsedSeconds += run.ElapsedSeconds
	s.RateAsked = max(s.RateAsked, run.RateAsked)
	s.JournalBytes += run.JournalBytes
	if s.StartedAt.IsZero() || run.StartedAt.Before(s.StartedAt) {
		s.StartedAt = run.StartedAt
	}
	if run.FinishedAt.After(s.FinishedAt) {
		s.FinishedAt = run.FinishedAt
	}
}

// pour writes what counts of every row to the writers, and sums up.
func (m *merger) pour(writers ...report.Writer) (report.Summary, error) {
	sum := m.summary
	if err := pour(m.Results(), append(writers, &sum)...); err != nil {
		return sum, err
	}
	sum.Calls, sum.Throttled = m.Calls, m.Throttled
	switch {
	case sum.ExitCode != exitDone: // who had the runs made knows it
	case sum.Outcomes[batch.NotAttempted] > 0:
		sum.ExitCode = exitStopped
	case !sum.Well():
		sum.ExitCode = exitSomeFailed
	}
	return sum, sum.Close()
}

// render writes the reports into a folder.
func (m *merger) render(path string) (sum report.Summary, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the reports could not be written: %w", err)
		}
	}()
	if err := os.MkdirAll(path, 0o700); err != nil {
		return sum, err
	}
	dir := &journal.Dir{Path: path}
	page := m.request.newPage()
	err = dir.Write("report.csv", func(csv *os.File) error {
		return dir.Write("report.jsonl", func(jsonl *os.File) (err error) {
			sum, err = m.pour(m.request.newCSV(csv), report.NewJSONL(jsonl, m.request.Keep...), page)
			return err
		})
	})
	if err == nil {
		err = dir.Write("report.html", func(html *os.File) error { return page.Render(html, sum) })
	}
	if err != nil {
		return sum, err
	}
	if err := m.renderConflicts(dir); err != nil {
		return sum, err
	}
	sum.RunDirectory = path
	return sum, dir.WriteJSON(summaryFile, sum)
}

// renderConflicts writes the rows that contradict each other, each with its run.
func (m *merger) renderConflicts(dir *journal.Dir) error {
	if m.Conflicts == 0 { // nor must those of an earlier merging stay
		if err := os.Remove(dir.File(conflictsFile)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	r := request{settings: m.request.settings}
	r.Keep = []string{"run"}
	return dir.Write(conflictsFile, func(f *os.File) error { return pour(m.Contradictions(), r.newCSV(f)) })
}

// finish prints the summary and returns the exit.
func (m *merger) finish(sum report.Summary, asJSON bool) error {
	s := &session{command: m.command, json: asJSON}
	if err := s.print(sum); err != nil {
		return err
	}
	return &exit{code: sum.ExitCode}
}
