package sandbox

import (
	"cmp"
	"strings"
	"time"
)

// region is what stands before the pool id's "_".
func (p *Pool) region() string {
	region, _, _ := strings.Cut(p.cfg.PoolID, "_")
	return region
}

// arn is the pool's ARN.
func (p *Pool) arn() string {
	return "arn:aws:cognito-idp:" + p.region() + ":" + p.cfg.Account + ":userpool/" + p.cfg.PoolID
}

type poolRequest struct {
	PoolID string `json:"UserPoolId"`
}

type recoveryOption struct {
	Name     string
	Priority int
}

type smsConfiguration struct {
	SNSCallerARN string `json:"SnsCallerArn"`
	SNSRegion    string `json:"SnsRegion"`
}

type passwordPolicy struct {
	MinimumLength                                    int
	RequireLowercase, RequireNumbers, RequireSymbols bool
	RequireUppercase                                 bool
	TemporaryPasswordValidityDays                    int
}

type signInPolicy struct{ AllowedFirstAuthFactors []string }

// poolDescription is what DescribeUserPool tells, as far as the sandbox has it.
type poolDescription struct {
	ID                     string `json:"Id"`
	Name                   string
	Status                 string
	ARN                    string `json:"Arn"`
	EstimatedNumberOfUsers int
	CreationDate           seconds
	LastModifiedDate       seconds
	MfaConfiguration       string
	DeletionProtection     string
	UserPoolTier           string
	AliasAttributes        []string `json:",omitempty"`
	UsernameAttributes     []string `json:",omitempty"`
	AutoVerifiedAttributes []string
	LambdaConfig           map[string]any
	SMSConfiguration       *smsConfiguration `json:"SmsConfiguration,omitempty"`
	UserPoolTags           struct{}
	Policies               struct {
		PasswordPolicy passwordPolicy
		SignInPolicy   signInPolicy
	}
	UsernameConfiguration struct {
		CaseSensitive bool
	}
	AccountRecoverySetting struct {
		RecoveryMechanisms []recoveryOption
	}
	EmailConfiguration struct {
		EmailSendingAccount string
		SourceArn           string `json:",omitempty"`
	}
	AdminCreateUserConfig struct {
		AllowAdminCreateUserOnly  bool
		UnusedAccountValidityDays int
	}
}

func (p *Pool) describeUserPool(in *poolRequest, _ time.Time) (any, *apiError) {
	if err := p.checkPool(in.PoolID); err != nil {
		return nil, err
	}
	d := poolDescription{
		ID:                     p.cfg.PoolID,
		Name:                   p.cfg.PoolName,
		Status:                 "Enabled",
		ARN:                    p.arn(),
		EstimatedNumberOfUsers: len(p.users),
		CreationDate:           seconds(p.started),
		LastModifiedDate:       seconds(p.started),
		LambdaConfig:           p.lambdaConfig(),
		MfaConfiguration:       cmp.Or(p.cfg.MFA, "OFF"),
		DeletionProtection:     "ACTIVE",
		UserPoolTier:           "ESSENTIALS",
		AliasAttributes:        p.cfg.Aliases,
		AutoVerifiedAttributes: []string{"email"},
	}
	if p.cfg.SignIn != "" {
		d.UsernameAttributes = []string{p.cfg.SignIn}
	}
	d.Policies.PasswordPolicy = passwordPolicy{
		MinimumLength: p.minimumPassword(), RequireLowercase: true, RequireNumbers: true,
		RequireSymbols: true, RequireUppercase: true, TemporaryPasswordValidityDays: 7,
	}
	d.Policies.SignInPolicy.AllowedFirstAuthFactors = append([]string{"PASSWORD"}, p.cfg.FirstFactors...)
	d.UsernameConfiguration.CaseSensitive = !p.cfg.CaseInsensitive
	d.AccountRecoverySetting.RecoveryMechanisms = []recoveryOption{{"verified_email", 1}, {"verified_phone_number", 2}}
	if p.cfg.AdminOnlyRecovery {
		d.AccountRecoverySetting.RecoveryMechanisms = []recoveryOption{{"admin_only", 1}}
	}
	d.EmailConfiguration.EmailSendingAccount = "COGNITO_DEFAULT"
	if p.sendsBySES() {
		d.EmailConfiguration.EmailSendingAccount = "DEVELOPER"
		d.EmailConfiguration.SourceArn = "arn:aws:ses:" + p.region() + ":" + p.cfg.Account + ":identity/example.com"
	}
	if p.cfg.Unprotected {
		d.DeletionProtection = "INACTIVE"
	}
	if !p.cfg.NoSMS {
		d.SMSConfiguration = &smsConfiguration{"arn:aws:iam::" + p.cfg.Account + ":role/sms", p.region()}
	}
	d.AdminCreateUserConfig.UnusedAccountValidityDays = 7
	return struct{ UserPool poolDescription }{d}, nil
}

// lambdaConfig are the triggers that the pool says it has.
func (p *Pool) lambdaConfig() map[string]any {
	names := p.cfg.Triggers
	if p.cfg.Trigger != "" {
		names = append([]string{"CustomMessage"}, names...)
	}
	attached := make(map[string]any, len(names))
	for _, name := range names {
		function := "arn:aws:lambda:" + p.region() + ":" + p.cfg.Account + ":function:" + name
		attached[name] = function
		if name == "CustomEmailSender" || name == "CustomSMSSender" {
			attached[name] = map[string]string{"LambdaArn": function, "LambdaVersion": "V1_0"}
		}
	}
	return attached
}

type listPoolsRequest struct {
	MaxResults int
	NextToken  string
}

type listedPool struct {
	ID               string `json:"Id"`
	Name             string
	LambdaConfig     struct{}
	CreationDate     seconds
	LastModifiedDate seconds
}

// listUserPools lists the one pool there is.
func (p *Pool) listUserPools(in *listPoolsRequest, _ time.Time) (any, *apiError) {
	switch {
	case in.MaxResults < 1:
		return nil, invalidNumber("maxResults", in.MaxResults, "greater than or equal to 1")
	case in.MaxResults > 60:
		return nil, invalidNumber("maxResults", in.MaxResults, "less than or equal to 60")
	case in.NextToken != "":
		return nil, refuse("InvalidParameterException", "Invalid pagination token")
	}
	pool := listedPool{ID: p.cfg.PoolID, Name: p.cfg.PoolName, CreationDate: seconds(p.started), LastModifiedDate: seconds(p.started)}
	return struct{ UserPools []listedPool }{[]listedPool{pool}}, nil
}
