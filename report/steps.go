package report

import (
	"fmt"
	"slices"
	"strings"

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

// remain says of how many users what was asked for is not done yet.
func (s Summary) remain() string {
	are, yet := "are", "not safe yet"
	if s.Remaining == 1 {
		are = "is"
	}
	if s.Steps.SignOutAlone() {
		yet = "not signed out yet"
	}
	return fmt.Sprintf("%s %s %s", comma(s.Remaining), are, yet)
}

// title is that of a page about the run.
func (s Summary) title() string {
	title := "Password resets"
	if s.Steps.SignOutAlone() {
		title = "Sign-outs"
	}
	if s.DryRun {
		title += ", a dry run"
	}
	return title
}

// advise says in a few words what to do about a reason in this run.
func (s Summary) advise(r batch.Reason) string {
	words := s.Steps.advice(r)
	if s.Sandbox && (strings.Contains(words, "resume") || strings.Contains(words, "--retry")) {
		return againRehearsed
	}
	return words
}

// advice says in a few words what to do about a reason.
func (s Steps) advice(r batch.Reason) string {
	switch {
	case s.SignOutAlone() && r == batch.Disabled:
		return "no session: being disabled ended them"
	case s.SignOutAlone() && r == batch.AttemptLimit:
		return "called too often; try these again in an hour"
	case s.alarms(r) != alarming[r]: // the words are about an old password
		return advice[batch.Other]
	}
	return advice[r]
}

// alarms reports whether a reason leaves an old password working that was to be replaced.
func (s Steps) alarms(r batch.Reason) bool { return alarming[r] && !s.SignOutAlone() }
