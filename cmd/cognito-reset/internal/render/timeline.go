package render

import (
	"fmt"
	"strings"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/report"
)

// What a run notes of its course in its journal, for [Timeline].
const (
	NoteCanary = "canary"
	NoteWave   = "wave"
	NoteRest   = "rest between waves"
	noteHold   = "message limit until "
)

// NoteHold is that no message is sent before a time.
func NoteHold(until time.Time) string { return noteHold + until.UTC().Format(time.RFC3339) }

// Timeline is when the waves of a run began, and when it rested: what its journal says
// of its course.
func Timeline(history *journal.History) (waves []report.Wave, rests []report.Rest) {
	numbered := 0
	for i, session := range history.Sessions {
		if i > 0 {
			rests = append(rests, report.Rest{Name: "stopped", From: history.Sessions[i-1].LastSeenAt, To: session.StartedAt})
		}
		resting := report.Rest{} // that has begun; without a name there is none
		end := func(at time.Time) {
			if resting.Name != "" {
				resting.To = at
				rests = append(rests, resting)
			}
			resting = report.Rest{}
		}
		for _, s := range session.Steered {
			if !resting.To.IsZero() && s.At.After(resting.To) {
				end(resting.To)
			}
			switch held, isHold := strings.CutPrefix(s.Command, noteHold); {
			case s.Command == "pause":
				end(s.At)
				resting = report.Rest{Name: "paused", From: s.At}
			case s.Command == "resume" && resting.Name == "paused":
				end(s.At)
			case s.By != journal.ByItself:
			case s.Command == NoteRest:
				end(s.At)
				resting = report.Rest{Name: "between waves", From: s.At}
			case isHold:
				end(s.At)
				resting = report.Rest{Name: "message limit", From: s.At}
				resting.To, _ = time.Parse(time.RFC3339, held)
			case s.Command == NoteCanary:
				end(s.At)
				waves = append(waves, report.Wave{Name: "canary", Began: s.At})
			case s.Command == NoteWave:
				end(s.At)
				numbered++
				waves = append(waves, report.Wave{Name: fmt.Sprint("wave ", numbered), Began: s.At})
			}
		}
		if over := session.LastSeenAt; resting.To.IsZero() || over.Before(resting.To) {
			end(over)
		} else {
			end(resting.To)
		}
	}
	return waves, rests
}
