// Package sandbox is an Amazon Cognito user pool to try things on: it speaks
// the real wire protocol, keeps its users in memory, refuses whom Cognito
// refuses, throttles where Cognito throttles and, if told to, loses answers as
// networks do. Demos, rehearsals and tests use it; it sends nobody anything.
//
//	pool := sandbox.New(sandbox.Config{Quotas: sandbox.DefaultQuotas()})
//	pool.PopulateN(1000)
//	http.ListenAndServe("127.0.0.1:9229", pool)
//
// Any Cognito client reaches it by its endpoint option (aws --endpoint-url).
// Within one process no listener is needed: [Pool] is an [http.RoundTripper]
// too, and works inside a testing/synctest bubble, where hours of pacing pass
// in no time:
//
//	client := &http.Client{Transport: pool}
//
// It answers the operations that a mass reset touches, those by which a reset
// user gets back in (ForgotPassword, ConfirmForgotPassword, InitiateAuth), and
// what a careful caller asks other services first: STS GetCallerIdentity,
// Service Quotas, the usage metrics of CloudWatch (GetMetricData), SES
// GetAccount. What it leaves out: MFA, the settings of app clients, triggers, hosted pages, and the checking of signatures:
// a request must be signed, but with any key.
//
// Where nobody could tell how a live pool behaves, the doc comments here say
// what was chosen. Do not take the sandbox's word for such a detail.
//
// Beside the protocol, GET /sandbox/outbox, /sandbox/users and /sandbox/stats
// tell a test in another process what happened; see [Pool.ServeHTTP].
package sandbox

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is the kind of pool that [New] makes. The zero value is a pool
// without quotas, delays or faults.
type Config struct {
	// PoolID is the pool's id, Region first; "us-east-1_Sandbox01" if empty.
	PoolID string

	// Account is the number of the AWS account that the pool is of;
	// "123456789012", AWS's own example, if empty.
	Account string

	// Beside is another pool of the same account and Region. The two share its
	// quotas; Account, Quotas and SlidingSecond are then its own. Nil if there
	// is none.
	Beside *Pool

	// ExternalID is what a caller must give to assume a role of the account;
	// "" asks for none.
	ExternalID string

	// PoolName is the pool's name; "sandbox" if empty.
	PoolName string

	// CaseInsensitive makes usernames and aliases match whatever their case,
	// as on pools that the console makes. The API's own default is false.
	CaseInsensitive bool

	// FiltersMindCase makes the filters of ListUsers compare letter by letter.
	// Without it they find a value in any case, also in a pool that tells Ann
	// from ann at sign-in. AWS's pages contradict each other on this.
	FiltersMindCase bool

	// SignIn is what users sign in with: "" is the username, and the Aliases;
	// "email" is the e-mail address, verified or not, in place of a username. The
	// pool then makes the usernames, which are the subs.
	SignIn string

	// Aliases are the attributes, of "email" and "phone_number", by which a
	// user who has them verified can be named. Nil means email alone, an empty
	// slice none. A sub always names its user.
	Aliases []string

	// AdminOnlyRecovery is a pool without self-service recovery: every reset
	// is refused with OperationNotEnabledException. That a pool refuses is
	// documented, the words it uses are not.
	AdminOnlyRecovery bool

	// ResetMovesModified makes a reset move UserLastModifiedDate. Whether
	// Cognito does is an open question; moto does not.
	ResetMovesModified bool

	// PasswordMinLength is the least length of a password, in characters; 8 if
	// 0. One of each kind of character is always asked for, as by the policy
	// of a new pool.
	PasswordMinLength int

	// Clients are the ids of the app clients; "app" alone if nil. A call with
	// another id is refused. None has a secret, and each may use every flow that
	// the sandbox has.
	Clients []string

	// Quotas is how many calls a second each category takes; see
	// [DefaultQuotas]. A category that is absent or 0 is unlimited.
	Quotas map[Category]float64

	// SlidingSecond counts a quota over every window of one second. Without
	// it, a quota is a bucket that holds one second's calls and starts full,
	// so that a burst and the refill after it make up to twice the quota.
	SlidingSecond bool

	// Latency is how long an answer takes, give or take a quarter. The work is
	// done when half of it has passed.
	Latency time.Duration

	// DailyMessages is how many e-mails may go out from one 09:00 UTC to the
	// next, 50 for Cognito's default sender. The pool then says that it sends
	// by COGNITO_DEFAULT. 0 is no limit, and a pool that sends by SES. Text
	// messages do not count.
	DailyMessages int

	// AttemptLimit is how many codes one user may be sent within an hour of
	// the first, and how many wrong codes or passwords are read; 10 if 0, none if negative. Cognito gives 5 to 20, as it sees
	// the risk.
	AttemptLimit int

	// Faults is what goes wrong though the caller did nothing wrong.
	Faults Faults

	// Trigger is the exception that the pool's CustomMessage trigger makes of
	// every reset, such as "UserLambdaValidationException"; "" if it lets them
	// pass.
	Trigger string

	// Triggers are the names of other functions that DescribeUserPool shows
	// attached, such as "PreSignUp"; nothing calls them.
	Triggers []string

	// MFA is what DescribeUserPool says of it, "OFF" if empty; nobody is asked
	// for a second factor.
	MFA string

	// FirstFactors are the ways to sign in without a password that DescribeUserPool
	// names, such as "EMAIL_OTP" and "WEB_AUTHN"; the sandbox itself takes none of them.
	FirstFactors []string

	// Unprotected is a pool that could be deleted.
	Unprotected bool

	// NoSMS is a pool that DescribeUserPool says was not set up for text
	// messages.
	NoSMS bool

	// LiveTraffic is how many calls of a category the account's live users
	// make a second at a time, be it before the pool was made. CloudWatch
	// counts them, beside the calls that the pool serves; they take nothing of
	// its quotas. Nil is none.
	LiveTraffic func(Category, time.Time) float64

	// SES is the account's allowance of e-mails.
	SES SES

	// Denied are the actions that the caller has no permission for, as IAM
	// policies name them, such as "servicequotas:GetServiceQuota" or
	// "cloudwatch:*".
	Denied []string

	// Allowed are the only actions that the caller has permission for, each by
	// its whole name. Nil is all that are not Denied.
	Allowed []string

	// Seed decides latencies, faults, codes and the sub of users that have
	// none. Calls made one after the other meet the same fate with the same
	// seed; concurrent ones do as they come.
	Seed uint64
}

