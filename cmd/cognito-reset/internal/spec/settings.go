package spec

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// Settings are what may change from one session of a run to the next. They
// stand in run.json as they were asked for last.
type Settings struct {
	Rate           float64 `json:"rate"`        // resets a second; 0 is no limit
	RateAuto       string  `json:"rate_auto"`   // how it was found; "" if it was given
	UpdateRate     float64 `json:"update_rate"` // sign-outs and disablings a second; 0 is no limit
	Headroom       float64 `json:"headroom"`    // share that a rate that is found leaves
	MaxWorkers     int     `json:"workers"`     // 0 is as many as the rate needs
	MaxAttempts    int     `json:"max_attempts"`
	WaveSize       int     `json:"wave_size"` // 0 is one wave
	WavePause      Seconds `json:"wave_pause_seconds"`
	WaveGate       float64 `json:"wave_gate"`        // share; 0 is none
	StopOnFailures string  `json:"stop_on_failures"` // N, N% or off
	Canary         int     `json:"canary"`
	CanaryRandom   bool    `json:"canary_random"`
	MaxResets      int     `json:"max_resets"` // a day; 0 is no limit
	OnMessageLimit string  `json:"on_message_limit"`
	Deadline       Seconds `json:"deadline_seconds"` // of a session; 0 is none
	Until          string  `json:"until"`            // HH:MM; "" is none
	OnUnknown      string  `json:"on_unknown"`
	SettleAfter    Seconds `json:"settle_after_seconds"`
	Grace          Seconds `json:"grace_seconds"`
	Profile        string  `json:"profile"`
	Region         string  `json:"region"`
	EndpointURL    string  `json:"endpoint_url"`
	RoleARN        string  `json:"role_arn,omitzero"`
	ExternalID     string  `json:"external_id,omitzero"`
	SessionName    string  `json:"role_session_name,omitzero"`
	SourceIdentity string  `json:"source_identity,omitzero"`
	CSVSafe        bool    `json:"csv_safe,omitzero"` // of report.csv
	Workbook       bool    `json:"workbook,omitzero"` // report.xlsx is written, too

	ExpectedBucketOwner string `json:"expected_bucket_owner,omitzero"` // of inputs and a record in S3
	S3KMSKey            string `json:"s3_kms_key,omitzero"`            // that encrypts a record in S3

	// Shard is the part of the users that the run works on. The rates and
	// MaxResets are its part of what was asked for.
	Shard roster.Shard `json:"shard,omitzero"`

	FindRate bool `json:"-"` // --rate auto was given
}

// Seconds is a time as run.json has it.
type Seconds float64

// Duration is the same time as Go has it.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// DefaultRate leaves live users a third of the quota, in calls a second.
const DefaultRate = 20

// FailureGuard is what --stop-on-failures asks for; nil if nothing.
func (s Settings) FailureGuard() (*batch.FailureGuard, error) {
	text := s.StopOnFailures
	if text == "off" || text == "" {
		return nil, nil
	}
	if strings.HasSuffix(text, "%") {
		if part, err := Share(text); err == nil && part > 0 {
			return &batch.FailureGuard{Share: part}, nil
		}
	} else if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= batch.GuardWindow {
		return &batch.FailureGuard{Most: n}, nil
	}
	return nil, exit.Usagef("--stop-on-failures is a number from 1 to %d, a share such as 50%%, or off; not %q", batch.GuardWindow, text)
}

// End is when a session that begins now must stop, by --deadline or --until, and
// why; zero for never.
func (s Settings) End(now time.Time) (at time.Time, why string, err error) {
	if s.Deadline > 0 {
		at, why = now.Add(s.Deadline.Duration()), fmt.Sprintf("--deadline %v is over", s.Deadline.Duration())
	}
	if s.Until == "" {
		return at, why, nil
	}
	clock, err := time.Parse("15:04", s.Until)
	if err != nil {
		return at, why, exit.Usagef("--until is a time of day such as 06:00, not %q", s.Until)
	}
	if until := nextTime(now, clock.Hour(), clock.Minute()); at.IsZero() || until.Before(at) {
		at, why = until, "it is "+s.Until+", the end by --until"
	}
	return at, why, nil
}

// sessionName is how AWS writes the name of a role's session, or none.
var sessionName = regexp.MustCompile(`^([\w+=,.@-]{2,64})?$`)

// Validate finds what cannot be.
func (s Settings) Validate() error {
	switch {
	case s.RoleARN == "" && s.ExternalID+s.SourceIdentity != "":
		return exit.Usagef("--external-id and --source-identity go with --role-arn")
	case !sessionName.MatchString(s.SessionName) || !sessionName.MatchString(s.SourceIdentity):
		return exit.Usagef("--role-session-name and --source-identity have 2 to 64 letters, digits and =,.@-_+")
	case s.MaxWorkers < 0:
		return exit.Usagef("--workers cannot be negative")
	case s.MaxAttempts < 1:
		return exit.Usagef("--max-attempts is at least 1")
	case s.WaveSize < 0 || s.WavePause < 0:
		return exit.Usagef("--wave-size and --wave-pause cannot be negative")
	case (s.WaveSize > 0) != (s.WavePause > 0 || s.WaveGate > 0):
		return exit.Usagef("--wave-size goes together with --wave-pause or --wave-gate: how long to pause after a wave, or which share of it must have a new password first")
	case s.MaxResets < 0 || s.Deadline < 0:
		return exit.Usagef("--max-resets and --deadline cannot be negative")
	case s.OnMessageLimit != "stop" && s.OnMessageLimit != "wait":
		return exit.Usagef("--on-message-limit is stop or wait, not %q", s.OnMessageLimit)
	case s.OnUnknown != "report" && s.OnUnknown != "retry":
		return exit.Usagef("--on-unknown is report or retry, not %q", s.OnUnknown)
	case s.SettleAfter < 0 || s.Grace < 0:
		return exit.Usagef("--settle-after and --grace cannot be negative")
	}
	if _, err := s.FailureGuard(); err != nil {
		return err
	}
	if err := ValidOwner(s.ExpectedBucketOwner); err != nil {
		return err
	}
	_, _, err := s.End(time.Now())
	return err
}

// account is how AWS writes the number of an account, or none.
var account = regexp.MustCompile(`^([0-9]{12})?$`)

// ValidOwner is an error if that is no account.
func ValidOwner(owner string) error {
	if !account.MatchString(owner) {
		return exit.Usagef("--expected-bucket-owner is the twelve digits of an AWS account, not %q", owner)
	}
	return nil
}
