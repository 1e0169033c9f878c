package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

var meetings = flag.Int("features", 2, "how many features meet in the runs of the test of features: 2, or 3 for an hour of patience")

// A feature is one line of the table below: what it adds to a run, and what that
// must change on the server's side. A new feature of the tool is a new line.
type feature struct {
	name  string
	flags []string // of run

	set    func(*trial)                   // what else it takes
	leaves func(p person) bool            // whom it leaves out of the run
	skips  func(p person) bool            // who is among those named, but must not be reset
	most   int                            // users at most; 0 is no limit
	after  func(tr *trial, record string) // what follows the run, for each record
}

// The dimensions are the questions that each run answers, with the ways to answer
// them. The first way of each is the everyday one.
var dimensions = []struct {
	question string
	ways     []feature
}{
	{"who", []feature{
		{name: "csv", flags: []string{"--input", "users.csv"}},
		{name: "jsonl", flags: []string{"--input", "users.jsonl"}},
		{name: "workbook", flags: []string{"--input", "users.xlsx"}},
		{name: "emails", flags: []string{"--input", "users.csv", "--username-column", "email"}},
		{name: "subs", flags: []string{"--input", "users.csv", "--username-column", "sub"}},
		{name: "match", flags: []string{"--input", "users.csv", "--username-column", "email", "--match", "email"}},
		{name: "all-users", flags: []string{"--all-users"}, set: func(tr *trial) { tr.everybody = true }},
		{name: "group", flags: []string{"--group", "crew"}},
		{name: "filter", flags: []string{"--filter", `email ^= "in."`}},
		{name: "from-report", flags: []string{"--from-report", "earlier.csv"}},
	}},
	{"left out", []feature{
		{name: "nobody"},
		{name: "exclude", flags: []string{"--exclude", "root.csv"}, skips: isRoot},
		{name: "exclude-email", flags: []string{"--exclude", "root-email.csv"}, skips: isRoot},
		{name: "exclude-report", flags: []string{"--exclude", "earlier/report.csv", "--exclude-only", "reset"}, skips: isRoot},
		{name: "exclude-group", flags: []string{"--exclude-group", "admins"}, skips: isRoot},
		{name: "where", flags: []string{"--where", "plan=gold"}, skips: func(p person) bool { return p.plan != "gold" }},
		{name: "only", flags: []string{"--only", "would_reset"}},
		{name: "status", flags: []string{"--status", "CONFIRMED"}, leaves: func(p person) bool { return p.status() != sandbox.Confirmed }},
		{name: "created", flags: []string{"--created-after", "2020-01-01"}, leaves: isRoot},
		{name: "history", flags: []string{"--history", "earlier", "--not-reset-within", "90d"}, skips: isRoot},
		{name: "rotate", flags: []string{"--history", "earlier", "--rotate-every", "year"}, skips: isRoot},
		{name: "compare", flags: []string{"--where", "age<40"}, skips: func(p person) bool { return p.age() >= 40 }},
		{name: "limit", flags: []string{"--limit", "5"}, most: 5},
		{name: "sample", flags: []string{"--sample", "5", "--seed", "7"}, most: 5},
	}},
	{"guard", []feature{
		{name: "none"},
		{name: "canary", flags: []string{"--canary", "2"}},
		{name: "canary-random", flags: []string{"--canary-random", "2"}},
		{name: "waves", flags: []string{"--wave-size", "4", "--wave-pause", "10ms"}},
		{name: "max-resets", flags: []string{"--max-resets", "4"}, set: func(tr *trial) { tr.lift = []string{"--max-resets", "0"} }},
		{name: "deadline", flags: []string{"--deadline", "1h"}},
		{name: "reconcile", flags: []string{"--reconcile"}},
		{name: "plan", set: func(tr *trial) { tr.planned = true }},
		{name: "dry-run", flags: []string{"--dry-run"}, set: func(tr *trial) { tr.dry = true }},
	}},
	{"step", []feature{
		{name: "reset"},
		{name: "sign-out", flags: []string{"--steps", "reset,sign-out"}},
		{name: "sign-out-alone", flags: []string{"--steps", "sign-out"}, set: func(tr *trial) { tr.signsOut = true }},
		{name: "lock", flags: []string{"--if-unresettable", "lock"}},
		{name: "disable", flags: []string{"--if-unresettable", "disable"}},
		{name: "invite", flags: []string{"--if-unresettable", "invite"}},
		{name: "snapshot", flags: []string{"--snapshot"}},
		{name: "skip-required", flags: []string{"--if-reset-required", "skip"}, skips: func(p person) bool { return p.state == "again" }},
		{name: "again", flags: []string{"--if-reset-required", "again"}},
	}},
	{"record", []feature{
		{name: "directory"},
		{name: "s3", set: func(tr *trial) { tr.run = "s3://" + bucket + "/record" }},
		{name: "shards", set: func(tr *trial) { tr.shards = 2 }},
		{name: "fleet", set: func(tr *trial) { tr.fleet = true }},
	}},
	{"end", []feature{
		{name: "done"},
		{name: "SIGTERM", flags: []string{"--rate", "60"}, set: func(tr *trial) { tr.stop = func(cmd *exec.Cmd) { cmd.Process.Signal(syscall.SIGTERM) } }},
		{name: "kill", flags: []string{"--rate", "60"}, set: func(tr *trial) { tr.stop = func(cmd *exec.Cmd) { cmd.Process.Kill() } }},
		{name: "ctl", flags: []string{"--rate", "60"}, set: func(tr *trial) { tr.stop = func(*exec.Cmd) { tr.tool("ctl", tr.record, "stop") } }},
		{name: "twice", set: func(tr *trial) { tr.again = true }},
	}},
	{"report", []feature{
		{name: "plain"},
		{name: "json", flags: []string{"--json"}},
		{name: "csv-safe", flags: []string{"--csv-safe"}},
		{name: "page", after: func(tr *trial, record string) {
			tr.expect(-1, "report", record, "--format", "html", "--output", "page.html")
		}},
		{name: "state", after: func(tr *trial, record string) { tr.expect(exit.Done, "status", record, "--json") }},
		{name: "keep-column", flags: []string{"--keep-column", "plan"}},
		{name: "evidence", after: func(tr *trial, record string) {
			tr.expect(exit.Done, "evidence", record, "--output", "evidence.zip", "--overwrite")
			tr.expect(exit.Done, "evidence", "check", "evidence.zip")
		}},
		{name: "verify", after: func(tr *trial, record string) {
			switch {
			case tr.signsOut: // of which no pool tells
				tr.expect(exit.Usage, "verify", record)
			case !tr.dry:
				tr.expect(-1, "verify", record)
			}
		}},
	}},
}

