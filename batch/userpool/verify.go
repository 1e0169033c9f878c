package userpool

import (
	"context"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
)

// An Effect is what has become of a reset since.
type Effect string

// The effects. All but NotInForce mean that the old password is dead.
const (
	Waiting    Effect = "waiting"      // RESET_REQUIRED: the user has not come yet
	Completed  Effect = "completed"    // the user has a new password
	Gone       Effect = "gone"         // there is no such user any more
	Barred     Effect = "disabled"     // RESET_REQUIRED still, and disabled besides
	NotInForce Effect = "not_in_force" // the old password may work
)

// A Verified is a reset with what has become of it.
type Verified struct {
	batch.Result
	Effect   Effect
	State    types.UserStatusType // empty for Gone
	Enabled  bool
	Modified time.Time // by the service's clock; zero for Gone

	ahead time.Duration // that clock of this machine's
}

// Verify reads the users of resets back, by listing alone, which makes nobody a
// billed active user: one by one or the whole pool once, whichever takes fewer
// calls. Results are read twice, so they must be an iterator that can be, of
// users that were reset. An error is the last thing it yields.
//
// A CONFIRMED user whom something has modified since the reset counts as
// Completed: Cognito does not tell of a new password in any other way.
func (p *Pool) Verify(ctx context.Context, resets iter.Seq2[batch.Result, error]) iter.Seq2[Verified, error] {
	users := func(yield func(batch.Entry, error) bool) {
		for r, err := range resets {
			if !yield(batch.Entry{Row: r.Row, Username: r.Username}, err) || err != nil {
				return
			}
		}
	}
	keep := func(s Settings, u User) Verified {
		return Verified{State: u.Status, Enabled: u.Enabled, Modified: u.Modified, ahead: s.ahead}
	}
	return func(yield func(Verified, error) bool) {
		next, stop := iter.Pull2(resets) // beside the users, who come in the same order
		defer stop()
		for found, err := range join(ctx, p, AnyName, keep, users) {
			var v Verified
			if err == nil {
				reset, _, _ := next()
				user, ok := found.named()
				v = user
				v.Result, v.Effect = reset, Gone
				if ok {
					v.Effect = effect(v)
				}
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// effect is that of a reset whose user is there still.
func effect(v Verified) Effect {
	switch {
	case v.State == types.UserStatusTypeResetRequired && v.Enabled:
		return Waiting
	case v.State == types.UserStatusTypeResetRequired:
		return Barred
	case v.State == types.UserStatusTypeConfirmed && v.Enabled && v.Modified.After(v.FinishedAt.Add(v.ahead)):
		return Completed
	}
	return NotInForce
}
