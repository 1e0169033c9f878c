package batch

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// A Pace says when the next call may go. Package pace has one.
type Pace interface {
	// Wait blocks until it is this call's turn and returns when that was. It
	// fails only if ctx is done.
	Wait(ctx context.Context) (left time.Time, err error)

	// Answered tells the pace how a call was met.
	Answered(throttled bool)
}

// A Journal keeps what was promised and what became of it. Package journal has
// one. Its methods are called from many goroutines.
type Journal interface {
	// Promise records that these users are about to be called, each for its
	// [Entry.Step], and returns once that would survive a crash. If it fails,
	// none of them is called.
	Promise(users ...Entry) error

	// Settle records how a promised user ended. It need not be durable at once:
	// a promise without a settlement is a doubt, and doubts are read back.
	Settle(r Result) error
}

// A Repeater is a [Journal] that is told, before a user is called whose earlier
// call is still in doubt, that this may send one more message.
type Repeater interface {
	Again(e Entry) error
}

// Options tune a [Run]. The zero value runs without limit and without journal.
type Options struct {
	Journal Journal // nil: nothing is kept, so a crash cannot be resumed
	Tally   *Tally  // counts while the run goes on; nil: a fresh one

	// Workers is the most users worked on at one time, at least 1. Fewer are
	// used when the pace needs fewer. Default 64.
	Workers int

	// MaxAttempts is how often one user is called before it is given up.
	// Throttled calls do not count. Default 8.
	MaxAttempts int

	// Standby is how many users may stand promised and waiting for their turn.
	// A few hide the time that a promise takes to become durable; more only
	// leave more to read back after a crash. Without a limit to wait for it
	// takes a few for each worker, so that many promises share one sync.
	// Default 4 where the first step has a Pace, 4 for each worker otherwise.
	Standby int

	// Linger is how long a call may still be at work in the service after its
	// answer was lost. A read-back that finds nothing done is believed only
	// after it. Zero believes at once. Who waits for it takes no worker.
	Linger time.Duration

	// RetryUnknown calls again where no read-back can tell whether the work was
	// done, and so risks doing it twice.
	RetryUnknown bool

	// Grace is how long calls in flight may take to finish once ctx is done.
	// Zero cuts them off at once.
	Grace time.Duration

	// NextWave, if set, is asked how many users come next: at the start, and
	// whenever all users before have ended. It may take its time. An error ends
	// the run; a wave of none is one without an end.
	NextWave func(ctx context.Context, soFar Counts) (users int, err error)

	// MayCall, if set, is asked right before each call, whose turn it is. An
	// error ends the run before it, and is why.
	MayCall func() error

	// Messages, if set, bounds the calls of steps that send messages.
	Messages Budget

	// WaitOut, if set, is asked about an answer that would end the run. True
	// says that the pace was told to wait until it is over: the user then takes
	// its turn again.
	WaitOut func(*Error) bool

	// Failures, if set, stops the run where too many fail alike.
	Failures *FailureGuard

	// OnResult, if set, is given every result, from many goroutines.
	OnResult func(Result)
}

// A Budget bounds the calls that send messages. Its methods are called from many
// goroutines.
type Budget interface {
	// Take is asked before each call. It waits while calls under way may yet
	// turn out to have sent nothing. An error ends the run, and is why.
	Take(ctx context.Context) error

	// Spend says that a call that was taken sent a message, or may have.
	Spend()

	// Return says that it did not.
	Return()

	// Inherit says that a call of an earlier session is in doubt. If it reports
	// true, the budget counts that call, and is to hear what became of it.
	Inherit(called time.Time) bool
}

// Attempts back off exponentially with full jitter between these bounds; the
// pace, not the backoff, is what keeps a run under its quota.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 20 * time.Second
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
	block := max(1, o.Standby/2) // of users promised together

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		grace := time.AfterFunc(o.Grace, cut)
		context.AfterFunc(work, func() { grace.Stop() })
	})()

	r := &runner{
		began: time.Now(), Options: o, steps: steps, plain: len(steps) == 1 && len(steps[0].Instead) == 0, stop: stop, work: work,
		standby: make(chan struct{}, o.Standby), ready: make(chan Entry, o.Standby),
		seats: make(chan struct{}, o.Workers), aside: make(chan struct{}, maxAside),
	}
	for range o.Workers {
		r.workers.Go(func() { r.worker(ctx) })
	}
	var next []Entry // to be promised together
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
			r.promise(ctx, next)
			next, room = next[:0], r.nextWave(ctx)
		}
		room--
		e.takeUp(steps)
		switch {
		case !r.admit(ctx):
			r.count(r.leftOut(ctx, e))
		case o.Journal == nil || !e.Promised.IsZero():
			r.ready <- e
		default:
			if next = append(next, e); len(next) == block {
				r.promise(ctx, next)
				next = next[:0]
			}
		}
	}
	r.promise(ctx, next)
	close(r.ready)
	r.workers.Wait()
	return o.Tally.Counts(), context.Cause(ctx)
}

