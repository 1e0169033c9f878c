package journal

import (
	"time"

	"github.com/go-json-experiment/json"

	"cognito-reset/batch"
)

// decode reads a line of a session that began then. Whether it is what was written,
// only the chain knows.
func decode(raw []byte, began time.Time, l *line) (what string) {
	if l.scan(raw, began) {
		return ""
	}
	return l.unmarshal(raw, began)
}

// unmarshal reads a line by the general decoder.
func (l *line) unmarshal(raw []byte, began time.Time, o ...json.Options) (what string) {
	var got struct {
		line
		brief
	}
	*l = line{}
	// The seal is a member of the JSON object too, but not of the struct.
	if err := json.Unmarshal(raw, &got, o...); err != nil {
		return err.Error()
	}
	*l = got.line
	return got.expand(l, began)
}

// scan reads a line about a user, if it is as plain as nearly all of them are. It has a
// case for each member, and so is as long as there are.
func (l *line) scan(raw []byte, began time.Time) bool {
	var s scanner
	if body, ok := sealOf(raw); ok {
		s = scan(raw[:body], "{", "") // what follows is the chain's
	} else {
		s = scan(raw, "{", lineClose)
	}
	var b brief
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
			if !b.scan(&s) {
				return false
			}
		}
	}
	return !s.odd && b.expand(l, began) == ""
}
