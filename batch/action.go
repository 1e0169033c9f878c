package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// An Action is what a step does for one user.
type Action interface {
	// Do makes one call for one user and does not retry. A nil error means that
	// the service confirmed the work. Other answers should be an [*Error]; an
	// error of any other type is taken to be in doubt, the careful reading.
	Do(ctx context.Context, e Entry) (Answer, error)
}

// An Answer is what is known of a call besides how it went.
type Answer struct {
	RequestID string    // the service's own, "" if there is none
	Before    *Snapshot // of the user, where the action had to look; nil if not
}

// A Settler is an [Action] that can find out, without repeating the call,
// whether a call whose answer was lost did its work. Without it every call in
// doubt ends as Unknown.
type Settler interface {
	// Settle reads the user's state back. called is when the first call that
	// may have done the work was made, with a monotonic reading, or is
	// e.Intended, by e.Clock. An [*Error] of ClassUser
	// settles the row as failed. One of ClassRun is not retried: if it is for
	// want of a permission (AccessDenied) the call stays in doubt and the run goes
	// on, otherwise the run stops. Other errors are retried like those of Do.
	Settle(ctx context.Context, e Entry, called time.Time) (Verdict, error)
}

// A Verdict is what a read-back tells about a call whose answer was lost.
type Verdict int

const (
	// Undecided: the user's state fits both.
	Undecided Verdict = iota
	// Done: the state can only come from the work.
	Done
	// NotDone: nothing has touched the user since, so calling again is safe.
	NotDone
)

// A Class says whose an answer is, and so what to do about it.
type Class int

const (
	// ClassInDoubt: the work may or may not have been done; never call again
	// before a read-back.
	ClassInDoubt Class = iota
	// ClassUser: this user is refused, and will be refused again.
	ClassUser
	// ClassMoment: nothing was done, and another attempt may succeed.
	ClassMoment
	// ClassThrottle: nothing was done, because calls came too fast. It costs
	// the user none of its attempts.
	ClassThrottle
	// ClassRun: every user would get this answer, so the run stops.
	ClassRun
)

// An Error is an answer other than success.
type Error struct {
	Class     Class
	Reason    Reason
	Code      string // the service's own, such as UserNotFoundException; may be empty
	Message   string // the service's own words; may name the user
	RequestID string
	Err       error // what the transport said where the service said nothing; may be nil
}

func (e *Error) Error() string {
	if words := e.words(); words != "" && e.Code != "" {
		return e.Code + ": " + words
	} else if words != "" {
		return words
	}
	return cmp.Or(e.Code, string(e.Reason))
}

// words is what the service said, and then the transport.
func (e *Error) words() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// permission is what a refusal says of the one that is missing.
var permission = regexp.MustCompile(`not authorized to perform: [\w-]+:\w+`)

// Brief is the answer without the service's own words, which may name a user: its
// code, the permission that is missing, or what the transport said.
func (e *Error) Brief() string {
	text := cmp.Or(e.Code, string(e.Reason))
	switch missing := permission.FindString(e.Message); {
	case missing != "":
		return text + ": " + missing
	case e.Message == "" && e.Err != nil:
		return e.Err.Error()
	case (e.Reason == ClockSkew || e.Reason == UnsupportedOperation) && e.Err != nil:
		return text + ": " + e.Err.Error()
	}
	return text
}

// unsettled is the error of a call that a read-back left in doubt, and why if it failed.
func (e *Error) unsettled(readBack *Error) *Error {
	if readBack == nil {
		return e
	}
	return &Error{
		Reason: e.Reason, Code: e.Code, Message: e.words(), RequestID: e.RequestID,
		Err: fmt.Errorf("read back: %w", readBack),
	}
}

// refusedLater is the error of a call that stays in doubt though a later one was refused.
func (e *Error) refusedLater(answer *Error) *Error {
	return &Error{
		Reason: e.Reason, Code: answer.Code, Message: e.words(), RequestID: answer.RequestID,
		Err: fmt.Errorf("called again: %w", answer),
	}
}

// asError sorts any error of an Action; what it does not know is in doubt.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Class: ClassInDoubt, Reason: Other, Err: err}
}

// A Stop is why a run ended before its last row.
type Stop struct {
	Reason  Reason // Stopped, Interrupted, or the reason of the answer that ended the run
	Message string // one sentence: what happened and what to do now
	Err     error
}

func (s *Stop) Error() string { return s.Message }

func (s *Stop) Unwrap() error { return s.Err }

// A JournalError stops a run: no call is made that could not be recorded.
type JournalError struct{ Err error }

func (e *JournalError) Error() string { return "journal: " + e.Err.Error() }

func (e *JournalError) Unwrap() error { return e.Err }

// StopsRun reports whether an answer with this reason ends a run because every
// user would get it. A row that ended so is open: a resume attempts it again.
func (r Reason) StopsRun() bool {
	switch r {
	case PoolNotFound, Credentials, AccessDenied, PoolConfiguration, UnsupportedOperation, MessageLimit, ClockSkew:
		return true
	}
	return false
}

// Passes reports whether a failure with this reason is the moment's and not the user's:
// the same call may succeed another time.
func (r Reason) Passes() bool {
	switch r {
	case ServerError, Network, ClockSkew, AttemptLimit, LambdaRefused, MessageRefused, Other:
		return true
	}
	return false
}

// Final reports whether a resume leaves the row as it is. Rows that the run
// stopped before, at, or between two steps of, are attempted again.
func (r Result) Final() bool {
	if r.Outcome == Failed {
		return !r.Reason.StopsRun() && r.Reason != Stopped && r.Reason != Interrupted
	}
	return r.Outcome != NotAttempted
}

// Open reports whether a resume works on the row: it was not attempted, or the run
// stopped while it was in doubt.
func (r Result) Open() bool { return !r.Final() || r.Outcome == Unknown && r.FinishedAt.IsZero() }
