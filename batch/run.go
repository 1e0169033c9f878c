package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Run takes every entry through the steps, at least one, and returns how the
// rows ended. A user who is not done with a step does not come to the next one.
// The outcomes add up: once
// ctx is done or the run is stopped, calls in flight finish within
// [Options.Grace], and every entry not yet called ends as NotAttempted.
//
// The error says why the run ended early. It is the cause of ctx, a [*Stop]
// for an answer that every user would get, or what the journal or the entries
// failed with; it is nil if every entry was worked on.
func Run(ctx context.Context, entries iter.Seq2[Entry, error], steps []Step, o Options) (Counts, error) {
	o = o.withDefaults(steps)
	block := max(1, o.Standby/2) // of users whose intents are written together

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		grace := time.AfterFunc(o.Grace, cut)
		context.AfterFunc(work, func() { grace.Stop() })
	})()

	r := &runner{
		began: wholeMicros(time.Now()), Options: o, steps: steps, plain: resetAlone(steps), stop: stop, work: work,
		standby: make(chan struct{}, o.Standby), ready: make(chan Entry, o.Standby),
		seats: make(chan struct{}, o.Workers), aside: make(chan struct{}, maxAside),
	}
	r.backlog.init()
	var next []Entry // whose intents are to be written
	room := 0        // for users in this wave
	for e, err := range entries {
		if err != nil {
			stop(err)
			continue
		}
		if e.Outcome != "" {
			r.count(Result{Row: e.Row, Username: e.Username, Sub: e.Sub, Outcome: e.Outcome, Reason: e.Reason, ErrorMessage: e.Detail})
			continue
		}
		if room == 0 {
			r.intend(ctx, next)
			next, room = next[:0], r.nextWave(ctx)
		}
		room--
		e.takeUp(steps)
		switch {
		case !r.admit(ctx):
			r.count(r.leftOut(ctx, e))
		case o.Journal == nil || !e.Intended.IsZero():
			r.hand(ctx, e)
		default:
			if next = append(next, e); len(next) == block {
				r.intend(ctx, next)
				next = next[:0]
			}
		}
	}
	r.intend(ctx, next)
	close(r.ready)
	r.workers.Wait()
	return o.Tally.Counts(), context.Cause(ctx)
}

func (o Options) withDefaults(steps []Step) Options {
	if o.Workers < 1 {
		o.Workers = 64
	}
	if o.MaxAttempts < 1 {
		o.MaxAttempts = 8
	}
	if o.Tally == nil {
		o.Tally = new(Tally)
	}
	if o.Standby < 1 && steps[0].Pace != nil {
		o.Standby = 4
	} else if o.Standby < 1 {
		o.Standby = 4 * o.Workers
	}
	return o
}

type runner struct {
	Options
	steps []Step
	plain bool // a reset is all that is asked for
	began time.Time
	stop  context.CancelCauseFunc
	work  context.Context // outlives the run's own by the grace

	standby chan struct{}  // one token a user on the way to its first turn
	ready   chan Entry     // users whose intents are written, on the way to a worker
	atWork  sync.WaitGroup // users admitted

	contact contact
	backlog backlog
	workers sync.WaitGroup
	begun   int           // of the workers that there may be
	free    atomic.Int64  // workers, less the users on the way to one or with one
	seats   chan struct{} // one token a user who is worked on
	aside   chan struct{} // and one a user who waits without a worker
}

// resetAlone reports whether a reset, which nothing takes the place of, is the only step.
func resetAlone(steps []Step) bool {
	return len(steps) == 1 && steps[0].Outcome == Reset && len(steps[0].Instead) == 0
}

// hand passes a user on to the workers, and begins one more where none is free for the
// user: at a rate that keeps few calls under way, most of those that there may be are
// never needed. It is for one goroutine.
func (r *runner) hand(ctx context.Context, e Entry) {
	if r.free.Add(-1) < 0 && r.begun < r.Workers {
		r.begun++
		r.begin(ctx)
	}
	r.ready <- e
}

// begin has one more worker take users.
func (r *runner) begin(ctx context.Context) {
	r.free.Add(1)
	r.workers.Go(func() { r.worker(ctx) })
}

// worker takes users until there are no more, or another has taken its place.
func (r *runner) worker(ctx context.Context) {
	for e := range r.ready {
		r.seats <- struct{}{}
		at := &seat{r: r, ctx: ctx, taken: true}
		if r.serve(ctx, e, at); at.spared {
			return
		}
		r.free.Add(1)
	}
}

// A PanicError is a fault of this program, or of an [Action]. What it left of a
// user is for a resume to find out.
type PanicError struct {
	What  string
	Stack []byte
}

func (e *PanicError) Error() string { return "a fault in this program: " + e.What }

// Panicked says what was panicked with, but for what could name a user.
func Panicked(with any) string {
	if err, ok := with.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a panic with a %T", with)
}

