package journal

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

// formatVersion is that of the sessions that this program writes. A reader refuses
// a newer one; a journal may have sessions of several.
//
//	1  every line is sealed, and says all of its event
//	2  lines about users may be brief, and of those of one commit the last alone
//	   is sealed
const (
	formatVersion = 2
	briefFormat   = 2 // the first that has brief lines
)

// The events of a journal.
const (
	eventSession = "session"  // a process took up the run
	eventIntent  = "promised" // this user is about to be called
	eventResult  = "settled"  // this user ended so; the last word on a username counts
	eventEnded   = "ended"    // the process left the run in good order
	eventSteered = "steered"  // somebody changed how the run goes on
	eventAgain   = "again"    // this user, whose call is in doubt, is about to be called once more
	eventClock   = "clock"    // the service's clock was found to stand otherwise
)

// A line is one event. The JSON of a sealed one carries, as its last member,
// sha256: the SHA-256 of every byte of the file before that value, so that the
// journal can be checked with head and sha256sum alone.
type line struct {
	Event string    `json:"event"`
	At    time.Time `json:"at,omitzero"`

	// Of a session.
	Format  int    `json:"format,omitzero"`
	Version string `json:"version,omitzero"`
	Host    string `json:"host,omitzero"`
	PID     int    `json:"pid,omitzero"`
	Roster  string `json:"roster_sha256,omitzero"`
	Fence   int64  `json:"fence,omitzero"`

	// Of a session, and of a clock: how far the service's is ahead of the
	// session's, which all its times go by; "" if nobody knows.
	ServiceAhead string `json:"service_ahead,omitzero"`

	// Of a user.
	Row          int64          `json:"row,omitzero"`
	Username     string         `json:"username,omitzero"`
	Sub          string         `json:"sub,omitzero"`
	Outcome      batch.Outcome  `json:"outcome,omitzero"`
	Reason       batch.Reason   `json:"reason,omitzero"`
	Attempts     int            `json:"attempts,omitzero"`
	Throttled    int            `json:"throttled,omitzero"`
	ErrorCode    string         `json:"error_code,omitzero"`
	ErrorMessage string         `json:"error_message,omitzero"`
	RequestID    string         `json:"request_id,omitzero"`
	StartedAt    time.Time      `json:"started_at,omitzero"`
	FinishedAt   time.Time      `json:"finished_at,omitzero"`
	SettledBy    batch.Evidence `json:"settled_by,omitzero"`
	Sent         int            `json:"sent,omitzero"`

	// Of a user with several steps: that which is intended, left out for the
	// first, and those that ended.
	Step  string       `json:"step,omitzero"`
	Steps []stepResult `json:"steps,omitempty"`

	// Of a user who was looked at.
	Before *batch.Snapshot `json:"before,omitzero"`

	// Of an end.
	ExitCode int    `json:"exit_code,omitzero"`
	Stopped  string `json:"stopped_because,omitzero"`

	// Of steering.
	By      string `json:"by,omitzero"`
	Command string `json:"command,omitzero"`
}

// A stepResult is a [batch.StepResult] as JSON.
type stepResult struct {
	Step       string         `json:"step"`
	Outcome    batch.Outcome  `json:"outcome"`
	Reason     batch.Reason   `json:"reason,omitzero"`
	Attempts   int            `json:"attempts,omitzero"`
	Throttled  int            `json:"throttled,omitzero"`
	RequestID  string         `json:"request_id,omitzero"`
	StartedAt  time.Time      `json:"started_at,omitzero"`
	FinishedAt time.Time      `json:"finished_at,omitzero"`
	SettledBy  batch.Evidence `json:"settled_by,omitzero"`
	Sent       int            `json:"sent,omitzero"`
}

// serviceAhead is that of a clock.
func serviceAhead(c batch.Clock) string {
	if !c.Known {
		return ""
	}
	return c.Ahead.Round(time.Millisecond).String()
}

// clock is what a line says of one.
func (l line) clock() batch.Clock {
	d, err := time.ParseDuration(l.ServiceAhead)
	return batch.Clock{Ahead: d, Known: err == nil}
}

// steps converts the ends of steps to or from their form in a line.
func steps[To, From stepResult | batch.StepResult](ended []From) []To {
	if len(ended) == 0 {
		return nil
	}
	converted := make([]To, len(ended))
	for i, s := range ended {
		converted[i] = To(s)
	}
	return converted
}

func intentOf(e batch.Entry, at time.Time) line {
	return line{
		Event: eventIntent, At: at, Row: e.Row, Username: e.Username, Sub: e.Sub,
		Step: e.Step, Steps: steps[stepResult](e.Steps), Before: e.Before,
	}
}

