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
	"cognito-reset/batch/sandbox/servertest"
)

// What other servers are known to answer otherwise than Cognito does, as the sandbox has
// it: the code of the exception, "" if it is done. A test against a server proves nothing
// about what differs there; where a server has caught up, its word goes.
var differs = []struct {
	what                        string
	ask                         func(context.Context, *cognito.Client, *string) error
	cognito, moto, cognitoLocal string
}{
	{"a page token that is none", func(ctx context.Context, c *cognito.Client, pool *string) error {
		_, err := c.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: pool, PaginationToken: aws.String("nonsense")})
		return err
	}, "InvalidParameterException", "InvalidToken", ""},
	{"a page of more than 60", func(ctx context.Context, c *cognito.Client, pool *string) error {
		_, err := c.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: pool, Limit: aws.Int32(61)})
		return err
	}, "InvalidParameterException", "", ""},
	{"a sign-in with another password", signInOf("Another-Passw0rd!"), "NotAuthorizedException", "NotAuthorizedException", "InvalidPasswordException"},
	{"a reset", reset, "", "", "Unsupported"},
	{"another reset of a user who must reset", reset, "", "", "Unsupported"},
	{"a sign-in of a user who must reset", signInOf(sandbox.DefaultPassword), "PasswordResetRequiredException", "", ""}, // moto asks for a new password, by the challenge NEW_PASSWORD_REQUIRED
	{"a sign-out", func(ctx context.Context, c *cognito.Client, pool *string) error {
		_, err := c.AdminUserGlobalSignOut(ctx, &cognito.AdminUserGlobalSignOutInput{UserPoolId: pool, Username: &annAddress})
		return err
	}, "", "", "Unsupported"},
	{"an invitation of a user who has a password", func(ctx context.Context, c *cognito.Client, pool *string) error {
		_, err := c.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{UserPoolId: pool, Username: &annAddress, MessageAction: types.MessageActionTypeResend})
		return err
	}, "UnsupportedUserStateException", "", "Unsupported"},
}

// annAddress is a name that every server takes: pools of cognito-local sign in by e-mail.
var annAddress = "ann@example.com"

func reset(ctx context.Context, c *cognito.Client, pool *string) error {
	_, err := c.AdminResetUserPassword(ctx, &cognito.AdminResetUserPasswordInput{UserPoolId: pool, Username: &annAddress})
	return err
}

func signInOf(password string) func(context.Context, *cognito.Client, *string) error {
	return func(ctx context.Context, c *cognito.Client, pool *string) error {
		clients, err := c.ListUserPoolClients(ctx, &cognito.ListUserPoolClientsInput{UserPoolId: pool, MaxResults: aws.Int32(1)})
		if err != nil {
			return err
		}
		_, err = c.AdminInitiateAuth(ctx, &cognito.AdminInitiateAuthInput{
			UserPoolId: pool, ClientId: clients.UserPoolClients[0].ClientId, AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
			AuthParameters: map[string]string{"USERNAME": annAddress, "PASSWORD": password},
		})
		return err
	}
}

func TestWhatOtherServersDoOtherwise(t *testing.T) {
	withoutAWS(t)
	for name, start := range map[string]func(*testing.T) string{
		"moto": servertest.Moto, "cognito-local": servertest.CognitoLocal,
		"the sandbox": func(t *testing.T) string {
			served := httptest.NewServer(sandbox.New(sandbox.Config{}))
			t.Cleanup(served.Close)
			return served.URL
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, id := start(t), aws.String("us-east-1_Sandbox01")
			client := cognito.New(cognito.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: anyCredentials, RetryMaxAttempts: 1})
			if name != "the sandbox" {
				id = createPool(t, client)
			}
			populate(t, client, id)
			for _, row := range differs {
				want := map[string]string{"the sandbox": row.cognito, "moto": row.moto, "cognito-local": row.cognitoLocal}[name]
				code := ""
				if err := row.ask(t.Context(), client, id); err != nil {
					refused, ok := errors.AsType[smithy.APIError](err)
					if !ok {
						t.Fatalf("%s: %v", row.what, err)
					}
					code = refused.ErrorCode()
				}
				if code != want {
					t.Errorf("%s: %q, not %q", row.what, code, want)
				}
			}
		})
	}
}

// createPool makes a pool with an app that signs in by password.
func createPool(t *testing.T, c *cognito.Client) (id *string) {
	t.Helper()
	made, err := c.CreateUserPool(t.Context(), &cognito.CreateUserPoolInput{PoolName: aws.String("people")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateUserPoolClient(t.Context(), &cognito.CreateUserPoolClientInput{
		UserPoolId: made.UserPool.Id, ClientName: aws.String("app"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth},
	}); err != nil {
		t.Fatal(err)
	}
	return made.UserPool.Id
}

// populate makes the user of the table, by calls that all servers take.
func populate(t *testing.T, c *cognito.Client, pool *string) {
	t.Helper()
	_, err := c.AdminCreateUser(t.Context(), &cognito.AdminCreateUserInput{
		UserPoolId: pool, Username: &annAddress, MessageAction: types.MessageActionTypeSuppress,
		UserAttributes: []types.AttributeType{
			{Name: aws.String("email"), Value: &annAddress}, {Name: aws.String("email_verified"), Value: aws.String("true")},
		},
	})
	if err == nil {
		_, err = c.AdminSetUserPassword(t.Context(), &cognito.AdminSetUserPasswordInput{UserPoolId: pool, Username: &annAddress, Password: aws.String(sandbox.DefaultPassword), Permanent: true})
	}
	if err != nil {
		t.Fatal(err)
	}
}
