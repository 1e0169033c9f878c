// Package spec is what was asked of the tool, as plain data: parsed once,
// validated in one place, then never changed. It calls nobody and reads no file.
package spec

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/cmd/cognito-reset/internal/exit"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// A Spec is what was asked: of which user pool, of whom, what is to be done to
// them and how fast. It is most of run.json. Once it is validated it is not
// changed: what a run finds out while it works stands beside it, in the record.
type Spec struct {
	Version    string    `json:"version"` // of the tool
	CreatedAt  time.Time `json:"created_at"`
	UserPoolID string    `json:"user_pool_id"`
	DryRun     bool      `json:"dry_run"`
	Offline    bool      `json:"offline"` // a dry run of files alone
	Sandbox    bool      `json:"sandbox"`
	SignIn     string    `json:"sandbox_sign_in,omitempty"` // of the sandbox
	PoolUsers  string    `json:"sandbox_users,omitempty"`   // an absolute path: who is in the sandbox

	Source
	Response
	Settings
	Approval
}

// ForReal reports whether users of a pool are reset that is still there afterwards: it is
// neither a dry run nor a rehearsal inside this process. Only such a run can be gone on
// with, verified, or counted.
func (s Spec) ForReal() bool { return !s.DryRun && !s.Sandbox }

// ValidatePool finds what is wrong with where the run is to work.
func (s Spec) ValidatePool() error {
	switch {
	case s.UserPoolID == "":
		return exit.Usagef("say which user pool with --user-pool-id ID, or try it with --sandbox")
	case !poolID.MatchString(s.UserPoolID):
		return exit.Usagef("--user-pool-id: %q is not the id of a user pool; one looks like eu-west-1_AbCdEfGhI", s.UserPoolID)
	case s.Sandbox && s.EndpointURL != "":
		return exit.Usagef("--sandbox and --endpoint-url are two places; give one")
	}
	return nil
}

// Validate finds what does not go together. inputs is how many inputs were named,
// before patterns among them were expanded.
func (s Spec) Validate(inputs int) error {
	if err := s.Source.Validate(inputs); err != nil {
		return err
	}
	switch {
	case s.Shard.Count > 0 && (s.Limit > 0 || s.Sample > 0):
		return exit.Usagef("--limit and --sample choose among all users, and each shard would choose for itself, after others have changed the pool: " +
			"together they could reset more than that. Leave --shard out, or cut the input")
	case s.Offline && (s.Snapshot || s.IfResetRequired == "skip" && !s.StatesKnown()):
		return exit.Usagef("--dry-run=offline asks the pool nothing: --snapshot and --if-reset-required skip need its answers")
	case !s.Sandbox && (s.PoolUsers != "" || s.SignIn != ""):
		return exit.Usagef("--pool-users and --sign-in say how the pool of --sandbox is")
	case s.Sandbox && s.PoolUsers == "" && (s.Listed() || len(s.ExcludeGroups) > 0 || s.Match == "preferred_username" || s.Offline && s.Match != ""):
		return exit.Usagef("--sandbox makes its users from the names of an --input; for a pool with users of its own give --pool-users FILE, or start cognito-reset sandbox")
	}
	return nil
}

// AtRate is the spec with the rate that --rate auto stands for, in calls a second,
// and how that was found.
func (s Spec) AtRate(rate float64, how string) Spec {
	s.Rate, s.RateAuto, s.FindRate = rate, how, false
	return s
}

// Again is the spec with users who must reset already taken again: this run's own
// resets are no reason to skip anybody.
func (s Spec) Again() Spec {
	s.IfResetRequired = "again"
	return s
}

// FirstRate is how many calls a second the first step makes at most; 0 is no limit.
func (s Spec) FirstRate() float64 {
	if s.SignOutAlone() {
		return s.UpdateRate
	}
	return s.Rate
}

// Workers is how many users to work on at most. What a rate needs is its number
// of calls under way at the latency of a slow pool, 15 s; the run itself uses
// no more of them than the latency it meets asks for. A lower rate may be raised
// later to that of Cognito's quota.
func (s Spec) Workers() int {
	switch rate := s.FirstRate(); {
	case s.MaxWorkers > 0:
		return s.MaxWorkers
	case rate == 0:
		return 64
	default:
		return min(int(math.Ceil(max(rate, 30)*15)), 1024)
	}
}

// LooksInPool reports whether the pool is asked anything.
func (s Spec) LooksInPool() bool { return !s.Offline }

