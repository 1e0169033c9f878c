package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"cognito-reset/batch/journal"
	"cognito-reset/report"
)

func (c *command) reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write the reports of a run again, from its journal",
		ArgsUsage: "DIR | merge DIR...",
		UsageText: "cognito-reset report cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI\n" +
			"cognito-reset report DIR --format junit --output resets.xml\n" +
			"cognito-reset report merge monday tuesday --output both",
		Description: "Works for a run that crashed, too. With --format it writes nothing but that one\n" +
			"report. The exit code is that of the run.\n\n" +
			"merge makes one report of several runs on a pool: the last word on a username\n" +
			"counts. It goes to the folder --output, or with --format to that file.",
		Flags: append(recordFlags(),
			stringFlag(groupOutput, "format", "", "print one report instead: `csv`, jsonl, html, junit, parquet or text"),
			stringFlag(groupOutput, "output", "", "with --format, write it to `FILE`"),
			csvSafeFlag(),
			boolFlag(groupOutput, "json", "print the summary as JSON"),
			boolFlag(groupOutput, "schema", "print the JSON Schema of the summary instead"),
		),
		Action: c.report,
	}
}

func (c *command) report(ctx *cli.Context) error {
	if ctx.Bool("schema") {
		_, err := io.WriteString(c.stdout, report.SummarySchema)
		return err
	}
	if ctx.Args().First() == "merge" {
		return c.merge(ctx)
	}
	path, err := oneDirectory(ctx)
	if err != nil {
		return err
	}
	if runs := fleetRuns(path); runs != nil && ctx.String("format") == "" && ctx.String("output") == "" {
		return c.mergeInto(ctx, path, runs)
	}
	s := &session{command: c, json: ctx.Bool("json")}
	if s.dir, err = c.ended(ctx, path, &s.request); err != nil {
		return err
	}
	if ctx.IsSet("csv-safe") {
		s.request.CSVSafe = ctx.Bool("csv-safe")
	}
	switch format, output := ctx.String("format"), ctx.String("output"); {
	case format != "":
		return s.export(format, output)
	case output != "":
		return usagef("--output goes with --format; without, the reports are written into %s", path)
	}
	return s.finish(nil)
}

// ended opens a run that nobody works on.
func (c *command) ended(ctx *cli.Context, path string, r *request) (*journal.Dir, error) {
	dir, err := c.viewRun(ctx, path)
	if err != nil {
		return nil, &exit{exitUsage, err}
	}
	if dir.Held() {
		return nil, usagef("%s is being worked on by %s, which will write its reports; cognito-reset status %s tells how it stands", path, dir.Holder(), quotePath(path))
	}
	return dir, readRequest(dir, r)
}

// readRequest reads what was asked of a run whose record is still there.
func readRequest(dir *journal.Dir, r *request) error {
	if err := dir.ReadJSON(journal.RunFile, r); err != nil {
		return &exit{exitUsage, err}
	}
	return r.gone(dir)
}

// gone says of a run that was pruned that its record is gone.
func (r request) gone(dir *journal.Dir) error {
	if r.PrunedAt.IsZero() {
		return nil
	}
	return usagef("%s was pruned on %s: users, journal and reports were deleted; %s has the numbers", dir.Path, r.PrunedAt.Format(time.DateOnly), dir.File(summaryFile))
}

// newCSV writes CSV as the run asked for it.
func (r request) newCSV(w io.Writer) report.Writer {
	if r.CSVSafe {
		return report.NewSafeCSV(w, r.Keep...)
	}
	return report.NewCSV(w, r.Keep...)
}

// export writes one report to a file or, without one, to standard output.
func (s *session) export(format, output string) error {
	if err := s.checkFormat(format, output); err != nil {
		return err
	}
	history, err := replay(s.dir, s.request)
	if err != nil {
		return err
	}
	code := exitDone
	if err := s.write(output, func(f *os.File) (err error) {
		code, err = writeFormat(f, format, s.request, func(writers ...report.Writer) (report.Summary, error) {
			record := newRecord(s.dir, history, s.request, nil)
			err := record.pour(writers...)
			return record.summary, err
		})
		return err
	}); err != nil {
		return err
	}
	return &exit{code: code}
}

func (c *command) checkFormat(format, output string) error {
	if !slices.Contains([]string{"csv", "jsonl", "html", "junit", "parquet", "text"}, format) {
		return usagef("--format is csv, jsonl, html, junit, parquet or text, not %q", format)
	}
	if format == "parquet" && output == "" && term.IsTerminal(int(c.stdout.Fd())) {
		return usagef("Parquet is not for a terminal: say --output FILE")
	}
	return nil
}

// write fills a file, whole or not at all, or without one standard output.
func (c *command) write(output string, fill func(*os.File) error) (err error) {
	if output == "" {
		err = fill(c.stdout)
	} else {
		err = (&journal.Dir{Path: filepath.Dir(output)}).Write(filepath.Base(output), fill)
	}
	if err != nil {
		return fmt.Errorf("the report could not be written: %w", err)
	}
	return nil
}

// writeFormat writes one report of rows, which pour writes as often as it is asked
// to and sums up. It returns their exit code.
func writeFormat(f *os.File, format string, r request, pour func(...report.Writer) (report.Summary, error)) (code int, err error) {
	var writers []report.Writer
	var page *report.Page
	switch format {
	case "html":
		page = r.newPage()
		page.CSV = "" // it is not beside it
		writers = append(writers, page)
	case "csv":
		writers = append(writers, r.newCSV(f))
	case "jsonl":
		writers = append(writers, report.NewJSONL(f, r.Keep...))
	case "parquet":
		writers = append(writers, report.NewParquet(f, r.Keep...))
	}
	sum, err := pour(writers...)
	if err != nil {
		return 0, err
	}
	switch format {
	case "text":
		err = sum.Text(f, coloured(f))
	case "html":
		err = page.Render(f, sum)
	case "junit": // whose counts come first
		_, err = pour(report.NewJUnit(f, sum))
	}
	return sum.ExitCode, err
}
