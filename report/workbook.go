package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/xuri/excelize/v2"

	"cognito-reset/batch"
)

// The sheets of a workbook.
const (
	SummarySheet   = "Summary"
	RowsSheet      = "Rows" // with the columns of report.csv: a run takes it for an input
	RemainingSheet = "Remaining"
)

// mostSheetRows is how many rows a sheet of Excel has, the header among them.
const mostSheetRows = 1 << 20

// A Workbook is a report as a workbook of Excel: summary, rows, and who is not safe yet.
// It is a [Writer]; Render makes the file once every row was written. Texts are text, so
// that no phone number and nothing that begins with = is ever changed; but a cell holds
// 32,767 characters at most. Rows go to files in a folder, not into memory.
type Workbook struct {
	Remaining *Remaining // nil where nobody remains, as after a dry run

	file    *excelize.File
	list    io.ReadWriteSeeker // what Remaining writes
	drop    func() error
	rows    *excelize.StreamWriter
	columns []string
	row     int
}

// NewWorkbook writes what is too large for memory into folder. Who remains stands in a
// sheet if scratch makes files for that.
func NewWorkbook(folder string, of Subject, scratch Scratch, kept ...string) (w *Workbook, err error) {
	w = &Workbook{file: excelize.NewFile(excelize.Options{TmpDir: folder}), columns: append(slices.Clone(Columns), uniqueColumns(kept)...)}
	if scratch != nil {
		if w.list, w.drop, err = scratch(); err != nil {
			return nil, err
		}
		w.Remaining = NewRemaining(w.list, of, false, scratch)
	}
	if w.file.SetSheetName("Sheet1", SummarySheet) != nil {
		return nil, errors.New("the workbook has no first sheet")
	}
	w.rows, err = w.sheet(RowsSheet, w.columns, map[string]float64{"username": 38, "outcome": 14, "reason": 22, "error_message": 50, "started_at": 24, "finished_at": 24})
	return w, err
}

// uniqueColumns are the columns of an input under names that no column of the report
// has: those of a table differ.
func uniqueColumns(kept []string) (names []string) {
	for _, name := range kept {
		names = append(names, "input: "+name)
	}
	return names
}

// sheet begins a sheet with a header that stays in sight.
func (w *Workbook) sheet(name string, header []string, widths map[string]float64) (*excelize.StreamWriter, error) {
	if _, err := w.file.NewSheet(name); err != nil {
		return nil, err
	}
	s, err := w.file.NewStreamWriter(name)
	if err != nil {
		return nil, err
	}
	cells := make([]any, len(header))
	for i, column := range header {
		cells[i] = column
		width, ok := widths[column]
		if !ok {
			width = 14
		}
		if err := s.SetColWidth(i+1, i+1, width); err != nil {
			return nil, err
		}
	}
	if err := s.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return nil, err
	}
	return s, s.SetRow("A1", cells)
}

// end makes a sheet of so many rows and columns a table, whose columns can be filtered.
func end(s *excelize.StreamWriter, rows, columns int) error {
	if rows > 1 {
		last, err := excelize.CoordinatesToCellName(columns, rows)
		if err != nil {
			return err
		}
		if err := s.AddTable(&excelize.Table{Range: "A1:" + last, Name: "T" + s.Sheet, StyleName: "TableStyleLight1"}); err != nil {
			return err
		}
	}
	return s.Flush()
}

// Write takes in one result.
func (w *Workbook) Write(r batch.Result) error {
	if w.row++; w.row >= mostSheetRows {
		return fmt.Errorf("a sheet of Excel has %s rows at most, and the report has more: take --format csv", number(mostSheetRows))
	}
	cells := make([]any, 0, len(w.columns))
	for _, c := range columns {
		switch c := c.cell(&r); {
		case c.kind == isNumber:
			cells = append(cells, c.number)
		case c.kind == isTime:
			cells = append(cells, c.any())
		case c.text == "":
			cells = append(cells, nil)
		default:
			cells = append(cells, c.text)
		}
	}
	for _, value := range r.Kept {
		cells = append(cells, value)
	}
	if w.Remaining != nil {
		if err := w.Remaining.Write(r); err != nil {
			return err
		}
	}
	return w.rows.SetRow(fmt.Sprint("A", w.row+1), cells)
}

// Close ends the lists; Render writes the file.
func (w *Workbook) Close() error {
	err := end(w.rows, w.row+1, len(w.columns))
	if err == nil && w.Remaining != nil {
		err = w.writeRemaining()
	}
	if w.drop != nil {
		err = errors.Join(err, w.drop())
	}
	return err
}

// writeRemaining makes a sheet of the list of who is not safe yet.
func (w *Workbook) writeRemaining() error {
	if err := w.Remaining.Close(); err != nil {
		return err
	}
	if _, err := w.list.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := csv.NewReader(w.list)
	header, err := lines.Read()
	if err != nil {
		return err
	}
	s, err := w.sheet(RemainingSheet, header, map[string]float64{"username": 38, "reason": 22, "password": 40, "what_helps": 100})
	if err != nil {
		return err
	}
	for row := 2; ; row++ {
		line, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return end(s, row-1, len(header))
		}
		if err != nil {
			return err
		}
		cells := make([]any, len(line))
		for i, text := range line {
			cells[i] = text
		}
		if err := s.SetRow(fmt.Sprint("A", row), cells); err != nil {
			return err
		}
	}
}

// Render writes the workbook, of results that add up to a summary, and ends with it.
func (w *Workbook) Render(to io.Writer, s Summary) error {
	if err := w.summarize(s); err != nil {
		return err
	}
	_, err := w.file.WriteTo(to)
	return errors.Join(err, w.file.Close())
}

func (w *Workbook) summarize(s Summary) error {
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	lines := [][]any{
		{s.Verdict()}, {},
		{"user pool", s.UserPoolID}, {"name", s.UserPoolName}, {"account", s.Account}, {"Region", s.Region},
		{"dry run", s.DryRun}, {"rehearsal", s.Sandbox}, {"began", stamp(s.StartedAt)}, {"ended", stamp(s.FinishedAt)},
		{"stopped because", s.StoppedBecause}, {"calls", s.Calls}, {"throttled", s.Throttled},
	}
	if s.Steps.SignOutAlone() {
		lines = append(lines, []any{"not signed out yet", s.Remaining})
	} else {
		lines = append(lines, []any{"keep their old password", s.KeepPassword}, []any{"not safe yet", s.Remaining})
	}
	lines = append(lines, []any{}, []any{"rows", s.Rows})
	for _, o := range batch.Outcomes {
		if n := s.Outcomes[o]; n > 0 {
			lines = append(lines, []any{string(o), n, s.meaning(o)})
		}
	}
	lines = append(lines, []any{})
	for _, r := range s.byUrgency() {
		lines = append(lines, []any{string(r), s.Reasons[r], s.advise(r)})
	}
	for i, line := range lines {
		if err := w.file.SetSheetRow(SummarySheet, fmt.Sprint("A", i+1), &line); err != nil {
			return err
		}
	}
	w.file.SetActiveSheet(0)
	return errors.Join(w.file.SetColWidth(SummarySheet, "A", "A", 26), w.file.SetColWidth(SummarySheet, "B", "B", 26), w.file.SetColWidth(SummarySheet, "C", "C", 60))
}