type runner struct {
	Options
	steps []Step
	plain bool // one step that nothing takes the place of
	began time.Time
	stop  context.CancelCauseFunc
	work  context.Context // outlives the run's own by the grace

	standby chan struct{}  // one token a user on the way to its first turn
	ready   chan Entry     // promised users, on the way to a worker
	atWork  sync.WaitGroup // users admitted

	workers sync.WaitGroup
	seats   chan struct{} // one token a user who is worked on
	aside   chan struct{} // and one a user who waits without a worker
}

// maxAside bounds how many users wait without a worker, for each takes memory.
// More than that wait with one, and so hold up the run.
const maxAside = 10_000

// A seat is what a user who is worked on takes of [Options.Workers].
type seat struct {
	r      *runner
	ctx    context.Context
	taken  bool
	spared bool // another worker took this one's place
}

// worker takes users until there are no more, or another has taken its place.
func (r *runner) worker(ctx context.Context) {
	for e := range r.ready {
		r.seats <- struct{}{}
		at := &seat{r: r, ctx: ctx, taken: true}
		if r.serve(ctx, e, at); at.spared {
			return
		}
	}
}

// leave gives the seat back, if it is taken.
func (s *seat) leave() {
	if s.taken {
		s.taken = false
		<-s.r.seats
	}
}

// standAside waits without a seat, which another worker takes meanwhile. It
// reports false if ctx was done first.
func (s *seat) standAside(ctx context.Context, d time.Duration) bool {
	select {
	case s.r.aside <- struct{}{}:
		defer func() { <-s.r.aside }()
	default:
		return sleep(ctx, d)
	}
	s.leave()
	if !s.spared {
		s.spared = true
		s.r.workers.Go(func() { s.r.worker(s.ctx) })
	}
	return sleep(ctx, d)
}

