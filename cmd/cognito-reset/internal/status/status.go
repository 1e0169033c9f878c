// Package status tells how a run stands, while it runs or after.
package status

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// A Status is how a run stands.
type Status struct {
	Path           string                  `json:"-"`
	State          string                  `json:"state"` // preparing, missing, running, finished, stopped or crashed
	Why            string                  `json:"why"`   // of stopped and crashed; of running, what it waits for
	UserPoolID     string                  `json:"user_pool_id"`
	Rows           int64                   `json:"rows"`
	Outcomes       map[batch.Outcome]int64 `json:"outcomes"`
	Reasons        map[batch.Reason]int64  `json:"reasons"`
	Users          int64                   `json:"users"`     // to work on
	Left           int64                   `json:"left"`      // of them
	InFlight       int64                   `json:"in_flight"` // of running: intents without a result yet
	over           bool                    // nobody goes on with it
	InDoubt        int64                   `json:"in_doubt"` // intents without a result: in flight, or lost with a crash
	UsersPerSecond float64                 `json:"users_per_second"`
	ETASeconds     float64                 `json:"eta_seconds"`    // 0 if nothing tells
	Pace           *control.Live           `json:"pace,omitempty"` // of running, where it can be asked
	Steered        []report.Steering       `json:"steered,omitempty"`
	StartedAt      time.Time               `json:"started_at"`
	LastSeenAt     time.Time               `json:"last_seen_at"`
}

// The states of a run that is not over.
const (
	Preparing = "preparing"
	Missing   = "missing"
	Running   = "running"
)

// OfPrepared is how a run stands that has not begun.
func OfPrepared(path string) Status {
	return Status{Path: path, State: Preparing, Why: "nothing was sent yet"}
}

// OfMissing is how a target of the fleet in a folder stands that has no run.
func OfMissing(path, poolID, fleet string) Status {
	return Status{
		Path: path, State: Missing, UserPoolID: poolID,
		Why: "this target was left out, and nothing was sent; cognito-reset resume " + term.Quote(fleet) + " begins it",
	}
}

// begun reports whether there is a run to tell of.
func (st Status) begun() bool { return st.State != Preparing && st.State != Missing }

// Over reports whether nobody works on the run.
func (st Status) Over() bool { return st.State != Preparing && st.State != Running }

// Of reads how a run stands.
func Of(ctx context.Context, r *rundir.Record) (st Status, err error) {
	held := r.Dir.Held() // before the journal is read, so that a run ending now is not taken for a crash
	if !held {
		if sum, ok := r.Finished(); ok {
			return ofFinished(r, sum), nil
		}
	}
	history, err := r.Replay()
	if err != nil {
		return st, err
	}
	sum, inFlight := &report.Summary{Steps: r.Spec.Steps}, int64(0)
	results := history.Results(batch.Interrupted)
	if r.Spec.Offline {
		results = rundir.Expected(results, r.Spec.Response)
	}
	for result, err := range results {
		if err != nil {
			return st, err
		}
		if held && result.Outcome == batch.Unknown && result.Open() { // its call is under way, or waits for its turn
			inFlight++
			continue
		}
		sum.Write(result)
	}
	st = ofRows(r, sum)
	st.Rows, st.InFlight = sum.Rows+inFlight, inFlight
	st.sessions(history)
	switch {
	case r.Spec.Offline:
		st.State, st.Left = "finished", 0
	case held:
		st.State, st.Why = Running, "it does not say what it waits for"
		if now, err := control.AskLive(ctx, r.Dir); err == nil {
			st.Pace, st.Why = &now, term.Waiting(now.Why)
			if !now.DoneAt.IsZero() {
				st.ETASeconds = time.Until(now.DoneAt).Seconds()
			}
		}
	case st.Left == 0:
		st.State, st.Why = "finished", ""
	case st.Why != "":
		st.State = "stopped"
	default:
		st.State, st.Why = "crashed", "the process ended without a word"
	}
	return st, nil
}

// ofRows is what the rows of a run tell, once they are summed up.
func ofRows(r *rundir.Record, sum *report.Summary) Status {
	return Status{
		Path: r.Path(), UserPoolID: r.Spec.UserPoolID, Rows: sum.Rows, Outcomes: sum.Outcomes, Reasons: sum.Reasons, over: !r.Spec.ForReal(),
		Users: r.Found.Roster.Users, StartedAt: r.Spec.CreatedAt.Truncate(time.Millisecond), LastSeenAt: r.Spec.CreatedAt.Truncate(time.Millisecond),
	}
}

