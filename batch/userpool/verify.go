package userpool

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
)

// An Effect is what has become of a reset since, or of what took its place.
type Effect string

// The effects. All but NotInForce mean that the old password is of no use.
const (
	Waiting    Effect = "waiting"      // the user, reset or invited, has not come yet
	Completed  Effect = "completed"    // the user has a new password
	Shut       Effect = "locked"       // nobody knows the password
	Gone       Effect = "gone"         // there is no such user any more
	Barred     Effect = "disabled"     // the user cannot sign in
	NotInForce Effect = "not_in_force" // the old password may work
)

// A Verified is a user who was done with, and what has become of that.
type Verified struct {
	batch.Result
	Effect   Effect
	State    types.UserStatusType // empty for Gone
	Enabled  bool
	Modified time.Time // by the service's clock; zero for Gone
}

// Verify reads users back who were reset, locked, disabled or invited, by listing
// alone, which makes nobody a billed active user: one by one or the whole pool
// once, whichever takes fewer calls. A name is anything that the pool knows of a user. Results are read twice, so they must be an
// iterator that can be. An error is the last thing it yields.
//
// A CONFIRMED user whom something has modified since counts as Completed, and
// one who was invited does at once: Cognito does not tell of a new password in
// any other way. Nor does it tell
// whether a lock is in force, or who was signed out. Of a user who was not done with,
// nothing but a state that forbids the old password makes that one of no use.
func (p *Pool) Verify(ctx context.Context, resets iter.Seq2[batch.Result, error]) iter.Seq2[Verified, error] {
	users := func(yield func(batch.Entry, error) bool) {
		for r, err := range resets {
			if !yield(batch.Entry{Row: r.Row, Username: r.Username, Sub: r.Sub}, err) || err != nil {
				return
			}
		}
	}
	return func(yield func(Verified, error) bool) {
		people, err := p.people(ctx, looked, users)
		if err != nil {
			yield(Verified{}, err)
			return
		}
		for r, err := range resets {
			if err != nil {
				yield(Verified{}, err)
				return
			}
			if !yield(people.verify(r, p.ended(r)), nil) {
				return
			}
		}
	}
}

// verify is what has become of a reset that ended then, by the service's clock. Where nobody can say which of several users
// it was, the worst that has become of one of them counts.
func (w *People) verify(r batch.Result, ended time.Time) Verified {
	found := w.Known(cmp.Or(r.Sub, r.Username))
	if one, ok := w.Called(cmp.Or(r.Sub, r.Username)); ok {
		found = []Person{one}
	}
	worst := Verified{Result: r, Effect: Gone}
	for i, u := range found {
		v := Verified{Result: r, State: types.UserStatusType(u.Before.Status), Enabled: u.Before.Enabled, Modified: u.Before.ModifiedAt}
		if v.Sub == "" {
			v.Sub = u.Sub
		}
		if v.Effect = effect(v, ended); i == 0 || v.Effect == NotInForce || v.Effect == Waiting && worst.Effect != NotInForce {
			worst = v
		}
	}
	return worst
}

// ended is when a user was done with, by the service's clock: as the session knew
// it, or else as this process does, where the two clocks plainly differ.
func (p *Pool) ended(r batch.Result) time.Time {
	by := r.Clock
	if !by.Known {
		by = p.Clock(time.Now())
	}
	if by.Ahead.Abs() <= clockStep {
		return r.FinishedAt
	}
	return r.FinishedAt.Add(by.Ahead)
}

// effect is that of what was done, by the service's clock until finished, to a
// user who is there still.
func effect(v Verified, finished time.Time) Effect {
	if v.Outcome == batch.Locked {
		finished = finished.Add(clockStep) // a lock is itself a modification
	}
	since := v.State == types.UserStatusTypeConfirmed && (v.Outcome == batch.Invited || v.Modified.After(finished))
	switch {
	case !v.Outcome.Done() && v.State == types.UserStatusTypeResetRequired:
		return Waiting
	case !v.Outcome.Done():
		return NotInForce
	case !v.Enabled && (v.Outcome != batch.Reset || v.State == types.UserStatusTypeResetRequired):
		return Barred
	case v.Outcome == batch.UserDisabled || !v.Enabled:
		return NotInForce
	case since:
		return Completed
	case v.State == types.UserStatusTypeResetRequired:
		return Waiting
	case v.Outcome == batch.Locked && v.State == types.UserStatusTypeConfirmed:
		return Shut
	case v.Outcome == batch.Invited && v.State == types.UserStatusTypeForceChangePassword:
		return Waiting
	}
	return NotInForce
}
