package userpool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"cognito-reset/batch"
)

// Endpoint is where calls of the pool go.
func (p *Pool) Endpoint(ctx context.Context) (string, error) {
	o := p.client.Options()
	e, err := o.EndpointResolverV2.ResolveEndpoint(ctx, cognito.EndpointParameters{
		Region: &o.Region, Endpoint: o.BaseEndpoint,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	})
	if err != nil {
		return "", fmt.Errorf("no endpoint in Region %q: %w", o.Region, err)
	}
	return e.URI.String(), nil
}

// nobody is the name of no user, so that who asks for it pays for nobody.
func nobody() string { return "nobody-" + rand.Text() }

// MayList tells, within 5 s, whether the caller may list users: nil if so.
func (p *Pool) MayList(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, AsideTimeout)
	defer cancel()
	_, err := p.client.ListUsers(ctx, &cognito.ListUsersInput{
		UserPoolId: &p.ID, Limit: aws.Int32(1),
		Filter: aws.String(Filter{Attribute: "username", Value: nobody()}.String()),
	})
	if err != nil {
		return Explain(err)
	}
	return nil
}

// MaySignOut tells, within 5 s, whether the caller may sign users out: nil if so.
// Like the others it tries it on one who does not exist.
func (p *Pool) MaySignOut(ctx context.Context) error { return p.may(ctx, p.SignOut()) }

// MayDisable tells whether the caller may disable users.
func (p *Pool) MayDisable(ctx context.Context) error { return p.may(ctx, p.Disable()) }

// MaySetPassword tells whether the caller may set passwords, as a lock does.
func (p *Pool) MaySetPassword(ctx context.Context) error { return p.may(ctx, action(p.setPassword)) }

// MayInvite tells whether the caller may send invitations. Cognito refuses to
// send one again to a user who does not exist, and creates none.
func (p *Pool) MayInvite(ctx context.Context) error {
	return p.may(ctx, action(func(ctx context.Context, e batch.Entry) (batch.Answer, error) {
		return p.invite(ctx, User{Username: e.Username, Email: e.Username}, e)
	}))
}

func (p *Pool) may(ctx context.Context, a batch.Action) error {
	ctx, cancel := context.WithTimeout(ctx, AsideTimeout)
	defer cancel()
	_, err := a.Do(ctx, batch.Entry{Username: nobody()})
	if answer, ok := errors.AsType[*batch.Error](err); ok {
		switch answer.Reason {
		case batch.UserNotFound, batch.InvalidParameter: // where usernames must be addresses
			return nil
		}
	}
	return err
}

// MayRead tells, within 5 s, whether the caller may read a user: nil if so. It
// reads one who does not exist, and so makes nobody a billed active user.
func (p *Pool) MayRead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, AsideTimeout)
	defer cancel()
	_, err := p.client.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &p.ID, Username: aws.String(nobody())})
	if err == nil || classify(err).Reason == batch.UserNotFound {
		return nil
	}
	return Explain(err)
}
