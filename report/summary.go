package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"cognito-reset/batch"
)

// A Summary is a run in numbers. Outcomes add up to Rows.
type Summary struct {
	Rows           int64                   `json:"rows"`
	Outcomes       map[batch.Outcome]int64 `json:"outcomes"` // every outcome has a key
	Reasons        map[batch.Reason]int64  `json:"reasons"`
	Calls          int64                   `json:"calls"`     // resets asked for, throttled ones included
	Throttled      int64                   `json:"throttled"` // calls that were throttled
	StartedAt      time.Time               `json:"started_at"`
	FinishedAt     time.Time               `json:"finished_at"`
	ElapsedSeconds float64                 `json:"elapsed_seconds"` // at work, over all sessions
	UsersPerSecond float64                 `json:"users_per_second"`
	ExitCode       int                     `json:"exit_code"`
	StoppedBecause string                  `json:"stopped_because"`    // "" if no row was left
	Coverage       *Coverage               `json:"coverage,omitempty"` // nil if input and pool were not compared
	DryRun         bool                    `json:"dry_run"`
	Forecast       *Forecast               `json:"forecast,omitempty"` // of a dry run that looked at the pool
	RunDirectory   string                  `json:"run_directory"`
	JournalBytes   int64                   `json:"journal_bytes"` // of the journal that this was rendered from
}

// A Coverage is how many users an input and a pool have in common.
type Coverage struct {
	Both      int64 `json:"both"`
	InputOnly int64 `json:"input_only"`
	PoolOnly  int64 `json:"pool_only"` // whom the run leaves out
}

// A Forecast is what a dry run found in the pool.
type Forecast struct {
	States       map[string]int64 `json:"states"`        // of the users whom a run would call
	Channels     map[string]int64 `json:"channels"`      // by which those to be reset would be sent a code
	KeepPassword int64            `json:"keep_password"` // users whose old password a run would leave working, or able to work again
	Seconds      float64          `json:"seconds"`       // that the calls of a run would take at its rate; 0 without one
	Billed       int64            `json:"billed"`        // users whom the run would make billed active users of the month
	BilledReads  int64            `json:"billed_reads"`  // users read one by one, each a billed active user
	Time         string           `json:"time"`          // that a run would take, in words: messages may be fewer a day than calls

	Warnings []string `json:"warnings,omitempty"` // checks of the preflight to look at
	Blockers []string `json:"blockers,omitempty"` // and those that would stop the run
}

// Write counts one result. With Close it makes a Summary a [Writer].
func (s *Summary) Write(r batch.Result) error {
	if s.Outcomes == nil {
		s.Outcomes, s.Reasons = make(map[batch.Outcome]int64), make(map[batch.Reason]int64)
		for _, o := range batch.Outcomes {
			s.Outcomes[o] = 0
		}
	}
	s.Rows++
	s.Outcomes[r.Outcome]++
	if r.Reason != "" {
		s.Reasons[r.Reason]++
	}
	s.Calls += int64(r.Attempts)
	s.Throttled += int64(r.Throttled)
	return nil
}

// Close works out the users worked on a second.
func (s *Summary) Close() error {
	worked := s.Rows - s.Outcomes[batch.Skipped] - s.Outcomes[batch.Invalid] - s.Outcomes[batch.NotAttempted]
	if s.UsersPerSecond = 0; s.ElapsedSeconds > 0 && !s.DryRun {
		s.UsersPerSecond = float64(worked) / s.ElapsedSeconds
	}
	return nil
}

// Well tells that every row is reset, would be, or was skipped on purpose.
func (s Summary) Well() bool {
	return s.Outcomes[batch.Failed]+s.Outcomes[batch.Invalid]+s.Outcomes[batch.Unknown]+s.Outcomes[batch.NotAttempted] == 0
}

// Advice says in a few words what to do about a reason.
func Advice(r batch.Reason) string { return advice[r] }

// meanings say in a few words what an outcome is.
var meanings = map[batch.Outcome]string{
	batch.Reset:        "password reset, message requested",
	batch.Locked:       "no reset, but nobody knows the password any more",
	batch.UserDisabled: "no reset, but they cannot sign in",
	batch.Invited:      "no reset, but a new temporary password was asked for",
	batch.WouldReset:   "nothing stands against a reset",
	batch.WouldLock:    "no reset would do; they would be locked",
	batch.WouldDisable: "no reset would do; they would be disabled",
	batch.WouldInvite:  "no reset would do; they would be invited again",
	batch.Skipped:      "deliberately not called",
	batch.Failed:       "refused, or retries ran out",
	batch.Invalid:      "the row gave no usable username",
	batch.Unknown:      "the answer was lost, and nothing could settle it",
	batch.NotAttempted: "the run stopped before them",
}

