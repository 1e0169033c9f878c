package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
)

// A response is what is done to each user.
type response struct {
	Steps           []string                `json:"steps"`                     // in their order
	IfUnresettable  map[batch.Reason]string `json:"if_unresettable,omitempty"` // lock, disable or invite, by why a reset is refused
	IfResetRequired string                  `json:"if_reset_required"`         // again or skip
	Snapshot        bool                    `json:"snapshot,omitempty"`        // look at each user first
}

// The steps of a response, and what can take a reset's place.
const (
	stepReset   = "reset"
	stepSignOut = "sign-out"
	doReport    = "report"
	doLock      = "lock"
	doDisable   = "disable"
	doInvite    = "invite"
)

func responseFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupResponse, "steps", stepReset, "what is done to each user: `reset`, or reset,sign-out to end the sessions as well"),
		stringFlag(groupResponse, "if-unresettable", doReport, "for users whom a reset cannot reach: `report`, lock, disable or invite; or for each reason, as no_verified_contact=lock,temporary_password=invite"),
		stringFlag(groupResponse, "if-reset-required", "", "of users who must reset already: `skip` them, or again (default: skip where the pool was asked who is meant)"),
		boolFlag(groupResponse, "snapshot", "look in the pool what each user is before, for the record"),
	}
}

// curable are the reasons for which something can take a reset's place, with
// what. Nobody is locked whom that would turn into a confirmed user, and only a
// temporary password comes by invitation.
var curable = map[batch.Reason][]string{
	batch.NoVerifiedContact: {doLock, doDisable},
	batch.WrongState:        {doLock, doDisable},
	batch.TemporaryPassword: {doLock, doDisable, doInvite},
	batch.Disabled:          {doLock},
	batch.Unconfirmed:       {doDisable},
	batch.ExternalProvider:  {doDisable},
}

// statesOf are the reasons that wrong_state stands for, in Cognito's words,
// unless they are given by their own names. A federated user is none of them:
// the identity provider keeps the password.
var statesOf = []batch.Reason{batch.TemporaryPassword, batch.Unconfirmed}

// read takes the response from the command line. known tells that the pool is
// asked beforehand what its users are.
func (r *response) read(ctx *cli.Context, known bool) (err error) {
	*r = response{Steps: strings.Split(ctx.String("steps"), ","), IfResetRequired: ctx.String("if-reset-required"), Snapshot: ctx.Bool("snapshot")}
	if !slices.Equal(r.Steps, []string{stepReset}) && !slices.Equal(r.Steps, []string{stepReset, stepSignOut}) {
		return usagef("--steps is reset, or reset,sign-out; not %q", ctx.String("steps"))
	}
	switch r.IfResetRequired {
	case "again", "skip":
	case "":
		if r.IfResetRequired = "again"; known {
			r.IfResetRequired = "skip"
		}
	default:
		return usagef("--if-reset-required is again or skip, not %q", r.IfResetRequired)
	}
	r.IfUnresettable, err = cures(ctx.String("if-unresettable"))
	return err
}

// cures reads --if-unresettable.
func cures(text string) (map[batch.Reason]string, error) {
	all, named := make(map[batch.Reason]string), make(map[batch.Reason]string)
	for _, part := range strings.Split(text, ",") {
		reason, what, one := strings.Cut(part, "=")
		if !one {
			reason, what = "", part
		}
		if !slices.Contains([]string{doReport, doLock, doDisable, doInvite}, what) {
			return nil, usagef("--if-unresettable: %q is not report, lock, disable or invite", what)
		}
		ways, ok := curable[batch.Reason(reason)]
		switch {
		case !one:
			for reason, ways := range curable {
				if slices.Contains(ways, what) && reason != batch.ExternalProvider {
					all[reason] = what
				}
			}
		case !ok:
			return nil, usagef("--if-unresettable: %q is not one of %s", reason, words(slices.Sorted(maps.Keys(curable))))
		case what != doReport && !slices.Contains(ways, what):
			return nil, usagef("--if-unresettable: for %s there is report or %s, not %s%s", reason, words(ways), what, whyNot(what))
		default:
			named[batch.Reason(reason)] = what
		}
	}
	if what, ok := named[batch.WrongState]; ok {
		for _, reason := range statesOf {
			if slices.Contains(curable[reason], what) || what == doReport {
				all[reason] = what
			}
		}
	}
	maps.Copy(all, named)
	maps.DeleteFunc(all, func(_ batch.Reason, what string) bool { return what == doReport })
	return all, nil
}

