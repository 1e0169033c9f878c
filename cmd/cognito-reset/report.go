package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

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
			stringFlag(groupOutput, "format", "", "print one report instead, as `csv`, jsonl or text"),
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

// newWriter makes the writer of a format of --format.
func (r request) newWriter(format string, w io.Writer) (report.Writer, error) {
	switch format {
	case "csv":
		return r.newCSV(w), nil
	case "jsonl":
		return report.NewJSONL(w, r.Keep...), nil
	}
	return nil, usagef("--format is csv, jsonl or text, not %q", format)
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
	if _, err := s.request.newWriter(format, io.Discard); err != nil && format != "text" {
		return err
	}
	history, err := replay(s.dir, s.request)
	if err != nil {
		return err
	}
	record := newRecord(s.dir, history, s.request, nil)
	fill := func(f *os.File) error {
		if format == "text" {
			if err := record.pour(); err != nil {
				return err
			}
			return record.summary.Text(f, coloured(f))
		}
		buffered := bufio.NewWriterSize(f, 1<<16)
		w, err := s.request.newWriter(format, buffered)
		if err != nil {
			return err
		}
		if err := record.pour(w); err != nil {
			return err
		}
		return buffered.Flush()
	}
	if output == "" {
		err = fill(s.stdout)
	} else {
		err = (&journal.Dir{Path: filepath.Dir(output)}).Write(filepath.Base(output), fill)
	}
	if err != nil {
		return err
	}
	return &exit{code: record.summary.ExitCode}
}
