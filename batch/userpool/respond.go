package userpool

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go/middleware"

	"cognito-reset/batch"
)

// What follows is for users whom a reset alone does not make safe, or whom it
// cannot reach.

// An action is a [batch.Action] made of a function.
type action func(context.Context, batch.Entry) (batch.Answer, error)

func (do action) Do(ctx context.Context, e batch.Entry) (batch.Answer, error) { return do(ctx, e) }

// SignOut revokes the refresh tokens of a user by AdminUserGlobalSignOut, which
// Cognito bills as an active user. Access and ID tokens that services check by
// themselves stay good until they expire. Twice does what once does.
func (p *Pool) SignOut() batch.Action {
	return action(func(ctx context.Context, e batch.Entry) (batch.Answer, error) {
		out, err := p.client.AdminUserGlobalSignOut(ctx, &cognito.AdminUserGlobalSignOutInput{UserPoolId: &p.ID, Username: &e.Username})
		if err != nil {
			return refusal(err, nil)
		}
		return answered(out.ResultMetadata, nil), nil
	})
}

// Disable keeps a user from signing in by AdminDisableUser, which revokes the
// tokens as well. The password comes back once the user is enabled. Twice does
// what once does.
func (p *Pool) Disable() batch.Action {
	return action(func(ctx context.Context, e batch.Entry) (batch.Answer, error) {
		out, err := p.client.AdminDisableUser(ctx, &cognito.AdminDisableUserInput{UserPoolId: &p.ID, Username: &e.Username})
		if err != nil {
			return refusal(err, nil)
		}
		return answered(out.ResultMetadata, nil), nil
	})
}

// Lock gives a user a random permanent password, by AdminSetUserPassword, and
// forgets it. Twice does what once does. Cognito bills the user as active.
//
// The call would make any user CONFIRMED, so the user is read first, and
// refused if the state is none in which there is a password of the pool's own to
// be replaced. That the user is disabled is no hindrance.
func (p *Pool) Lock() batch.Action {
	return action(func(ctx context.Context, e batch.Entry) (batch.Answer, error) {
		user, err := p.look(ctx, e)
		if err != nil {
			return batch.Answer{}, err
		}
		switch user.Status {
		case types.UserStatusTypeConfirmed, types.UserStatusTypeResetRequired, types.UserStatusTypeForceChangePassword:
		default:
			return batch.Answer{Before: user.snapshot()}, &batch.Error{
				Class: batch.ClassUser, Reason: nameOf(user.Status),
				Message: "a user in state " + string(user.Status) + " is never locked: it would become a confirmed user with a password",
			}
		}
		answer, err := p.setPassword(ctx, e)
		answer.Before = user.snapshot()
		return answer, err
	})
}

// setPassword is a [Pool.Lock] without the look before.
func (p *Pool) setPassword(ctx context.Context, e batch.Entry) (batch.Answer, error) {
	out, err := p.client.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{
		UserPoolId: &p.ID, Username: &e.Username, Permanent: true, Password: aws.String(newPassword(p.passwordLength(ctx))),
	})
	if err != nil {
		return refusal(err, nil)
	}
	return answered(out.ResultMetadata, nil), nil
}

// Invite sends a user who has a temporary password a new one, by AdminCreateUser
// with RESEND, to the e-mail address or else the phone. The old one is dead.
// Each call sends a message, and nothing tells afterwards that it did. The user
// is read first, for that address, and so is billed as active.
func (p *Pool) Invite() batch.Action {
	return action(func(ctx context.Context, e batch.Entry) (batch.Answer, error) {
		user, err := p.look(ctx, e)
		if err != nil {
			return batch.Answer{}, err
		}
		medium := types.DeliveryMediumTypeSms
		if user.Email != "" {
			medium = types.DeliveryMediumTypeEmail
		}
		out, err := p.client.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{
			UserPoolId: &p.ID, Username: &user.Username, MessageAction: types.MessageActionTypeResend,
			DesiredDeliveryMediums: []types.DeliveryMediumType{medium}, ClientMetadata: e.ClientMetadata,
		})
		if err != nil {
			return refusal(err, user.snapshot())
		}
		return answered(out.ResultMetadata, user.snapshot()), nil
	})
}

// look reads a user by AdminGetUser. Where that fails nothing was done.
func (p *Pool) look(ctx context.Context, e batch.Entry) (User, error) {
	if err := p.reads.Wait(ctx); err != nil {
		return User{}, &batch.Error{Class: batch.ClassMoment, Reason: batch.Interrupted, Err: err}
	}
	out, err := p.client.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &p.ID, Username: &e.Username})
	if err != nil {
		answer := classify(err)
		if answer.Class == batch.ClassDoubt {
			answer.Class = batch.ClassMoment
		}
		return User{}, answer
	}
	return read(out), nil
}

func refusal(err error, before *batch.Snapshot) (batch.Answer, error) {
	answer := classify(err)
	return batch.Answer{RequestID: answer.RequestID, Before: before}, answer
}

func answered(m middleware.Metadata, before *batch.Snapshot) batch.Answer {
	id, _ := awsmiddleware.GetRequestIDMetadata(m)
	return batch.Answer{RequestID: id, Before: before}
}

// lockLength is how long the password of a locked user is, unless the pool asks
// for more.
const lockLength = 64

// passwordLength is how long a password must be. A pool that does not tell may
// ask for 99 characters at most, and nearly none asks for more than 64.
func (p *Pool) passwordLength(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, asideTimeout)
	defer cancel()
	s, _ := p.settingsOnce(ctx)
	return max(lockLength, s.PasswordLength)
}

// lowers to symbols are the classes that a pool's policy can ask for: 64
// characters in all, so that six bits of a random byte choose one evenly.
const (
	lowers  = "abcdefghijklmnopqrstuvwxyz"
	uppers  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
	symbols = "-!"
)

// newPassword draws a password that has a character of each class, evenly from
// all that do.
func newPassword(length int) string {
	const alphabet = lowers + uppers + digits + symbols
	bytes := make([]byte, length)
	for {
		rand.Read(bytes)
		for i, b := range bytes {
			bytes[i] = alphabet[b%byte(len(alphabet))]
		}
		whole := true
		for _, class := range []string{lowers, uppers, digits, symbols} {
			whole = whole && strings.ContainsAny(string(bytes), class)
		}
		if whole {
			return string(bytes)
		}
	}
}