// A Pool is one user pool, with its account's quotas. It is safe for
// concurrent use and starts no goroutines.
type Pool struct {
	cfg     Config
	started time.Time
	quotas  *quotas

	// mu guards all below. It is held for the moment of the work alone, never
	// while waiting, reading, decoding or writing.
	mu       sync.Mutex
	ahead    time.Duration // that the service's clock is of this machine's
	random   *rand.Rand
	requests uint64
	calls    map[string]map[string]int // by operation, by answer code

	users   []*record
	byName  map[string]*record
	groups  map[string]bool // that have, or had, a member
	indexes [attributes]index

	outbox    []message
	mailDay   time.Time // the day, begun at 09:00 UTC, that mailCount is of
	mailCount int
}

// New makes an empty pool.
func New(cfg Config) *Pool {
	if cfg.PoolID == "" {
		cfg.PoolID = "us-east-1_Sandbox01"
	}
	if cfg.PoolName == "" {
		cfg.PoolName = "sandbox"
	}
	if cfg.AttemptLimit == 0 {
		cfg.AttemptLimit = 10
	}
	if cfg.Aliases == nil {
		cfg.Aliases = []string{"email"}
	}
	if cfg.Clients == nil {
		cfg.Clients = []string{defaultClient}
	}
	cfg.Clients = slices.Clone(cfg.Clients)
	if cfg.Account == "" {
		cfg.Account = "123456789012"
	}
	if cfg.SignIn == "email" {
		cfg.Aliases = nil
	}
	cfg.Aliases = slices.Clone(cfg.Aliases)
	cfg.Denied = slices.Clone(cfg.Denied)
	cfg.Allowed = slices.Clone(cfg.Allowed)
	cfg.Quotas = maps.Clone(cfg.Quotas)
	p := &Pool{
		cfg:     cfg,
		started: time.Now(),
		random:  rand.New(rand.NewPCG(cfg.Seed, 0)),
		calls:   make(map[string]map[string]int),
		byName:  make(map[string]*record),
		groups:  make(map[string]bool),
	}
	p.quotas = &quotas{cfg: &p.cfg, started: p.started, limits: make(map[Category]*limiter)}
	if cfg.Beside != nil {
		p.quotas, p.cfg.Account = cfg.Beside.quotas, cfg.Beside.cfg.Account
	}
	p.indexes = newIndexes(p.filterFold)
	return p
}

