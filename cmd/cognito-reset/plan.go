package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
	"cognito-reset/report"
)

// planFile is the plan of a run in its directory.
const planFile = "plan.json"

// A plan pins what a dry run saw, for a run that does exactly that. It names no
// users.
type plan struct {
	CreatedAt   time.Time   `json:"created_at"`
	UserPoolID  string      `json:"user_pool_id"`
	Inputs      []string    `json:"inputs"`       // as in run.json
	InputSHA256 string      `json:"input_sha256"` // of the bytes of all of them
	Roster      pinnedUsers `json:"roster"`

	// Flags are all that change what is done, as --name=value, those that were
	// not given included.
	Flags []string `json:"flags"`

	Forecast planForecast `json:"forecast"`

	// Digest is the SHA-256 of the other members as canonical JSON.
	Digest string `json:"digest,omitzero"`
}

// PinnedUsers are the users of a roster by number and sum.
type pinnedUsers struct {
	Users  int64  `json:"users"`
	SHA256 string `json:"sha256"`        // of the usernames, each with a tab and the sub where it is known, sorted by byte, each with a line feed
	Subs   bool   `json:"subs,omitzero"` // the sum is of subs as well: some were known
}

type planForecast struct {
	Outcomes map[batch.Outcome]int64 `json:"outcomes"`
	Reasons  map[batch.Reason]int64  `json:"reasons"`
}

// Approval is who stands for a run, and by which plan. It is part of run.json.
type approval struct {
	ApprovedBy string `json:"approved_by,omitzero"`
	Reason     string `json:"reason,omitzero"`
	PlanDigest string `json:"plan_digest,omitzero"`
}

func planFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupSafety, "plan", "", "with --dry-run write what was seen to `FILE`; without, do exactly what stands there"),
		&cli.DurationFlag{Category: groupSafety, Name: "plan-max-age", Value: 24 * time.Hour, Usage: "refuse a plan that is older than this `TIME`", EnvVars: env("plan-max-age")},
		stringFlag(groupSafety, "approved-by", "", "`NAME` of who approved the run, for the record"),
		stringFlag(groupSafety, "reason", "", "`TEXT` for the record, such as a ticket"),
		boolFlag(groupSafety, "require-approval", "refuse a run that nobody but its caller approved"),
	}
}

// unplanned are the flags that a plan leaves open: they change who asks, what
// is shown and where the record is, not what is done.
var unplanned = []string{
	"config", "print-config", "dry-run", "input", "plan", "plan-max-age", "approved-by", "reason", "require-approval",
	"read-each", "reconcile", "yes", "run", "profile", "csv-safe", "json", "quiet", "log-level", "log-format", "metrics-listen", "stall-after", "notify-exec", "help",
}

// plannedFlags are the values of the flags that a plan pins, in the order in
// which the command has them.
func plannedFlags(ctx *cli.Context) (names []string, values map[string][]string) {
	values = make(map[string][]string)
	for _, f := range ctx.Command.Flags {
		name := f.Names()[0]
		if slices.Contains(unplanned, name) {
			continue
		}
		names = append(names, name)
		if _, list := f.(*cli.StringSliceFlag); list {
			values[name] = ctx.StringSlice(name)
		} else {
			values[name] = []string{fmt.Sprint(ctx.Value(name))}
		}
	}
	return names, values
}

// writePlan ends a dry run by writing its plan, if one is asked for.
func (s *session) writePlan(ctx *cli.Context, done error) error {
	path := ctx.String("plan")
	if ended, found := errors.AsType[*exit](done); path == "" || !found || ended.code != exitDone && ended.code != exitSomeFailed {
		return done
	}
	r := s.request
	var summary report.Summary
	if err := s.dir.ReadJSON(summaryFile, &summary); err != nil {
		return err
	}
	users, err := pin(s.dir, r.Roster.Users, true)
	if err != nil {
		return err
	}
	inputs := r.Inputs
	if r.FromReport {
		inputs = nil // a flag of its own names it
	}
	p := plan{
		CreatedAt: r.CreatedAt, UserPoolID: r.UserPoolID, Inputs: inputs, InputSHA256: r.InputSHA256, Roster: users,
		Forecast: planForecast{summary.Outcomes, summary.Reasons},
	}
	names, values := plannedFlags(ctx)
	if r.Shard.Count > 0 { // whatever told of it
		values["shard"], values["shards"] = []string{r.Shard.String()}, []string{"0"}
	}
	for _, name := range names {
		for _, value := range values[name] {
			p.Flags = append(p.Flags, "--"+name+"="+value)
		}
	}
	if p.Digest, err = p.sum(); err != nil {
		return err
	}
	if err := cmp.Or(p.write(&journal.Dir{Path: filepath.Dir(path)}, filepath.Base(path)), p.write(s.dir, planFile)); err != nil {
		return fmt.Errorf("--plan: %w", err)
	}
	if !s.quiet {
		what, record := "", ""
		if r.Shard.Count > 0 {
			what, record = fmt.Sprintf(", and is of shard %s alone", r.Shard), " --run DIR"
		}
		say(s.stderr, "Plan %s has the digest %s%s.\nTo do exactly that: cognito-reset run --plan %s%s", path, p.Digest, what, quotePath(path), record)
	}
	return done
}

