package batch

import (
	"cmp"
	"context"
	"time"
)

// An attempt is the work on one step of one user: calls, and the read-backs of those
// whose answers were lost, until the step is settled or the run stops before it.
//
// It is in one state at a time. A user takes a turn and is called. A call that is not
// the end of it is made again: at once if the pace was told to wait, else after a
// backoff, and after a read-back as long as an earlier call is in doubt.
type attempt struct {
	*runner
	ctx   context.Context
	step  *Step
	entry Entry
	seat  *seat
	leave func() // called once the first call may go

	bill                *bill
	left                time.Time // the last call
	failures, throttles int
	inDoubt             *lostCalls // nil if it is known what became of each call

	res     Result
	settled bool // else the journal has no result, and a resume settles it
}

// lostCalls are those of a user that are in doubt: their answers were lost, and no
// read-back has cleared them.
type lostCalls struct {
	answer *Error
	since  time.Time // the first of them left
	lost   time.Time // the last was given up
}

// A state does what it stands for and returns the next one; nil is the end.
type state func() state

// persist takes the user through a step. Where settled is false, the journal has
// no result, and a resume settles it.
func (r *runner) persist(ctx context.Context, step *Step, e Entry, at *seat, leave func()) (res Result, settled bool) {
	a := &attempt{
		runner: r, ctx: ctx, step: step, entry: e, seat: at, leave: leave,
		bill: r.bill(step), res: Result{Row: e.Row, Username: e.Username, Sub: e.Sub},
	}
	defer func() { res.Sent = a.bill.close() }()
	for now := a.begin(); now != nil; {
		now = now()
	}
	return a.res, a.settled
}

// begin takes up what an earlier session left: its call may have left at any time
// before now.
func (a *attempt) begin() state {
	intended := a.entry.Intended
	if intended.IsZero() || a.step.Repeatable {
		return a.takeTurn
	}
	a.res.Attempts, a.res.StartedAt = 1, intended
	a.bill.inherit(intended)
	a.inDoubt = &lostCalls{&Error{Reason: Interrupted, Message: "an earlier session ended before the answer was seen"}, intended, a.now()}
	a.leave()
	return a.readBack
}

// goOn is the state before the next call.
func (a *attempt) goOn() state {
	if a.inDoubt != nil {
		return a.readBack
	}
	return a.takeTurn
}

// readBack settles what is in doubt, or calls again regardless if that was asked for.
func (a *attempt) readBack() state {
	a.entry.Before = cmp.Or(a.entry.Before, a.res.Before)
	verdict, err := a.settle(a.ctx, a.step, a.entry, a.seat, *a.inDoubt)
	a.res.FinishedAt = a.now()
	refused := err != nil && err.Class == ClassUser
	if verdict != Undecided || refused {
		a.res.SettledBy = ByReadBack
	}
	switch {
	case verdict == Done:
		return a.end(a.step.Outcome, &Error{RequestID: a.inDoubt.answer.RequestID})
	case verdict == NotDone:
		a.bill.nothingSent()
		if a.exhausted() {
			return a.end(Failed, a.inDoubt.answer)
		}
		a.inDoubt = nil
		return a.takeTurn
	case refused:
		return a.end(Failed, err)
	case a.ctx.Err() != nil:
		return a.cutShort()
	case !a.RetryUnknown || a.exhausted():
		return a.end(Unknown, a.inDoubt.answer.unsettled(err))
	}
	a.bill.giveUp()
	if a.again(a.entry) != nil {
		return a.cutShort()
	}
	return a.takeTurn
}

// takeTurn waits for those who are between two steps, a seat, the budget and the pace.
func (a *attempt) takeTurn() state {
	if len(a.entry.Steps) == 0 && !a.backlog.wait(a.ctx, a.seat.leave) || !a.seat.sit(a.ctx) {
		return a.cutShort()
	}
	if err := a.bill.take(a.ctx); err != nil {
		a.stop(err)
		return a.cutShort()
	}
	left, ok := a.turn(a.ctx, a.step)
	if !ok {
		a.bill.answered(false, false)
		return a.cutShort()
	}
	a.leave()
	a.left = left
	return a.call
}

// call makes one call.
func (a *attempt) call() state {
	if a.res.Attempts++; a.res.StartedAt.IsZero() {
		a.res.StartedAt = a.left
	}
	answer := a.do(a.step, a.entry, &a.res)
	a.bill.answered(answer == nil, answer != nil && answer.Class == ClassInDoubt)
	if answer == nil {
		return a.answered(a.step.Outcome, &Error{RequestID: a.res.RequestID})
	}
	switch answer.Class {
	case ClassUser:
		if a.inDoubt != nil { // that this call was refused says nothing of the earlier one
			return a.end(Unknown, a.inDoubt.answer.refusedLater(answer))
		}
		return a.answered(Failed, answer)
	case ClassRun:
		if a.WaitOut != nil && a.WaitOut(answer) {
			return a.goOn
		}
		a.stopAt(answer)
		if a.inDoubt != nil {
			return a.cutShort()
		}
		return a.answered(Failed, answer)
	case ClassThrottle:
		a.res.Throttled++
		a.throttles++
		return a.backOff(a.throttles - 1)
	case ClassInDoubt:
		a.raise(answer)
	}
	a.failures++
	switch {
	case !a.exhausted() || a.inDoubt != nil:
		return a.backOff(a.failures - 1)
	case answer.Reason == ClockSkew: // which asking again has not helped, and would help nobody
		a.stopAt(answer)
	}
	return a.answered(Failed, answer)
}

