package batch

import "time"

// A Step is one piece of the work on a user, such as the reset itself.
type Step struct {
	Name    string // one stable word, as journals and reports have it
	Action  Action
	Pace    Pace    // of its quota; nil: no limit
	Outcome Outcome // of a user for whom it is done

	// Repeatable is whether a call whose answer was lost may simply be made
	// again, since twice does what once does and nobody is sent a message.
	Repeatable bool

	// Sends is whether a call that is accepted sends the user a message, which
	// [Options.Messages] counts.
	Sends bool

	// Instead is what takes this step's place, by reason, for users whom it is
	// refused. The steps that follow come after it all the same.
	Instead map[Reason]Step
}

// A StepResult is how one step of a user ended.
type StepResult struct {
	Step       string
	Outcome    Outcome
	Reason     Reason
	Attempts   int // calls made, throttled ones included
	Throttled  int
	RequestID  string
	StartedAt  time.Time // zero if no call was made
	FinishedAt time.Time // zero if no call was made
	SettledBy  Evidence
	Sent       int // calls that sent a message, or may have
}

// next is the step that follows those that have ended, or nil if the work on
// the user is over.
func next(steps []Step, ended []StepResult) *Step {
	at, step := 0, &steps[0]
	for _, s := range ended {
		instead, ok := step.Instead[s.Reason]
		switch {
		case s.Outcome.Done():
			if at++; at == len(steps) {
				return nil
			}
			step = &steps[at]
		case ok && s.Outcome == Failed:
			step = &instead
		default:
			return nil
		}
	}
	return step
}

// takeUp makes an entry that earlier sessions worked on ready for its next
// step: the last one again, if it ended the work before it was done.
func (e *Entry) takeUp(steps []Step) {
	for len(e.Steps) > 0 && next(steps, e.Steps) == nil {
		e.Steps = e.Steps[:len(e.Steps)-1]
	}
	if e.Step = ""; len(e.Steps) > 0 {
		e.Step = next(steps, e.Steps).Name
	}
}

// end adds how a step of the user ended.
func (e *Entry) end(name string, r Result) {
	e.Steps = append(e.Steps[:len(e.Steps):len(e.Steps)], StepResult{
		Step: name, Outcome: r.Outcome, Reason: r.Reason, Attempts: r.Attempts, Throttled: r.Throttled,
		RequestID: r.RequestID, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, SettledBy: r.SettledBy, Sent: r.Sent,
	})
}

// sum is the row of a user whose work is over, given how its last step ended.
// It is as its first step that was done only if all of them were: what was done to the
// password counts for it before a sign-out does.
func (e Entry) sum(last Result) Result {
	res := last
	res.Steps, res.Attempts, res.Throttled, res.Sent, res.StartedAt = e.Steps, 0, 0, 0, time.Time{}
	var done Outcome
	var refused Reason
	for _, s := range e.Steps {
		res.Attempts += s.Attempts
		res.Throttled += s.Throttled
		res.Sent += s.Sent
		if res.StartedAt.IsZero() {
			res.StartedAt = s.StartedAt
		}
		if s.FinishedAt.After(res.FinishedAt) {
			res.FinishedAt = s.FinishedAt
		}
		switch {
		case done == "" && s.Outcome.Done():
			done = s.Outcome
		case done == "":
			refused = s.Reason
		}
	}
	if last.Outcome.Done() {
		res.Outcome, res.Reason = done, refused
		return res
	}
	name := e.Steps[len(e.Steps)-1].Step
	switch {
	case last.Outcome == NotAttempted && done != "":
		res.ErrorMessage = name + ": the run stopped before it"
	case len(e.Steps) > 1 && last.Outcome != NotAttempted:
		res.ErrorMessage = name + ": " + last.ErrorMessage
	}
	return res
}

// ResetOnly is the list of one step that most runs take: to reset, at a pace
// that may be nil.
func ResetOnly(action Action, pace Pace) []Step {
	return []Step{{Name: "reset", Action: action, Pace: pace, Outcome: Reset, Sends: true}}
}
