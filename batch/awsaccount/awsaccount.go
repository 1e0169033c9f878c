// Package awsaccount is the AWS account around a user pool: who calls it, what
// its quotas are, how much of them is used, what its e-mail service may send, and
// what the caller may do to the pool.
// Nothing here resets anybody; package userpool knows the pool itself.
package awsaccount

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"cognito-reset/batch/userpool"
)

// An Account is that of one pool, in the Region of the pool.
type Account struct {
	region  string
	sts     *sts.Client
	base    *sts.Client // without the role; nil if none is assumed
	quotas  *servicequotas.Client
	metrics *cloudwatch.Client
	emails  *sesv2.Client
	pool    *cognito.Client
	poolID  string
}

// Of is the account of a pool, asked with the credentials and the transport of
// the pool. It calls nothing.
func Of(p *userpool.Pool) *Account {
	cfg := p.Config()
	a := &Account{
		region: p.Region, sts: sts.NewFromConfig(cfg), quotas: servicequotas.NewFromConfig(cfg),
		metrics: cloudwatch.NewFromConfig(cfg), emails: sesv2.NewFromConfig(cfg),
		pool: cognito.NewFromConfig(cfg), poolID: p.ID,
	}
	if base, assumed := p.BaseConfig(); assumed {
		a.base = sts.NewFromConfig(base)
	}
	return a
}

// A Caller is who the calls are made as.
type Caller struct {
	Account string `json:"account"`
	ARN     string `json:"arn"`
	Base    string `json:"base_arn,omitzero"` // ARN of who assumed the role that calls; "" if none was assumed here
}

// Caller asks STS who the credentials belong to, and who assumed the role if one is.
func (a *Account) Caller(ctx context.Context) (c Caller, err error) {
	ctx, cancel := context.WithTimeout(ctx, userpool.AsideTimeout)
	defer cancel()
	out, err := a.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return c, userpool.Explain(err)
	}
	c.Account, c.ARN = aws.ToString(out.Account), aws.ToString(out.Arn)
	if a.base == nil {
		return c, nil
	}
	if out, err = a.base.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil {
		return Caller{}, userpool.Explain(err)
	}
	c.Base = aws.ToString(out.Arn)
	return c, nil
}