// raise notes that the answer of the last call was lost.
func (a *attempt) raise(answer *Error) {
	switch {
	case a.step.Repeatable:
	case a.inDoubt == nil:
		a.inDoubt = &lostCalls{answer, a.left, a.res.FinishedAt}
	default:
		a.inDoubt.answer, a.inDoubt.lost = answer, a.res.FinishedAt
	}
}

// backOff waits after n failures of a kind. Calls in doubt are read back though the run has
// stopped.
func (a *attempt) backOff(n int) state {
	if !sleep(a.ctx, jitter(n)) && a.inDoubt == nil {
		return a.cutShort()
	}
	return a.goOn
}

// exhausted reports whether the user was called often enough.
func (a *attempt) exhausted() bool { return a.failures >= a.MaxAttempts }

// answered settles the step by the answer of its last call.
func (a *attempt) answered(o Outcome, answer *Error) state {
	a.res.SettledBy = ByAnswer
	return a.end(o, answer)
}

// end settles the step.
func (a *attempt) end(o Outcome, answer *Error) state {
	a.res, a.settled = a.res.ended(o, answer), true
	return nil
}

// cutShort ends a step that the run stopped before it was settled. What is in doubt is left
// open.
func (a *attempt) cutShort() state {
	if a.inDoubt == nil {
		a.res, a.settled = a.stopped(a.ctx, a.res), true
		return nil
	}
	lost := a.inDoubt.answer
	a.res.FinishedAt = time.Time{}
	a.res = a.res.ended(Unknown, &Error{Reason: Interrupted, Message: lost.Error(), RequestID: lost.RequestID})
	return nil
}

// again records that a user is called though an earlier call is in doubt.
func (r *runner) again(e Entry) error {
	repeater, ok := r.Journal.(Repeater)
	if !ok {
		return nil
	}
	err := repeater.Again(e)
	if err != nil {
		r.stop(&JournalError{err})
	}
	return err
}

// turn waits for the pace. It reports false if the run stopped meanwhile.
func (r *runner) turn(ctx context.Context, step *Step) (left time.Time, ok bool) {
	if step.Pace != nil {
		if _, err := step.Pace.Wait(ctx); err != nil {
			return r.now(), false
		}
	}
	left = r.now()
	if r.MayCall != nil {
		if err := r.MayCall(); err != nil {
			r.stop(err)
		}
	}
	return left, ctx.Err() == nil
}

// do makes one call and tells pace and tally how it was met.
func (r *runner) do(step *Step, e Entry, res *Result) *Error {
	r.Tally.callLeft()
	got, err := step.Action.Do(r.work, e)
	res.RequestID, res.FinishedAt = got.RequestID, r.now()
	res.Before = cmp.Or(res.Before, got.Before)
	var answer *Error
	if err != nil {
		answer = asError(err)
	}
	r.contact.note(answer, r.stop)
	throttled := answer != nil && answer.Class == ClassThrottle
	r.Tally.callAnswered(throttled)
	if step.Pace != nil {
		step.Pace.Answered(throttled)
	}
	return answer
}

// settle reads back what became of calls whose answers were lost: in a run and
// after a crash alike. It never calls; NotDone allows that.
func (r *runner) settle(ctx context.Context, step *Step, e Entry, at *seat, d lostCalls) (Verdict, *Error) {
	settler, ok := step.Action.(Settler)
	if !ok {
		return Undecided, nil
	}
	for failures, throttles := 0, 0; ; {
		asked := r.now() // an answer may take its time, or this process be stopped before it comes
		verdict, err := settler.Settle(r.work, e, d.since)
		if err == nil {
			believed := d.lost.Add(r.Linger)
			if verdict != NotDone || !asked.Before(believed) {
				return verdict, nil
			}
			if !at.standAside(ctx, time.Until(believed)) {
				return Undecided, nil
			}
			continue
		}
		answer, backoff := asError(err), 0
		switch answer.Class {
		case ClassUser:
			return Undecided, answer
		case ClassRun:
			if answer.Reason != AccessDenied {
				r.stopAt(answer)
			}
			return Undecided, answer
		case ClassThrottle:
			backoff, throttles = throttles, throttles+1
		default:
			backoff, failures = failures, failures+1
		}
		if failures >= r.MaxAttempts || !sleep(ctx, jitter(backoff)) {
			return Undecided, answer
		}
	}
}
