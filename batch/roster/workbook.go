package roster

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/roster/internal/xlsx"
)

// A workbook reads the records of one sheet.
type workbook struct {
	*Roster
	sheet  xlsx.Sheet
	chosen bool // by its name
	rows   *xlsx.Rows
	row    *xlsx.Row
	cells  []string

	hidden   int // rows that are not shown
	hiddenAt int
}

// openWorkbook reads a workbook of Excel: its first sheet that is shown, or that
// of a name.
func (r *Roster) openWorkbook(file io.Reader) error {
	book, err := xlsx.Open(file)
	if err != nil {
		return r.refuse(position{}, err.Error())
	}
	sheet, err := r.pickSheet(book)
	if err != nil {
		return err
	}
	w := &workbook{Roster: r, sheet: sheet, chosen: r.Sheet != ""}
	r.Sheet = sheet.Name
	if w.rows, err = book.Rows(sheet); err != nil {
		return r.refuse(position{}, err.Error())
	}
	if err := r.openTable(w); err != nil {
		return err
	}
	tableEnd := r.end
	r.end = func() {
		tableEnd()
		w.end(book)
	}
	return nil
}

// reportSheet has the rows of a report that is a workbook.
const reportSheet = "Rows"

// pickSheet finds the sheet to read.
func (r *Roster) pickSheet(book *xlsx.Book) (xlsx.Sheet, error) {
	if i := slices.IndexFunc(book.Sheets, func(s xlsx.Sheet) bool { return s.Name == reportSheet }); r.Report && r.Sheet == "" && i >= 0 {
		return book.Sheets[i], nil
	}
	for _, sheet := range book.Sheets {
		if r.Sheet != "" && strings.EqualFold(sheet.Name, r.Sheet) || r.Sheet == "" && !sheet.Hidden {
			return sheet, nil
		}
	}
	if r.Sheet == "" {
		return xlsx.Sheet{}, r.refuse(position{}, fmt.Sprintf("every sheet is hidden; say which to read with %s NAME. They are %s", r.flag("sheet"), sheetNames(book.Sheets)))
	}
	return xlsx.Sheet{}, r.refuse(position{}, fmt.Sprintf("there is no sheet %q; they are %s", r.Sheet, sheetNames(book.Sheets)))
}

func sheetNames(sheets []xlsx.Sheet) string {
	names := make([]string, len(sheets))
	for i, sheet := range sheets {
		names[i] = strconv.Quote(sheet.Name)
	}
	return strings.Join(names, ", ")
}

func (w *workbook) next() (record, error) {
	row, err := w.rows.Next()
	if errors.Is(err, io.EOF) {
		return record{}, io.EOF
	}
	if err != nil {
		return record{}, &InputError{Name: w.Name, What: err.Error()}
	}
	w.row, w.cells = row, w.cells[:0]
	for _, cell := range row.Cells {
		text := cell.Text
		if text == "" && cell.Kind == xlsx.Uncalculated {
			text = "=" // so that it is no empty cell
		}
		w.cells = append(w.cells, text)
	}
	if row.Hidden && len(w.cells) > 0 {
		if w.hidden++; w.hidden == 1 {
			w.hiddenAt = row.Number
		}
	}
	return record{cells: w.cells}, nil
}

func (w *workbook) at(cell int) position {
	if cell < 0 {
		return position{cell: fmt.Sprintf("%s!%d", w.sheet.Name, w.row.Number)}
	}
	return position{cell: fmt.Sprintf("%s!%s%d", w.sheet.Name, xlsx.ColumnName(cell), w.row.Number)}
}

func (w *workbook) alone() bool { return false }

// flaw says why a cell is no username: a workbook keeps numbers, not what somebody
// typed.
func (w *workbook) flaw(cell int) (batch.Reason, string) {
	if cell >= len(w.row.Cells) {
		return "", ""
	}
	switch w.row.Cells[cell].Kind {
	case xlsx.Fraction:
		return batch.MalformedRow, "the username is a number with decimals"
	case xlsx.Rounded:
		return batch.MangledNumber, "the username is a number that the spreadsheet has rounded: take it from where it came from, as text"
	case xlsx.Padded:
		return batch.MangledNumber, "the username is a number that is shown with zeros before it, which are not in the file: store it as text"
	case xlsx.Date:
		return batch.MalformedRow, "the username is a date"
	case xlsx.Bool:
		return batch.MalformedRow, "the username is TRUE or FALSE"
	case xlsx.Error:
		return batch.MalformedRow, "the cell is an error of the spreadsheet"
	case xlsx.Uncalculated:
		return batch.MalformedRow, "the formula has no result in the file: open it in Excel and save it"
	}
	return "", ""
}

// end says what of a workbook was read that may not have been meant, or not read.
func (w *workbook) end(book *xlsx.Book) {
	w.rows.Close()
	if w.hidden > 0 {
		w.notice(position{cell: fmt.Sprintf("%s!%d", w.sheet.Name, w.hiddenAt)}, fmt.Sprintf("hidden rows are read like the others; this is the first of %d", w.hidden))
	}
	others := slices.DeleteFunc(slices.Clone(book.Sheets), func(s xlsx.Sheet) bool { return s.Name == w.sheet.Name })
	if len(others) > 0 && !w.chosen {
		w.notice(position{}, fmt.Sprintf("only sheet %q is read, not %s; %s NAME reads another", w.sheet.Name, sheetNames(others), w.flag("sheet")))
	}
}