func resultOf(r batch.Result) line {
	return line{
		Event: eventResult, Row: r.Row, Username: r.Username, Sub: r.Sub, Outcome: r.Outcome, Reason: r.Reason,
		Attempts: r.Attempts, Throttled: r.Throttled,
		ErrorCode: clip(r.ErrorCode, maxCode), ErrorMessage: clip(r.ErrorMessage, maxMessage), RequestID: clip(r.RequestID, maxCode),
		StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, SettledBy: r.SettledBy, Sent: r.Sent,
		Steps: steps[stepResult](r.Steps), Before: r.Before,
	}
}

// append appends l as a JSON object that is still open.
func (l *line) append(dst []byte, b brief) []byte {
	m := members(dst)
	if b.is() {
		m = b.first(m)
		l.brief(&m, b)
		return b.last(m)
	}
	m.text(`{"event"`, l.Event)
	m.moment(`,"at"`, l.At)
	m.number(`,"format"`, int64(l.Format))
	m.text(`,"version"`, l.Version)
	m.text(`,"host"`, l.Host)
	m.number(`,"pid"`, int64(l.PID))
	m.text(`,"roster_sha256"`, l.Roster)
	m.number(`,"fence"`, l.Fence)
	m.text(`,"service_ahead"`, l.ServiceAhead)
	m.number(`,"row"`, l.Row)
	m.text(`,"username"`, l.Username)
	m.text(`,"sub"`, l.Sub)
	l.end(&m)
	m.moment(`,"started_at"`, l.StartedAt)
	m.moment(`,"finished_at"`, l.FinishedAt)
	l.proof(&m)
	m.number(`,"exit_code"`, int64(l.ExitCode))
	m.text(`,"stopped_because"`, l.Stopped)
	m.text(`,"by"`, l.By)
	m.text(`,"command"`, l.Command)
	return m
}

// brief appends what of a user's line is not in its brief.
func (l *line) brief(m *members, b brief) {
	if !b.unnamed {
		m.text(`,"username"`, l.Username)
		m.text(`,"sub"`, l.Sub)
	}
	if b.Reset == 0 {
		l.end(m)
		l.proof(m)
		return
	}
	usual := *l
	usual.Outcome, usual.Attempts, usual.SettledBy, usual.Sent = "", 0, "", 0
	usual.end(m)
	usual.proof(m)
}

// end appends how a user ended.
func (l *line) end(m *members) {
	m.text(`,"outcome"`, string(l.Outcome))
	m.text(`,"reason"`, string(l.Reason))
	m.number(`,"attempts"`, int64(l.Attempts))
	m.number(`,"throttled"`, int64(l.Throttled))
	m.text(`,"error_code"`, l.ErrorCode)
	m.text(`,"error_message"`, l.ErrorMessage)
	m.text(`,"request_id"`, l.RequestID)
}

// proof appends by what a user ended, and what went before.
func (l *line) proof(m *members) {
	m.text(`,"settled_by"`, string(l.SettledBy))
	m.number(`,"sent"`, int64(l.Sent))
	m.text(`,"step"`, l.Step)
	if len(l.Steps) > 0 {
		m.value(`,"steps":`, l.Steps)
	}
	if l.Before != nil {
		m.value(`,"before":`, l.Before)
	}
}

// members are the text of a JSON object, written by hand in a fifth of the time of
// reflection, as two are written for every user. What is empty is left out.
type members []byte

func (m *members) text(name, s string) {
	if s != "" {
		*m = append(append(*m, name...), ':')
		*m, _ = jsontext.AppendQuote(*m, s) // replaces what is not UTF-8
	}
}

func (m *members) number(name string, n int64) {
	if n != 0 {
		*m = strconv.AppendInt(append(append(*m, name...), ':'), n, 10)
	}
}

func (m *members) moment(name string, t time.Time) {
	if !t.IsZero() {
		*m = append(append(*m, name...), `:"`...)
		*m = append(t.AppendFormat(*m, time.RFC3339Nano), '"')
	}
}

func (m *members) value(name string, v any) {
	if raw, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true)); err == nil { // as it always is of plain members
		*m = append(append(*m, name...), raw...)
	}
}

// clip bounds what a service, or something that answered in its place, said.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func (l line) result() batch.Result {
	return batch.Result{
		Row: l.Row, Username: l.Username, Sub: l.Sub, Outcome: l.Outcome, Reason: l.Reason,
		Attempts: l.Attempts, Throttled: l.Throttled,
		ErrorCode: l.ErrorCode, ErrorMessage: l.ErrorMessage, RequestID: l.RequestID,
		StartedAt: l.StartedAt, FinishedAt: l.FinishedAt, SettledBy: l.SettledBy, Sent: l.Sent,
		Steps: steps[batch.StepResult](l.Steps), Before: l.Before,
	}
}
