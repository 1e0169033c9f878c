package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"cognito-reset/batch"
)

// SummarySchema is the JSON Schema of a [Summary]. Keys are added to it and never
// taken away.
//
//go:embed summary.schema.json
var SummarySchema string

// A Summary is a run in numbers. Outcomes add up to Rows.
type Summary struct {
	UserPoolID   string `json:"user_pool_id"` // "" of several
	UserPoolName string `json:"user_pool_name"`
	Account      string `json:"account"` // "" if nobody told
	Region       string `json:"region"`
	Sandbox      bool   `json:"sandbox"`         // a rehearsal: nobody was reset
	Steps        Steps  `json:"steps,omitempty"` // that were asked for, in order; absent of runs of earlier versions

	Rows           int64                   `json:"rows"`
	Outcomes       map[batch.Outcome]int64 `json:"outcomes"`  // every outcome that rows of such a run can have has a key
	Reasons        map[batch.Reason]int64  `json:"reasons"`   // of rows for which nothing was done
	Calls          int64                   `json:"calls"`     // made for users, throttled ones included
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

	KeepPassword int64   `json:"keep_password"` // users whose old password works, or will again, as far as the run can tell
	Remaining    int64   `json:"remaining"`     // users who are not safe yet: the rows of remaining.csv
	RateAsked    float64 `json:"rate_asked"`    // calls a second, as asked for last; 0 is no limit
	RateHeld     float64 `json:"rate_held"`     // calls a second, over the time at work
	ResetsHeld   float64 `json:"resets_held"`   // those of them that are resets
	OthersHeld   float64 `json:"others_held"`   // and those that are not: sign-outs and what takes a reset's place
	LongestWaits []Wait  `json:"longest_waits"` // at most 3, the longest first
	Next         string  `json:"next"`          // command to run now; "" if there is none

	Targets  []Target  `json:"targets,omitempty"`  // of a job on several user pools
	Sessions *Sessions `json:"sessions,omitempty"` // of one run, in its directory; nil elsewhere

	resets  int64 // calls
	waiting int64 // rows of users still to be called, of a run that works
}

// A Target is what became of one user pool of several.
type Target struct {
	UserPoolID     string `json:"user_pool_id"`
	RunDirectory   string `json:"run_directory"`
	Rows           int64  `json:"rows"` // in the report; 0 if it was left out
	ExitCode       int    `json:"exit_code"`
	StoppedBecause string `json:"stopped_because"` // "" if no row was left
}

// A Wait is how long a user's row took, from the first call to the last answer.
type Wait struct {
	Row       int64   `json:"row"`
	Seconds   float64 `json:"seconds"`
	Throttled int     `json:"throttled"` // calls
}

// A Coverage is how many users an input and a pool have in common.
type Coverage struct {
	Both      int64 `json:"both"`
	InputOnly int64 `json:"input_only"`
	PoolOnly  int64 `json:"pool_only"`          // whom the input does not name
	LeftOut   int64 `json:"left_out,omitempty"` // of Both, whom the run leaves out all the same
}

// Write counts one result. With Close it makes a Summary a [Writer].
func (s *Summary) Write(r batch.Result) error {
	s.begin()
	s.Rows++
	s.Outcomes[r.Outcome]++
	switch r.Outcome {
	case batch.Skipped, batch.Failed, batch.Invalid, batch.Unknown, batch.NotAttempted:
		if r.Reason != "" {
			s.Reasons[r.Reason]++
		}
	}
	s.Calls += int64(r.Attempts)
	s.resets += int64(r.Attempts)
	for _, step := range r.Steps {
		if step.Step != "reset" {
			s.resets -= int64(step.Attempts)
		}
	}
	s.Throttled += int64(r.Throttled)
	if s.Steps.KeepsPassword(r) {
		s.KeepPassword++
	}
	if s.Steps.Remains(r) {
		s.Remaining++
	}
	s.wait(r)
	return nil
}

