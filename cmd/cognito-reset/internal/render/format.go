package render

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// CheckFormat is an error for a format that is not known.
func CheckFormat(format string) error {
	if !slices.Contains(Formats, format) {
		return exit.Usagef("--format is csv, jsonl, html, xlsx, junit or text, not %q", format)
	}
	return nil
}

// Formats are those of one report.
var Formats = []string{"csv", "jsonl", "html", "xlsx", "junit", "text"}

// One writes one report to a file or, without a name, to standard output, and returns
// the exit code of its rows. write writes the rows to writers, as often as it is asked to,
// and sums them up. history is nil of several runs.
func One(streams term.Streams, output, format string, r *rundir.Record, history *journal.History, write func(...report.Writer) (report.Summary, error)) (code int, err error) {
	fill := func(f io.Writer) (err error) {
		code, err = one(f, output == "" && term.Coloured(streams.Out), format, r, history, write)
		return err
	}
	if output == "" {
		err = fill(streams.Out)
	} else if info, there := os.Stat(output); there == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file, and is not replaced by one: leave --output out for standard output", output)
	} else {
		err = (&journal.Dir{Path: filepath.Dir(output)}).Write(filepath.Base(output), fill)
	}
	if err != nil {
		return code, fmt.Errorf("the report could not be written: %w", err)
	}
	return code, nil
}

func one(w io.Writer, coloured bool, format string, r *rundir.Record, history *journal.History, write func(...report.Writer) (report.Summary, error)) (code int, err error) {
	var writers []report.Writer
	var page *report.Page
	var book *report.Workbook
	switch format {
	case "xlsx":
		var drop func() error
		if book, drop, err = newWorkbook(r); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, drop()) }()
		writers = append(writers, book)
	case "html":
		page = Page(r, history)
		page.CSV = "" // it is not beside it
		writers = append(writers, page)
	case "csv":
		writers = append(writers, CSV(w, r.Spec))
	case "jsonl":
		writers = append(writers, report.NewJSONL(w, r.Spec.Keep...))
	}
	sum, err := write(writers...)
	if err != nil {
		return 0, err
	}
	switch format {
	case "text":
		err = printText(w, sum, coloured)
	case "html":
		err = page.Render(w, sum)
	case "xlsx":
		err = book.Render(w, sum)
	case "junit": // whose counts come first
		_, err = write(report.NewJUnit(w, sum))
	}
	return sum.ExitCode, err
}
