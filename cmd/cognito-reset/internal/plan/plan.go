// Package plan pins what a dry run saw, for a run that does exactly that.
package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
)

// A Plan pins what a dry run saw, for a run that does exactly that. It names no
// users.
type Plan struct {
	CreatedAt   time.Time `json:"created_at"`
	UserPoolID  string    `json:"user_pool_id"`
	Inputs      []string  `json:"inputs"`       // as in run.json
	InputSHA256 string    `json:"input_sha256"` // of the bytes of all of them
	Roster      Pinned    `json:"roster"`

	// Flags are all that change what is done, as --name=value, those that were
	// not given included.
	Flags []string `json:"flags"`

	Forecast Forecast `json:"forecast"`

	// Digest is the SHA-256 of the other members as canonical JSON.
	Digest string `json:"digest,omitzero"`
}

// Pinned are the users of a roster by number and sum.
type Pinned struct {
	Users  int64  `json:"users"`
	SHA256 string `json:"sha256"`        // of the usernames, each with a tab and the sub where it is known, sorted by byte, each with a line feed
	Subs   bool   `json:"subs,omitzero"` // the sum is of subs as well: some were known
}

// A Forecast is how many rows a dry run expects to end how.
type Forecast struct {
	Outcomes map[batch.Outcome]int64 `json:"outcomes"`
	Reasons  map[batch.Reason]int64  `json:"reasons"`
}

// unplanned are the flags that a plan leaves open: they change who asks, what
// is shown and where the record is, not what is done.
var unplanned = []string{
	"config", "print-config", "dry-run", "input", "plan", "plan-max-age", "approved-by", "reason", "require-approval",
	"read-each", "reconcile", "yes", "run", "profile", "expected-bucket-owner", "s3-kms-key", "role-session-name", "source-identity", "csv-safe", "xlsx", "json", "quiet", "log-level", "log-format", "listen", "stall-after", "notify-exec", "notify-every", "help",
}

// Flags are those of a command line.
type Flags struct {
	Names  []string // in the order in which the command has them
	Values map[string][]string
	IsSet  func(name string) bool
	Set    func(name, value string) error
}

// Text is the value of a flag that takes one.
func Text(value any) string { return fmt.Sprint(value) }

// pinned are the flags that a plan pins.
func (f Flags) pinned() (names []string) {
	for _, name := range f.Names {
		if !slices.Contains(unplanned, name) {
			names = append(names, name)
		}
	}
	return names
}

// Make writes the plan of a dry run to a file, and into its run directory.
func Make(r *rundir.Record, flags Flags, path string) (*Plan, error) {
	var summary report.Summary
	if err := r.Dir.ReadJSON(rundir.SummaryFile, &summary); err != nil {
		return nil, err
	}
	users, err := pin(r.Dir, r.Found.Roster.Users, true)
	if err != nil {
		return nil, err
	}
	inputs := r.Spec.Inputs
	if r.Spec.FromReport {
		inputs = nil // a flag of its own names it
	}
	p := &Plan{
		CreatedAt: r.Spec.CreatedAt, UserPoolID: r.Spec.UserPoolID, Inputs: inputs, InputSHA256: r.Found.InputSHA256, Roster: users,
		Forecast: Forecast{summary.Outcomes, summary.Reasons},
	}
	values := maps.Clone(flags.Values)
	if r.Spec.Shard.Count > 0 { // whatever told of it
		values["shard"], values["shards"] = []string{r.Spec.Shard.String()}, []string{"0"}
	}
	for _, name := range flags.pinned() {
		for _, value := range values[name] {
			p.Flags = append(p.Flags, "--"+name+"="+value)
		}
	}
	if p.Digest, err = p.sum(); err != nil {
		return nil, err
	}
	if err := cmp.Or(p.Write(&journal.Dir{Path: filepath.Dir(path)}, filepath.Base(path)), p.Write(r.Dir, rundir.PlanFile)); err != nil {
		return nil, fmt.Errorf("--plan: %w", err)
	}
	return p, nil
}

