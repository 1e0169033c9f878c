package userpool_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/sandbox/servertest"
	"cognito-reset/batch/userpool"
)

// A server that is not ours takes the calls, and does what we say that they do.
func TestActionsAgainstMoto(t *testing.T) {
	url := servertest.Moto(t)
	withoutAWS(t)
	client := cognito.New(cognito.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: anyCredentials})
	made, err := client.CreateUserPool(t.Context(), &cognito.CreateUserPoolInput{
		PoolName: aws.String("people"), Policies: &types.UserPoolPolicyType{PasswordPolicy: &types.PasswordPolicyType{
			MinimumLength: aws.Int32(70), RequireLowercase: true, RequireNumbers: true, RequireSymbols: true, RequireUppercase: true,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	id := made.UserPool.Id
	for _, name := range []string{"ann", "bob"} {
		if _, err := client.AdminCreateUser(t.Context(), &cognito.AdminCreateUserInput{
			UserPoolId: id, Username: &name, MessageAction: types.MessageActionTypeSuppress,
			UserAttributes: []types.AttributeType{{Name: aws.String("email"), Value: aws.String(name + "@example.com")}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	pool := open(t, nil, func(o *userpool.Options) { o.PoolID, o.EndpointURL = *id, url })
	user := func(name string) *cognito.AdminGetUserOutput {
		u, err := client.AdminGetUser(t.Context(), &cognito.AdminGetUserInput{UserPoolId: id, Username: &name})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}

	bob := batch.Entry{Row: 2, Username: "bob"}
	if answer, err := pool.Lock().Do(t.Context(), ann); err != nil || answer.Before.Status != "FORCE_CHANGE_PASSWORD" || !answer.Before.Enabled {
		t.Errorf("lock: %+v, %v", answer.Before, err)
	}
	if u := user("ann"); u.UserStatus != types.UserStatusTypeConfirmed {
		t.Errorf("a locked user is %s", u.UserStatus)
	}
	if _, err := pool.SignOut().Do(t.Context(), ann); err != nil {
		t.Errorf("sign-out: %v", err)
	}
	if _, err := pool.Invite().Do(t.Context(), bob); err != nil {
		t.Errorf("invite: %v", err)
	}
	if _, err := pool.Disable().Do(t.Context(), bob); err != nil || user("bob").Enabled {
		t.Errorf("disable: %v", err)
	}
	for operation, action := range responses(pool) {
		_, err := action.Do(t.Context(), batch.Entry{Username: "nobody"})
		if answer, ok := errors.AsType[*batch.Error](err); !ok || answer.Reason != batch.UserNotFound {
			t.Errorf("%s of nobody: %v", operation, err)
		}
	}
	account := awsaccount.Of(pool)
	for _, operation := range []awsaccount.Operation{
		awsaccount.ListUsers, awsaccount.GetUser, awsaccount.SignOut, awsaccount.Disable, awsaccount.SetPassword, awsaccount.ResendInvite,
	} {
		if err := account.May(t.Context(), operation); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
	if all, err := client.ListUsers(t.Context(), &cognito.ListUsersInput{UserPoolId: id}); err != nil || len(all.Users) != 2 {
		t.Errorf("there are %d users, %v", len(all.Users), err)
	}
}