// advice says what to do about a reason, in at most 50 characters: with a count
// of 7 digits and the longest reason that is a line of 80.
var advice = map[batch.Reason]string{
	batch.Duplicate:            "named before; reset once",
	batch.Excluded:             "not among those selected",
	batch.RecentlyReset:        "an earlier run reset them since",
	batch.AlreadyResetRequired: "have a code; mail again by --if-reset-required",
	batch.OverLimit:            "beyond --limit or --sample",
	batch.ExternalProvider:     "their identity provider keeps the password",
	batch.EmptyUsername:        "add the username to these rows",
	batch.WrongPool:            "run these against their own user pool",
	batch.UsernameTooLong:      "no username has more than 128 characters",
	batch.MalformedRow:         "mend these lines; the report names them",
	batch.UserNotFound:         "none in this pool; federated ones have a prefix",
	batch.WrongState:           "OLD PASSWORD MAY WORK: the state forbids a reset",
	batch.TemporaryPassword:    "TEMPORARY PASSWORD STILL WORKS: invite them again",
	batch.Unconfirmed:          "OLD PASSWORD WORKS once they confirm",
	batch.Disabled:             "OLD PASSWORD COMES BACK if they are enabled",
	batch.NoVerifiedContact:    "OLD PASSWORD STILL WORKS: nowhere to send a code",
	batch.LambdaRefused:        "look at the pool's triggers",
	batch.ServerError:          "Cognito failed; resume with --retry failed",
	batch.Network:              "not reached; resume with --retry failed",
	batch.MessageLimit:         "no more messages before 09:00 UTC; then resume",
	batch.AttemptLimit:         "reset too often; try these again in an hour",
	batch.PoolNotFound:         "check pool id, Region and account",
	batch.Credentials:          "check or renew the AWS credentials",
	batch.AccessDenied:         "allow the call that the report names",
	batch.PoolConfiguration:    "check how the pool sends messages",
	batch.InvalidParameter:     "the report has Cognito's words",
	batch.Interrupted:          "resume the run",
	batch.Stopped:              "resume the run",
	batch.Other:                "the report has Cognito's words",
}

// Text writes the summary for a person, at most 80 columns wide where the
// names of files allow.
func (s Summary) Text(w io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, o := range batch.Outcomes {
		if n := s.Outcomes[o]; n > 0 {
			meaning := meanings[o]
			if o == batch.Failed && s.DryRun {
				meaning = "would be refused"
			}
			fmt.Fprintf(table, "%*d\t%s\t%s\n", s.width(), n, o, meaning)
		}
	}
	fmt.Fprintf(table, "%*d\trows\n", s.width(), s.Rows)
	table.Flush()
	if len(s.Reasons) > 0 {
		fmt.Fprintln(&b)
		for _, r := range slices.SortedFunc(maps.Keys(s.Reasons), func(x, y batch.Reason) int {
			return cmp.Or(cmp.Compare(s.Reasons[y], s.Reasons[x]), cmp.Compare(x, y))
		}) {
			fmt.Fprintf(table, "%*d\t%s\t%s\n", s.width(), s.Reasons[r], r, advice[r])
		}
		table.Flush()
	}
	if s.Calls > 0 {
		fmt.Fprintf(&b, "\n%d calls in %v, %.1f users/s, %d throttled\n", s.Calls,
			time.Duration(s.ElapsedSeconds*float64(time.Second)).Round(100*time.Millisecond), s.UsersPerSecond, s.Throttled)
	}
	if f := s.Forecast; f != nil {
		b.WriteString(f.text(s.Outcomes[batch.WouldReset]))
	}
	if c := s.Coverage; c != nil {
		fmt.Fprintf(&b, "\n%d in both input and pool, %d in the input only, %d in the pool only\n", c.Both, c.InputOnly, c.PoolOnly)
	}
	if s.StoppedBecause != "" {
		fmt.Fprintf(&b, "\nStopped: %s\n", s.StoppedBecause)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// text tells of a forecast what the counts by outcome and reason do not.
func (f *Forecast) text(users int64) string {
	var b strings.Builder
	tell := func(what, text string) {
		const width = 80 - len("Messages   ")
		for len(text) > width {
			at := strings.LastIndex(text[:width+1], ", ")
			if at < 0 {
				break
			}
			fmt.Fprintf(&b, "%-9s  %s\n", what, text[:at+1])
			what, text = "", text[at+2:]
		}
		fmt.Fprintf(&b, "%-9s  %s\n", what, text)
	}
	b.WriteByte('\n')
	tell("States", listed(f.States))
	tell("Messages", fmt.Sprintf("%d asked for (%s)", users, listed(f.Channels)))
	if f.Time != "" {
		tell("Time", f.Time)
	}
	switch {
	case f.KeepPassword > 0:
		tell("DANGER", fmt.Sprintf("%d KEEP THEIR OLD PASSWORD; a reset signs nobody out", f.KeepPassword))
	default:
		tell("Danger", "a reset signs nobody out: tokens already issued live on")
	}
	switch {
	case f.BilledReads > 0:
		tell("Cost", fmt.Sprintf("%d users were read one by one, and each is billed as active", f.BilledReads))
	case f.Billed > 0:
		tell("Cost", fmt.Sprintf("up to %d users more are billed as active: sign-out, lock, invite", f.Billed))
	default:
		tell("Cost", "this look and the resets are free; the pool's sender charges messages")
	}
	if f.Warnings != nil {
		tell("Warnings", strings.Join(f.Warnings, ", ")+"; see cognito-reset preflight")
	}
	if f.Blockers != nil {
		tell("BLOCKED", "by "+strings.Join(f.Blockers, ", ")+"; see cognito-reset preflight")
	}
	return b.String()
}

// listed are counts, the largest first.
func listed(counts map[string]int64) string {
	var list []string
	for _, name := range slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	}) {
		list = append(list, fmt.Sprintf("%d %s", counts[name], name))
	}
	return cmp.Or(strings.Join(list, ", "), "none")
}

func (s Summary) width() int { return max(len(fmt.Sprint(s.Rows)), 3) }
