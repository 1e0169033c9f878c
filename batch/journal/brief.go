package journal

import (
	"bytes"
	"strconv"
	"time"

	"cognito-reset/batch"
)

// A brief is what a line about a user has in place of its event, its row and its
// times, which its session's beginning is the origin of. Nearly all lines have one,
// and are less than half as long for it.
//
//	{"promised":7,"username":"ann","since":1500}
//	{"reset":7,"request_id":"…","since":1502,"took":85000}
//	{"settled":8,"username":"ben","outcome":"failed",…,"since":1502,"took":85000}
//
// The zero value is none.
type brief struct {
	// Which row is about to be called; was reset by the answer to its only call, and sent one
	// message; was settled otherwise. One of them is not zero.
	Intended int64 `json:"promised,omitzero"`
	Reset    int64 `json:"reset,omitzero"`
	Settled  int64 `json:"settled,omitzero"`

	// In microseconds: when the intent was written, or the call left, since the session began,
	// and how long it then took.
	Since *int64 `json:"since,omitzero"`
	Took  *int64 `json:"took,omitzero"`

	since, took int64
	unnamed     bool // the intent of the same row and session says whom
}

// mostMicros bounds a brief's times, so that nanoseconds of them are a Duration.
const mostMicros = 1 << 50

// briefOf is the brief of a line in a session that began then, if it has one: if its
// times are whole microseconds, and not before the session.
func briefOf(l *line, began time.Time) (b brief, ok bool) {
	from, to := l.StartedAt, l.FinishedAt
	if l.Event == eventIntent {
		from, to = l.At, l.At
	}
	since, took := from.Round(0).Sub(began.Round(0)), to.Round(0).Sub(from.Round(0))
	if l.Row < 1 || from.IsZero() || to.IsZero() || !inMicros(since) || !inMicros(took) {
		return b, false
	}
	b.since, b.took = since.Microseconds(), took.Microseconds()
	switch {
	case l.Event == eventIntent:
		b.Intended = l.Row
	case l.Event != eventResult:
		return b, false
	case l.isUsual():
		b.Reset = l.Row
	default:
		b.Settled = l.Row
	}
	return b, true
}

func inMicros(d time.Duration) bool {
	return d >= 0 && d%time.Microsecond == 0 && d.Microseconds() <= mostMicros
}

// isUsual reports whether the user was reset as users usually are.
func (l *line) isUsual() bool {
	return l.Outcome == batch.Reset && l.Reason == "" && l.Attempts == 1 && l.Sent == 1 && l.SettledBy == batch.ByAnswer
}

func (b brief) is() bool { return b.row() != 0 }

// row is whose the line is, if it is of one alone.
func (b brief) row() int64 { return b.Intended + b.Reset + b.Settled }

// isWhole reports whether the brief says of one row all that one must, and no more.
func (b brief) isWhole() bool {
	bounded := func(micros *int64) bool { return *micros >= 0 && *micros <= mostMicros }
	row := b.row()
	return row > 0 && (row == b.Intended || row == b.Reset || row == b.Settled) &&
		b.Since != nil && bounded(b.Since) && (b.Took == nil) == (b.Intended > 0) && (b.Took == nil || bounded(b.Took))
}

// repeatedBy reports whether a line says by itself what its brief stands for.
func (b brief) repeatedBy(l *line) bool {
	end := l.Outcome != "" || l.Reason != "" || l.Attempts+l.Sent != 0 || l.SettledBy != ""
	return l.Event != "" || l.Row != 0 || !l.At.IsZero() || !l.StartedAt.IsZero() || !l.FinishedAt.IsZero() || b.Reset > 0 && end
}

// first appends what a line begins with.
func (b brief) first(dst []byte) []byte {
	switch {
	case b.Intended > 0:
		return strconv.AppendInt(append(dst, intentOpen...), b.Intended, 10)
	case b.Reset > 0:
		return strconv.AppendInt(append(dst, resetOpen...), b.Reset, 10)
	}
	return strconv.AppendInt(append(dst, resultOpen...), b.Settled, 10)
}

// What brief lines begin with.
const (
	intentOpen = `{"promised":`
	resetOpen  = `{"reset":`
	resultOpen = `{"settled":`
)

// last appends what a line ends with: a number, by which one that is not sealed is
// told from one whose seal was damaged.
func (b brief) last(dst []byte) []byte {
	if !b.is() {
		return dst
	}
	dst = strconv.AppendInt(append(dst, `,"since":`...), b.since, 10)
	if b.Intended > 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, `,"took":`...), b.took, 10)
}

// isBrief reports whether a line that is not sealed may be a brief one.
func isBrief(raw []byte) bool {
	before, whole := bytes.CutSuffix(raw, []byte(lineClose))
	if !whole || len(before) == 0 || before[len(before)-1] < '0' || before[len(before)-1] > '9' {
		return false
	}
	if bytes.Contains(raw, []byte(sealOpen)) { // as where the newline behind a seal is not one any more
		return false
	}
	return bytes.HasPrefix(raw, []byte(intentOpen)) || bytes.HasPrefix(raw, []byte(resetOpen)) || bytes.HasPrefix(raw, []byte(resultOpen))
}

// scan reads a member, and reports whether it is one of a brief.
func (b *brief) scan(s *scanner) bool {
	switch string(s.name) {
	case "promised":
		b.Intended = s.integer()
	case "reset":
		b.Reset = s.integer()
	case "settled":
		b.Settled = s.integer()
	case "since":
		b.since = s.integer()
		b.Since = &b.since
	case "took":
		b.took = s.integer()
		b.Took = &b.took
	default:
		return false
	}
	return true
}

// expand has the line say all that its brief does. It says what is wrong.
func (b brief) expand(l *line, began time.Time) (what string) {
	if !b.is() && b.Since == nil && b.Took == nil {
		return ""
	}
	if !b.isWhole() || b.repeatedBy(l) {
		return "it says of a user what no line does"
	}
	from := began.Add(time.Duration(*b.Since) * time.Microsecond)
	if l.Row = b.row(); b.Intended > 0 {
		l.Event, l.At = eventIntent, from
		return ""
	}
	l.Event, l.StartedAt, l.FinishedAt = eventResult, from, from.Add(time.Duration(*b.Took)*time.Microsecond)
	if b.Reset > 0 {
		l.Outcome, l.Attempts, l.Sent, l.SettledBy = batch.Reset, 1, 1, batch.ByAnswer
	}
	return ""
}