// serve takes one user to the end. A panic on the way stops the run.
func (r *runner) serve(ctx context.Context, e Entry, at *seat) {
	defer r.atWork.Done()
	defer at.leave()
	counted := false
	defer func() {
		if p := recover(); p != nil {
			r.stop(&PanicError{Panicked(p), debug.Stack()})
			if !counted {
				r.Tally.Add(Result{Row: e.Row, Username: e.Username, Outcome: Unknown, Reason: Interrupted})
			}
		}
	}()
	res := r.attend(ctx, e, at)
	counted = true
	r.count(res)
}

// admit waits until one more user may stand by.
func (r *runner) admit(ctx context.Context) bool {
	select {
	case r.standby <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	if ctx.Err() != nil {
		<-r.standby
		return false
	}
	r.atWork.Add(1)
	return true
}

// nextWave waits until everybody admitted has ended, and asks how many come
// next.
func (r *runner) nextWave(ctx context.Context) (users int) {
	if r.NextWave == nil {
		return -1
	}
	r.atWork.Wait()
	if ctx.Err() != nil {
		return -1
	}
	users, err := r.NextWave(ctx, r.Tally.Counts())
	if err != nil {
		r.stop(err)
	}
	return max(users, -1)
}

func (r *runner) count(res Result) {
	r.Tally.Add(res)
	if r.Failures != nil {
		if stop := r.Failures.Add(res); stop != nil {
			r.stop(stop)
		}
	}
	if r.OnResult != nil {
		r.OnResult(res)
	}
}

// intend makes users ready: while the intents of some are written, others are called.
func (r *runner) intend(ctx context.Context, users []Entry) {
	if len(users) == 0 {
		return
	}
	err := r.Journal.WriteIntent(users...)
	if err != nil {
		r.stop(&JournalError{err})
	}
	for _, e := range users {
		if err == nil {
			r.hand(ctx, e)
			continue
		}
		<-r.standby
		r.count(r.leftOut(ctx, e))
		r.atWork.Done()
	}
}

// attend takes one user through the steps that are left, and says in the
// journal how that ended.
func (r *runner) attend(ctx context.Context, e Entry, at *seat) Result {
	leave := sync.OnceFunc(func() { <-r.standby })
	defer leave()

	for step := next(r.steps, e.Steps); ; {
		res, settled := r.persist(ctx, step, e, at, leave)
		if !r.plain {
			e.end(step.Name, res)
			e.Before = cmp.Or(e.Before, res.Before)
		}
		if step = next(r.steps, e.Steps); r.plain || !settled || step == nil {
			return r.end(e, res, settled)
		}
		if len(e.Steps) == 1 {
			defer r.backlog.enter()()
		}
		e.Step, e.Intended = step.Name, time.Time{}
		if r.Journal != nil {
			if err := r.Journal.WriteIntent(e); err != nil {
				r.stop(&JournalError{err})
			}
		}
	}
}

// end is the row of a user whose last step ended, or was left in doubt.
func (r *runner) end(e Entry, last Result, settled bool) Result {
	res := last
	if !r.plain {
		res = e.sum(last)
	}
	res.Before, res.Sub = e.Before, e.Sub
	if r.Journal != nil && settled {
		if err := r.Journal.WriteResult(res); err != nil {
			r.stop(&JournalError{err})
		}
	}
	return res
}

// leftOut is the row of a user whom the run stopped before.
func (r *runner) leftOut(ctx context.Context, e Entry) Result {
	res := r.stopped(ctx, Result{Row: e.Row, Username: e.Username, Sub: e.Sub})
	if len(e.Steps) > 0 {
		e.end(e.Step, res)
		res = e.sum(res)
	}
	return res
}

// now goes on from when the run began by the monotonic clock, so that nobody who
// sets this machine's clock moves the times of a record against each other. It is in
// whole microseconds, which a journal writes in half the bytes of nanoseconds.
func (r *runner) now() time.Time {
	return r.began.Add(time.Since(r.began).Truncate(time.Microsecond))
}

// wholeMicros is t without what is less than a microsecond.
func wholeMicros(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Nanosecond() % int(time.Microsecond)))
}

// stopAt stops the run at an answer that every user would get.
func (r *runner) stopAt(answer *Error) {
	r.stop(&Stop{Reason: answer.Reason, Message: answer.Brief(), Err: answer})
}

// stopped ends a row that the run stopped before: nothing has been done for it.
func (r *runner) stopped(ctx context.Context, res Result) Result {
	reason := Stopped
	if stop, ok := errors.AsType[*Stop](context.Cause(ctx)); ok && stop.Reason == Interrupted {
		reason = Interrupted
	}
	return res.ended(NotAttempted, &Error{Reason: reason})
}

// ended completes a result with what the last answer said.
func (r Result) ended(o Outcome, answer *Error) Result {
	r.Outcome, r.Reason = o, answer.Reason
	r.ErrorCode, r.ErrorMessage, r.RequestID = answer.Code, answer.words(), answer.RequestID
	return r
}
