package report

import (
	"slices"

	"cognito-reset/batch"
)

// Steps are the names of what a run does to each user, in order: reset, and sign-out.
// What a row means for the old password depends on them.
type Steps []string

// SignOutAlone reports whether sessions are ended and passwords left as they are.
func (s Steps) SignOutAlone() bool { return len(s) == 1 && s[0] == "sign-out" }

// KeepsPassword reports whether the old password of a row's user works, or will again,
// as far as the run can tell. It is what every count of old passwords goes by. A user
// whose answer was lost is not counted: see [Steps.Remains]. A sign-out alone tells
// nothing of passwords.
func (s Steps) KeepsPassword(r batch.Result) bool {
	switch {
	case s.SignOutAlone():
		return false
	case r.Outcome == batch.Skipped:
		return r.Reason == batch.Disabled
	case r.Outcome != batch.Failed && r.Outcome != batch.NotAttempted:
		return false
	case r.Reason == batch.UserNotFound || r.Reason == batch.ExternalProvider:
		return false
	}
	return !halfDone(r)
}

// Remains reports whether a row's user is not safe yet: the old password works, or may,
// or comes back, or sessions live on that were to end.
func (s Steps) Remains(r batch.Result) bool {
	open := r.Outcome == batch.Failed || r.Outcome == batch.NotAttempted
	switch {
	case r.Outcome == batch.Unknown:
		return true
	case s.SignOutAlone():
		return open && r.Reason != batch.UserNotFound
	}
	return s.KeepsPassword(r) || open && halfDone(r)
}

// halfDone reports whether some step of a user was done.
func halfDone(r batch.Result) bool {
	return slices.ContainsFunc(r.Steps, func(s batch.StepResult) bool { return s.Outcome.Done() })
}
