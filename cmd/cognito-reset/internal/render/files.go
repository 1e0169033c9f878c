package render

import (
	"errors"
	"io"
	"strings"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// Files writes the reports of a run into its directory. stopped is why it has
// stopped just now; nil goes by the journal.
func Files(r *rundir.Record, history *journal.History, stopped error) (report.Summary, error) {
	rows, dir, page := r.Rows(history, stopped), r.Dir, Page(r, history)
	err := lists(dir, r, subject(r, r.Path()), func(writers ...report.Writer) error { return rows.Write(append(writers, page)...) })
	if err != nil {
		return rows.Summary, err
	}
	if err := dir.Write("report.html", func(html io.Writer) error { return page.Render(html, rows.Summary) }); err != nil {
		return rows.Summary, err
	}
	if r.Spec.Workbook {
		if err := workbook(r, history, stopped); err != nil {
			return rows.Summary, err
		}
	}
	if r.Spec.ForReal() {
		if err := r.WriteIndexOf(dir, history); err != nil {
			return rows.Summary, err
		}
	}
	rows.Summary.Sessions = rundir.Sessions(history)
	return rows.Summary, dir.WriteJSON(rundir.SummaryFile, rows.Summary)
}

// workbook writes report.xlsx.
func workbook(r *rundir.Record, history *journal.History, stopped error) (err error) {
	book, drop, err := newWorkbook(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	rows := r.Rows(history, stopped)
	if err := rows.Write(book); err != nil {
		return err
	}
	return r.Dir.Write("report.xlsx", func(f io.Writer) error { return book.Render(f, rows.Summary) })
}

// newWorkbook is a workbook about a run, and what drops the files that it needs
// meanwhile. Several runs have no list of who remains: no one resume helps them.
func newWorkbook(r *rundir.Record) (book *report.Workbook, drop func() error, err error) {
	folder, drop, err := disk.TempDir(disk.OS)
	if err != nil {
		return nil, nil, err
	}
	of, scratch := subject(r, ""), report.Scratch(nil)
	if r.Dir != nil && !r.Spec.DryRun {
		of, scratch = subject(r, r.Path()), (&journal.Dir{Path: folder}).Scratch
	}
	if book, err = report.NewWorkbook(folder, of, scratch, r.Spec.Keep...); err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	return book, drop, nil
}

// subject is a run in a directory, as lists of who remains are about it.
func subject(r *rundir.Record, path string) report.Subject {
	of := report.Subject{Pool: r.Spec.UserPoolID, Steps: r.Spec.Steps}
	if path != "" && !r.Spec.Sandbox {
		of.Run = term.Quote(path)
	}
	return of
}

// lists writes the rows into a directory: all of them, and those who are not safe yet,
// unless nothing was to be sent. of is what the list of those is about.
func lists(dir *journal.Dir, r *rundir.Record, of report.Subject, write func(...report.Writer) error) error {
	return dir.Write("report.csv", func(csv io.Writer) error {
		return dir.Write("report.jsonl", func(jsonl io.Writer) error {
			writers := []report.Writer{CSV(csv, r.Spec), report.NewJSONL(jsonl, r.Spec.Keep...)}
			if r.Spec.DryRun {
				return write(writers...)
			}
			return dir.Write(report.RemainingFile, func(remaining io.Writer) error {
				return write(append(writers, report.NewRemaining(remaining, of, r.Spec.CSVSafe, dir.Scratch))...)
			})
		})
	})
}

// Remaining writes the list of who is not safe yet anew: those results of the run that write
// hands on.
func Remaining(r *rundir.Record, write func(report.Writer) error) error {
	return r.Dir.Write(report.RemainingFile, func(f io.Writer) error {
		list := report.NewRemaining(f, subject(r, r.Path()), r.Spec.CSVSafe, r.Dir.Scratch)
		return errors.Join(write(list), list.Close())
	})
}

// CSV writes report.csv as a spec asks for it.
func CSV(w io.Writer, s spec.Spec) report.Writer {
	if s.CSVSafe {
		return report.NewSafeCSV(w, s.Keep...)
	}
	return report.NewCSV(w, s.Keep...)
}

// The other report.csv of a run, which the evidence knows nothing of.
const (
	SafeCSVFile  = "report-safe.csv"  // where report.csv is exact
	ExactCSVFile = "report-exact.csv" // where it is safe for spreadsheets
)

// OtherCSV writes, beside report.csv, the one that the run was not asked for.
func OtherCSV(r *rundir.Record, history *journal.History) error {
	name, as := SafeCSVFile, r.Spec
	if as.CSVSafe = !as.CSVSafe; !as.CSVSafe {
		name = ExactCSVFile
	}
	return r.Dir.Write(name, func(f io.Writer) error { return r.Rows(history, nil).Write(CSV(f, as)) })
}

// Print prints a summary, as JSON or for a person.
func Print(streams term.Streams, summary report.Summary, asJSON bool) error {
	if asJSON {
		return Object(streams.Out, summary)
	}
	return printText(streams.Out, summary, term.Coloured(streams.Out))
}

// printText prints a summary for a person.
func printText(w io.Writer, summary report.Summary, coloured bool) error {
	for _, text := range []*string{&summary.RunDirectory, &summary.StoppedBecause, &summary.Next} {
		*text = term.Visible(*text)
	}
	var text strings.Builder
	if err := summary.Text(&text, coloured); err != nil {
		return err
	}
	_, err := io.WriteString(w, term.Fitted(w, text.String()))
	return err
}
