package report

import (
	"strconv"
	"strings"
	"time"

	"cognito-reset/batch"
)

// columns are what a report says of each row: the one place that knows. Their order
// and names are stable; new ones come at the end.
var columns = []column{
	{"row", func(r *batch.Result) cell { return cell{kind: isNumber, number: r.Row} }},
	{"username", func(r *batch.Result) cell { return cell{kind: isAlways, text: r.Username} }},
	{"outcome", func(r *batch.Result) cell { return cell{kind: isAlways, text: string(r.Outcome)} }},
	{"reason", func(r *batch.Result) cell { return cell{text: string(r.Reason)} }},
	{"attempts", func(r *batch.Result) cell { return cell{kind: isNumber, number: int64(r.Attempts)} }},
	{"error_code", func(r *batch.Result) cell { return cell{text: r.ErrorCode} }},
	{"error_message", func(r *batch.Result) cell { return cell{text: r.ErrorMessage} }},
	{"request_id", func(r *batch.Result) cell { return cell{text: r.RequestID} }},
	{"started_at", func(r *batch.Result) cell { return timeCell(r.StartedAt) }},
	{"finished_at", func(r *batch.Result) cell { return timeCell(r.FinishedAt) }},
	{"duration_ms", duration},
	{"settled_by", func(r *batch.Result) cell { return cell{text: string(r.SettledBy)} }},
	{"steps", func(r *batch.Result) cell { return cell{text: stepsCalled(r)} }},
	{"step_reset", outcomeOf("reset")},
	{"step_lock", outcomeOf("lock")},
	{"step_disable", outcomeOf("disable")},
	{"step_invite", outcomeOf("invite")},
	{"step_sign_out", outcomeOf("sign-out")},
	{"sub", func(r *batch.Result) cell { return cell{text: r.Sub} }},
}

// Columns are the header of the CSV and the keys of the JSON lines, in order.
var Columns = func() (names []string) {
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}()

// A column is what a report says of each row under one name.
type column struct {
	name string
	cell func(*batch.Result) cell
}

// A cell is what a column says of one row. It has four words, the most that the compiler
// keeps in registers: with a [time.Time] in it a row took half as long again to write.
type cell struct {
	kind   kind
	text   string
	number int64 // of a time: milliseconds since 1970
}

// A kind says what a cell holds.
type kind uint8

const (
	isText   kind = iota // nothing if it is empty
	isAlways             // a text that is never nothing
	isNumber
	isTime
)

// any is what a cell holds as JSON has it; a text that is nothing is "".
func (c cell) any() any {
	switch c.kind {
	case isNumber:
		return c.number
	case isTime:
		return string(appendStamp(nil, c.number))
	}
	return c.text
}

func timeCell(t time.Time) cell {
	if t.IsZero() {
		return cell{}
	}
	return cell{kind: isTime, number: t.UnixMilli()}
}

func duration(r *batch.Result) cell {
	if r.FinishedAt.IsZero() {
		return cell{}
	}
	return cell{kind: isNumber, number: r.Duration().Milliseconds()}
}

// stepsCalled are the steps that were called, in their order; "" where a reset was all
// that was asked for.
func stepsCalled(r *batch.Result) string {
	var called []string
	for _, s := range r.Steps {
		if s.Attempts > 0 {
			called = append(called, s.Step)
		}
	}
	return strings.Join(called, "+")
}

// outcomeOf is how the step of a name ended.
func outcomeOf(name string) func(*batch.Result) cell {
	return func(r *batch.Result) (last cell) {
		for _, s := range r.Steps {
			if s.Step == name {
				last.text = string(s.Outcome)
			}
		}
		return last
	}
}

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// appendStamp does what [time.Time.AppendFormat] does with a time in milliseconds since
// 1970, in a third of the time: a report takes two for every row.
func appendStamp(dst []byte, milliseconds int64) []byte {
	t := time.UnixMilli(milliseconds).UTC()
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
	fraction := t.Nanosecond() / int(time.Millisecond)
	dst = append(dst, byte('0'+fraction/100))
	two(fraction%100, 'Z')
	return dst
}
