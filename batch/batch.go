// Package batch does one piece of work on each of very many users: at a steady
// pace, with retries, never twice, and so that every input row ends in exactly
// one [Outcome].
//
// It knows nothing of AWS, files or terminals. A program hands it an iterator
// of [Entry] values and an [Action]; [Run] gives back a [Tally] and, one by
// one, the [Result] of each row. The folders below supply the usual parts:
// roster (where usernames come from), pace (when the next call may go),
// journal (the intents and their results), userpool (the Amazon Cognito side) and
// sandbox (a user pool to try things on).
package batch

import "time"

// An Entry is one row of the input: a user to work on, or the reason why this
// row will not be worked on.
type Entry struct {
	// Row is the 1-based data row of the input. A CSV header and blank lines
	// are not rows.
	Row int64

	// InputRow is the row of the input that led to this one, where rows are
	// not those of the input: a row may name several users. Otherwise zero.
	InputRow int64

	// Username is what the row named: a username, an alias the pool signs in
	// with, or a sub. It may be empty or unusable if Outcome is Invalid.
	Username string

	// Sub is the user's sub, where it is known. It never changes, and says which
	// users are one, whatever name each of their rows has.
	Sub string

	// ClientMetadata is handed to the user pool's triggers with the call.
	ClientMetadata map[string]string

	// Kept holds other columns of the row: those, in that order, that whatever
	// reads the input was asked to keep. It is nil if they could not be told.
	Kept []string

	// Outcome is empty for a user to work on. Whatever reads the input sets it
	// to Invalid or Skipped, with a Reason, where the row needs no call.
	Outcome Outcome
	Reason  Reason

	// Detail says in a sentence for people why Outcome was set, naming the
	// line and column of the input.
	Detail string

	// Before is what was known of the user before anything was done; nil if
	// nobody looked.
	Before *Snapshot

	// Steps are how steps of this user ended before: in earlier sessions, or
	// before the one that is intended. Step names the next of them; it is empty
	// for the first of all.
	Steps []StepResult
	Step  string

	// Intended is when an earlier session wrote the intent of a call whose
	// answer nobody saw. Zero for a user never called. [Run] settles such a
	// call by a read-back before it calls anything.
	Intended time.Time

	// Clock is that of the session that Intended is of.
	Clock Clock
}

// A Clock is how the clock of a session stood to the service's. Times of a
// session go by its own clock, and sessions may be on machines that differ.
type Clock struct {
	Ahead time.Duration // that the service's clock was, at the least; may be negative
	Known bool          // false: nothing is known of it
}

// A Snapshot is what a user was at some time.
type Snapshot struct {
	Status        string    `json:"status"` // the service's own word, such as CONFIRMED
	Enabled       bool      `json:"enabled"`
	EmailVerified bool      `json:"email_verified"`
	PhoneVerified bool      `json:"phone_verified"`
	ModifiedAt    time.Time `json:"modified_at"` // by the service's clock
}

// An Outcome is how a row ended. Every row ends in exactly one.
type Outcome string

// The outcomes. Their names are stable: people script against them.
const (
	Reset        Outcome = "reset"         // the pool confirmed it, or a read-back proved it
	Locked       Outcome = "locked"        // in place of a reset: nobody knows the password any more
	UserDisabled Outcome = "disabled"      // in place of a reset: the user cannot sign in
	Invited      Outcome = "invited"       // in place of a reset: a new temporary password was asked for
	SignedOut    Outcome = "signed_out"    // no reset was asked for: the sessions have ended, and the password is as it was
	WouldReset   Outcome = "would_reset"   // dry run: nothing stands against it
	WouldLock    Outcome = "would_lock"    // dry run, like those that follow: this would take the reset's place
	WouldDisable Outcome = "would_disable" //
	WouldInvite  Outcome = "would_invite"  //
	WouldSignOut Outcome = "would_sign_out"
	Skipped      Outcome = "skipped"       // deliberately not called
	Failed       Outcome = "failed"        // the pool refused, or retries ran out
	Invalid      Outcome = "invalid"       // the row gave no usable username
	Unknown      Outcome = "unknown"       // the call went out, the answer was lost, no read-back could settle it
	NotAttempted Outcome = "not_attempted" // the run stopped before it
)

// Outcomes lists every outcome in the order in which reports show them.
var Outcomes = []Outcome{
	Reset, Locked, UserDisabled, Invited, SignedOut, WouldReset, WouldLock, WouldDisable, WouldInvite, WouldSignOut,
	Skipped, Failed, Invalid, Unknown, NotAttempted,
}

