package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

func (a *app) reportCommand() *cli.Command {
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
		Flags: append(flags.Record(),
			flags.String(flags.Output, "format", "", "print one report instead: `csv`, jsonl, html, xlsx, junit or text"),
			flags.String(flags.Output, "output", "", "with --format, write it to `FILE`"),
			flags.CSVSafe(),
			flags.Bool(flags.Output, "json", "print the summary as JSON"),
			flags.Bool(flags.Output, "schema", "print the JSON Schema of the summary instead"),
		),
		Action: a.report,
	}
}

func (a *app) report(ctx *cli.Context) error {
	if ctx.Bool("schema") {
		_, err := io.WriteString(a.Out, report.SummarySchema)
		return err
	}
	a.openStore(ctx)
	if ctx.Args().First() == "merge" {
		return a.merge(ctx)
	}
	path, err := flags.OneDirectory(ctx)
	if err != nil {
		return err
	}
	if runs := rundir.FleetRuns(path); runs != nil && ctx.String("format") == "" && ctx.String("output") == "" {
		return a.mergeInto(ctx, path, runs)
	}
	r, err := a.store.Ended(ctx.Context, path)
	if err != nil {
		return err
	}
	safe := r.Spec.CSVSafe
	if ctx.IsSet("csv-safe") {
		safe = ctx.Bool("csv-safe")
	}
	switch format, output := ctx.String("format"), ctx.String("output"); {
	case format != "":
		r.Spec.CSVSafe = safe
		return a.export(r, format, output)
	case output != "":
		return exit.Usagef("--output goes with --format; without, the reports are written into %s", path)
	}
	return a.again(r, safe, ctx.Bool("json"))
}

// again writes the reports of a run again, and prints its summary. A report.csv that is
// not as the run has it, safe for spreadsheets or exact, is written beside that.
func (a *app) again(r *rundir.Record, safe, asJSON bool) error {
	history, err := r.Replay()
	if err != nil {
		return err
	}
	summary, err := render.Files(r, history, nil)
	if err == nil && safe != r.Spec.CSVSafe {
		err = render.OtherCSV(r, history)
	}
	if err != nil {
		return fmt.Errorf("the reports could not be written: %w; the journal is whole: fix that, then run cognito-reset report %s", err, term.Quote(r.Path()))
	}
	if err := render.Print(a.Streams, summary, asJSON); err != nil {
		return fmt.Errorf("the summary could not be printed: %w; it stands in %s", err, r.File(rundir.SummaryFile))
	}
	return exit.Silent(summary.ExitCode)
}

// export writes one report of a run.
func (a *app) export(r *rundir.Record, format, output string) error {
	if err := render.CheckFormat(format); err != nil {
		return err
	}
	history, err := r.Replay()
	if err != nil {
		return err
	}
	code, err := render.One(a.Streams, output, format, r, history, func(writers ...report.Writer) (report.Summary, error) {
		rows := r.Rows(history, nil)
		err := rows.Write(writers...)
		return rows.Summary, err
	})
	if err != nil {
		return err
	}
	return exit.Silent(code)
}

// merge is report merge DIR....
func (a *app) merge(ctx *cli.Context) error {
	paths, format, output := ctx.Args().Tail(), ctx.String("format"), ctx.String("output")
	if len(paths) == 0 {
		return exit.Usagef("report merge takes run directories: cognito-reset report merge DIR...; a run directory of that name is ./merge")
	}
	if format != "" {
		if err := render.CheckFormat(format); err != nil {
			return err
		}
	} else if _, err := journal.View(output); output != "" && err == nil {
		return exit.Usagef("--output: %s is a run directory, with reports of its own; name another folder", output)
	}
	var runs []string
	for _, path := range paths {
		if s3run.Named(path) {
			runs = append(runs, path)
		} else if members := rundir.FleetRuns(path); members != nil {
			runs = append(runs, members...)
		} else {
			runs = append(runs, path)
		}
	}
	m := render.NewMerging(a.store)
	m.Apart = true
	if err := m.Read(ctx.Context, runs, report.Merge); err != nil {
		return err
	}
	m.Spec.CSVSafe = ctx.Bool("csv-safe")
	if m.Conflicts > 0 {
		where := rundir.ConflictsFile + " in the folder --output would say who"
		if format == "" && output != "" {
			where = filepath.Join(output, rundir.ConflictsFile) + " says who"
		}
		term.Linef(a.Err, "The runs contradict each other on %s users, and the last word on each counts; %s.", term.Comma(m.Conflicts), where)
	}
	switch {
	case format != "":
		code, err := render.One(a.Streams, output, format, &m.Record, nil, m.Write)
		if err != nil {
			return err
		}
		return exit.Silent(code)
	case output != "":
		sum, err := m.Files(output, output)
		if err != nil {
			return err
		}
		return a.merged(sum, ctx.Bool("json"))
	}
	summary, err := m.Write()
	if err != nil {
		return err
	}
	return a.merged(summary, ctx.Bool("json"))
}

// mergeInto makes the report of a fleet in its folder again.
func (a *app) mergeInto(ctx *cli.Context, path string, runs []string) error {
	m := render.NewMerging(a.store)
	if err := m.Read(ctx.Context, runs, report.MergePools); err != nil {
		return err
	}
	m.Spec.CSVSafe = ctx.Bool("csv-safe")
	sum, err := m.Files(path, path)
	if err != nil {
		return err
	}
	return a.merged(sum, ctx.Bool("json"))
}

// merged prints the summary of several runs, and returns the exit.
func (a *app) merged(sum report.Summary, asJSON bool) error {
	if err := render.Print(a.Streams, sum, asJSON); err != nil {
		return err
	}
	return exit.Silent(sum.ExitCode)
}
