package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cognito-reset/batch"
)

// SafeColumn marks the rows of a CSV whose cells are guarded. No other column
// can have this name.
const SafeColumn = "csv_safe"

// NewCSV writes RFC 4180 with a header. Cells are exact: a username that begins
// with = or + stays as it is, so do not open hostile data in a spreadsheet.
// Times are empty where no call was made. The columns that results carry in
// Kept follow those of [Columns].
func NewCSV(w io.Writer, kept ...string) Writer { return newCSV(w, false, kept) }

// NewSafeCSV writes what [NewCSV] does for a spreadsheet to open: no cell is taken
// for a formula. An apostrophe stands before = + - @, a tab or a line end wherever
// a cell begins, or would begin if split at another separator; so it does before
// an apostrophe that stands there by itself, which makes the exact cell again of
// one apostrophe less. The column [SafeColumn], behind those of [Columns], says yes
// in every row whose cells are to be read so, as the header's are.
func NewSafeCSV(w io.Writer, kept ...string) Writer { return newCSV(w, true, kept) }

func newCSV(w io.Writer, safe bool, kept []string) Writer {
	out := &csvWriter{out: bufio.NewWriterSize(w, 1<<16), safe: safe, kept: len(kept)}
	if slices.Contains(kept, SafeColumn) {
		out.err = fmt.Errorf("a column that is kept cannot be called %s: it says how the report is to be read", SafeColumn)
	}
	header := slices.Clone(Columns)
	if safe {
		header = append(header, SafeColumn)
	}
	out.texts(append(header, kept...)...)
	out.end() // buffered: an error shows later
	return out
}

// A csvWriter appends cells to a line, each with a comma behind it.
type csvWriter struct {
	out  *bufio.Writer
	safe bool
	kept int // columns
	line []byte
	row  batch.Result // that is being written: one for all, as it escapes
	err  error        // why nothing can be written
}

func (w *csvWriter) Write(r batch.Result) error {
	w.row = r
	for _, c := range columns {
		switch cell := c.cell(&w.row); cell.kind {
		case isNumber:
			w.line = append(strconv.AppendInt(w.line, cell.number, 10), ',')
		case isTime:
			w.line = append(appendStamp(w.line, cell.number), ',')
		default:
			w.text(cell.text)
		}
	}
	if w.safe {
		w.texts("yes")
	}
	w.texts(r.Kept...)
	for range w.kept - len(r.Kept) { // of a row that could not be read
		w.texts("")
	}
	return w.end()
}

func (w *csvWriter) texts(cells ...string) {
	for _, cell := range cells {
		w.text(cell)
	}
}

// text is inlined: most cells of a row without a call are empty.
func (w *csvWriter) text(cell string) {
	if cell != "" {
		w.appendText(cell)
	}
	w.line = append(w.line, ',')
}

func (w *csvWriter) appendText(cell string) {
	if w.safe {
		cell = guard(cell)
	}
	w.line = appendCell(w.line, cell)
}

// appendCell quotes a cell where RFC 4180 asks for it and, as [encoding/csv] does,
// where it begins with a space.
func appendCell(dst []byte, cell string) []byte {
	if !needsQuotes(cell) {
		return append(dst, cell...)
	}
	dst = append(append(dst, '"'), strings.ReplaceAll(cell, `"`, `""`)...)
	return append(dst, '"')
}

// quoted are the bytes for which a cell is quoted, wherever it holds them.
var quoted = [256]bool{',': true, '"': true, '\r': true, '\n': true}

func needsQuotes(cell string) bool {
	for i := range len(cell) {
		if quoted[cell[i]] {
			return true
		}
	}
	first, _ := utf8.DecodeRuneInString(cell)
	return unicode.IsSpace(first)
}

// end writes the line that was built.
func (w *csvWriter) end() error {
	w.line[len(w.line)-1] = '\n'
	_, err := w.out.Write(w.line)
	w.line = w.line[:0]
	return cmp.Or(w.err, err)
}

func (w *csvWriter) Close() error { return cmp.Or(w.err, w.out.Flush()) }

// What guard knows of spreadsheets: how formulas begin, the wide forms included,
// and what a cell can begin behind, whichever separator is believed in.
const (
	formulas   = "=+-@\t\r\n＝＋－＠"
	separators = ",;|\t\r\n\""
)

// guard puts an apostrophe where a formula, or an apostrophe, would begin a cell.
func guard(cell string) string {
	var guarded []byte
	done, begins := 0, true
	for i, c := range cell {
		if begins && (c == '\'' || strings.ContainsRune(formulas, c)) {
			guarded = append(append(guarded, cell[done:i]...), '\'')
			done = i
		}
		begins = strings.ContainsRune(separators, c) || begins && c == ' '
	}
	if guarded == nil {
		return cell
	}
	return string(append(guarded, cell[done:]...))
}