// pin sums up the users of a run directory, with their subs if those are to be pinned
// and some are known. It holds their names in memory.
func pin(dir *journal.Dir, users int64, subs bool) (pinnedUsers, error) {
	names, pinned := make([]string, 0, users), pinnedUsers{}
	for e, err := range dir.Entries() {
		if err != nil {
			return pinnedUsers{}, err
		}
		if e.Outcome == "" {
			name := e.Username
			if subs && e.Sub != "" {
				pinned.Subs = true
				name += "\t" + e.Sub
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		_, _ = io.WriteString(sum, name+"\n") // a hash takes all
	}
	pinned.Users, pinned.SHA256 = int64(len(names)), hex.EncodeToString(sum.Sum(nil))
	return pinned, nil
}

// encode is the plan as it stands in its file: the only way to write it.
func (p plan) encode() ([]byte, error) {
	text, err := json.Marshal(p, jsontext.WithIndent("  "), json.Deterministic(true))
	return append(text, '\n'), err
}

// write keeps the plan in a folder.
func (p plan) write(folder *journal.Dir, name string) error {
	text, err := p.encode()
	if err != nil {
		return err
	}
	return folder.Write(name, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
}

// sum is the digest that the plan should have.
func (p plan) sum() (string, error) {
	p.Digest = ""
	text, err := json.Marshal(p, json.Deterministic(true))
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// readPlan is the plan that a run is to carry out, with its flags set; nil if there
// is none.
func (c *command) readPlan(ctx *cli.Context) (*plan, error) {
	dry, _, err := dryRun(ctx)
	path := ctx.String("plan")
	if err != nil || dry || path == "" {
		return nil, err
	}
	p, err := openPlan(path, ctx.Duration("plan-max-age"))
	if err != nil {
		return nil, err
	}
	return p, p.impose(c, ctx)
}

// openPlan reads a plan of which no byte was changed and which is not too old.
func openPlan(path string, maxAge time.Duration) (*plan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--plan: %w; nothing was sent", err)
	}
	var p plan
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, usagef("%s is not a plan: %w; nothing was sent", path, err)
	}
	digest, err := p.sum()
	if err != nil {
		return nil, err
	}
	whole, err := p.encode()
	if err != nil {
		return nil, err
	}
	if digest != p.Digest || !bytes.Equal(text, whole) {
		return nil, usagef("%s was changed after it was made: its digest does not match; make a new one with --dry-run; nothing was sent", path)
	}
	if age := time.Since(p.CreatedAt); age > maxAge {
		return nil, usagef("%s is %v old, and --plan-max-age is %v; make a new one with --dry-run; nothing was sent",
			path, age.Round(time.Second), maxAge)
	}
	return &p, nil
}

// impose sets the flags of the command line to the plan's. One that was given
// must say the same.
func (p *plan) impose(c *command, ctx *cli.Context) error {
	planned := p.values()
	names, given := plannedFlags(ctx)
	differ, err := p.imposeShard(c, ctx, planned)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "shard" || name == "shards" })
	for _, name := range names {
		if !slices.Equal(given[name], planned[name]) {
			if ctx.IsSet(name) {
				differ = append(differ, fmt.Sprintf("--%s is %s, not %s", name, listed(given[name]), listed(planned[name])))
			}
			for _, value := range planned[name] {
				if err := ctx.Set(name, value); err != nil {
					differ = append(differ, fmt.Sprintf("--%s cannot be %q", name, value))
				}
			}
		}
		delete(planned, name)
	}
	for name := range planned {
		differ = append(differ, fmt.Sprintf("there is no flag --%s: another version made the plan", name))
	}
	if differ != nil {
		return unlike(differ)
	}
	if ctx.IsSet("input") {
		return nil
	}
	for _, input := range p.Inputs {
		if err := ctx.Set("input", input); err != nil {
			return err
		}
	}
	return nil
}

