package userpool

import (
	"context"
	"errors"
	"iter"
	"sync"

	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
)

// A Channel is how a user would be sent a code.
type Channel string

// The channels. A user with neither is refused.
const (
	Email     Channel = "email"
	SMS       Channel = "sms"
	NoChannel Channel = "none"
)

// A Prospect is what a reset would bring.
type Prospect struct {
	batch.Result // its Outcome is WouldReset where a run would reset

	// State and Channel are the user's; empty where the row names nobody or
	// needs no call.
	State   types.UserStatusType
	Channel Channel
}

// KeepsPassword reports whether the user has a password, and that it works on, or
// again once the user is enabled or confirmed, after a reset was asked for.
func (p Prospect) KeepsPassword() bool {
	return p.State != "" && p.Outcome == batch.Failed &&
		p.State != types.UserStatusTypeExternalProvider && p.State != types.UserStatusTypeResetRequired
}

// Forecast yields for every entry how a run would end it, in the same words and
// order, by listing alone, which makes nobody a billed active user. It looks
// users up one by one or lists the pool once, whichever takes fewer calls; of
// those who were looked at Before it believes that.
//
// Entries are read twice, so they must be an iterator that can be. An error is
// the last thing it yields.
//
// No listing tells of what is not the user's own, such as a trigger that
// refuses, or of a user whose only contact serves multi-factor authentication.
func (p *Pool) Forecast(ctx context.Context, entries iter.Seq2[batch.Entry, error]) iter.Seq2[Prospect, error] {
	return func(yield func(Prospect, error) bool) {
		settings, err := ask(ctx, p.lists, p.describe)
		if err != nil {
			yield(Prospect{}, p.listError(ctx, "DescribeUserPool", err))
			return
		}
		keep := func(u User) hit { return hit{Person: Person{Before: u.snapshot()}} }
		for found, err := range p.join(ctx, AnyName, keep, entries) {
			var prospect Prospect
			if err == nil {
				e := found.Entry
				if user, ok := found.named(); ok {
					e.Before = user.Before
				}
				prospect = settings.foretell(e)
			}
			if !yield(prospect, err) || err != nil {
				return
			}
		}
	}
}

// foretell looks at what Cognito looks at, in the order in which it does. Of an
// entry to work on that nobody was found for, nothing is known Before.
func (s Settings) foretell(e batch.Entry) Prospect {
	prospect := Prospect{Result: batch.Result{Row: e.Row, Username: e.Username, Before: e.Before, Outcome: batch.WouldReset}}
	if e.Outcome != "" {
		prospect.Outcome, prospect.Reason, prospect.ErrorMessage = e.Outcome, e.Reason, e.Detail
		return prospect
	}
	prospect.SettledBy = batch.ByState
	if e.Before == nil {
		prospect.Outcome, prospect.Reason = batch.Failed, batch.UserNotFound
		return prospect
	}
	prospect.State, prospect.Channel = types.UserStatusType(e.Before.Status), s.channel(e.Before)
	switch {
	case !s.Recovery:
		prospect.Reason = batch.PoolConfiguration
	case !e.Before.Enabled:
		prospect.Reason = batch.Disabled
	case prospect.State != types.UserStatusTypeConfirmed && prospect.State != types.UserStatusTypeResetRequired:
		prospect.Reason = nameOf(prospect.State)
	case prospect.Channel == NoChannel:
		prospect.Reason = batch.NoVerifiedContact
	}
	if prospect.Reason != "" {
		prospect.Outcome = batch.Failed
	}
	return prospect
}

// nameOf is the reason why no user in a state can be reset.
func nameOf(status types.UserStatusType) batch.Reason {
	switch status {
	case types.UserStatusTypeForceChangePassword:
		return batch.TemporaryPassword
	case types.UserStatusTypeUnconfirmed:
		return batch.Unconfirmed
	case types.UserStatusTypeExternalProvider:
		return batch.ExternalProvider
	}
	return batch.WrongState
}

// channel is how a code would reach the user.
func (s Settings) channel(u *batch.Snapshot) Channel {
	ways := s.RecoverBy
	if ways == nil {
		ways = []string{string(types.RecoveryOptionNameTypeVerifiedPhoneNumber), string(types.RecoveryOptionNameTypeVerifiedEmail)}
	}
	for _, way := range ways {
		switch types.RecoveryOptionNameType(way) {
		case types.RecoveryOptionNameTypeVerifiedEmail:
			if u.EmailVerified {
				return Email
			}
		case types.RecoveryOptionNameTypeVerifiedPhoneNumber:
			if u.PhoneVerified {
				return SMS
			}
		}
	}
	return NoChannel
}

// readsInFlight saturates readRate though an answer takes a third of a second.
const readsInFlight = 32

// ForecastEach is [Pool.Forecast] by AdminGetUser, a call a user, which makes
// each of them a billed active user of the month. It takes entries once.
func (p *Pool) ForecastEach(ctx context.Context, entries iter.Seq2[batch.Entry, error]) iter.Seq2[Prospect, error] {
	return func(yield func(Prospect, error) bool) {
		settings, err := ask(ctx, p.lists, p.describe)
		if err != nil {
			yield(Prospect{}, p.listError(ctx, "DescribeUserPool", err))
			return
		}
		ctx, stop := context.WithCancel(ctx)
		type read struct {
			prospect Prospect
			err      error
		}
		reads := make(chan chan read, readsInFlight) // in the order of the entries
		var working sync.WaitGroup
		working.Go(func() {
			defer close(reads)
			for e, err := range entries {
				done := make(chan read, 1)
				select {
				case reads <- done:
				case <-ctx.Done():
					return
				}
				if err != nil {
					done <- read{err: err}
					return
				}
				working.Go(func() {
					prospect, err := p.read(ctx, settings, e)
					done <- read{prospect, err}
				})
			}
		})
		defer working.Wait()
		defer stop()
		for done := range reads {
			found := <-done
			if !yield(found.prospect, found.err) || found.err != nil {
				return
			}
		}
		if ctx.Err() != nil {
			yield(Prospect{}, context.Cause(ctx))
		}
	}
}

// read foretells an entry by AdminGetUser.
func (p *Pool) read(ctx context.Context, s Settings, e batch.Entry) (Prospect, error) {
	if e.Outcome != "" {
		return s.foretell(e), nil
	}
	out, err := ask(ctx, p.reads, func(ctx context.Context) (*cognito.AdminGetUserOutput, error) {
		return p.client.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &p.ID, Username: &e.Username})
	})
	e.Before = nil
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Class == batch.ClassUser {
		prospect := s.foretell(e)
		prospect.Reason = answer.Reason
		return prospect, nil
	} else if err != nil {
		return Prospect{}, p.listError(ctx, "AdminGetUser", err)
	}
	e.Before = read(out).snapshot()
	return s.foretell(e), nil
}

// read is a user as AdminGetUser tells.
func read(out *cognito.AdminGetUserOutput) User {
	return userOf(types.UserType{
		Username: out.Username, UserStatus: out.UserStatus, Enabled: out.Enabled, Attributes: out.UserAttributes,
		UserCreateDate: out.UserCreateDate, UserLastModifiedDate: out.UserLastModifiedDate,
	})
}
