// Package report writes what people and programs read of a run: the fate of
// every row as CSV and JSON lines, and their sum. It knows results, and nothing
// of how they came to be.
package report

import (
	"bufio"
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

// Columns are the header of the CSV and the keys of the JSON lines, in order.
// The order and names are stable; new ones come at the end.
var Columns = []string{
	"row", "username", "outcome", "reason", "attempts", "error_code", "error_message", "request_id",
	"started_at", "finished_at", "duration_ms", "settled_by",
	"steps", "step_reset", "step_lock", "step_disable", "step_invite", "step_sign_out",
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

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeFormat)
}

// A Writer takes the results of a run one by one, in the order of the rows.
type Writer interface {
	Write(batch.Result) error
	Close() error // writes what is pending; it does not close the file below
}

// NewCSV writes RFC 4180 with a header. Cells are exact: a username that begins
// with = or + stays as it is, so do not open hostile data in a spreadsheet.
// Times are empty where no call was made. The columns that results carry in
// Kept follow those of [Columns].
func NewCSV(w io.Writer, kept ...string) Writer {
	out := &csvWriter{Writer: csv.NewWriter(w), kept: len(kept)}
	out.Writer.Write(slices.Concat(Columns, kept)) // buffered: an error shows later
	return out
}

type csvWriter struct {
	*csv.Writer
	kept  int // columns
	cells []string
}

func (w *csvWriter) Write(r batch.Result) error {
	duration := ""
	if !r.FinishedAt.IsZero() {
		duration = strconv.FormatInt(r.Duration().Milliseconds(), 10)
	}
	w.cells = append(w.cells[:0],
		strconv.FormatInt(r.Row, 10), r.Username, string(r.Outcome), string(r.Reason), strconv.Itoa(r.Attempts),
		r.ErrorCode, r.ErrorMessage, r.RequestID, stamp(r.StartedAt), stamp(r.FinishedAt), duration, string(r.SettledBy),
	)
	steps := steps(r)
	w.cells = append(append(w.cells, steps[:]...), r.Kept...)
	for len(w.cells) < len(Columns)+w.kept { // of a row that could not be read
		w.cells = append(w.cells, "")
	}
	return w.Writer.Write(w.cells)
}

func (w *csvWriter) Close() error {
	w.Flush()
	return w.Error()
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
		Before: r.Before,
	}
	steps := steps(r)
	for i, cell := range []**string{&row.Steps, &row.StepReset, &row.StepLock, &row.StepDisable, &row.StepInvite, &row.StepSignOut} {
		*cell = some(steps[i])
	}
	if len(r.Kept) > 0 {
		row.Kept = make(map[string]string, len(r.Kept))
		for i, value := range r.Kept {
			row.Kept[w.kept[i]] = value
		}
	}
	if !r.FinishedAt.IsZero() {
		row.DurationMS = new(r.Duration().Milliseconds())
	}
	return json.MarshalEncode(w.enc, &row)
}

func (w *jsonlWriter) Close() error { return w.out.Flush() }

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
