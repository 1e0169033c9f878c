package userpool

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
)

// A Selection says which of the listed users are meant. The zero Selection
// means all, and skips those who are disabled, sign in with an identity
// provider, or must reset their password already, unless their status is one of
// the Statuses. A zero time is no bound.
type Selection struct {
	Statuses []types.UserStatusType // one of these; nil is any
	Disabled bool                   // do not skip users who are disabled
	External bool                   // nor those who sign in with an identity provider
	Again    bool                   // nor those who must reset their password already

	CreatedAfter, CreatedBefore   time.Time // from the one on, and before the other
	ModifiedAfter, ModifiedBefore time.Time // likewise

	Recent func(User) bool // reports whether an earlier run has reset a user; nil if none has
}

// Means reports whether a user is one of those meant.
func (s Selection) Means(u User) bool {
	return (s.Statuses == nil || slices.Contains(s.Statuses, u.Status)) &&
		within(u.Created, s.CreatedAfter, s.CreatedBefore) &&
		within(u.Modified, s.ModifiedAfter, s.ModifiedBefore)
}

func within(t, from, before time.Time) bool {
	return !t.Before(from) && (before.IsZero() || t.Before(before))
}

// Entries makes a row, numbered from 1, of every listed user. Those who are not
// meant, or whom no reset should be asked for, are skipped, and say why.
func (s Selection) Entries(users iter.Seq2[User, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		row := int64(0)
		for u, err := range users {
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
			row++
			if !yield(passOver(batch.Entry{Row: row, Username: u.Username, Sub: u.Sub, Before: u.snapshot()}, s.skips(u)), nil) {
				return
			}
		}
	}
}

// skips is why a user is not reset, or "".
func (s Selection) skips(u User) batch.Reason {
	switch {
	case !s.Means(u):
		return batch.Excluded
	case s.Recent != nil && s.Recent(u):
		return batch.RecentlyReset
	case u.Status == types.UserStatusTypeExternalProvider && !s.External && !slices.Contains(s.Statuses, u.Status):
		return batch.ExternalProvider
	case !u.Enabled && !s.Disabled:
		return batch.Disabled
	case u.Status == types.UserStatusTypeResetRequired && !s.Again && !slices.Contains(s.Statuses, u.Status):
		return batch.AlreadyResetRequired
	}
	return ""
}

// snapshot is what a listing tells of the user.
func (u User) snapshot() *batch.Snapshot {
	return &batch.Snapshot{
		Status: string(u.Status), Enabled: u.Enabled, ModifiedAt: u.Modified.UTC(),
		EmailVerified: u.Email != "" && u.EmailVerified, PhoneVerified: u.Phone != "" && u.PhoneVerified,
	}
}

// Look yields the entries with the sub of their users and what a listing tells of their users before
// anything is done, looked up one by one or by listing the pool once, whichever
// takes fewer calls; it makes nobody a billed active user. Those who must reset
// their password already are skipped, unless they are to be asked again. A user
// who is not found comes through as named.
//
// Entries are read twice, so they must be an iterator that can be. An error is
// the last thing it yields.
func (p *Pool) Look(ctx context.Context, again bool, entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		people, err := p.people(ctx, looked, entries)
		if err != nil {
			yield(batch.Entry{}, err)
			return
		}
		for e, err := range entries {
			if err == nil && e.Outcome == "" && e.Before == nil {
				if person, ok := people.Called(cmp.Or(e.Sub, e.Username)); ok {
					e.Sub, e.Before = person.Sub, person.Before
				}
				if e.Before != nil && types.UserStatusType(e.Before.Status) == types.UserStatusTypeResetRequired && !again {
					e = passOver(e, batch.AlreadyResetRequired)
				}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// looked is a person as a listing tells of them.
func looked(u User) Person { return Person{Sub: u.identity(), Before: u.snapshot()} }

// passOver makes an entry a skipped one if there is a reason.
func passOver(e batch.Entry, why batch.Reason) batch.Entry {
	if why == "" {
		return e
	}
	e.Outcome, e.Reason = batch.Skipped, why
	switch why {
	case batch.Excluded:
		e.Detail = "the user is not among those selected by status or time"
	case batch.RecentlyReset:
		e.Detail = "an earlier run has reset the user since"
	case batch.ExternalProvider:
		e.Detail = "the user signs in with an identity provider, which keeps the password"
	case batch.Disabled:
		e.Detail = "the user is disabled; if enabled again, the old password works again"
	case batch.AlreadyResetRequired:
		e.Detail = "the user must choose a new password already"
	}
	return e
}
