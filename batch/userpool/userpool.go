// Package userpool is the Amazon Cognito side: what is asked of a user pool and
// what its answers mean.
//
// The SDK's own retries are off. It would turn one call into three past the
// pace, and it counts the daily mail limit as a throttle; package batch is the
// only owner of retries.
package userpool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/login"
)

// AsideTimeout bounds what is asked beside the resets: the caller, the pool,
// the quota.
// Not knowing these is a gap in the text, not a reason to wait.
const AsideTimeout = 5 * time.Second

// Linger is how long a call without an answer may still be at work in Cognito: a
// trigger's tries of 5 s, of which AWS promises no number, and as much again.
const Linger = time.Minute

// readRate keeps read-backs, in calls a second, under the 120 of the category
// UserRead, which live users share.
const readRate = 80

// Options say which pool, and how to reach it.
type Options struct {
	PoolID      string
	Profile     string // of the shared AWS configuration; "" as usual
	Region      string // "" takes the pool id's
	EndpointURL string // serves every AWS service; "" as usual
	Role        Role
	Version     string // of the tool, which every call names to AWS; "" names none

	// UsernameCase, CaseSensitive or CaseInsensitive, is believed for comparing names
	// where the pool's settings may not be read; "" believes nothing.
	UsernameCase string

	// PhoneCountry is that of phone numbers which name none, such as DE.
	PhoneCountry string

	// ListRate is how many calls a second listings make; 0 is 27, for the
	// category UserList has a quota of 30.
	ListRate float64

	// Share is the part, from 0 to 1, of the rates of listings and reads that
	// this process takes, where others work at the same time; 0 is all.
	Share float64

	// Observe, if set, is told of every call to Cognito, from many goroutines: the
	// operation, such as AdminResetUserPassword, how it was answered, nil for
	// well, and how long that took.
	Observe func(operation string, answer *batch.Error, took time.Duration)

	// ClockJumped, if set, is told in a few words when this machine's clock or the
	// service's has jumped, from many goroutines.
	ClockJumped func(what string)

	// HTTPClient replaces the transport, for tests within one process.
	HTTPClient aws.HTTPClient
	// MFACode, if set, asks a person for the code that a device shows, where a
	// profile's role takes one.
	MFACode func(ctx context.Context, device string) (code string, err error)

	// Logins are what the pool shares with others; nil shares nothing.
	Logins *Logins

	// Credentials replace the usual chain, for a pool that needs none. They are not
	// shared.
	Credentials aws.CredentialsProvider
	// Log is told once what could not be read, and what to do about it.
	Log *slog.Logger
}

// A Role is one to assume through STS, again and again before it expires. The zero
// value is none.
type Role struct {
	ARN        string
	ExternalID string // that the trust policy asks for; "" if none

	// SessionName is what CloudTrail shows as the name of who calls; "" is
	// cognito-reset. SourceIdentity stays with the session, whatever roles it
	// assumes; it takes permission for sts:SetSourceIdentity. "" sets none.
	SessionName, SourceIdentity string
}

// provider gives the credentials of the role. They are fetched anew when they are
// about to expire, so that a run may take days.
func (r Role) provider(cfg aws.Config) aws.CredentialsProvider {
	client := sts.NewFromConfig(cfg, func(o *sts.Options) { o.Retryer = retry.NewStandard() })
	provider := stscreds.NewAssumeRoleProvider(client, r.ARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = cmp.Or(r.SessionName, "cognito-reset")
		if r.ExternalID != "" {
			o.ExternalID = &r.ExternalID
		}
		if r.SourceIdentity != "" {
			o.SourceIdentity = &r.SourceIdentity
		}
	})
	return aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = expiryWindow })
}

// expiryWindow is how long before they expire credentials are replaced: more
// than a call may take.
const expiryWindow = time.Minute

// A Pool is one user pool. It implements [batch.Action] and [batch.Settler]:
// its work on a user is AdminResetUserPassword.
type Pool struct {
	ID     string
	Region string

	client  *cognito.Client
	config  aws.Config // as the calls are made
	base    aws.Config // without the role
	role    bool       // one is assumed
	reads   *rate.Limiter
	lists   *rate.Limiter
	log     *slog.Logger
	country string // of phone numbers that name none

	usernameCase string // "" where only the pool can tell

	sayDeny sync.Once
	states  states
	clock   *clock

	policy struct { // of the passwords that lock users
		sync.Mutex
		length int
		known  bool      // the pool has answered
		asked  time.Time // last
	}
}

// Open prepares a pool. It reads the shared AWS configuration but calls nothing.
func Open(ctx context.Context, o Options) (*Pool, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	base, cfg, err := o.login(ctx)
	if err != nil {
		return nil, err
	}
	share, clock := cmp.Or(o.Share, 1), newClock(o.ClockJumped)
	return &Pool{
		ID: o.PoolID, Region: cfg.Region,
		clock: clock,
		client: cognito.NewFromConfig(cfg, observed(o.Observe), func(o *cognito.Options) {
			o.HTTPClient = timed{o.HTTPClient, clock}
			o.APIOptions = append(o.APIOptions, proven)
		}), config: cfg, base: base, role: o.Role.ARN != "",
		reads:  rate.NewLimiter(rate.Limit(readRate*share), 1),
		states: states{asking: make(chan struct{}, 1)},
		lists:  rate.NewLimiter(rate.Limit(cmp.Or(o.ListRate, listRate)*share), 1),
		log:    o.Log, country: o.PhoneCountry, usernameCase: o.UsernameCase,
	}, nil
}

