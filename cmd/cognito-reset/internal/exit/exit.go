// Package exit has the exit codes of the command line, the errors that choose
// one, and the one function that maps an error to its code.
package exit

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/report"
)

// The exit codes of the contract.
const (
	Done        = 0   // every row is reset, would_reset or skipped
	Failed      = 1   // the tool itself failed
	Usage       = 2   // usage or unusable input; nothing was sent
	SomeFailed  = 3   // some rows are failed, invalid or unknown
	Stopped     = 4   // stopped early; can be resumed
	Interrupted = 128 // and the signal's number; can be resumed
)

// An Error is an error that chose its exit code.
type Error struct {
	Code        int
	Err         error  // nil where everything has been printed already
	NothingSent bool   // the text says so
	Advice      string // what to do now; "" if the text says it
}

// Error says what happened, what was not done, and what to do now.
func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	text := e.Err.Error()
	if e.NothingSent {
		text += "; nothing was sent"
	}
	if e.Advice != "" {
		text += " (" + e.Advice + ")"
	}
	return text
}

// Unwrap returns the error that Error speaks of.
func (e *Error) Unwrap() error { return e.Err }

// With gives an error an exit code.
func With(code int, err error) error { return &Error{Code: code, Err: err} }

// Silent is an exit code whose reason has been printed already.
func Silent(code int) error { return &Error{Code: code} }

// Usagef is an error of what was asked for.
func Usagef(format string, args ...any) error {
	return &Error{Code: Usage, Err: fmt.Errorf(format, args...)}
}

// Refusef is a [Usagef] whose text ends with the promise that nothing was sent.
func Refusef(format string, args ...any) error {
	return &Error{Code: Usage, Err: fmt.Errorf(format, args...), NothingSent: true}
}

// Refuse is [Refusef] for an error that has a text.
func Refuse(err error) error { return &Error{Code: Usage, Err: err, NothingSent: true} }

// Of maps an error to an exit code. It is the only place that does.
func Of(err error) int {
	if err == nil {
		return Done
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Failed
}

// Text is what is to be printed of an error: "" where everything has been. Of
// joined errors those that have nothing to say leave no blank line. Lines after the
// first are indented: what an error quotes may hold line feeds, and is no message of
// ours.
func Text(err error) string {
	if err == nil {
		return ""
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n  ")
}

// A Signal is a signal that stops a run. Its number is part of the exit code.
type Signal struct{ Signal syscall.Signal }

// Error names the signal.
func (s Signal) Error() string {
	return map[syscall.Signal]string{syscall.SIGINT: "SIGINT", syscall.SIGTERM: "SIGTERM", syscall.SIGHUP: "SIGHUP"}[s.Signal]
}

// Early says why a session ended before its last user, with the exit code for it.
func Early(cause error) error {
	if signal, ok := errors.AsType[Signal](cause); ok {
		return With(Interrupted+int(signal.Signal), cause)
	}
	if stop, ok := errors.AsType[*batch.Stop](cause); ok {
		advice := report.Advice(stop.Reason)
		if stop.Reason == batch.Network { // nobody failed: a plain resume takes them all
			advice = "fix that, then resume the run"
		}
		return &Error{Code: Stopped, Err: cause, Advice: advice}
	}
	if cut, ok := errors.AsType[*journal.CutError](cause); ok {
		return With(Failed, cut)
	}
	if _, ok := errors.AsType[*s3run.Error](cause); ok {
		return With(Failed, fmt.Errorf("%w; fix that: no call was made that is not recorded", cause))
	}
	if broken, ok := errors.AsType[*batch.JournalError](cause); ok {
		return With(Failed, fmt.Errorf("%w; make room or fix the disk: no call was made that is not recorded", broken))
	}
	return With(Failed, cause)
}
