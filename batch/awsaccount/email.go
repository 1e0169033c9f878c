package awsaccount

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"cognito-reset/batch/userpool"
)

// An EmailAccount is what Amazon SES lets the account send.
type EmailAccount struct {
	Region     string
	Sandbox    bool    // reaches verified addresses alone
	Paused     bool    // may not send now
	DailyQuota float64 // e-mails in any 24 hours; -1 is no limit
	Rate       float64 // e-mails a second
	Sent       float64 // e-mails of the last 24 hours
}

// EmailAccount asks SES, within 5 s, in the Region of the pool's sender, which
// need not be the pool's own. It takes permission for ses:GetAccount.
func (a *Account) EmailAccount(ctx context.Context, s userpool.Settings) (EmailAccount, error) {
	ctx, cancel := context.WithTimeout(ctx, userpool.AsideTimeout)
	defer cancel()
	email := EmailAccount{Region: a.region}
	if source, err := arn.Parse(s.EmailSourceARN); err == nil && source.Region != "" {
		email.Region = source.Region
	}
	out, err := a.emails.GetAccount(ctx, &sesv2.GetAccountInput{}, func(o *sesv2.Options) { o.Region = email.Region })
	if err != nil {
		return EmailAccount{}, fmt.Errorf("reading SES: %w", userpool.Explain(err))
	}
	q := out.SendQuota
	if q == nil {
		return EmailAccount{}, errors.New("reading SES: its answer has no quota")
	}
	email.Sandbox = !out.ProductionAccessEnabled
	email.Paused = !out.SendingEnabled || aws.ToString(out.EnforcementStatus) == "SHUTDOWN"
	email.DailyQuota, email.Rate, email.Sent = q.Max24HourSend, q.MaxSendRate, q.SentLast24Hours
	return email, nil
}