// sit takes a seat again, to call. It reports false if ctx was done first.
func (s *seat) sit(ctx context.Context) bool {
	if s.taken {
		return true
	}
	select {
	case s.r.seats <- struct{}{}:
		s.taken = true
		return true
	case <-ctx.Done():
		return false
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

// promise makes users ready: while some are promised, others are called.
func (r *runner) promise(ctx context.Context, users []Entry) {
	if len(users) == 0 {
		return
	}
	err := r.Journal.Promise(users...)
	if err != nil {
		r.stop(&JournalError{err})
	}
	for _, e := range users {
		if err == nil {
			r.ready <- e
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
		e.Step, e.Promised = step.Name, time.Time{}
		if r.Journal != nil {
			if err := r.Journal.Promise(e); err != nil {
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
		if err := r.Journal.Settle(res); err != nil {
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

// persist calls until a step of the user is settled, and calls leave once its
// first call may go. Where it reports false, the journal's promise stays open,
// for a resume to settle.
func (r *runner) persist(ctx context.Context, step *Step, e Entry, at *seat, leave func()) (res Result, settled bool) {
	res = Result{Row: e.Row, Username: e.Username, Sub: e.Sub}
	bill := r.bill(step)
	defer func() { res.Sent = bill.close() }()
	var doubt *Error          // about calls that no read-back has cleared
	var since, lost time.Time // when the first of them left, and the last was given up
	if !e.Promised.IsZero() && !step.Repeatable {
		// The call may have left at any time before now.
		res.Attempts, res.StartedAt = 1, e.Promised
		since, lost = e.Promised, r.now()
		bill.inherit(e.Promised)
		doubt = &Error{Reason: Interrupted, Message: "an earlier session ended before the answer was seen"}
		leave()
	}
	for failures, throttles := 0, 0; ; {
		if doubt != nil {
			e.Before = cmp.Or(e.Before, res.Before)
			verdict, err := r.settle(ctx, step, e, at, since, lost)
			res.FinishedAt = r.now()
			if verdict != Undecided || err != nil && err.Class == ClassUser {
				res.SettledBy = ByReadBack
			}
			switch {
			case verdict == Done:
				return res.ended(step.Outcome, &Error{RequestID: doubt.RequestID}), true
			case verdict == NotDone && failures >= r.MaxAttempts:
				bill.nothingSent()
				return res.ended(Failed, doubt), true
			case verdict == NotDone:
				bill.nothingSent()
				doubt = nil
			case err != nil && err.Class == ClassUser:
				return res.ended(Failed, err), true
			case ctx.Err() != nil:
				return r.cutShort(ctx, res, doubt)
			case !r.RetryUnknown || failures >= r.MaxAttempts:
				return res.ended(Unknown, doubt.unsettled(err)), true
			}
			if doubt != nil {
				bill.giveUp()
				if r.again(e) != nil {
					return r.cutShort(ctx, res, doubt)
				}
			}
		}

		if !at.sit(ctx) {
			return r.cutShort(ctx, res, doubt)
		}
		if err := bill.take(ctx); err != nil {
			r.stop(err)
			return r.cutShort(ctx, res, doubt)
		}
		left, ok := r.turn(ctx, step)
		if !ok {
			bill.answered(false, false)
			return r.cutShort(ctx, res, doubt)
		}
		leave()
		if res.Attempts++; res.StartedAt.IsZero() {
			res.StartedAt = left
		}
		answer := r.call(step, e, &res)
		if answer == nil {
			bill.answered(true, false)
			res.SettledBy = ByAnswer
			return res.ended(step.Outcome, &Error{RequestID: res.RequestID}), true
		}
		bill.answered(false, answer.Class == ClassDoubt)
		backoff := 0
		switch answer.Class {
		case ClassUser:
			if doubt != nil { // that this call was refused says nothing of the earlier one
				return res.ended(Unknown, doubt.refusedLater(answer)), true
			}
			res.SettledBy = ByAnswer
			return res.ended(Failed, answer), true
		case ClassRun:
			if r.WaitOut != nil && r.WaitOut(answer) {
				continue
			}
			r.stopAt(answer)
			if doubt != nil {
				return r.cutShort(ctx, res, doubt)
			}
			res.SettledBy = ByAnswer
			return res.ended(Failed, answer), true
		case ClassThrottle:
			backoff, throttles, res.Throttled = throttles, throttles+1, res.Throttled+1
		case ClassDoubt:
			if !step.Repeatable {
				if doubt == nil {
					since = left
				}
				doubt, lost = answer, res.FinishedAt
			}
			fallthrough
		default:
			backoff, failures = failures, failures+1
			if failures >= r.MaxAttempts && doubt == nil {
				res.SettledBy = ByAnswer
				return res.ended(Failed, answer), true
			}
		}
		if !sleep(ctx, jitter(backoff)) && doubt == nil {
			return r.cutShort(ctx, res, nil)
		}
	}
}

// now goes on from when the run began by the monotonic clock, so that nobody who
// sets this machine's clock moves the times of a record against each other.
func (r *runner) now() time.Time { return r.began.Add(time.Since(r.began)) }

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

// stopAt stops the run at an answer that every user would get.
func (r *runner) stopAt(answer *Error) {
	r.stop(&Stop{Reason: answer.Reason, Message: answer.Error(), Err: answer})
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

// call makes one call and tells pace and tally how it was met.
func (r *runner) call(step *Step, e Entry, res *Result) *Error {
	r.Tally.callLeft()
	got, err := step.Action.Do(r.work, e)
	res.RequestID, res.FinishedAt = got.RequestID, r.now()
	res.Before = cmp.Or(res.Before, got.Before)
	var answer *Error
	if err != nil {
		answer = asError(err)
	}
	throttled := answer != nil && answer.Class == ClassThrottle
	r.Tally.callAnswered(throttled)
	if step.Pace != nil {
		step.Pace.Answered(throttled)
	}
	return answer
}

// settle reads back what became of calls whose answers were lost: in a run and
// after a crash alike. It never calls; NotDone allows that. The first of the
// calls left at since; the last may have left as late as lost.
func (r *runner) settle(ctx context.Context, step *Step, e Entry, at *seat, since, lost time.Time) (Verdict, *Error) {
	settler, ok := step.Action.(Settler)
	if !ok {
		return Undecided, nil
	}
	for failures, throttles := 0, 0; ; {
		asked := r.now() // an answer may take its time, or this process be stopped before it comes
		verdict, err := settler.Settle(r.work, e, since)
		if err == nil {
			believed := lost.Add(r.Linger)
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

// cutShort ends a row that the run stopped before it was settled. A doubt is
// left open.
func (r *runner) cutShort(ctx context.Context, res Result, doubt *Error) (_ Result, settled bool) {
	if doubt != nil {
		res.FinishedAt = time.Time{}
		return res.ended(Unknown, &Error{Reason: Interrupted, Message: doubt.Error(), RequestID: doubt.RequestID}), false
	}
	return r.stopped(ctx, res), true
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

// jitter is how long to wait after n earlier failures: anything up to a bound
// that doubles, so that users who failed together do not return together. It is
// drawn from crypto/rand, whose source a test can replace.
func jitter(n int) time.Duration {
	bound := min(maxBackoff, minBackoff<<min(n, 10))
	drawn, err := rand.Int(rand.Reader, big.NewInt(int64(bound)))
	if err != nil {
		return bound // nothing that crypto/rand reads from fails, but for a test's
	}
	return time.Duration(drawn.Int64())
}

// sleep waits, and reports false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
