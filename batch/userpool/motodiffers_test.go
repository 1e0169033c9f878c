package userpool_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/sandbox/mototest"
)

// What moto is known to answer otherwise than Cognito does, as the sandbox has it. A test
// against moto proves nothing about these; where moto has caught up, the row goes.
var motoDiffers = []struct {
	what          string
	ask           func(context.Context, *cognito.Client, *string) error
	cognito, moto string // the exception; "" if it is done
}{
	{"an invitation of a confirmed user", func(ctx context.Context, c *cognito.Client, pool *string) error {
		_, err := c.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{UserPoolId: pool, Username: aws.String("ann"), MessageAction: types.MessageActionTypeResend})
		return err
	}, "UnsupportedUserStateException", ""},
	{"a page token that is none", func(ctx context.Context, c *cognito.Client, pool *string) error {
		_, err := c.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: pool, PaginationToken: aws.String("nonsense")})
		return err
	}, "InvalidParameterException", "InvalidToken"},
	{"a page of more than 60", func(ctx context.Context, c *cognito.Client, pool *string) error {
		_, err := c.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: pool, Limit: aws.Int32(61)})
		return err
	}, "InvalidParameterException", ""},
	{"another reset of a user who must reset", func(ctx context.Context, c *cognito.Client, pool *string) error {
		return errors.Join(resetOf("ann")(ctx, c, pool), resetOf("ann")(ctx, c, pool))
	}, "", "NotAuthorizedException"},
	{"a sign-in of a user who must reset", signInOf("ann"), "PasswordResetRequiredException", "NotAuthorizedException"},
}

func resetOf(name string) func(context.Context, *cognito.Client, *string) error {
	return func(ctx context.Context, c *cognito.Client, pool *string) error {
		_, err := c.AdminResetUserPassword(ctx, &cognito.AdminResetUserPasswordInput{UserPoolId: pool, Username: &name})
		return err
	}
}

func signInOf(name string) func(context.Context, *cognito.Client, *string) error {
	return func(ctx context.Context, c *cognito.Client, pool *string) error {
		clients, err := c.ListUserPoolClients(ctx, &cognito.ListUserPoolClientsInput{UserPoolId: pool, MaxResults: aws.Int32(1)})
		if err != nil {
			return err
		}
		_, err = c.AdminInitiateAuth(ctx, &cognito.AdminInitiateAuthInput{
			UserPoolId: pool, ClientId: clients.UserPoolClients[0].ClientId, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
			AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": sandbox.DefaultPassword},
		})
		return err
	}
}

func TestWhatMotoDoesOtherwise(t *testing.T) {
	moto := mototest.Start(t)
	withoutAWS(t)
	pool := sandbox.New(sandbox.Config{})
	served := httptest.NewServer(pool)
	defer served.Close()
	at := func(url string) *cognito.Client {
		return cognito.New(cognito.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: anyCredentials, RetryMaxAttempts: 1})
	}
	made, err := at(moto).CreateUserPool(t.Context(), &cognito.CreateUserPoolInput{PoolName: aws.String("people")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := at(moto).CreateUserPoolClient(t.Context(), &cognito.CreateUserPoolClientInput{
		UserPoolId: made.UserPool.Id, ClientName: aws.String("app"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth},
	}); err != nil {
		t.Fatal(err)
	}
	sandboxID := "us-east-1_Sandbox01"
	for name, s := range map[string]struct {
		client *cognito.Client
		id     *string
	}{"moto": {at(moto), made.UserPool.Id}, "the sandbox": {at(served.URL), &sandboxID}} {
		populate(t, s.client, s.id)
		for _, row := range motoDiffers {
			want := row.cognito
			if name == "moto" {
				want = row.moto
			}
			code := ""
			if err := row.ask(t.Context(), s.client, s.id); err != nil {
				refused, ok := errors.AsType[smithy.APIError](err)
				if !ok {
					t.Fatalf("%s, at %s: %v", row.what, name, err)
				}
				code = refused.ErrorCode()
			}
			if code != want {
				t.Errorf("%s, at %s: %q, not %q", row.what, name, code, want)
			}
		}
	}
}

// populate makes the user of the table, by calls that both servers take.
func populate(t *testing.T, c *cognito.Client, pool *string) {
	t.Helper()
	ann := aws.String("ann")
	_, err := c.AdminCreateUser(t.Context(), &cognito.AdminCreateUserInput{
		UserPoolId: pool, Username: ann, MessageAction: types.MessageActionTypeSuppress,
		UserAttributes: []types.AttributeType{
			{Name: aws.String("email"), Value: aws.String("ann@example.com")}, {Name: aws.String("email_verified"), Value: aws.String("true")},
		},
	})
	if err == nil {
		_, err = c.AdminSetUserPassword(t.Context(), &cognito.AdminSetUserPasswordInput{UserPoolId: pool, Username: ann, Password: aws.String(sandbox.DefaultPassword), Permanent: true})
	}
	if err != nil {
		t.Fatal(err)
	}
}
