package batch

import (
	"context"
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

// A Journal keeps the intent of each call and its result. Package journal has
// one. Its methods are called from many goroutines.
type Journal interface {
	// WriteIntent records that these users are about to be called, each for its
	// [Entry.Step], and returns once that would survive a crash. If it fails,
	// none of them is called.
	WriteIntent(users ...Entry) error

	// WriteResult records how a user ended. It need not be durable at once: an
	// intent without a result is a call in doubt, which is read back.
	WriteResult(r Result) error
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

	// Standby is how many users may wait for their turn with their intents written.
	// A few hide the time that an intent takes to become durable; more only
	// leave more to read back after a crash. Without a limit to wait for it
	// takes a few for each worker, so that many intents share one sync.
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