// TimeFor is how long so many users take at the rate, in waves if there are any.
func (s Spec) TimeFor(users int64) time.Duration {
	rate := s.FirstRate()
	if s.SignsOut() && s.UpdateRate > 0 {
		rate = min(rate, s.UpdateRate)
	}
	d := time.Duration(math.Ceil(float64(users)/rate)) * time.Second
	if s.WaveSize > 0 && users > 0 {
		d += time.Duration((users-1)/int64(s.WaveSize)) * s.WavePause.Duration()
	}
	return d
}

// An Approval is who approved a run, why, and by which plan.
type Approval struct {
	ApprovedBy string `json:"approved_by,omitzero"`
	Reason     string `json:"reason,omitzero"`
	PlanDigest string `json:"plan_digest,omitzero"`
}

// Unnamed is the spec without names, paths and texts that people wrote. What is
// added to a Spec is not in it unless it is added here.
func (s Spec) Unnamed() Spec {
	u := Spec{
		Version: s.Version, CreatedAt: s.CreatedAt, UserPoolID: s.UserPoolID, DryRun: s.DryRun, Offline: s.Offline, Sandbox: s.Sandbox,
		Response: s.Response, Settings: s.Settings, Approval: Approval{PlanDigest: s.PlanDigest},
		Source: Source{
			Reading: Reading{Format: s.Format, NoHeader: s.NoHeader}, UsernameCase: s.UsernameCase, ExcludeOnly: s.ExcludeOnly, Match: s.Match,
			FromReport: s.FromReport, Only: s.Only, Keep: s.Keep, Sample: s.Sample, Seed: s.Seed, Limit: s.Limit,
			ResetBefore: s.ResetBefore, RotateEvery: s.RotateEvery, AllUsers: s.AllUsers, Statuses: s.Statuses, Disabled: s.Disabled,
			CreatedAfter: s.CreatedAfter, CreatedBefore: s.CreatedBefore, ModifiedAfter: s.ModifiedAfter, ModifiedBefore: s.ModifiedBefore,
		},
	}
	u.Profile, u.EndpointURL, u.RateAuto = "", "", ""
	u.ExpectedBucketOwner, u.S3KMSKey = "", ""
	u.RoleARN, u.ExternalID, u.SessionName, u.SourceIdentity = "", "", "", ""
	return u
}

// poolID is how Cognito writes the id of a user pool.
var poolID = regexp.MustCompile(`^[\w-]{1,55}_[0-9a-zA-Z]+$`)

// Fixed is an error if the users of a run that was asked for at a time may not
// change: somebody approved a plan, or the run, and that was of the input as it was.
func (a Approval) Fixed(at time.Time) error {
	const anew = "Restore the input, or plan and approve a run of its own for the new one (run --dry-run --plan FILE, then run --plan FILE): " +
		"by default that skips whom this one has reset. Nothing was sent"
	switch {
	case a.PlanDigest != "":
		return fmt.Errorf("this run does what plan %.12s… says, which is of the input as it was: --accept-changed-input would add users whom nobody planned. %s", a.PlanDigest, anew)
	case a.ApprovedBy != "":
		return fmt.Errorf("%s approved this run at %s, with the input as it was: --accept-changed-input would add users whom nobody approved. %s",
			a.ApprovedBy, at.Format(time.RFC3339), anew)
	}
	return nil
}

// Missing is an error if nobody has approved the run who is not the caller.
func (a Approval) Missing(caller awsaccount.Caller) error {
	switch {
	case a.ApprovedBy == "":
		return exit.Refusef("--require-approval: say who approved this with --approved-by NAME")
	case caller.ARN == "":
		return exit.Refusef("--require-approval: who calls is not known, so it cannot be told that somebody else approved; allow sts:GetCallerIdentity")
	case slices.ContainsFunc(append(callerNames(caller.ARN), callerNames(caller.Base)...), func(name string) bool { return strings.EqualFold(name, strings.TrimSpace(a.ApprovedBy)) }):
		return exit.Refusef("--require-approval: %s is who calls, and cannot approve as well", a.ApprovedBy)
	}
	return nil
}

// callerNames are the names of an ARN's owner: the ARN, and the name of the user
// or of the role's session.
func callerNames(who string) (names []string) {
	if who == "" {
		return nil
	}
	names = append(names, who)
	if parsed, err := arn.Parse(who); err == nil {
		names = append(names, parsed.Resource, parsed.Resource[strings.LastIndex(parsed.Resource, "/")+1:])
	}
	return names
}
