package journal

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

// formatVersion is that of the journal and of the roster's copy. A reader
// refuses a newer one.
const formatVersion = 1

// The events of a journal.
const (
	eventSession  = "session"  // a process took up the run
	eventPromised = "promised" // this user is about to be called
	eventSettled  = "settled"  // this user ended so; the last word on a username counts
	eventEnded    = "ended"    // the process left the run in good order
	eventSteered  = "steered"  // somebody changed how the run goes on
	eventAgain    = "again"    // this user, whose call is in doubt, is about to be called once more
	eventClock    = "clock"    // the service's clock was found to stand otherwise
)

// A line is one event. Its JSON carries, as its last member, sha256: the
// SHA-256 of every byte of the file before that value, so that the journal can
// be checked with head and sha256sum alone.
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

	// Of a user with several steps: that which is promised, left out for the
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

func promise(e batch.Entry, at time.Time) line {
	return line{
		Event: eventPromised, At: at, Row: e.Row, Username: e.Username, Sub: e.Sub,
		Step: e.Step, Steps: steps[stepResult](e.Steps), Before: e.Before,
	}
}

func settled(r batch.Result) line {
	return line{
		Event: eventSettled, Row: r.Row, Username: r.Username, Sub: r.Sub, Outcome: r.Outcome, Reason: r.Reason,
		Attempts: r.Attempts, Throttled: r.Throttled,
		ErrorCode: clip(r.ErrorCode, maxCode), ErrorMessage: clip(r.ErrorMessage, maxMessage), RequestID: clip(r.RequestID, maxCode),
		StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, SettledBy: r.SettledBy, Sent: r.Sent,
		Steps: steps[stepResult](r.Steps), Before: r.Before,
	}
}

// members appends l as a JSON object that is still open, as two lines are
// written for every user: by hand, in a fifth of the time of reflection, but
// for what few users have.
func (l *line) members(dst []byte) []byte {
	text := func(name, s string) {
		if s != "" {
			dst = append(append(dst, name...), ':')
			dst, _ = jsontext.AppendQuote(dst, s) // replaces what is not UTF-8
		}
	}
	number := func(name string, n int64) {
		if n != 0 {
			dst = strconv.AppendInt(append(append(dst, name...), ':'), n, 10)
		}
	}
	moment := func(name string, t time.Time) {
		if !t.IsZero() {
			dst = append(append(dst, name...), `:"`...)
			dst = append(t.AppendFormat(dst, time.RFC3339Nano), '"')
		}
	}
	value := func(name string, v any) {
		if raw, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true)); err == nil { // as it always is of plain members
			dst = append(append(dst, name...), raw...)
		}
	}
	text(`{"event"`, l.Event)
	moment(`,"at"`, l.At)
	number(`,"format"`, int64(l.Format))
	text(`,"version"`, l.Version)
	text(`,"host"`, l.Host)
	number(`,"pid"`, int64(l.PID))
	text(`,"roster_sha256"`, l.Roster)
	number(`,"fence"`, l.Fence)
	text(`,"service_ahead"`, l.ServiceAhead)
	number(`,"row"`, l.Row)
	text(`,"username"`, l.Username)
	text(`,"sub"`, l.Sub)
	text(`,"outcome"`, string(l.Outcome))
	text(`,"reason"`, string(l.Reason))
	number(`,"attempts"`, int64(l.Attempts))
	number(`,"throttled"`, int64(l.Throttled))
	text(`,"error_code"`, l.ErrorCode)
	text(`,"error_message"`, l.ErrorMessage)
	text(`,"request_id"`, l.RequestID)
	moment(`,"started_at"`, l.StartedAt)
	moment(`,"finished_at"`, l.FinishedAt)
	text(`,"settled_by"`, string(l.SettledBy))
	number(`,"sent"`, int64(l.Sent))
	text(`,"step"`, l.Step)
	if len(l.Steps) > 0 {
		value(`,"steps":`, l.Steps)
	}
	if l.Before != nil {
		value(`,"before":`, l.Before)
	}
	number(`,"exit_code"`, int64(l.ExitCode))
	text(`,"stopped_because"`, l.Stopped)
	text(`,"by"`, l.By)
	text(`,"command"`, l.Command)
	return dst
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

// decode reads a line that the chain has vouched for.
func decode(raw []byte, l *line) (what string) {
	if l.scan(raw) {
		return ""
	}
	*l = line{}
	// The seal is a member of the JSON object too, but not of the struct.
	if err := json.Unmarshal(raw, l); err != nil {
		return err.Error()
	}
	return ""
}

// scan reads a line about a user, if it is as plain as nearly all of them are. It has a
// case for each member, and so is as long as there are.
func (l *line) scan(raw []byte) bool {
	body := max(0, len(raw)-sealLen) // what follows is the chain's
	s := scan(raw[:body], "{", "")
	for s.next() {
		switch string(s.name) {
		case "event":
			l.Event = s.word()
		case "at":
			l.At = s.moment()
		case "row":
			l.Row = s.integer()
		case "username":
			l.Username = s.text()
		case "sub":
			l.Sub = s.text()
		case "outcome":
			l.Outcome = batch.Outcome(s.word())
		case "reason":
			l.Reason = batch.Reason(s.word())
		case "attempts":
			l.Attempts = int(s.integer())
		case "throttled":
			l.Throttled = int(s.integer())
		case "error_code":
			l.ErrorCode = s.text()
		case "error_message":
			l.ErrorMessage = s.text()
		case "request_id":
			l.RequestID = s.text()
		case "started_at":
			l.StartedAt = s.moment()
		case "finished_at":
			l.FinishedAt = s.moment()
		case "settled_by":
			l.SettledBy = batch.Evidence(s.word())
		case "sent":
			l.Sent = int(s.integer())
		case "step":
			l.Step = s.text()
		case "steps":
			s.into(&l.Steps)
		case "before":
			s.into(&l.Before)
		default:
			return false
		}
	}
	return !s.odd
}
