package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/report"
)

// A Response is what is done to each user.
type Response struct {
	Steps           report.Steps            `json:"steps"`                     // in their order
	IfUnresettable  map[batch.Reason]string `json:"if_unresettable,omitempty"` // lock, disable or invite, by why a reset is refused
	IfResetRequired string                  `json:"if_reset_required"`         // again or skip
	Snapshot        bool                    `json:"snapshot,omitempty"`        // look at each user first
}

// The steps of a response, and what can take a reset's place.
const (
	StepReset   = "reset"
	StepSignOut = "sign-out"
	DoReport    = "report"
	DoLock      = "lock"
	DoDisable   = "disable"
	DoInvite    = "invite"
)

// fallbacks are the reasons for which something can take a reset's place, with
// what. Nobody is locked whom that would turn into a confirmed user, and only a
// temporary password comes by invitation.
var fallbacks = map[batch.Reason][]string{
	batch.NoVerifiedContact: {DoLock, DoDisable},
	batch.WrongState:        {DoLock, DoDisable},
	batch.TemporaryPassword: {DoLock, DoDisable, DoInvite},
	batch.Disabled:          {DoLock},
	batch.Unconfirmed:       {DoDisable},
	batch.ExternalProvider:  {DoDisable},
}

// statesOf are the reasons that wrong_state stands for, in Cognito's words,
// unless they are given by their own names. A federated user is none of them:
// the identity provider keeps the password.
var statesOf = []batch.Reason{batch.TemporaryPassword, batch.Unconfirmed}

// ParseFallbacks reads --if-unresettable.
func ParseFallbacks(text string) (map[batch.Reason]string, error) {
	all, named := make(map[batch.Reason]string), make(map[batch.Reason]string)
	for _, part := range strings.Split(text, ",") {
		reason, what, one := strings.Cut(part, "=")
		if !one {
			reason, what = "", part
		}
		if !slices.Contains([]string{DoReport, DoLock, DoDisable, DoInvite}, what) {
			return nil, exit.Usagef("--if-unresettable: %q is not report, lock, disable or invite", what)
		}
		ways, ok := fallbacks[batch.Reason(reason)]
		switch {
		case !one:
			for reason, ways := range fallbacks {
				if slices.Contains(ways, what) && reason != batch.ExternalProvider {
					all[reason] = what
				}
			}
		case !ok:
			return nil, exit.Usagef("--if-unresettable: %q is not one of %s", reason, words(slices.Sorted(maps.Keys(fallbacks))))
		case what != DoReport && !slices.Contains(ways, what):
			return nil, exit.Usagef("--if-unresettable: for %s there is report or %s, not %s%s", reason, words(ways), what, whyNot(what))
		default:
			named[batch.Reason(reason)] = what
		}
	}
	if what, ok := named[batch.WrongState]; ok {
		for _, reason := range statesOf {
			if slices.Contains(fallbacks[reason], what) || what == DoReport {
				all[reason] = what
			}
		}
	}
	maps.Copy(all, named)
	maps.DeleteFunc(all, func(_ batch.Reason, what string) bool { return what == DoReport })
	return all, nil
}

// whyNot is why something takes no reset's place.
func whyNot(what string) string {
	switch what {
	case DoLock:
		return ": a password would make such a user a confirmed one"
	case DoInvite:
		return ": only a temporary password comes by invitation"
	}
	return ""
}

// words lists alternatives.
func words[T ~string](list []T) string {
	var texts []string
	for _, word := range list {
		texts = append(texts, string(word))
	}
	return strings.Join(texts, ", ")
}

// SignsOut reports whether sessions are ended, with or without a reset before.
func (r Response) SignsOut() bool { return slices.Contains(r.Steps, StepSignOut) }

// SignOutAlone reports whether sessions are ended and passwords left as they are.
func (r Response) SignOutAlone() bool { return r.Steps.SignOutAlone() }

// Plain reports whether a reset is all that is asked for.
func (r Response) Plain() bool {
	return len(r.Steps) == 1 && len(r.IfUnresettable) == 0 && !r.SignOutAlone()
}

// Uses reports whether a fallback may take a reset's place.
func (r Response) Uses(what string) bool {
	return slices.Contains(slices.Collect(maps.Values(r.IfUnresettable)), what)
}

// String is the response in a sentence.
func (r Response) String() string {
	parts := []string{strings.Join(r.Steps, ", then ")}
	for _, reason := range slices.Sorted(maps.Keys(r.IfUnresettable)) {
		parts = append(parts, fmt.Sprintf("%s: %s", reason, r.IfUnresettable[reason]))
	}
	return strings.Join(parts, "; ")
}

// Verb is what the run does to users, in words that follow "to".
func (r Response) Verb() string {
	if r.SignOutAlone() {
		return "sign out"
	}
	return "reset"
}

// Effect is what the run does to a user, in words that follow "each of these users".
func (r Response) Effect() string {
	switch {
	case r.SignOutAlone():
		return "is signed out and keeps the password"
	case r.SignsOut():
		return "loses the current password and is sent a code, and is signed out"
	}
	return "loses the current password and is sent a code"
}

// Would is what a run would do about a user, given what a reset alone would bring. A
// sign-out reaches everybody who is in the pool.
func (r Response) Would(p userpool.Prospect) userpool.Prospect {
	if r.SignOutAlone() {
		if p.SettledBy == batch.ByState && p.Reason != batch.UserNotFound {
			p.Outcome, p.Reason, p.ErrorMessage = batch.WouldSignOut, "", ""
		}
		return p
	}
	if p.Outcome == batch.Failed {
		switch r.IfUnresettable[p.Reason] {
		case DoLock:
			p.Outcome = batch.WouldLock
		case DoDisable:
			p.Outcome = batch.WouldDisable
		case DoInvite:
			p.Outcome = batch.WouldInvite
		}
	}
	return p
}

// Bills reports whether Cognito bills a user as active for what would be done.
func (r Response) Bills(o batch.Outcome) bool {
	switch o {
	case batch.WouldLock, batch.WouldInvite, batch.WouldSignOut:
		return true
	case batch.WouldReset, batch.WouldDisable:
		return r.SignsOut()
	}
	return false
}