// Done reports whether what was asked for was done, or what took its place.
func (o Outcome) Done() bool {
	switch o {
	case Reset, Locked, UserDisabled, Invited, SignedOut:
		return true
	}
	return false
}

// A Reason says in one stable word why a row did not simply succeed.
type Reason string

// The reasons. New ones are added where one is missing; none is ever renamed.
const (
	Duplicate            Reason = "duplicate"
	Excluded             Reason = "excluded"
	RecentlyReset        Reason = "recently_reset"
	OverLimit            Reason = "over_limit"
	AlreadyResetRequired Reason = "already_reset_required"
	EmptyUsername        Reason = "empty_username"
	WrongPool            Reason = "wrong_pool"
	UsernameTooLong      Reason = "username_too_long"
	MalformedRow         Reason = "malformed_row"
	UserNotFound         Reason = "user_not_found"
	WrongState           Reason = "wrong_state"
	TemporaryPassword    Reason = "temporary_password"
	Unconfirmed          Reason = "unconfirmed"
	Disabled             Reason = "disabled"
	ExternalProvider     Reason = "external_provider"
	NoVerifiedContact    Reason = "no_verified_contact"
	MangledNumber        Reason = "mangled_number"  // by a spreadsheet, such as 4.91701E+11
	UnknownCountry       Reason = "unknown_country" // of a phone number that does not say its own
	LambdaRefused        Reason = "lambda_refused"
	MessageRefused       Reason = "message_refused" // the pool may not send to the user: SMS role, SES identity or sandbox
	Throttled            Reason = "throttled"
	ServerError          Reason = "server_error"
	Network              Reason = "network"
	ClockSkew            Reason = "clock_skew" // this machine's clock differs from the service's
	MessageLimit         Reason = "message_limit"
	AttemptLimit         Reason = "attempt_limit"
	PoolNotFound         Reason = "pool_not_found"
	Credentials          Reason = "credentials"
	AccessDenied         Reason = "access_denied"
	PoolConfiguration    Reason = "pool_configuration"
	UnsupportedOperation Reason = "unsupported_operation" // the server, which is not Cognito, has no such call
	InvalidParameter     Reason = "invalid_parameter"
	Stopped              Reason = "stopped"
	Interrupted          Reason = "interrupted"
	Other                Reason = "other"
)

// Reasons lists every reason.
var Reasons = []Reason{
	Duplicate, Excluded, RecentlyReset, OverLimit, AlreadyResetRequired, EmptyUsername, WrongPool, UsernameTooLong, MalformedRow,
	UserNotFound, WrongState, TemporaryPassword, Unconfirmed, Disabled, ExternalProvider, NoVerifiedContact,
	MangledNumber, UnknownCountry, LambdaRefused, MessageRefused, Throttled, ServerError, Network, ClockSkew, MessageLimit, AttemptLimit, PoolNotFound, Credentials,
	AccessDenied, PoolConfiguration, UnsupportedOperation, InvalidParameter, Stopped, Interrupted, Other,
}

// A Result is how one row ended, with all that a report says of it.
type Result struct {
	Row          int64 // of the input
	Username     string
	Sub          string // of the user; empty where it is not known
	Outcome      Outcome
	Reason       Reason // empty for Reset, SignedOut and what a dry run says of them; why there was no reset, where something took its place
	Attempts     int    // calls made for this user, throttled ones included
	Throttled    int    // how many of the attempts were throttled
	Sent         int    // calls that sent a message, or may have
	ErrorCode    string // the service's own, such as UserNotFoundException
	ErrorMessage string
	RequestID    string    // of the last answer, to find it in CloudTrail
	StartedAt    time.Time // zero if no call was made
	FinishedAt   time.Time // zero if no call was made
	SettledBy    Evidence
	Steps        []StepResult // in their order; nil where a reset was all that was asked for
	Before       *Snapshot    // nil if nobody looked
	Kept         []string     // as in the Entry
	Clock        Clock        // that the times go by, if the result comes from a record
}

// Duration is the time from the first call to the last answer.
func (r Result) Duration() time.Duration { return r.FinishedAt.Sub(r.StartedAt) }

// Names are all by which the result knows its user: the username and, where it is
// known, the sub.
func (r Result) Names() []string {
	if r.Sub == "" || r.Sub == r.Username {
		return []string{r.Username}
	}
	return []string{r.Username, r.Sub}
}

// Evidence is what a Result rests on.
type Evidence string

// The kinds of evidence. A Result without any rests on the input alone, or is
// Unknown because there is none.
const (
	ByAnswer   Evidence = "answer"    // the service answered the call
	ByReadBack Evidence = "read_back" // the answer was lost; the user's state, read afterwards, told
	ByState    Evidence = "state"     // dry run: the user's state told
)
