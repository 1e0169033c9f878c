package userpool

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

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
			return p.refusal(err)
		}
		return answered(out.ResultMetadata), nil
	})
}

// Disable keeps a user from signing in by AdminDisableUser, which revokes the
// tokens as well. The password comes back once the user is enabled. Twice does
// what once does.
func (p *Pool) Disable() batch.Action {
	return action(func(ctx context.Context, e batch.Entry) (batch.Answer, error) {
		out, err := p.client.AdminDisableUser(ctx, &cognito.AdminDisableUserInput{UserPoolId: &p.ID, Username: &e.Username})
		if err != nil {
			return p.refusal(err)
		}
		return answered(out.ResultMetadata), nil
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
		user, unread := p.look(ctx, e)
		if unread != nil {
			return batch.Answer{RequestID: unread.RequestID}, unread
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
	password := newPassword(p.passwordLength(ctx))
	out, err := p.client.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{
		UserPoolId: &p.ID, Username: &e.Username, Permanent: true, Password: &password,
	})
	if err != nil {
		answer := p.classify(err)
		// The service may quote a value that it finds malformed.
		answer.Message = strings.ReplaceAll(answer.Message, password, "(hidden)")
		return batch.Answer{RequestID: answer.RequestID}, answer
	}
	return answered(out.ResultMetadata), nil
}

// Invite sends a user who has a temporary password a new one, by AdminCreateUser
// with RESEND, to one contact: Cognito sends a text message unless told
// otherwise. The old one is dead. Each call sends a message, and nothing tells
// afterwards that it did. The user is read first, for that contact, and so is
// billed as active; one without any is refused.
func (p *Pool) Invite() batch.Action {
	return action(func(ctx context.Context, e batch.Entry) (batch.Answer, error) {
		user, unread := p.look(ctx, e)
		if unread != nil {
			return batch.Answer{RequestID: unread.RequestID}, unread
		}
		answer, err := p.invite(ctx, user, e)
		answer.Before = user.snapshot()
		return answer, err
	})
}

// invite is a [Pool.Invite] of a user who has been looked at.
func (p *Pool) invite(ctx context.Context, user User, e batch.Entry) (batch.Answer, error) {
	medium, ok := user.medium()
	if !ok {
		return batch.Answer{}, &batch.Error{
			Class: batch.ClassUser, Reason: batch.NoVerifiedContact,
			Message: "a user with neither an e-mail address nor a phone number cannot be invited",
		}
	}
	out, err := p.client.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{
		UserPoolId: &p.ID, Username: aws.String(user.inviteAs(e.Username)), MessageAction: types.MessageActionTypeResend,
		DesiredDeliveryMediums: []types.DeliveryMediumType{medium}, ClientMetadata: e.ClientMetadata,
	})
	if err != nil {
		return p.refusal(err)
	}
	return answered(out.ResultMetadata), nil
}

// medium is the one way by which a temporary password goes to the user: to a
// verified contact before another, then to the e-mail address.
func (u User) medium() (medium types.DeliveryMediumType, ok bool) {
	verifiedPhone := u.Phone != "" && u.PhoneVerified
	switch {
	case u.Email != "" && (u.EmailVerified || !verifiedPhone):
		return types.DeliveryMediumTypeEmail, true
	case u.Phone != "":
		return types.DeliveryMediumTypeSms, true
	}
	return "", false
}

// inviteAs is what to call the user who was found by a name. AdminCreateUser
// takes what can be the username of a new user: never an alias, and where
// addresses take the place of usernames, never the sub that the username then is.
func (u User) inviteAs(name string) string {
	if u.Username == u.Sub {
		return name
	}
	return u.Username
}

// look reads a user by AdminGetUser. Where that fails nothing was done.
func (p *Pool) look(ctx context.Context, e batch.Entry) (User, *batch.Error) {
	if err := p.reads.Wait(ctx); err != nil {
		return User{}, &batch.Error{Class: batch.ClassMoment, Reason: batch.Interrupted, Err: err}
	}
	out, err := p.client.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &p.ID, Username: &e.Username})
	if err != nil {
		answer := classify(err)
		if answer.Class == batch.ClassInDoubt {
			answer.Class = batch.ClassMoment
		}
		return User{}, answer
	}
	return read(out), nil
}

func (p *Pool) refusal(err error) (batch.Answer, error) {
	answer := p.classify(err)
	return batch.Answer{RequestID: answer.RequestID}, answer
}

func answered(m middleware.Metadata) batch.Answer {
	id, _ := awsmiddleware.GetRequestIDMetadata(m)
	return batch.Answer{RequestID: cut(id)}
}

// lockLength is how long the password of a locked user is, unless the pool asks
// for more.
const lockLength = 64

// longestPolicy is the most characters that Cognito lets a pool ask of a password.
// What asks for more is not Cognito.
const longestPolicy = 99

// askAgain is how long after a question without an answer a pool is asked once more.
const askAgain = time.Minute

// passwordLength is how long a password must be. The pool is asked until it has
// answered, now and then: nearly none asks for more than 64 characters, but one that
// does would refuse every lock.
func (p *Pool) passwordLength(ctx context.Context) int {
	p.policy.Lock()
	defer p.policy.Unlock()
	if p.policy.known || time.Since(p.policy.asked) < askAgain {
		return p.policy.length
	}
	s, err := p.Settings(ctx)
	p.policy.known, p.policy.asked = err == nil, time.Now()
	p.policy.length = min(max(lockLength, s.PasswordLength), longestPolicy)
	return p.policy.length
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
