// Package pool opens the user pool that a [spec.Spec] names: Cognito's, or a
// sandbox inside this process.
package pool

import (
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/user"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// Options are who is told of a pool's calls. All but Log may be nil.
type Options struct {
	Log         *slog.Logger
	Sandbox     *Sandbox                                                 // that is asked in place of Cognito
	Logins      *userpool.Logins                                         // shared with other pools
	HTTPClient  aws.HTTPClient                                           // in place of the network's, for tests
	MFACode     func(ctx context.Context, device string) (string, error) // asks a person; nil where nobody is there
	Observe     func(operation string, answer *batch.Error, took time.Duration)
	ClockJumped func(what string)
}

// Open prepares the user pool of a spec, and calls nobody.
func Open(ctx context.Context, s spec.Spec, o Options) (*userpool.Pool, error) {
	options := userpool.Options{
		PoolID: s.UserPoolID, Profile: s.Profile, Region: s.Region, EndpointURL: s.EndpointURL, Role: role(s.Settings), Version: s.Version, PhoneCountry: s.PhoneCountry,
		Logins: o.Logins, Share: s.Shard.Of(1), Log: o.Log, UsernameCase: s.UsernameCase,
		Observe: o.Observe, ClockJumped: o.ClockJumped, HTTPClient: o.HTTPClient, MFACode: o.MFACode,
	}
	if s.FirstRate() == 0 && !s.FindRate { // no limit at all
		options.ListRate = math.MaxFloat64
	}
	if o.Sandbox != nil {
		options.EndpointURL = o.Sandbox.url
		options.Profile, options.Role, options.Region = "", userpool.Role{}, userpool.RegionOf(s.UserPoolID)
		options.Credentials = awscredentials.NewStaticCredentialsProvider("sandbox", "sandbox", "")
	}
	return userpool.Open(ctx, options)
}

// role is the role that settings ask for. Its session is named after who is logged in
// here, unless it has a name.
func role(s spec.Settings) userpool.Role {
	r := userpool.Role{ARN: s.RoleARN, ExternalID: s.ExternalID, SessionName: s.SessionName, SourceIdentity: s.SourceIdentity}
	if who, err := user.Current(); err == nil && r.SessionName == "" {
		name := notInName.ReplaceAllString("cognito-reset-"+who.Username, "-")
		r.SessionName = name[:min(len(name), 64)]
	}
	return r
}

// notInName is what the name of a role's session cannot hold.
var notInName = regexp.MustCompile(`[^\w+=,.@-]`)

// Latency is what a call to a sandbox takes, unless told otherwise.
const Latency = 50 * time.Millisecond

// A Sandbox is a user pool inside this process.
type Sandbox struct {
	*sandbox.Pool
	server *http.Server
	url    string
}

// Start serves a sandbox for a spec, with the users that fill puts into it.
func Start(s spec.Spec, fill func(*sandbox.Pool) error) (*Sandbox, error) {
	pool := sandbox.New(sandbox.Config{PoolID: s.UserPoolID, Quotas: sandbox.DefaultQuotas(), Latency: Latency, SignIn: s.SignIn})
	if err := fill(pool); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: pool}
	go server.Serve(listener) // until Close
	return &Sandbox{pool, server, "http://" + listener.Addr().String()}, nil
}

// Close ends the sandbox and what was in it.
func (s *Sandbox) Close() error { return s.server.Close() }

// Load puts the users of a ListUsers document into a sandbox.
func Load(pool *sandbox.Pool, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return exit.Usagef("--pool-users: %w", err)
	}
	defer file.Close()
	if _, err := pool.Load(file); err != nil {
		return exit.Usagef("--pool-users: %s: %w", path, err)
	}
	return nil
}