// login is how the pool is reached, without the role and with it.
func (o Options) login(ctx context.Context) (base, cfg aws.Config, err error) {
	if o.Credentials != nil {
		o.Logins = nil
	}
	key := loginKey{profile: o.Profile, region: cmp.Or(o.Region, RegionOf(o.PoolID))}
	base, err = o.Logins.load(key, func() (aws.Config, error) { return o.load(ctx, key.region) })
	base.Logger = login.Logger(o.Log) // whoever else shares the rest
	if o.EndpointURL != "" {
		base.BaseEndpoint = aws.String(o.EndpointURL)
	}
	if err != nil || o.Role.ARN == "" {
		return base, base, err
	}
	key.endpoint, key.role = o.EndpointURL, o.Role
	cfg, err = o.Logins.load(key, func() (aws.Config, error) {
		assumed := base.Copy()
		assumed.Credentials = login.Advise(o.Role.provider(base), o.Profile)
		return assumed, nil
	})
	cfg.Logger = base.Logger
	return base, cfg, err
}

// load reads the shared AWS configuration.
func (o Options) load(ctx context.Context, region string) (aws.Config, error) {
	httpClient := o.HTTPClient
	if httpClient == nil {
		httpClient = newHTTPClient()
	}
	cfg, err := login.Load(ctx, login.Options{
		Profile: o.Profile, Region: region, HTTPClient: httpClient, Credentials: o.Credentials, Log: o.Log, MFACode: o.MFACode,
	}, config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), func(l *config.LoadOptions) error {
		if o.Version != "" {
			l.APIOptions = append(l.APIOptions, awsmiddleware.AddUserAgentKeyValue("cognito-reset", o.Version))
		}
		return nil
	})
	if own, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok { // with the certificates of AWS_CA_BUNDLE
		cfg.HTTPClient = direct{own.GetTransport()}
	}
	return cfg, err
}

// observed has every call of a client told to observe.
func observed(observe func(string, *batch.Error, time.Duration)) func(*cognito.Options) {
	if observe == nil {
		return func(*cognito.Options) {}
	}
	watch := middleware.InitializeMiddlewareFunc("observe", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		began := time.Now()
		out, metadata, err := next.HandleInitialize(ctx, in)
		var answer *batch.Error
		if err != nil {
			answer = classify(err)
		}
		observe(awsmiddleware.GetOperationName(ctx), answer, time.Since(began))
		return out, metadata, err
	})
	return func(o *cognito.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error { return stack.Initialize.Add(watch, middleware.After) })
	}
}

// Config is how the pool's calls are made, for clients of the services around it.
func (p *Pool) Config() aws.Config { return p.config.Copy() }

// BaseConfig is [Pool.Config] without the role, and whether a role is assumed at all.
func (p *Pool) BaseConfig() (cfg aws.Config, assumed bool) { return p.base.Copy(), p.role }

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

// Beside makes the listings and reads of two pools of one account and Region, which
// share its quotas, share the rates of other. It is called before either works.
func (p *Pool) Beside(other *Pool) { p.reads, p.lists = other.reads, other.lists }

// RegionOf is the Region in a pool id such as eu-west-1_AbCdEfGhI, or "".
func RegionOf(poolID string) string {
	region, _, found := strings.Cut(poolID, "_")
	if !found {
		return ""
	}
	return region
}

// Do implements [batch.Action]: one [Pool.Reset]. Where Cognito refuses for a
// state that it does not tell, one listing of the user names it.
func (p *Pool) Do(ctx context.Context, e batch.Entry) (batch.Answer, error) {
	requestID, err := p.Reset(ctx, e)
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Reason == batch.WrongState {
		answer.Reason = p.nameState(ctx, e.Username)
	}
	return batch.Answer{RequestID: requestID}, err
}

// Reset makes one AdminResetUserPassword and no other call. A nil error means
// that Cognito has put the user in RESET_REQUIRED and was asked for a message;
// whether one arrives, no answer tells. Any other is a [*batch.Error].
func (p *Pool) Reset(ctx context.Context, e batch.Entry) (requestID string, err error) {
	out, err := p.client.AdminResetUserPassword(ctx, &cognito.AdminResetUserPasswordInput{
		UserPoolId: &p.ID, Username: &e.Username, ClientMetadata: e.ClientMetadata,
	})
	if err != nil {
		answer := p.classify(err)
		return answer.RequestID, answer
	}
	return answered(out.ResultMetadata).RequestID, nil
}

// Explain keeps of an SDK error what a person can use.
func Explain(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", AsideTimeout)
	}
	return classify(err)
}