// Refusals are the pairs that the tool refuses on purpose, each with what it says.
// "listed" is every way to ask the pool itself who is meant.
var refusals = []struct{ one, other, why string }{
	{"listed", "compare", "the pool's own users have none"},
	{"listed", "keep-column", "the pool's own users have none"},
	{"listed", "where", "the pool's own users have none"},
	{"listed", "only", "goes with --from-report"},
	{"csv", "only", "goes with --from-report"},
	{"jsonl", "only", "goes with --from-report"},
	{"workbook", "only", "goes with --from-report"},
	{"emails", "only", "goes with --from-report"},
	{"subs", "only", "goes with --from-report"},
	{"match", "only", "goes with --from-report"},
	{"csv", "status", "go with --all-users"},
	{"jsonl", "status", "go with --all-users"},
	{"workbook", "status", "go with --all-users"},
	{"emails", "status", "go with --all-users"},
	{"subs", "status", "go with --all-users"},
	{"from-report", "status", "go with --all-users"},
	{"csv", "created", "go with --all-users"},
	{"jsonl", "created", "go with --all-users"},
	{"workbook", "created", "go with --all-users"},
	{"emails", "created", "go with --all-users"},
	{"subs", "created", "go with --all-users"},
	{"from-report", "created", "go with --all-users"},
	{"shards", "reconcile", "leave --reconcile out"},
	{"shards", "limit", "Leave --shard out, or cut the input"},
	{"shards", "sample", "Leave --shard out, or cut the input"},
	{"fleet", "plan", "a plan is of one user pool"},
	{"sign-out-alone", "history", "resets nobody"},
	{"sign-out-alone", "rotate", "resets nobody"},
	{"sign-out-alone", "max-resets", "resets nobody"},
}

