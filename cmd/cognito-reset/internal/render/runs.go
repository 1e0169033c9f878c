package render

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// Runs lists runs: a line each if that fits into so many columns, else a few lines each,
// in which the path of a run stays whole, to be copied. Without columns every line fits.
func Runs(w io.Writer, runs []rundir.Run, columns int) error {
	table := runsTable(runs)
	for line := range strings.Lines(table) {
		if columns > 0 && utf8.RuneCountInString(strings.TrimRight(line, " \n")) > columns {
			return term.Write(w, runsInBlocks(runs, columns))
		}
	}
	return term.Write(w, table)
}

func runsTable(runs []rundir.Run) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STARTED\tSTATE\tSIZE\tROWS\tOUTCOMES\tRUN")
	for _, run := range runs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", startOf(run), run.State, humanize.Bytes(uint64(run.Bytes)), term.Comma(run.Rows), outcomesOf(run), term.Visible(run.Path))
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

func runsInBlocks(runs []rundir.Run, columns int) string {
	const indent = "  "
	var b strings.Builder
	for _, run := range runs {
		fmt.Fprintf(&b, "%s  %s  %s  %s\n", startOf(run), run.State, humanize.Bytes(uint64(run.Bytes)), term.Plural(run.Rows, "row"))
		fmt.Fprintf(&b, "%s%s\n", indent, term.Visible(run.Path))
		for _, line := range term.Wrap(outcomesOf(run), columns-len(indent)) {
			fmt.Fprintf(&b, "%s%s\n", indent, line)
		}
	}
	return b.String()
}

func startOf(run rundir.Run) string {
	if run.StartedAt.IsZero() {
		return "?"
	}
	return run.StartedAt.UTC().Format("2006-01-02 15:04")
}

// outcomesOf lists how many rows of a run ended how.
func outcomesOf(run rundir.Run) string {
	var list []string
	for _, o := range batch.Outcomes {
		if n := run.Outcomes[o]; n > 0 {
			list = append(list, fmt.Sprintf("%s %s", term.Comma(n), o))
		}
	}
	return cmp.Or(strings.Join(list, ", "), "-")
}