// whyNot is why something takes no reset's place.
func whyNot(what string) string {
	switch what {
	case doLock:
		return ": a password would make such a user a confirmed one"
	case doInvite:
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

// signsOut tells that sessions are ended as well.
func (r response) signsOut() bool { return slices.Contains(r.Steps, stepSignOut) }

// plain tells that a reset is all that is asked for.
func (r response) plain() bool { return len(r.Steps) == 1 && len(r.IfUnresettable) == 0 }

// uses tells that something may take a reset's place.
func (r response) uses(what string) bool {
	return slices.Contains(slices.Collect(maps.Values(r.IfUnresettable)), what)
}

// String is the response in a sentence.
func (r response) String() string {
	parts := []string{strings.Join(r.Steps, ", then ")}
	for _, reason := range slices.Sorted(maps.Keys(r.IfUnresettable)) {
		parts = append(parts, fmt.Sprintf("%s: %s", reason, r.IfUnresettable[reason]))
	}
	return strings.Join(parts, "; ")
}

// steps are those of a session, each at the pace of its quota.
func (s *session) steps(ctl *control) []batch.Step {
	r := s.request
	reset := batch.Step{Name: stepReset, Action: s.pool, Pace: ctl.pace, Outcome: batch.Reset, Sends: true, Instead: make(map[batch.Reason]batch.Step)}
	for reason, what := range r.IfUnresettable {
		reset.Instead[reason] = map[string]batch.Step{
			doLock:    {Name: doLock, Action: s.pool.Lock(), Pace: ctl.pace, Outcome: batch.Locked, Repeatable: true},
			doDisable: {Name: doDisable, Action: s.pool.Disable(), Pace: ctl.updates, Outcome: batch.UserDisabled, Repeatable: true},
			doInvite:  {Name: doInvite, Action: s.pool.Invite(), Pace: ctl.creations, Outcome: batch.Invited, Sends: true},
		}[what]
	}
	if r.signsOut() {
		return []batch.Step{reset, {Name: stepSignOut, Action: s.pool.SignOut(), Pace: ctl.updates, Outcome: batch.SignedOut, Repeatable: true}}
	}
	return []batch.Step{reset}
}

// would is what a run would do about a user whom a reset cannot reach.
func (r response) would(p userpool.Prospect) userpool.Prospect {
	if p.Outcome == batch.Failed {
		switch r.IfUnresettable[p.Reason] {
		case doLock:
			p.Outcome = batch.WouldLock
		case doDisable:
			p.Outcome = batch.WouldDisable
		case doInvite:
			p.Outcome = batch.WouldInvite
		}
	}
	return p
}

// bills tells that Cognito bills a user as active for what would be done.
func (r response) bills(o batch.Outcome) bool {
	switch o {
	case batch.WouldLock, batch.WouldInvite:
		return true
	case batch.WouldReset, batch.WouldDisable:
		return r.signsOut()
	}
	return false
}

// lookFirst writes into the roster what the users are before anything is done,
// where that is asked for and was not told by what named them.
func (s *session) lookFirst(ctx context.Context) (err error) {
	r := &s.request
	if r.told() || !r.Snapshot && r.IfResetRequired == "again" {
		return nil
	}
	r.Roster, err = s.dir.Spool(s.pool.Look(ctx, r.IfResetRequired == "again", s.dir.Entries()))
	if denied(err) {
		return usagef("%w; nothing was sent", caseUnknown(err))
	} else if err != nil {
		return s.unforeseen(ctx, err)
	}
	if r.DryRun {
		return s.dir.WriteJSON(journal.RunFile, r)
	}
	s.history, err = s.dir.Replay()
	return err
}

// tryPermissions tries what else the run may have to call, on a user who does
// not exist. Why it may not, if it may not, comes by the operation.
func (s *session) tryPermissions(ctx context.Context) map[string]error {
	r, errs := s.request, make(map[string]error)
	if r.signsOut() {
		errs["AdminUserGlobalSignOut"] = s.pool.MaySignOut(ctx)
	}
	if r.uses(doDisable) {
		errs["AdminDisableUser"] = s.pool.MayDisable(ctx)
	}
	if r.uses(doLock) {
		errs["AdminSetUserPassword"] = s.pool.MaySetPassword(ctx)
	}
	if r.uses(doInvite) {
		errs["AdminCreateUser"] = s.pool.MayInvite(ctx)
	}
	return errs
}