var listedWays = []string{"all-users", "group", "filter"}

// A person is a user of the pool, and a row of the input.
type person struct {
	name, state, plan string
	admin, outside    bool // outside is in no input, group or filter
}

// people are enough of each state for every guard to have work.
var people = []person{
	{name: "ann", plan: "gold"}, {name: "ben", plan: "iron"}, {name: "cid", plan: "gold"}, {name: "root", plan: "gold", admin: true},
	{name: "dan", state: "disabled", plan: "gold"}, {name: "eve", state: "federated", plan: "gold"}, {name: "fay", state: "temporary", plan: "gold"},
	{name: "gil", state: "nocontact", plan: "gold"}, {name: "hal", state: "new", plan: "iron"}, {name: "ida", state: "again", plan: "gold"},
	{name: "jon", plan: "gold"}, {name: "kim", plan: "gold"}, {name: "lou", plan: "iron"}, {name: "mia", plan: "gold"}, {name: "ned", plan: "iron"}, {name: "ola", plan: "gold"},
	{name: "out1", outside: true}, {name: "out2", outside: true},
}

// age is a number to compare.
func (p person) age() int { return 20 + 7*len(p.plan) + 3*len(p.state) }

func isRoot(p person) bool { return p.admin }

func (p person) status() sandbox.Status { return p.user().Status }

// sub is the person's, made from the name.
func (p person) sub() string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", len(p.name), p.name) }

func (p person) email() string {
	if p.outside {
		return "out." + p.name + "@example.com"
	}
	return "in." + p.name + "@example.com"
}

// user is the person as the pool has them.
func (p person) user() sandbox.User {
	u := sandbox.NewUser(p.name)
	u.Sub, u.Email, u.Created = p.sub(), p.email(), time.Now().Add(-100*24*time.Hour)
	if !p.outside {
		u.Groups = []string{"crew"}
	}
	if p.admin {
		u.Groups, u.Created = append(u.Groups, "admins"), time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	putInto(&u, p.state)
	return u
}

// A trial is one run in which features meet.
type trial struct {
	testing.TB
	dir   string
	pool  *sandbox.Pool
	other *sandbox.Pool // the second of a fleet
	url   string
	urls  [2]string // of the pools of a fleet

	features []feature
	flags    []string // of run
	run      string   // --run
	record   string   // where that is, for other commands

	everybody bool // the whole pool is meant, with those outside
	planned   bool
	dry       bool
	signsOut  bool // and resets nobody
	fleet     bool
	again     bool
	shards    int
	lift      []string                // flags of the resumes
	stop      func(running *exec.Cmd) // once some users were reset
}

// An outcome is how a trial ended.
type outcome struct {
	code int
	text string
}

// newTrial makes the pools and the files.
func newTrial(t testing.TB, earlier string, features []feature) *trial {
	tr := &trial{TB: t, dir: t.TempDir(), run: "record", features: features}
	tr.pool = sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", CaseInsensitive: true, Latency: 2 * time.Millisecond})
	for _, p := range people {
		tr.pool.Add(p.user())
	}
	tr.other = sandbox.New(sandbox.Config{PoolID: "us-east-1_Other"})
	for _, name := range []string{"tom", "una"} {
		u := sandbox.NewUser(name)
		u.Created = time.Now().Add(-time.Hour)
		tr.other.Add(u)
	}
	for i, pool := range []*sandbox.Pool{tr.pool, tr.other} {
		_, s3 := serveS3(t, bucket)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/"+bucket) {
				s3.ServeHTTP(w, r)
			} else {
				pool.ServeHTTP(w, r)
			}
		}))
		t.Cleanup(server.Close)
		tr.urls[i] = server.URL
	}
	tr.url = tr.urls[0]
	if err := os.CopyFS(tr.dir, os.DirFS(earlier)); err != nil {
		t.Fatal(err)
	}
	for _, f := range features {
		tr.flags = append(tr.flags, f.flags...)
		if f.set != nil {
			f.set(tr)
		}
	}
	tr.record = tr.run
	return tr
}