// pin sums up the users of a run directory, with their subs if those are to be pinned
// and some are known. It holds their names in memory.
func pin(dir *journal.Dir, users int64, subs bool) (Pinned, error) {
	names, pinned := make([]string, 0, users), Pinned{}
	for e, err := range dir.Entries() {
		if err != nil {
			return Pinned{}, err
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
func (p Plan) encode() ([]byte, error) {
	text, err := json.Marshal(p, jsontext.WithIndent("  "), json.Deterministic(true))
	return append(text, '\n'), err
}

// Write keeps the plan in a folder.
func (p Plan) Write(folder *journal.Dir, name string) error {
	text, err := p.encode()
	if err != nil {
		return err
	}
	return folder.Write(name, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// sum is the digest that the plan should have.
func (p Plan) sum() (string, error) {
	p.Digest = ""
	text, err := json.Marshal(p, json.Deterministic(true))
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// Read reads a plan of which no byte was changed and which is not too old.
func Read(path string, maxAge time.Duration) (*Plan, error) {
	text, err := disk.ReadFile(disk.OS, path)
	if err != nil {
		return nil, exit.Refusef("--plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, exit.Refusef("%s is not a plan: %w", path, err)
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
		return nil, exit.Refusef("%s was changed after it was made: its digest does not match; make a new one with --dry-run", path)
	}
	if age := time.Since(p.CreatedAt); age > maxAge {
		return nil, exit.Refusef("%s is %v old, and --plan-max-age is %v; make a new one with --dry-run",
			path, age.Round(time.Second), maxAge)
	}
	return &p, nil
}

// Apply sets the flags of a command line to the plan's. One that was given must say
// the same. shard is the one that the command line, or an engine, names.
func (p *Plan) Apply(flags Flags, shard func() (roster.Shard, error)) error {
	planned := p.values()
	differ, err := applyShard(flags, shard, planned)
	if err != nil {
		return err
	}
	for _, name := range flags.pinned() {
		if name == "shard" || name == "shards" {
			continue
		}
		if given := flags.Values[name]; !slices.Equal(given, planned[name]) {
			if flags.IsSet(name) {
				differ = append(differ, fmt.Sprintf("--%s is %s, not %s", name, listed(given), listed(planned[name])))
			}
			for _, value := range planned[name] {
				if err := flags.Set(name, value); err != nil {
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
	if flags.IsSet("input") {
		return nil
	}
	for _, input := range p.Inputs {
		if err := flags.Set("input", input); err != nil {
			return err
		}
	}
	return nil
}

// applyShard sets the shard of a command line to the plan's. One that was given,
// or that an engine tells, must be the same.
func applyShard(flags Flags, shard func() (roster.Shard, error), planned map[string][]string) (differ []string, err error) {
	want := strings.Join(planned["shard"], "")
	delete(planned, "shard")
	delete(planned, "shards")
	if strings.Join(flags.Values["shard"], "") == "" && !flags.IsSet("shards") {
		if want == "" {
			return nil, nil
		}
		return nil, flags.Set("shard", want)
	}
	given, err := shard()
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

// Verify compares what is about to be done with the plan.
func (p *Plan) Verify(r *rundir.Record) error {
	users, err := pin(r.Dir, r.Found.Roster.Users, p.Roster.Subs)
	if err != nil {
		return err
	}
	var differ []string
	if r.Spec.UserPoolID != p.UserPoolID {
		differ = append(differ, fmt.Sprintf("the user pool is %s, not %s", r.Spec.UserPoolID, p.UserPoolID))
	}
	switch {
	case users.Users != p.Roster.Users:
		differ = append(differ, fmt.Sprintf("the roster has %d users, not %d", users.Users, p.Roster.Users))
	case users != p.Roster:
		differ = append(differ, "the roster has other users")
	}
	if r.Found.InputSHA256 != p.InputSHA256 {
		differ = append(differ, "the input has other bytes")
	}
	if differ != nil {
		return unlike(differ)
	}
	return nil
}

func unlike(differ []string) error {
	return exit.Refusef("this is not what was planned: %s", strings.Join(differ, "; "))
}

// steerable are the pinned flags that a resume may change: when a session ends, and how
// fast it goes, which ctl steers as well. They change neither who is meant nor what is
// done. Which shard it is, the run directory says.
var steerable = []string{"deadline", "until", "grace", "rate", "update-rate", "headroom", "workers", "wave-size", "wave-pause", "wave-gate", "shard", "shards"}

// Keeps refuses a resume whose flags are not those of the run's plan.
func Keeps(flags Flags, dir *journal.Dir) error {
	names := slices.DeleteFunc(flags.pinned(), func(name string) bool { return !flags.IsSet(name) || slices.Contains(steerable, name) })
	if len(names) == 0 {
		return nil
	}
	var p Plan
	if err := dir.ReadJSON(rundir.PlanFile, &p); err != nil {
		return exit.Refusef("this run does what a plan says, and the plan cannot be read (%w): leave out --%s", err, strings.Join(names, ", --"))
	}
	planned := p.values()
	var differ []string
	for _, name := range names {
		if given := flags.Values[name]; planned[name] != nil && !slices.Equal(given, planned[name]) {
			differ = append(differ, fmt.Sprintf("--%s is %s, not %s", name, listed(given), listed(planned[name])))
		}
	}
	if differ != nil {
		return unlike(differ)
	}
	return nil
}

// values are the flags of the plan by their names.
func (p *Plan) values() map[string][]string {
	planned := make(map[string][]string)
	for _, flag := range p.Flags {
		name, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		planned[name] = append(planned[name], value)
	}
	return planned
}
