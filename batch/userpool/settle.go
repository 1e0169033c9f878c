package userpool

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
)

// Settle implements [batch.Settler]: by ListUsers, which bills nobody, where a listing
// is proof, and else by AdminGetUser, which bills the user as active.
//
// RESET_REQUIRED is proof, unless the user was so before the call. Any other
// state is not: it is unchanged if nothing modified the user since the call, and
// undecided if something did, perhaps the user with a new password, or if the
// clocks do not let that be told. That the time of modification moves with a
// reset itself is not relied on.
func (p *Pool) Settle(ctx context.Context, e batch.Entry, called time.Time) (batch.Verdict, error) {
	if p.listedReset(ctx, e, called) {
		return batch.Done, nil
	}
	if err := p.reads.Wait(ctx); err != nil {
		return batch.Undecided, &batch.Error{Class: batch.ClassMoment, Reason: batch.Interrupted, Err: err}
	}
	user, err := p.client.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &p.ID, Username: &e.Username})
	if err != nil {
		answer := classify(err)
		if answer.Reason == batch.AccessDenied {
			p.sayDeny.Do(func() {
				p.log.Warn("users whose answer was lost cannot be read back and end as unknown; allow cognito-idp:AdminGetUser on the user pool in the IAM policy, then resume with --retry unknown",
					"user_pool_id", p.ID)
			})
		}
		if answer.Class == batch.ClassUser && answer.Reason != batch.UserNotFound {
			// That a user cannot be read does not say how the reset went.
			answer.Class = batch.ClassInDoubt
		}
		return batch.Undecided, answer
	}
	if user.UserStatus == types.UserStatusTypeResetRequired {
		if requiredBefore(e) {
			return batch.Undecided, nil
		}
		return batch.Done, nil
	}
	left, known := p.called(e, called)
	if !known || user.UserLastModifiedDate == nil || user.UserLastModifiedDate.After(left.Add(-clockStep)) {
		return batch.Undecided, nil
	}
	return batch.NotDone, nil
}

// requiredBefore reports whether a user is known to have been in RESET_REQUIRED before
// the call.
func requiredBefore(e batch.Entry) bool {
	return e.Before != nil && e.Before.Status == string(types.UserStatusTypeResetRequired)
}

// listLag is how much older than the question a listing may be. AWS gives no number;
// the user who came back from an earlier reset so shortly before the call is the only one
// whom a listing that is older still would show in RESET_REQUIRED wrongly.
const listLag = 10 * time.Second

// listedReset reports whether ListUsers shows a user in RESET_REQUIRED since the call.
// Any other state that it shows may be an old one, from before the reset, so that it is
// no reason to call again: then, and whatever else keeps a listing from being proof,
// AdminGetUser decides.
func (p *Pool) listedReset(ctx context.Context, e batch.Entry, called time.Time) bool {
	if ago, known := p.calledAgo(e, called); !known || ago < listLag || requiredBefore(e) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, AsideTimeout)
	defer cancel()
	s, err := p.settingsOnce(ctx)
	if err != nil {
		return false
	}
	user, ok := p.onlyOne(ctx, s, e.Username)
	switch {
	case !ok || user.Status != types.UserStatusTypeResetRequired:
		return false
	case e.Sub != "" && user.Sub != e.Sub:
		return false
	case e.Before != nil && user.Modified.Before(e.Before.ModifiedAt): // an entry from before the user was looked at
		return false
	}
	return true
}

// calledAgo is how long ago a call left, at the least but for what clocks are rounded
// by. It reports false where the clock of an earlier session is not known.
func (p *Pool) calledAgo(e batch.Entry, called time.Time) (ago time.Duration, known bool) {
	if e.Intended.IsZero() || !called.Equal(e.Intended) {
		return time.Since(called), true
	}
	now := time.Now()
	here := p.Clock(now)
	ago = now.Round(0).Add(here.Ahead).Sub(called.Add(e.Clock.Ahead)) - clockStep
	return ago, here.Known && e.Clock.Known
}

// onlyOne is the user who goes by a name that a call would take, by ListUsers. It
// reports false where that is nobody, or not plainly one, or could not be asked at once.
func (p *Pool) onlyOne(ctx context.Context, s Settings, name string) (user User, ok bool) {
	for _, f := range s.lookups(AnyName, name) {
		if tooLong(f) || p.lists.Wait(ctx) != nil {
			return User{}, false
		}
		out, err := p.client.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: &p.ID, Filter: aws.String(f.String())})
		if err != nil {
			p.states.note(classify(err))
			return User{}, false
		}
		for _, listed := range out.Users {
			u := userOf(listed)
			if !f.names(listed) || !s.goesBy(u, name) || ok && u.Username == user.Username {
				continue
			}
			if ok {
				return User{}, false
			}
			user, ok = u, true
		}
		if aws.ToString(out.PaginationToken) != "" { // there may be another
			return User{}, false
		}
	}
	return user, ok
}

// goesBy reports whether the pool knows a user by a name.
func (s Settings) goesBy(u User, name string) bool {
	return slices.ContainsFunc(s.names(u), func(known string) bool { return s.Fold(known) == s.Fold(name) })
}
