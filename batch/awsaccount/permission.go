package awsaccount

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
)

// An Operation is a call to Cognito, by the name that IAM policies have for it.
type Operation string

// The operations whose permission can be tried on nobody. That of
// AdminResetUserPassword cannot: a try counts against its quota.
const (
	ListUsers    Operation = "ListUsers"
	GetUser      Operation = "AdminGetUser"
	SignOut      Operation = "AdminUserGlobalSignOut"
	Disable      Operation = "AdminDisableUser"
	SetPassword  Operation = "AdminSetUserPassword" // as a lock does
	ResendInvite Operation = "AdminCreateUser"      // Cognito sends none to a user who does not exist, and creates none
)

// May tells, within 5 s, whether the caller may make an operation: nil if so. It is
// tried on a user who does not exist, so that it changes nobody, and bills nobody as
// active.
func (a *Account) May(ctx context.Context, o Operation) error {
	ctx, cancel := context.WithTimeout(ctx, userpool.AsideTimeout)
	defer cancel()
	err := a.try(ctx, o, "nobody-"+rand.Text())
	if err == nil {
		return nil
	}
	err = userpool.Explain(err)
	if answer, ok := errors.AsType[*batch.Error](err); ok {
		switch answer.Reason {
		case batch.UserNotFound, batch.InvalidParameter: // the latter where usernames must be addresses
			return nil
		}
	}
	return err
}

func (a *Account) try(ctx context.Context, o Operation, nobody string) (err error) {
	switch o {
	case ListUsers:
		filter := userpool.Filter{Attribute: "username", Value: nobody}.String()
		_, err = a.pool.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: &a.poolID, Filter: &filter, Limit: aws.Int32(1)})
	case GetUser:
		_, err = a.pool.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: &a.poolID, Username: &nobody})
	case SignOut:
		_, err = a.pool.AdminUserGlobalSignOut(ctx, &cognito.AdminUserGlobalSignOutInput{UserPoolId: &a.poolID, Username: &nobody})
	case Disable:
		_, err = a.pool.AdminDisableUser(ctx, &cognito.AdminDisableUserInput{UserPoolId: &a.poolID, Username: &nobody})
	case SetPassword:
		password := rand.Text() + "-" + rand.Text() + "-a1" // good for any policy; nobody has it
		_, err = a.pool.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{
			UserPoolId: &a.poolID, Username: &nobody, Permanent: true, Password: &password,
		})
	case ResendInvite:
		_, err = a.pool.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{
			UserPoolId: &a.poolID, Username: &nobody, MessageAction: types.MessageActionTypeResend,
			DesiredDeliveryMediums: []types.DeliveryMediumType{types.DeliveryMediumTypeEmail},
		})
	default:
		err = errors.New("the permission for " + string(o) + " cannot be tried on nobody")
	}
	return err
}