// ofFinished is how a run stands of which nobody is left, by its summary.
func ofFinished(r *rundir.Record, sum *report.Summary) Status {
	st := ofRows(r, sum)
	st.State, st.StartedAt, st.LastSeenAt = "finished", sum.StartedAt, sum.FinishedAt
	st.UsersPerSecond, st.Steered = sum.Sessions.LastUsersPerSecond, sum.Sessions.Steered
	return st
}

// sessions takes in what the sessions so far have done.
func (st *Status) sessions(history *journal.History) {
	st.Left, st.InDoubt = history.Open()
	if n := len(history.Sessions); n > 0 {
		last := history.Sessions[n-1]
		st.StartedAt, st.LastSeenAt = history.Sessions[0].StartedAt.Truncate(time.Millisecond), last.LastSeenAt.Truncate(time.Millisecond)
		st.Why = last.Stopped
	}
	told := rundir.Sessions(history)
	st.UsersPerSecond, st.Steered = told.LastUsersPerSecond, told.Steered
}

// Text is how the run stands, for a person.
func (st Status) Text() string {
	if !st.begun() {
		return fmt.Sprintf("%s: %s: %s\n", term.Visible(st.Path), st.State, term.Visible(st.Why))
	}
	text := fmt.Sprintf("%s: %s\n", term.Visible(st.Path), st.State)
	if st.Why != "" {
		text += fmt.Sprintf("Why    %s\n", term.Visible(st.Why))
	}
	text += fmt.Sprintf("Pool   %s\n", st.UserPoolID)
	for _, o := range batch.Outcomes {
		if n := st.Outcomes[o]; n > 0 {
			text += fmt.Sprintf("%8s  %s\n", term.Comma(n), o)
		}
	}
	if st.InFlight > 0 {
		text += fmt.Sprintf("%8s  in_flight\n", term.Comma(st.InFlight))
	}
	text += fmt.Sprintf("%8s  rows\n", term.Comma(st.Rows))
	if st.UsersPerSecond > 0 {
		text += fmt.Sprintf("Rate   %.1f users/s in the last session\n", st.UsersPerSecond)
	}
	if n := len(st.Steered); n > 0 {
		last := st.Steered[n-1]
		text += fmt.Sprintf("Steered %s by %s at %s\n", term.Visible(last.Command), term.Visible(last.By), last.At.Format(time.RFC3339))
	}
	switch {
	case st.State == Running:
		text += fmt.Sprintf("Left   %s\n", term.Plural(st.Left, "user"))
		if st.Pace != nil && st.Pace.Ahead() != "" {
			text += fmt.Sprintf("Ahead  %s\n", st.Pace.Ahead())
		}
	case st.Left > 0 && st.over:
		text += fmt.Sprintf("Left   %s; it cannot go on: begin it anew\n", term.Plural(st.Left, "user"))
	case st.Left > 0:
		text += "Left   " + term.Plural(st.Left, "user")
		if st.InDoubt > 0 {
			text += fmt.Sprintf(", %s of them in doubt", term.Comma(st.InDoubt))
		}
		text += fmt.Sprintf(": cognito-reset resume %s\n", term.Quote(st.Path))
	}
	return text
}

// Line is how the run stands, in a line.
func (st Status) Line() string {
	text := term.Visible(st.Path) + ": " + st.State
	if st.begun() {
		parts := []string{fmt.Sprintf(", %s of %s users", term.Comma(st.Users-st.Left), term.Comma(st.Users))}
		if st.UsersPerSecond > 0 {
			parts = append(parts, fmt.Sprintf("%.1f/s", st.UsersPerSecond))
		}
		for _, o := range batch.Outcomes {
			if n := st.Outcomes[o]; n > 0 && o != batch.NotAttempted {
				parts = append(parts, fmt.Sprintf("%s %s", term.Comma(n), o))
			}
		}
		if st.Pace != nil && st.Pace.Ahead() != "" {
			parts = append(parts, st.Pace.Ahead())
		}
		text += strings.Join(parts, ", ")
	}
	if st.Why != "" {
		text += "; " + term.Visible(st.Why)
	}
	return text
}