// fold is the form in which usernames and aliases are compared.
func (p *Pool) fold(s string) string {
	if p.cfg.CaseInsensitive {
		return strings.ToLower(s)
	}
	return s
}

// SetClock puts the service's clock so far ahead of this machine's, or behind it
// if negative. Dates of answers and times of users go by it. To a caller that is
// as if its own clock were off the other way.
func (p *Pool) SetClock(ahead time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead = ahead
}

// Now is what the service's clock shows.
func (p *Pool) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now()
}

// now is Now for those who hold the lock.
func (p *Pool) now() time.Time { return time.Now().Add(p.ahead) }

// filterFold is the form in which ListUsers compares the values of attributes.
func (p *Pool) filterFold(s string) string {
	if p.cfg.FiltersMindCase {
		return s
	}
	return strings.ToLower(s)
}

// Faults is how often, from 0 to 1, a call meets each kind of fault; their sum
// should not exceed 1. They strike the calls that a mass run makes on users:
// AdminResetUserPassword, AdminSetUserPassword, AdminUserGlobalSignOut,
// AdminDisableUser and AdminCreateUser meet all four, AdminGetUser,
// ListUsers and ListUsersInGroup only the two that are answers: a read that is
// lost is merely read again. A fault strikes after the quota was checked.
type Faults struct {
	// Internal is an InternalErrorException (HTTP 500); nothing was done.
	Internal float64

	// Throttle is a TooManyRequestsException; nothing was done.
	Throttle float64

	// LostBefore is a connection cut before the work was done.
	LostBefore float64

	// LostAfter is a connection cut after the work was done, which no caller
	// can tell from LostBefore.
	LostAfter float64

	// DeadToken is a page token refused before its hour is over. This one and
	// EmptyPage strike the pages of ListUsers and ListUsersInGroup, apart from
	// the others.
	DeadToken float64

	// EmptyPage is a page without users, and a token for them.
	EmptyPage float64
}

// EvenFaults makes the share rate of calls, from 0 to 1, meet a fault: a
// quarter of them each kind.
func EvenFaults(rate float64) Faults {
	return Faults{Internal: rate / 4, Throttle: rate / 4, LostBefore: rate / 4, LostAfter: rate / 4}
}

// chance comes true in a share of cases. The lock is held.
func (p *Pool) chance(share float64) bool { return share > 0 && p.random.Float64() < share }

type strike byte

const (
	noStrike strike = iota
	strikeInternal
	strikeThrottle
	strikeLostBefore
	strikeLostAfter
)

// strikes draws the fate of one call.
func (p *Pool) strikes(kind exposure) strike {
	f := p.cfg.Faults
	if kind == unexposed || f == (Faults{}) {
		return noStrike
	}
	u := p.random.Float64()
	if u -= f.Internal; u < 0 {
		return strikeInternal
	}
	if u -= f.Throttle; u < 0 {
		return strikeThrottle
	}
	if kind == answersOnly {
		return noStrike
	}
	if u -= f.LostBefore; u < 0 {
		return strikeLostBefore
	}
	if u -= f.LostAfter; u < 0 {
		return strikeLostAfter
	}
	return noStrike
}

// latency draws how long one answer takes.
func (p *Pool) latency() time.Duration {
	if p.cfg.Latency <= 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(float64(p.cfg.Latency) * (0.75 + 0.5*p.random.Float64()))
}
