// Package report writes what people and programs read of a run: the fate of
// every row as CSV and JSON lines, and their sum. It knows results, and nothing
// of how they came to be.
package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

// Columns are the header of the CSV and the keys of the JSON lines, in order.
// The order and names are stable; new ones come at the end.
var Columns = []string{
	"row", "username", "outcome", "reason", "attempts", "error_code", "error_message", "request_id",
	"started_at", "finished_at", "duration_ms", "settled_by",
	"steps", "step_reset", "step_lock", "step_disable", "step_invite", "step_sign_out", "sub",
}

// stepNames are the steps with a column of their own, in the order of [Columns].
var stepNames = []string{"reset", "lock", "disable", "invite", "sign-out"}

// steps are the cells of [Columns] that speak of steps: which of them were
// called, in their order, and how each ended. All are empty where a reset was
// all that was asked for.
func steps(r batch.Result) (cells [6]string) {
	var called []string
	for _, s := range r.Steps {
		if s.Attempts > 0 {
			called = append(called, s.Step)
		}
		if i := slices.Index(stepNames, s.Step); i >= 0 {
			cells[i+1] = string(s.Outcome)
		}
	}
	cells[0] = strings.Join(called, "+")
	return cells
}

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return string(appendStamp(nil, t)) }

// appendStamp does what [time.Time.AppendFormat] does in a third of the time, of
// which a report takes two for every row.
func appendStamp(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	t = t.UTC()
	year, month, day := t.Date()
	if year < 1000 || year > 9999 {
		return t.AppendFormat(dst, timeFormat)
	}
	two := func(n int, end byte) { dst = append(dst, byte('0'+n/10), byte('0'+n%10), end) }
	dst = append(strconv.AppendInt(dst, int64(year), 10), '-')
	two(int(month), '-')
	two(day, 'T')
	hour, minute, second := t.Clock()
	two(hour, ':')
	two(minute, ':')
	two(second, '.')
	milliseconds := t.Nanosecond() / int(time.Millisecond)
	dst = append(dst, byte('0'+milliseconds/100))
	two(milliseconds%100, 'Z')
	return dst
}

// A Writer takes the results of a run one by one, in the order of the rows.
type Writer interface {
	Write(batch.Result) error
	Close() error // writes what is pending; it does not close the file below
}

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
	err  error // why nothing can be written
}

func (w *csvWriter) Write(r batch.Result) error {
	w.number(r.Row)
	w.texts(r.Username, string(r.Outcome), string(r.Reason))
	w.number(int64(r.Attempts))
	w.texts(r.ErrorCode, r.ErrorMessage, r.RequestID)
	w.time(r.StartedAt)
	w.time(r.FinishedAt)
	if r.FinishedAt.IsZero() {
		w.texts("")
	} else {
		w.number(r.Duration().Milliseconds())
	}
	w.texts(string(r.SettledBy))
	steps := steps(r)
	w.texts(steps[:]...)
	w.texts(r.Sub)
	if w.safe {
		w.texts("yes")
	}
	w.texts(r.Kept...)
	for range w.kept - len(r.Kept) { // of a row that could not be read
		w.texts("")
	}
	return w.end()
}

func (w *csvWriter) number(n int64) { w.line = append(strconv.AppendInt(w.line, n, 10), ',') }

func (w *csvWriter) time(t time.Time) { w.line = append(appendStamp(w.line, t), ',') }

func (w *csvWriter) texts(cells ...string) {
	for _, cell := range cells {
		if w.safe {
			cell = guard(cell)
		}
		w.line = append(appendCell(w.line, cell), ',')
	}
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

func needsQuotes(cell string) bool {
	for i := range len(cell) {
		switch cell[i] {
		case ',', '"', '\r', '\n':
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

// jsonRow has the columns as JSON; null where a CSV cell is empty.
type jsonRow struct {
	Row          int64   `json:"row"`
	Username     string  `json:"username"`
	Outcome      string  `json:"outcome"`
	Reason       *string `json:"reason"`
	Attempts     int     `json:"attempts"`
	ErrorCode    *string `json:"error_code"`
	ErrorMessage *string `json:"error_message"`
	RequestID    *string `json:"request_id"`
	StartedAt    *string `json:"started_at"`
	FinishedAt   *string `json:"finished_at"`
	DurationMS   *int64  `json:"duration_ms"`
	SettledBy    *string `json:"settled_by"`
	Steps        *string `json:"steps"`
	StepReset    *string `json:"step_reset"`
	StepLock     *string `json:"step_lock"`
	StepDisable  *string `json:"step_disable"`
	StepInvite   *string `json:"step_invite"`
	StepSignOut  *string `json:"step_sign_out"`
	Sub          *string `json:"sub"`

	Before *batch.Snapshot   `json:"before,omitempty"`
	Kept   map[string]string `json:"kept,omitempty"`
}

// NewJSONL writes one JSON object a line, with the keys of [Columns]. What a
// user was before, where that is known, is an object under the key before; the
// columns that results carry in Kept are one under the key kept.
func NewJSONL(w io.Writer, kept ...string) Writer {
	buffered := bufio.NewWriterSize(w, 1<<16)
	return &jsonlWriter{buffered, jsontext.NewEncoder(buffered, jsontext.AllowInvalidUTF8(true), json.Deterministic(true)), kept}
}

type jsonlWriter struct {
	out  *bufio.Writer
	enc  *jsontext.Encoder
	kept []string
}

func (w *jsonlWriter) Write(r batch.Result) error {
	row := jsonRow{
		Row: r.Row, Username: r.Username, Outcome: string(r.Outcome), Reason: some(string(r.Reason)), Attempts: r.Attempts,
		ErrorCode: some(r.ErrorCode), ErrorMessage: some(r.ErrorMessage), RequestID: some(r.RequestID),
		StartedAt: some(stamp(r.StartedAt)), FinishedAt: some(stamp(r.FinishedAt)), SettledBy: some(string(r.SettledBy)),
		Sub: some(r.Sub), Before: r.Before, Kept: keptOf(r, w.kept),
	}
	steps := steps(r)
	for i, cell := range []**string{&row.Steps, &row.StepReset, &row.StepLock, &row.StepDisable, &row.StepInvite, &row.StepSignOut} {
		*cell = some(steps[i])
	}
	if !r.FinishedAt.IsZero() {
		row.DurationMS = new(r.Duration().Milliseconds())
	}
	return json.MarshalEncode(w.enc, &row)
}

// keptOf is what a result carries in Kept, by the names of the columns; nil if it
// carries nothing.
func keptOf(r batch.Result, columns []string) map[string]string {
	if len(r.Kept) == 0 {
		return nil
	}
	kept := make(map[string]string, len(r.Kept))
	for i, value := range r.Kept {
		kept[columns[i]] = value
	}
	return kept
}

func (w *jsonlWriter) Close() error { return w.out.Flush() }

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