// prepareTrials makes the files of all trials: inputs, an earlier report, and an
// earlier run that reset the one to leave out.
func prepareTrials(t testing.TB) (dir string) {
	dir = t.TempDir()
	var table, lines, others strings.Builder
	table.WriteString("username,sub,email,plan,age\n")
	for _, p := range people {
		if !p.outside {
			fmt.Fprintf(&table, "%s,%s,%s,%s,%d\n", p.name, p.sub(), p.email(), p.plan, p.age())
			fmt.Fprintf(&lines, `{"username":%q,"plan":%q,"age":%d}`+"\n", p.name, p.plan, p.age())
		}
	}
	others.WriteString("username\ntom\nuna\n")
	for name, text := range map[string]string{"users.csv": table.String(), "users.jsonl": lines.String(), "others.csv": others.String(), "root.csv": "username\nroot\n", "root-email.csv": "email\nIN.Root@example.com\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeWorkbook(t, filepath.Join(dir, "users.xlsx"), table.String())
	tr := newTrial(t, dir, nil)
	tr.expect(exit.Done, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "root.csv", "--yes", "--run", "earlier")
	tr.expect(exit.SomeFailed, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--keep-column", "plan,age", "--if-reset-required", "again", "--dry-run", "--run", "look")
	text, err := os.ReadFile(filepath.Join(tr.dir, "look", "report.csv"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "earlier.csv"), text, 0o600)
	}
	if err == nil {
		err = os.CopyFS(filepath.Join(dir, "earlier"), os.DirFS(filepath.Join(tr.dir, "earlier")))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeWorkbook makes a workbook of CSV.
func writeWorkbook(t testing.TB, path, table string) {
	t.Helper()
	book := excelize.NewFile()
	defer book.Close()
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	for i, row := range rows {
		if err == nil {
			err = book.SetSheetRow("Sheet1", fmt.Sprint("A", i+1), &row)
		}
	}
	if err == nil {
		err = book.SaveAs(path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// command is the tool, to be started in the trial's folder.
func (tr *trial) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cognito-reset", args...)
	cmd.Dir = tr.dir
	cmd.Env = append(noAccount(), "HOME="+tr.dir)
	if !tr.fleet { // whose targets have endpoints of their own
		cmd.Env = append(cmd.Env, "COGNITO_RESET_ENDPOINT_URL="+tr.url)
	}
	if strings.HasPrefix(tr.run, "s3://") {
		cmd.Env = append(cmd.Env, "COGNITO_RESET_LEASE=2s")
	}
	return cmd
}

// tool runs the tool to its end.
func (tr *trial) tool(args ...string) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := tr.command(ctx, args...)
	text, _ := cmd.CombinedOutput()
	return outcome{cmd.ProcessState.ExitCode(), string(text)}
}

// expect runs the tool to an end that was foreseen; -1 is 0 or 3.
func (tr *trial) expect(code int, args ...string) {
	tr.Helper()
	o := tr.tool(args...)
	if code != o.code && !(code < 0 && (o.code == exit.Done || o.code == exit.SomeFailed)) {
		tr.Errorf("%q ended with %d, not %d: %s", args, o.code, code, o.text)
	}
}

// start is how the run begins, for a shard or all.
func (tr *trial) start(shard int) []string {
	switch {
	case tr.fleet && tr.planned:
		return []string{"run", "--config", "job.yaml", "--yes", "--run", tr.run, "--plan", "plan.json"}
	case tr.fleet:
		return []string{"run", "--config", "job.yaml", "--yes", "--run", tr.run}
	case tr.planned:
		args := []string{"run", "--plan", planFor(shard), "--yes", "--approved-by", "boss", "--require-approval", "--run", tr.run}
		return append(args, tr.shardFlags(shard)...)
	}
	args := append([]string{"run", "--user-pool-id", "us-east-1_Sandbox", "--yes", "--run", tr.run}, tr.everyday()...)
	return append(args, tr.shardFlags(shard)...)
}

// planFor is where the plan of a shard, or of all users, is.
func planFor(shard int) string { return fmt.Sprintf("plan-%d.json", shard) }

// everyday are the flags, with those that keep the run short.
func (tr *trial) everyday() []string {
	args, rate := slices.Concat(tr.flags, []string{"--stop-on-failures", "off"}), "--rate"
	if tr.signsOut {
		rate = "--update-rate"
	} else {
		args = append(args, "--settle-after", "100ms")
	}
	if at := slices.Index(args, "--rate"); at >= 0 {
		args[at] = rate
		return args
	}
	return append(args, rate, "0")
}

func (tr *trial) shardFlags(shard int) []string {
	if tr.shards == 0 {
		return nil
	}
	return []string{"--shard", fmt.Sprintf("%d/%d", shard, tr.shards)}
}

// work runs and resumes until nobody is left.
func (tr *trial) work(shard int) outcome {
	tr.record = tr.run
	if tr.shards > 0 {
		tr.record = tr.shardRecord(shard)
	}
	if tr.planned && !tr.fleet {
		look := []string{"run", "--user-pool-id", "us-east-1_Sandbox", "--dry-run", "--plan", planFor(shard), "--run", "look"}
		if o := tr.tool(slices.Concat(look, tr.everyday(), tr.shardFlags(shard))...); o.code != exit.Done && o.code != exit.SomeFailed {
			return o
		}
	}
	o := tr.interrupted(tr.start(shard)...)
	for range 8 {
		if o.code == exit.Done || o.code == exit.SomeFailed || o.code == exit.Usage || o.code == exit.Failed {
			break
		}
		if !tr.began() {
			o = tr.tool(tr.start(shard)...)
			continue
		}
		o = tr.tool(slices.Concat([]string{"resume", tr.record}, tr.lift)...)
	}
	if tr.again && o.code != exit.Usage && !tr.dry {
		if again := tr.tool(slices.Concat([]string{"resume", tr.record}, tr.lift)...); again.code != o.code {
			tr.Errorf("a run that ended with %d is resumed with %d: %s", o.code, again.code, again.text)
		}
	}
	return o
}

// began reports whether there is a run to resume.
func (tr *trial) began() bool {
	o := tr.tool("status", tr.record)
	return o.code == exit.Done
}

// interrupted runs the tool, and stops it in the middle if that is a feature.
func (tr *trial) interrupted(args ...string) outcome {
	if tr.stop == nil {
		return tr.tool(args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := tr.command(ctx, args...)
	var text strings.Builder
	cmd.Stdout, cmd.Stderr = &text, &text
	before := tr.calls()
	if err := cmd.Start(); err != nil {
		tr.Fatal(err)
	}
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tr.calls() < before+2 {
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
			}
		}
		tr.stop(cmd)
	}()
	cmd.Wait()
	close(ended)
	<-stopped
	return outcome{cmd.ProcessState.ExitCode(), text.String()}
}

// calls counts the users who were sent a message or, where that is all that is done, were
// signed out.
func (tr *trial) calls() (n int) {
	if !tr.signsOut {
		return len(tr.pool.Outbox())
	}
	for _, p := range people {
		n += tr.pool.SignOuts(p.name)
	}
	return n
}

// play does the whole trial, and returns how the tool ended.
func (tr *trial) play() outcome {
	if tr.fleet {
		tr.writeJob()
	}
	if tr.shards == 0 {
		return tr.work(0)
	}
	var worst outcome
	for shard := range tr.shards {
		o := tr.work(shard + 1)
		if o.code != exit.Done && o.code != exit.SomeFailed {
			return o
		}
		if o.code >= worst.code {
			worst = o
		}
	}
	parts := []string{"report", "merge", "--output", "whole"}
	for shard := range tr.shards {
		parts = append(parts, tr.shardRecord(shard+1))
	}
	tr.expect(worst.code, parts...)
	return worst
}

// writeJob makes the flags a configuration file with two targets.
func (tr *trial) writeJob() {
	var job strings.Builder
	job.WriteString("targets:\n")
	fmt.Fprintf(&job, "  - user-pool-id: us-east-1_Sandbox\n    endpoint-url: %s\n", tr.urls[0])
	values := make(map[string][]string)
	var order []string
	flags := tr.everyday()
	for i := 0; i < len(flags); i++ {
		name, value := strings.TrimPrefix(flags[i], "--"), "true"
		if i+1 < len(flags) && !strings.HasPrefix(flags[i+1], "--") {
			i++
			value = flags[i]
		}
		if values[name] == nil {
			order = append(order, name)
		}
		values[name] = append(values[name], value)
	}
	top := ""
	for _, name := range order {
		text := fmt.Sprintf("%s: %s\n", name, strings.Join(quoted(values[name]), ", "))
		if name == "json" || name == "csv-safe" || name == "dry-run" {
			top += text
		} else {
			job.WriteString("    " + text)
		}
	}
	fmt.Fprintf(&job, "  - user-pool-id: us-east-1_Other\n    endpoint-url: %s\n    input: others.csv\n", tr.urls[1])
	if tr.signsOut {
		job.WriteString("    steps: sign-out\n    update-rate: 0\n")
	} else {
		job.WriteString("    rate: \"0\"\n    settle-after: 100ms\n")
	}
	if err := os.WriteFile(filepath.Join(tr.dir, "job.yaml"), []byte(top+job.String()), 0o600); err != nil {
		tr.Fatal(err)
	}
}

func quoted(values []string) (quoted []string) {
	for _, value := range values {
		quoted = append(quoted, fmt.Sprintf("%q", value))
	}
	return quoted
}

// check holds what must be true of every run, whatever its features.
func (tr *trial) check(o *outcome) {
	if o.code != exit.Done && o.code != exit.SomeFailed {
		tr.Fatalf("ended with %d: %s", o.code, o.text)
	}
	rows := tr.rows()
	outcomes := make(map[string]string) // of persons
	bad := false
	for _, row := range rows {
		if row.pool != "" && row.pool != "us-east-1_Sandbox" {
			continue
		}
		bad = bad || slices.Contains([]string{"failed", "invalid", "unknown"}, row.outcome)
		if p, ok := whoIs(row.username); !ok {
			tr.Errorf("row %s is of nobody: %q", row.number, row.username)
		} else if row.reason != "duplicate" {
			outcomes[p.name] = row.outcome
		}
	}
	if want := map[bool]int{false: exit.Done, true: exit.SomeFailed}[bad]; o.code != want {
		tr.Errorf("ended with %d, though the rows say %d: %s", o.code, want, o.text)
	}
	touched := 0
	for _, p := range people {
		if tr.checkPerson(p, outcomes[p.name]) {
			touched++
		}
	}
	for _, f := range tr.features {
		if f.most > 0 && touched > f.most {
			tr.Errorf("%d users were touched, and %s allows %d", touched, f.name, f.most)
		}
	}
	switch {
	case !tr.fleet || tr.dry:
	case tr.signsOut:
		for _, name := range []string{"tom", "una"} {
			if n := tr.other.SignOuts(name); n != 1 && (n == 0 || tr.stop == nil) {
				tr.Errorf("%s of the other pool: %d sign-outs", name, n)
			}
		}
	default:
		checkOnce(tr, tr.other)
	}
	for _, f := range tr.features {
		if f.after != nil {
			for _, record := range tr.records() {
				f.after(tr, record)
			}
		}
	}
}

// checkPerson compares what the server knows of a user with what was asked and
// what the report says, and reports whether anything was done to the user.
func (tr *trial) checkPerson(p person, said string) (touched bool) {
	was := p.user()
	is, _ := tr.pool.Get(p.name)
	resets, messages := tr.pool.Resets(p.name), tr.messages(p.name)
	if tr.signsOut {
		resets = tr.pool.SignOuts(p.name)
		if tr.stop != nil && resets > 1 { // one whose answer was lost goes again, which does no harm
			resets = 1
		}
		if said == "signed_out" {
			said = "reset"
		}
		if tr.pool.Resets(p.name)+messages > 0 || is.Status != was.Status {
			tr.Errorf("%s was reset, by a sign-out alone", p.name)
		}
	}
	touched = resets > 0 || messages > 0 || is.Enabled != was.Enabled || is.Password != was.Password || is.Status != was.Status
	limited, out := tr.dry, !tr.everybody && p.outside
	for _, f := range tr.features {
		limited = limited || f.most > 0
		out = out || f.leaves != nil && f.leaves(p) || f.skips != nil && f.skips(p)
	}
	sure := p.state == "" && !out
	switch {
	case touched && tr.dry:
		tr.Errorf("%s was touched by a dry run", p.name)
	case touched && out:
		tr.Errorf("%s was not meant, and was touched: %d resets, enabled %v, %s", p.name, resets, is.Enabled, is.Status)
	case resets > 1 || messages > 1:
		tr.Errorf("%s: %d resets, %d messages", p.name, resets, messages)
	case sure && !limited && resets != 1:
		tr.Errorf("%s was missed: %d resets, the report says %q", p.name, resets, said)
	case p.state == "again" && tr.stop != nil && (said == "reset" || said == "unknown"): // a read-back finds a state that was there before
	case (resets == 1) != (said == "reset"):
		tr.Errorf("%s has %d resets, and the report says %q", p.name, resets, said)
	case (is.Enabled != was.Enabled) != (said == "disabled"):
		tr.Errorf("%s was disabled or not, and the report says %q", p.name, said)
	}
	return touched
}

// records are the run directories of the trial.
func (tr *trial) records() (records []string) {
	switch {
	case tr.fleet:
		return []string{tr.run + "/us-east-1_Sandbox", tr.run + "/us-east-1_Other"}
	case tr.shards > 0:
		for shard := range tr.shards {
			records = append(records, tr.shardRecord(shard+1))
		}
		return records
	}
	return []string{tr.run}
}

// shardRecord is the run directory of a shard.
func (tr *trial) shardRecord(shard int) string {
	return fmt.Sprintf("%s/shard-%d-of-%d", tr.run, shard, tr.shards)
}

// messages counts those to a user.
func (tr *trial) messages(name string) (n int) {
	tr.pool.EachUser(func(u sandbox.User, _, messages int) {
		if u.Username == name {
			n = messages
		}
	})
	return n
}

// whoIs is the person of a username, a sub or an e-mail address.
func whoIs(name string) (person, bool) {
	for _, p := range people {
		if name == p.name || name == p.sub() || name == p.email() {
			return p, true
		}
	}
	return person{}, false
}

// A reported row is one of report.csv.
type reported struct{ number, username, outcome, reason, pool string }

// rows are those of the report, wherever it is, which must agree with its summary.
func (tr *trial) rows() (rows []reported) {
	folder := tr.record
	if tr.shards > 0 {
		folder = "whole"
	}
	if strings.HasPrefix(folder, "s3://") {
		tr.expect(-1, "report", folder, "--format", "csv", "--csv-safe=false", "--output", "fetched.csv")
		return tr.readRows("fetched.csv")
	}
	rows = tr.readRows(filepath.Join(folder, "report.csv"))
	var summary struct {
		Rows     int
		Outcomes map[string]int
	}
	text, err := os.ReadFile(filepath.Join(tr.dir, folder, "summary.json"))
	if err == nil {
		err = json.Unmarshal(text, &summary)
	}
	if err != nil {
		tr.Fatal(err)
	}
	sum := 0
	for _, n := range summary.Outcomes {
		sum += n
	}
	if summary.Rows != len(rows) || sum != len(rows) {
		tr.Errorf("the report has %d rows, and the summary %d, with %v", len(rows), summary.Rows, summary.Outcomes)
	}
	return rows
}

func (tr *trial) readRows(name string) (rows []reported) {
	file, err := os.Open(filepath.Join(tr.dir, name))
	if err != nil {
		tr.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		tr.Fatal(err)
	}
	column := func(line []string, name string) string {
		if at := slices.Index(lines[0], name); at >= 0 {
			return line[at]
		}
		return ""
	}
	for _, line := range lines[1:] {
		rows = append(rows, reported{column(line, "row"), column(line, "username"), column(line, "outcome"), column(line, "reason"), column(line, "user_pool_id")})
	}
	return rows
}

// refusal is what the tool says of a pair that it refuses on purpose.
func refusal(one, other string) (why string, refused bool) {
	is := func(name, pattern string) bool {
		return name == pattern || pattern == "listed" && slices.Contains(listedWays, name)
	}
	for _, r := range refusals {
		if is(one, r.one) && is(other, r.other) || is(other, r.one) && is(one, r.other) {
			return r.why, true
		}
	}
	return "", false
}

// wayNames are the dimensions by the names of their ways.
func wayNames() (names []dimension) {
	for _, d := range dimensions {
		var ways dimension
		for _, f := range d.ways {
			ways = append(ways, f.name)
		}
		names = append(names, ways)
	}
	return names
}

// Every two features of the tool meet in a run (with -features=3 every three), and
// whatever they are: nobody outside the selection is touched, nobody is reset
// twice, the rows add up and say what the server did, the exit code fits, and a
// resume completes what was stopped.
func TestWhereTwoFeaturesMeetNobodyIsHarmed(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundred runs take a while")
	}
	t.Parallel()
	names := wayNames()
	refused := func(d1, w1, d2, w2 int) bool {
		_, refused := refusal(names[d1][w1], names[d2][w2])
		return refused
	}
	runs, covered := covering(names, *meetings, refused)
	earlier := prepareTrials(t)
	t.Logf("%d runs, in which %d times %d features meet; %d pairs are refused on purpose", len(runs), covered, *meetings, len(refusedPairs(names)))
	for i, run := range runs {
		t.Run(fmt.Sprintf("%d-%s", i, run.names(names)), func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, earlier, run.features())
			o := tr.play()
			tr.check(&o)
		})
	}
}

// features are the lines of the table that meet in a run.
func (c combination) features() (features []feature) {
	for d, way := range c {
		features = append(features, dimensions[d].ways[way])
	}
	return features
}

// refusedPairs are the combinations with a pair that is refused, everyday otherwise.
func refusedPairs(names []dimension) (pairs []combination) {
	for d1 := range names {
		for d2 := range d1 {
			for w1 := range names[d1] {
				for w2 := range names[d2] {
					if _, refused := refusal(names[d1][w1], names[d2][w2]); refused {
						c := make(combination, len(names))
						c[d1], c[d2] = w1, w2
						pairs = append(pairs, c)
					}
				}
			}
		}
	}
	return pairs
}

// What is refused on purpose is refused with a sentence, before anything is sent.
func TestPairsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	names := wayNames()
	earlier := prepareTrials(t)
	for _, pair := range refusedPairs(names) {
		var ways []string
		for d, way := range pair {
			if d == 0 || way > 0 {
				ways = append(ways, names[d][way])
			}
		}
		t.Run(strings.Join(ways, "+"), func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, earlier, pair.features())
			o := tr.play()
			why, _ := refusal(ways[0], ways[len(ways)-1])
			if len(ways) == 3 {
				why, _ = refusal(ways[1], ways[2])
			}
			if o.code != exit.Usage || !strings.Contains(strings.Join(strings.Fields(o.text), " "), why) {
				t.Errorf("ended with %d, not with %q: %s", o.code, why, o.text)
			}
			if calls := tr.pool.Stats().Calls["AdminResetUserPassword"]; calls != nil {
				t.Errorf("calls were made: %v", calls)
			}
		})
	}
}
