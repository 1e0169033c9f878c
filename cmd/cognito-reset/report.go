package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"cognito-reset/batch/journal"
	"cognito-reset/report"
)

func (c *command) reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write the reports of a run again, from its journal",
		ArgsUsage: "DIR",
		UsageText: "cognito-reset report cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI\n" +
			"cognito-reset report DIR --format junit --output resets.xml",
		Description: "Works for a run that crashed, too. With --format it writes nothing but that one\n" +
			"report. The exit code is that of the run.",
		Flags: []cli.Flag{
			stringFlag(groupOutput, "format", "", "print one report instead: `csv`, jsonl, junit, parquet or text"),
			stringFlag(groupOutput, "output", "", "with --format, write it to `FILE`"),
			csvSafeFlag(),
			boolFlag(groupOutput, "json", "print the summary as JSON"),
			boolFlag(groupOutput, "schema", "print the JSON Schema of the summary instead"),
		},
		Action: c.report,
	}
}

func (c *command) report(ctx *cli.Context) error {
	if ctx.Bool("schema") {
		_, err := io.WriteString(c.stdout, report.SummarySchema)
		return err
	}
	path, err := oneDirectory(ctx)
	if err != nil {
		return err
	}
	s := &session{command: c, json: ctx.Bool("json")}
	if s.dir, err = journal.View(path); err != nil {
		return &exit{exitUsage, err}
	}
	if s.dir.Held() {
		return usagef("%s is being worked on by %s, which will write its reports; cognito-reset status %s tells how it stands", path, s.dir.Holder(), quotePath(path))
	}
	if err := s.dir.ReadJSON(journal.RunFile, &s.request); err != nil {
		return &exit{exitUsage, err}
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

// newCSV writes CSV as the run asked for it.
func (r request) newCSV(w io.Writer) report.Writer {
	if r.CSVSafe {
		return report.NewSafeCSV(w, r.Keep...)
	}
	return report.NewCSV(w, r.Keep...)
}

// export writes one report to a file or, without one, to standard output.
func (s *session) export(format, output string) error {
	if !slices.Contains([]string{"csv", "jsonl", "junit", "parquet", "text"}, format) {
		return usagef("--format is csv, jsonl, junit, parquet or text, not %q", format)
	}
	if format == "parquet" && output == "" && term.IsTerminal(int(s.stdout.Fd())) {
		return usagef("Parquet is not for a terminal: say --output FILE")
	}
	history, err := replay(s.dir, s.request)
	if err != nil {
		return err
	}
	code := exitDone
	fill := func(f *os.File) (err error) {
		code, err = s.exportTo(f, format, history)
		return err
	}
	if output == "" {
		err = fill(s.stdout)
	} else {
		err = (&journal.Dir{Path: filepath.Dir(output)}).Write(filepath.Base(output), fill)
	}
	if err != nil {
		return fmt.Errorf("the report could not be written: %w", err)
	}
	return &exit{code: code}
}

// exportTo writes one report and returns the exit code of the run.
func (s *session) exportTo(f *os.File, format string, history *journal.History) (code int, err error) {
	summed := newRecord(s.dir, history, s.request, nil)
	pour := func(w report.Writer) (int, error) {
		err := summed.pour(w)
		return summed.summary.ExitCode, err
	}
	switch format {
	case "csv":
		return pour(s.request.newCSV(f))
	case "jsonl":
		return pour(report.NewJSONL(f, s.request.Keep...))
	case "parquet":
		return pour(report.NewParquet(f, s.request.Keep...))
	}
	if err := summed.pour(); err != nil {
		return 0, err
	}
	code = summed.summary.ExitCode
	if format == "text" {
		return code, summed.summary.Text(f, coloured(f))
	}
	return code, newRecord(s.dir, history, s.request, nil).pour(report.NewJUnit(f, summed.summary))
}
