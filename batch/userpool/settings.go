package userpool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// Settings are what of a user pool's configuration bears on a mass reset.
type Settings struct {
	Name           string
	EstimatedUsers int // Cognito's own count, which may be hours old

	// CaseSensitive is whether Ann and ann are two users. It holds for
	// usernames, e-mail addresses and preferred usernames alike.
	CaseSensitive bool

	AliasAttributes    []string // name a user beside the username
	UsernameAttributes []string // name a user in place of a username, which is then a sub

	// Recovery is whether users may recover their account themselves. Without
	// it Cognito refuses every reset.
	Recovery bool

	// RecoverBy is where a code may go, the preferred first: verified_email,
	// verified_phone_number. Nil is a pool that never chose: by text message,
	// or else by e-mail.
	RecoverBy []string

	// FirstFactors are how users may sign in without a password, in the service's
	// words, such as EMAIL_OTP, SMS_OTP and WEB_AUTHN; nil where a password is the only way.
	FirstFactors []string

	// EmailSender is COGNITO_DEFAULT, which sends 50 messages a day, or
	// DEVELOPER, by the SES identity EmailSourceARN.
	EmailSender    string
	EmailSourceARN string

	SMS                bool     // the pool is set up to send text messages
	Triggers           []string // attached, by their names in LambdaConfig, sorted
	MFA                string   // OFF, OPTIONAL or ON
	DeletionProtection string   // ACTIVE or INACTIVE
	PasswordLength     int      // the least, in characters; 0 if the pool does not tell
}

// Settings asks for the pool's configuration, within 5 s.
func (p *Pool) Settings(ctx context.Context) (Settings, error) {
	ctx, cancel := context.WithTimeout(ctx, AsideTimeout)
	defer cancel()
	s, err := p.describe(ctx)
	if err != nil {
		return Settings{}, Explain(err)
	}
	return s, nil
}

// Compared are the settings for comparing names: the pool's, asked for until they
// are told or denied. Where they may not be read, the case that [Options] have is
// believed, and no alias is known.
func (p *Pool) Compared(ctx context.Context) (Settings, error) {
	s, err := ask(ctx, p.lists, p.describe)
	if err == nil {
		return s, nil
	}
	if denied(err) && p.usernameCase != "" {
		return Settings{CaseSensitive: p.usernameCase == CaseSensitive}, nil
	}
	return s, p.listError(ctx, "DescribeUserPool", err)
}

// What [Options].UsernameCase can be.
const (
	CaseSensitive   = "sensitive"   // Ann and ann are two users
	CaseInsensitive = "insensitive" // Ann and ann are one
)

func (p *Pool) describe(ctx context.Context) (Settings, error) {
	out, err := p.client.DescribeUserPool(ctx, &cognito.DescribeUserPoolInput{UserPoolId: &p.ID})
	if err != nil {
		return Settings{}, err
	}
	pool := out.UserPool
	if pool == nil {
		return Settings{}, errors.New("the answer to DescribeUserPool describes no pool")
	}
	s := Settings{
		Name:           aws.ToString(pool.Name),
		EstimatedUsers: int(pool.EstimatedNumberOfUsers),
		CaseSensitive:  true, // unless said otherwise
		Recovery:       true, // likewise
		EmailSender:    string(types.EmailSendingAccountTypeCognitoDefault),

		SMS:                pool.SmsConfiguration != nil,
		Triggers:           triggers(pool.LambdaConfig),
		MFA:                string(pool.MfaConfiguration),
		DeletionProtection: string(pool.DeletionProtection),
	}
	for _, a := range pool.AliasAttributes {
		s.AliasAttributes = append(s.AliasAttributes, string(a))
	}
	for _, a := range pool.UsernameAttributes {
		s.UsernameAttributes = append(s.UsernameAttributes, string(a))
	}
	if c := pool.UsernameConfiguration; c != nil && c.CaseSensitive != nil {
		s.CaseSensitive = *c.CaseSensitive
	}
	if a := pool.AccountRecoverySetting; a != nil {
		ways := slices.SortedFunc(slices.Values(a.RecoveryMechanisms), func(x, y types.RecoveryOptionType) int {
			return cmp.Compare(aws.ToInt32(x.Priority), aws.ToInt32(y.Priority))
		})
		for _, way := range ways {
			if way.Name == types.RecoveryOptionNameTypeAdminOnly {
				s.Recovery = false
			} else {
				s.RecoverBy = append(s.RecoverBy, string(way.Name))
			}
		}
	}
	if policy := pool.Policies; policy != nil && policy.PasswordPolicy != nil {
		s.PasswordLength = int(aws.ToInt32(policy.PasswordPolicy.MinimumLength))
	}
	if policy := pool.Policies; policy != nil && policy.SignInPolicy != nil {
		for _, factor := range policy.SignInPolicy.AllowedFirstAuthFactors {
			if factor != types.AuthFactorTypePassword {
				s.FirstFactors = append(s.FirstFactors, string(factor))
			}
		}
	}
	if e := pool.EmailConfiguration; e != nil {
		if e.EmailSendingAccount != "" {
			s.EmailSender = string(e.EmailSendingAccount)
		}
		s.EmailSourceARN = aws.ToString(e.SourceArn)
	}
	return s, nil
}

// triggers are the names of the functions that are attached.
func triggers(c *types.LambdaConfigType) []string {
	if c == nil {
		return nil
	}
	var names []string
	for name, attached := range map[string]bool{
		"CreateAuthChallenge":         c.CreateAuthChallenge != nil,
		"CustomEmailSender":           c.CustomEmailSender != nil,
		"CustomMessage":               c.CustomMessage != nil,
		"CustomSMSSender":             c.CustomSMSSender != nil,
		"DefineAuthChallenge":         c.DefineAuthChallenge != nil,
		"InboundFederation":           c.InboundFederation != nil,
		"PostAuthentication":          c.PostAuthentication != nil,
		"PostConfirmation":            c.PostConfirmation != nil,
		"PreAuthentication":           c.PreAuthentication != nil,
		"PreSignUp":                   c.PreSignUp != nil,
		"PreTokenGeneration":          c.PreTokenGeneration != nil || c.PreTokenGenerationConfig != nil,
		"UserMigration":               c.UserMigration != nil,
		"VerifyAuthChallengeResponse": c.VerifyAuthChallengeResponse != nil,
	} {
		if attached {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Fold is the form in which the pool compares usernames, e-mail addresses and
// preferred usernames.
func (s Settings) Fold(value string) string {
	if s.CaseSensitive {
		return value
	}
	return strings.ToLower(value)
}
