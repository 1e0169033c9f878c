// Package login finds the AWS configuration and credentials as every AWS tool does, and
// says what to do where there are none.
package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

// Options are what the configuration is read for. The zero value goes by the
// environment alone.
type Options struct {
	Profile     string // of the shared AWS configuration; "" as usual
	Region      string // "" as usual
	HTTPClient  aws.HTTPClient
	Credentials aws.CredentialsProvider // in place of the usual chain; may be nil
	Log         *slog.Logger            // of what the SDK has to say; nil drops it

	// MFACode, if set, asks a person for the code that a device shows, where a
	// profile's role takes one.
	MFACode func(ctx context.Context, device string) (code string, err error)
}

// Load reads the configuration, and calls nobody. Whoever then calls without
// credentials gets an [*Error].
func Load(ctx context.Context, o Options, more ...func(*config.LoadOptions) error) (aws.Config, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	options := append([]func(*config.LoadOptions) error{
		config.WithHTTPClient(o.HTTPClient),
		config.WithRegion(o.Region),
		config.WithSharedConfigProfile(o.Profile),
		config.WithLogger(Logger(o.Log)),
		config.WithAssumeRoleCredentialOptions(o.askForMFACode(ctx)),
	}, more...)
	if o.Credentials != nil {
		options = append(options, config.WithCredentialsProvider(o.Credentials))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, o.misconfigured(err)
	}
	cfg.Credentials = Advise(cfg.Credentials, o.profile())
	return cfg, nil
}

// Advise has the failures of a provider, which takes its credentials from a profile
// if one is named, say what helps.
func Advise(p aws.CredentialsProvider, profile string) aws.CredentialsProvider {
	if p == nil {
		return nil
	}
	return &credentials{p, profile}
}

// profile is the one that credentials are taken from; "" if none is named.
func (o Options) profile() string {
	return cmp.Or(o.Profile, os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE"))
}

// askForMFACode has a person asked for the code of a device. Without anybody to ask,
// the SDK fails with an error of its own.
func (o Options) askForMFACode(ctx context.Context) func(*stscreds.AssumeRoleOptions) {
	return func(role *stscreds.AssumeRoleOptions) {
		if o.MFACode != nil && role.SerialNumber != nil {
			role.TokenProvider = func() (string, error) { return o.MFACode(ctx, *role.SerialNumber) }
		}
	}
}

// misconfigured says what is wrong with the shared AWS configuration, and what helps.
func (o Options) misconfigured(err error) error {
	name := cmp.Or(o.profile(), "default")
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		known := "there is none"
		if names := profiles(); len(names) > 0 {
			known = "there are " + strings.Join(names, ", ")
		}
		return fmt.Errorf("no AWS profile is called %q: %s. Give another by --profile or AWS_PROFILE, or make it by aws configure sso", missing.Profile, known)
	}
	if _, ok := errors.AsType[config.AssumeRoleTokenProviderNotSetError](err); ok {
		return fmt.Errorf("the role of AWS profile %q takes a code of an MFA device, and nobody is at a terminal to give it: "+
			`take credentials first, as by eval "$(aws configure export-credentials --profile %s --format env)", and leave --profile and AWS_PROFILE out`, name, name)
	}
	return fmt.Errorf("the AWS configuration cannot be read: %w", err)
}

// profileHeading begins a profile in the shared configuration or credentials.
var profileHeading = regexp.MustCompile(`(?m)^\s*\[\s*(?:profile\s+)?([^\]\s]+)\s*\]`)

// profiles are the names of those that there are.
func profiles() (names []string) {
	for _, file := range []string{
		cmp.Or(os.Getenv("AWS_CONFIG_FILE"), config.DefaultSharedConfigFilename()),
		cmp.Or(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), config.DefaultSharedCredentialsFilename()),
	} {
		text, _ := os.ReadFile(file) // one that cannot be read names nobody
		for _, found := range profileHeading.FindAllStringSubmatch(string(text), -1) {
			names = append(names, found[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// credentials mark their failures, so that "no credentials" is told apart from
// an answer of the service.
type credentials struct {
	aws.CredentialsProvider
	profile string
}

// An Error says in words of its own why there are no credentials: no call was made.
type Error struct {
	text string
	err  error
}

func (e *Error) Error() string { return e.text }

func (e *Error) Unwrap() error { return e.err }

func (c *credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = &Error{c.advice(err), err}
	}
	return creds, err
}

// advice is why there are no credentials, and what helps.
func (c *credentials) advice(err error) string {
	login := "aws sso login"
	if c.profile != "" {
		login += " --profile " + c.profile
	}
	_, sso := errors.AsType[*ssocreds.InvalidTokenError](err)
	if sso || strings.Contains(err.Error(), "SSO token") {
		return "the SSO session has run out, or there is none: run " + login
	}
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Sprintf("AWS gives no credentials: %s: %s", answer.ErrorCode(), answer.ErrorMessage())
	}
	if c.profile != "" {
		return fmt.Sprintf("AWS profile %q has no credentials: run %s, or give another by --profile or AWS_PROFILE", c.profile, login)
	}
	return "no AWS credentials found: run aws sso login, set AWS_PROFILE or give --profile"
}

// Logger is where the SDK writes what it has to say.
func Logger(log *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(how logging.Classification, format string, v ...any) {
		level := slog.LevelDebug
		if how == logging.Warn {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, "the AWS SDK: "+fmt.Sprintf(format, v...))
	})
}