// imposeShard sets the shard of the command line to the plan's. One that was given,
// or that an engine tells, must be the same.
func (p *plan) imposeShard(c *command, ctx *cli.Context, planned map[string][]string) (differ []string, err error) {
	want := strings.Join(planned["shard"], "")
	delete(planned, "shard")
	delete(planned, "shards")
	if ctx.String("shard") == "" && !ctx.IsSet("shards") {
		if want == "" {
			return nil, nil
		}
		return nil, ctx.Set("shard", want)
	}
	given, err := c.readShard(ctx)
	if err != nil {
		return nil, err
	}
	if got := given.String(); got != want {
		if want == "" {
			want = "that of all users"
		}
		differ = append(differ, fmt.Sprintf("the shard is %s, not %s", got, want))
	}
	return differ, nil
}

func listed(values []string) string { return cmp.Or(strings.Join(values, ", "), "empty") }

// hold compares what is about to be done with the plan.
func (p *plan) hold(r request, dir *journal.Dir) error {
	users, err := pin(dir, r.Roster.Users, p.Roster.Subs)
	if err != nil {
		return err
	}
	var differ []string
	if r.UserPoolID != p.UserPoolID {
		differ = append(differ, fmt.Sprintf("the user pool is %s, not %s", r.UserPoolID, p.UserPoolID))
	}
	switch {
	case users.Users != p.Roster.Users:
		differ = append(differ, fmt.Sprintf("the roster has %d users, not %d", users.Users, p.Roster.Users))
	case users != p.Roster:
		differ = append(differ, "the roster has other users")
	}
	if r.InputSHA256 != p.InputSHA256 {
		differ = append(differ, "the input has other bytes")
	}
	if differ != nil {
		return unlike(differ)
	}
	return nil
}

func unlike(differ []string) error {
	return usagef("this is not what was planned: %s; nothing was sent", strings.Join(differ, "; "))
}

// fixed says why the users of a run may not change: somebody approved a plan, or
// the run, and that was of the input as it was.
func (a approval) fixed(at time.Time) error {
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

// steerable are the pinned flags that a resume may change: when a session ends, and how
// fast it goes, which ctl steers as well. They change neither who is meant nor what is
// done. Which shard it is, the run directory says.
var steerable = []string{"deadline", "until", "grace", "rate", "update-rate", "headroom", "workers", "wave-size", "wave-pause", "wave-gate", "shard", "shards"}

// keepsPlan refuses a resume whose flags are not those of the run's plan.
func keepsPlan(ctx *cli.Context, dir *journal.Dir) error {
	names, given := plannedFlags(ctx)
	names = slices.DeleteFunc(names, func(name string) bool { return !ctx.IsSet(name) || slices.Contains(steerable, name) })
	if len(names) == 0 {
		return nil
	}
	var p plan
	if err := dir.ReadJSON(planFile, &p); err != nil {
		return usagef("this run does what a plan says, and the plan cannot be read (%w): leave out --%s; nothing was sent", err, strings.Join(names, ", --"))
	}
	planned := p.values()
	var differ []string
	for _, name := range names {
		if _, pinned := planned[name]; pinned && !slices.Equal(given[name], planned[name]) {
			differ = append(differ, fmt.Sprintf("--%s is %s, not %s", name, listed(given[name]), listed(planned[name])))
		}
	}
	if differ != nil {
		return unlike(differ)
	}
	return nil
}

// values are the flags of the plan by their names.
func (p *plan) values() map[string][]string {
	planned := make(map[string][]string)
	for _, flag := range p.Flags {
		name, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		planned[name] = append(planned[name], value)
	}
	return planned
}

// missing says why an approval is none, or nil: somebody must have given it who
// is not the caller.
func (a approval) missing(caller userpool.Caller) error {
	switch {
	case a.ApprovedBy == "":
		return usagef("--require-approval: say who approved this with --approved-by NAME; nothing was sent")
	case caller.ARN == "":
		return usagef("--require-approval: who calls is not known, so it cannot be told that somebody else approved; allow sts:GetCallerIdentity; nothing was sent")
	case slices.ContainsFunc(callerNames(caller.ARN), func(name string) bool { return strings.EqualFold(name, strings.TrimSpace(a.ApprovedBy)) }):
		return usagef("--require-approval: %s is who calls, and cannot approve as well; nothing was sent", a.ApprovedBy)
	}
	return nil
}

// callerNames are what an ARN's owner is known by: the ARN, and the name of the
// user or of the role's session.
func callerNames(who string) []string {
	names := []string{who}
	if parsed, err := arn.Parse(who); err == nil {
		names = append(names, parsed.Resource, parsed.Resource[strings.LastIndex(parsed.Resource, "/")+1:])
	}
	return names
}