// begin sees to it that what counts nothing is not null.
func (s *Summary) begin() {
	if s.Outcomes != nil {
		return
	}
	s.Outcomes, s.Reasons, s.LongestWaits = make(map[batch.Outcome]int64), make(map[batch.Reason]int64), []Wait{}
	for _, o := range batch.Outcomes {
		if signsOut := o == batch.SignedOut || o == batch.WouldSignOut; !signsOut || s.Steps.SignOutAlone() {
			s.Outcomes[o] = 0 // else 0 would be read as nobody, of a run that signs out after the reset
		}
	}
}

// wait takes a result among the longest waits, if it is one.
func (s *Summary) wait(r batch.Result) {
	const most = 3
	seconds := r.Duration().Seconds()
	if n := len(s.LongestWaits); seconds <= 0 || n == most && seconds <= s.LongestWaits[n-1].Seconds {
		return
	}
	at, _ := slices.BinarySearchFunc(s.LongestWaits, seconds, func(w Wait, seconds float64) int {
		if w.Seconds >= seconds {
			return -1
		}
		return 1
	})
	s.LongestWaits = slices.Insert(s.LongestWaits, at, Wait{r.Row, seconds, r.Throttled})
	s.LongestWaits = s.LongestWaits[:min(len(s.LongestWaits), most)]
}

// CountCalls has the summary go by so many calls, where not all are those of its rows.
func (s *Summary) CountCalls(calls, throttled int64) {
	s.resets += calls - s.Calls
	s.Calls, s.Throttled = calls, throttled
}

// Close works out what is so many a second.
func (s *Summary) Close() error {
	s.begin()
	worked := s.Rows - s.Outcomes[batch.Skipped] - s.Outcomes[batch.Invalid] - s.Outcomes[batch.NotAttempted]
	if s.UsersPerSecond, s.RateHeld, s.ResetsHeld, s.OthersHeld = 0, 0, 0, 0; s.ElapsedSeconds > 0 && !s.DryRun {
		s.UsersPerSecond, s.RateHeld = float64(worked)/s.ElapsedSeconds, float64(s.Calls)/s.ElapsedSeconds
		s.ResetsHeld, s.OthersHeld = float64(s.resets)/s.ElapsedSeconds, float64(s.Calls-s.resets)/s.ElapsedSeconds
	}
	return nil
}

// Well reports whether every row is reset, would be, or was skipped on purpose.
func (s Summary) Well() bool {
	return s.Outcomes[batch.Failed]+s.Outcomes[batch.Invalid]+s.Outcomes[batch.Unknown]+s.Outcomes[batch.NotAttempted] == 0
}

// againRehearsed is what helps where a command goes on with a real run.
const againRehearsed = "a rehearsal cannot go on: begin it anew"

// Advice says in a few words what to do about a reason.
func Advice(r batch.Reason) string { return advice[r] }

// meanings say in a few words what an outcome is.
var meanings = map[batch.Outcome]string{
	batch.Reset:        "password reset, message requested",
	batch.Locked:       "no reset, but nobody knows the password any more",
	batch.UserDisabled: "no reset, but they cannot sign in",
	batch.Invited:      "no reset, but a new temporary password was asked for",
	batch.SignedOut:    "sessions ended; the password is as it was",
	batch.WouldReset:   "nothing stands against a reset",
	batch.WouldLock:    "no reset would do; they would be locked",
	batch.WouldDisable: "no reset would do; they would be disabled",
	batch.WouldInvite:  "no reset would do; they would be invited again",
	batch.WouldSignOut: "nothing stands against a sign-out",
	batch.Skipped:      "deliberately not called",
	batch.Failed:       "refused, or retries ran out",
	batch.Invalid:      "the row gave no usable username",
	batch.Unknown:      "the answer was lost, and nothing could settle it",
	batch.NotAttempted: "the run stopped before them",
}

