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

// KeepsPassword tells that the user has a password, and that it works on, or
// again once the user is enabled or confirmed, after a reset was asked for.
func (p Prospect) KeepsPassword() bool {
	return p.State != "" && p.Outcome != batch.WouldReset &&
		p.State != types.UserStatusTypeExternalProvider && p.State != types.UserStatusTypeResetRequired
}

// Forecast yields for every entry how a run would end it, in the same words and
// order, by listing alone, which makes nobody a billed active user. It looks
// users up one by one or lists the pool once, whichever takes fewer calls.
//
// Entries are read twice, so they must be an iterator that can be. An error is
// the last thing it yields.
//
// No listing tells of what is not the user's own, such as a trigger that
// refuses, or of a user whose only contact serves multi-factor authentication.
func (p *Pool) Forecast(ctx context.Context, entries iter.Seq2[batch.Entry, error]) iter.Seq2[Prospect, error] {
	return func(yield func(Prospect, error) bool) {
		for e, err := range join(ctx, p, AnyName, foretell, entries) {
			var prospect Prospect
			if err == nil {
				fate, found := e.named()
				prospect = fate.of(e.Entry, found)
			}
			if !yield(prospect, err) || err != nil {
				return
			}
		}
	}
}

// A fate is what a user's state says of a reset.
type fate struct {
	state   types.UserStatusType
	channel Channel
	refusal batch.Reason // "" if nothing stands against it
}

// of is the prospect of an entry whose user was found, or was not.
func (f fate) of(e batch.Entry, found bool) Prospect {
	prospect := Prospect{Result: batch.Result{Row: e.Row, Username: e.Username, Outcome: batch.WouldReset}}
	switch {
	case e.Outcome != "":
		prospect.Outcome, prospect.Reason, prospect.ErrorMessage = e.Outcome, e.Reason, e.Detail
		return prospect
	case !found:
		prospect.Outcome, prospect.Reason = batch.Failed, batch.UserNotFound
	case f.refusal != "":
		prospect.Outcome, prospect.Reason = batch.Failed, f.refusal
	}
	prospect.State, prospect.Channel, prospect.SettledBy = f.state, f.channel, batch.ByState
	return prospect
}

// foretell looks at what Cognito looks at, in the order in which it does.
func foretell(s Settings, u User) fate {
	f := fate{state: u.Status, channel: s.channel(u)}
	switch {
	case !s.Recovery:
		f.refusal = batch.PoolConfiguration
	case !u.Enabled:
		f.refusal = batch.Disabled
	case u.Status != types.UserStatusTypeConfirmed && u.Status != types.UserStatusTypeResetRequired:
		f.refusal = nameOf(u.Status)
	case f.channel == NoChannel:
		f.refusal = batch.NoVerifiedContact
	}
	return f
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
func (s Settings) channel(u User) Channel {
	ways := s.RecoverBy
	if ways == nil {
		ways = []string{string(types.RecoveryOptionNameTypeVerifiedPhoneNumber), string(types.RecoveryOptionNameTypeVerifiedEmail)}
	}
	for _, way := range ways {
		switch types.RecoveryOptionNameType(way) {
		case types.RecoveryOptionNameTypeVerifiedEmail:
			if u.Email != "" && u.EmailVerified {
				return Email
			}
		case types.RecoveryOptionNameTypeVerifiedPhoneNumber:
			if u.Phone != "" && u.PhoneVerified {
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
		return fate{}.of(e, false), nil
	}
	out, err := ask(ctx, p.reads, func(ctx context.Context) (*cognito.AdminGetUserOutput, error) {
		return p.client.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &p.ID, Username: &e.Username})
	})
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Class == batch.ClassUser {
		return fate{refusal: answer.Reason}.of(e, answer.Reason != batch.UserNotFound), nil
	} else if err != nil {
		return Prospect{}, p.listError(ctx, "AdminGetUser", err)
	}
	u := userOf(types.UserType{Username: out.Username, UserStatus: out.UserStatus, Enabled: out.Enabled, Attributes: out.UserAttributes})
	return foretell(s, u).of(e, true), nil
}