// advice says what to do about a reason, in at most 50 characters: with a count
// of 7 digits and the longest reason that is a line of 80.
var advice = map[batch.Reason]string{
	batch.Duplicate:            "named before; called once",
	batch.Excluded:             "not among those selected",
	batch.RecentlyReset:        "an earlier run reset them since",
	batch.AlreadyResetRequired: "must reset already; mail by --if-reset-required",
	batch.OverLimit:            "beyond --limit or --sample",
	batch.ExternalProvider:     "their identity provider keeps the password",
	batch.EmptyUsername:        "add the username to these rows",
	batch.WrongPool:            "run these against their own user pool",
	batch.UsernameTooLong:      "no username has more than 128 characters",
	batch.MalformedRow:         "fix these lines; the report names them",
	batch.MangledNumber:        "export the column again, formatted as text",
	batch.UnknownCountry:       "write the country's code, or say --phone-country",
	batch.UserNotFound:         "none in this pool; federated ones have a prefix",
	batch.WrongState:           "OLD PASSWORD MAY WORK: the state forbids a reset",
	batch.TemporaryPassword:    "TEMPORARY PASSWORD STILL WORKS: invite them again",
	batch.Unconfirmed:          "OLD PASSWORD WORKS once they confirm",
	batch.Disabled:             "OLD PASSWORD COMES BACK if they are enabled",
	batch.NoVerifiedContact:    "OLD PASSWORD STILL WORKS: nowhere to send a code",
	batch.Throttled:            "the run slows down by itself; nobody fails",
	batch.LambdaRefused:        "look at the pool's triggers",
	batch.MessageRefused:       "fix SES identity or SMS role; --retry failed",
	batch.ClockSkew:            "set this machine's clock, then resume",
	batch.ServerError:          "Cognito failed; resume with --retry failed",
	batch.Network:              "not reached; resume with --retry failed",
	batch.MessageLimit:         "no more messages before 09:00 UTC; then resume",
	batch.AttemptLimit:         "reset too often; try these again in an hour",
	batch.PoolNotFound:         "check pool id, Region and account",
	batch.Credentials:          "check or renew the AWS credentials",
	batch.AccessDenied:         "allow the call that the report names",
	batch.PoolConfiguration:    "check how the pool sends messages",
	batch.UnsupportedOperation: "not Cognito: check --endpoint-url",
	batch.InvalidParameter:     "the report has Cognito's words",
	batch.Interrupted:          "resume the run",
	batch.Stopped:              "resume the run",
	batch.Other:                "the report has Cognito's words",
}

// alarming are the reasons that leave the old password working, or able to work
// again, until somebody does something about it.
var alarming = map[batch.Reason]bool{
	batch.NoVerifiedContact: true, batch.WrongState: true, batch.TemporaryPassword: true,
	batch.Disabled: true, batch.Unconfirmed: true,
}

// mostCounts is how many outcomes and reasons fit on one screen with all the rest.
const mostCounts = 12

// Text writes the summary for a person: on one screen, and at most 80 columns
// wide where the names of files allow. Colour, for a terminal, repeats what the
// words say.
func (s Summary) Text(w io.Writer, colour bool) error {
	p := &page{colour: colour}
	s.tellOutcomes(p)
	s.tellReasons(p)
	if f := s.Forecast; f != nil {
		f.tell(p, s)
	} else if s.Calls > 0 {
		s.tellCalls(p)
	}
	if c := s.Coverage; c != nil {
		p.blank()
		p.line(plain, fmt.Sprintf("%s in both input and pool, %s in the input only, %s in the pool only", comma(c.Both), comma(c.InputOnly), comma(c.PoolOnly)))
		if c.LeftOut > 0 {
			p.line(plain, comma(c.LeftOut)+" of those in both are left out of this run by what was chosen of the input")
		}
	}
	p.blank()
	if s.StoppedBecause != "" {
		p.tell(yellow, "Stopped", s.StoppedBecause)
	}
	for _, t := range s.Targets {
		if t.StoppedBecause != "" {
			p.tell(yellow, "Pool", t.UserPoolID+": "+t.StoppedBecause)
		}
	}
	if s.Remaining > 0 && !s.DryRun {
		p.tell(plain, "Remaining", fmt.Sprintf("%s: %s says who, and what helps", s.remain(), RemainingFile))
	}
	if s.Next != "" {
		p.line(plain, fmt.Sprintf(labelled, "Next", s.Next)) // whole, to be copied
	}
	if s.RunDirectory != "" {
		p.line(plain, fmt.Sprintf(labelled, "Record", s.RunDirectory))
	}
	_, err := io.WriteString(w, p.text.String())
	return err
}

func (s Summary) tellOutcomes(p *page) {
	colours := map[batch.Outcome]colour{
		batch.Reset: green, batch.Locked: green, batch.UserDisabled: green, batch.Invited: green, batch.SignedOut: green,
		batch.WouldReset: green, batch.WouldLock: green, batch.WouldDisable: green, batch.WouldInvite: green, batch.WouldSignOut: green,
		batch.Failed: red, batch.Invalid: red, batch.Unknown: yellow, batch.NotAttempted: yellow,
	}
	var t table
	for _, o := range batch.Outcomes {
		if n := s.Outcomes[o]; n > 0 {
			t.add(colours[o], s.count(n), string(o), s.meaning(o))
		}
	}
	t.add(plain, s.count(s.Rows), "rows")
	p.table(t)
}

// meaning says in a few words what an outcome is in this run.
func (s Summary) meaning(o batch.Outcome) string {
	if o == batch.Failed && s.DryRun {
		return "would be refused"
	}
	return meanings[o]
}

// byUrgency are the reasons, those first that leave an old password working, then
// those of many users.
func (s Summary) byUrgency() []batch.Reason {
	urgency := map[bool]int{false: 1}
	return slices.SortedFunc(maps.Keys(s.Reasons), func(x, y batch.Reason) int {
		return cmp.Or(cmp.Compare(urgency[s.Steps.alarms(x)], urgency[s.Steps.alarms(y)]), cmp.Compare(s.Reasons[y], s.Reasons[x]), cmp.Compare(x, y))
	})
}

func (s Summary) tellReasons(p *page) {
	if len(s.Reasons) == 0 {
		return
	}
	p.blank()
	reasons := s.byUrgency()
	most := mostCounts
	for _, n := range s.Outcomes {
		if n > 0 {
			most--
		}
	}
	var t table
	for i, r := range reasons {
		if i == most-1 && len(reasons) > most {
			rest := int64(0)
			for _, r := range reasons[i:] {
				rest += s.Reasons[r]
			}
			t.add(plain, s.count(rest), "others", fmt.Sprintf("of %d more reasons; summary.json has them all", len(reasons)-i))
			break
		}
		colour := plain
		if s.Steps.alarms(r) {
			colour = red
		}
		t.add(colour, s.count(s.Reasons[r]), string(r), s.advise(r))
	}
	p.table(t)
}

// tellCalls tells of the calls of a run.
func (s Summary) tellCalls(p *page) {
	p.blank()
	if s.KeepPassword > 0 {
		p.tell(loud, "DANGER", "STILL HAVE THEIR OLD PASSWORD: "+comma(s.KeepPassword))
	}
	asked := "no limit was asked for"
	if s.RateAsked > 0 {
		asked = fmt.Sprintf("%.4g asked for", s.RateAsked)
	}
	what, held, others := "resets", s.ResetsHeld, ""
	switch {
	case s.Steps.SignOutAlone():
		what, held = "sign-outs", s.OthersHeld
	case s.OthersHeld > 0:
		others = fmt.Sprintf("; other calls %.1f/s", s.OthersHeld)
	}
	p.tell(plain, "Rate", fmt.Sprintf("%s %.1f/s, %s%s; %.1f users/s", what, held, asked, others, s.UsersPerSecond))
	p.tell(plain, "Calls", fmt.Sprintf("%s calls in %v, %s throttled", comma(s.Calls), short(s.ElapsedSeconds), comma(s.Throttled)))
}

// short is a time rounded to what people read.
func short(seconds float64) time.Duration {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// count is a number as wide as that of the rows.
func (s Summary) count(n int64) string {
	return fmt.Sprintf("%*s", max(len(comma(s.Rows)), 3), comma(n))
}

// comma is a number as people read it, with commas between thousands.
func comma[N int | int64](n N) string { return humanize.Comma(int64(n)) }
