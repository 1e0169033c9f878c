package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// poolsOf says how many user pools six account-Regions have. The fourth is the
// busiest.
var poolsOf = []int{2, 1, 1, 3, 1, 1}

const busiest = 3

// An estate is the user pools of several accounts, each account with one quota.
type estate struct {
	dir     string // with the inputs and job.yaml
	users   int    // of each pool
	pools   []*sandbox.Pool
	servers []*httptest.Server // of the pools
	account []int              // of the pools
}

// newEstate makes the pools of poolsOf, with so many users each and a quota of so
// many resets a second for an account, and a job on all of them.
func newEstate(t testing.TB, users int, quota float64) *estate {
	t.Helper()
	e := &estate{dir: t.TempDir(), users: users}
	var job, input strings.Builder
	input.WriteString("username\n")
	for i := range users {
		fmt.Fprintf(&input, "user%d\n", i)
	}
	fmt.Fprintf(&job, "rate: %g\nmax-attempts: 2\nstop-on-failures: 20\ntargets:\n", quota)
	for account, pools := range poolsOf {
		var beside *sandbox.Pool
		for n := range pools {
			id := fmt.Sprintf("eu-west-1_Pool%d%d", account, n)
			pool := sandbox.New(sandbox.Config{
				PoolID: id, Account: fmt.Sprintf("%012d", account+1), Beside: beside, Quotas: map[sandbox.Category]float64{sandbox.UserAccountRecovery: quota},
			})
			for i := range users {
				u := sandbox.NewUser(fmt.Sprint("user", i))
				u.Created = time.Now().Add(-time.Hour) // whatever the clocks, nobody was touched in the meantime
				pool.Add(u)
			}
			beside = pool
			server := httptest.NewServer(pool)
			e.pools, e.servers, e.account = append(e.pools, pool), append(e.servers, server), append(e.account, account)
			fmt.Fprintf(&job, "  - user-pool-id: %s\n    input: users.csv\n    endpoint-url: %s\n", id, server.URL)
		}
	}
	t.Cleanup(func() {
		for _, server := range e.servers {
			server.Close()
		}
	})
	if err := errors.Join(
		os.WriteFile(filepath.Join(e.dir, "users.csv"), []byte(input.String()), 0o600),
		os.WriteFile(filepath.Join(e.dir, "job.yaml"), []byte(job.String()), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return e
}

// run runs the tool in the estate's folder.
func (e *estate) run(tool string, args ...string) (code int, output string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = e.dir
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	out, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(out)
}

// stop takes an account's servers down.
func (e *estate) stop(account int) {
	for i, server := range e.servers {
		if e.account[i] == account {
			server.Listener.Close()
			server.CloseClientConnections()
		}
	}
}

// start brings them up again, at the same addresses.
func (e *estate) start(t testing.TB, account int) {
	t.Helper()
	for i, down := range e.servers {
		if e.account[i] != account {
			continue
		}
		listener, err := net.Listen("tcp", down.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		again := httptest.NewUnstartedServer(e.pools[i])
		again.Listener.Close()
		again.Listener = listener
		again.Start()
		e.servers[i] = again
	}
}

// messages is how many the pools of an account have sent.
func (e *estate) messages(account int) (n int) {
	for i, p := range e.pools {
		if e.account[i] == account {
			n += p.Stats().Messages
		}
	}
	return n
}

// One of six accounts goes down half-way. The others finish, each within its own
// quota, and a resume completes the job: each user of each pool is reset once.
func TestAFleetFinishesThoughOneOfItsAccountsGoesDown(t *testing.T) {
	t.Parallel()
	tool := linkTool(t, t.TempDir())
	const users, quota = 150, 150
	e := newEstate(t, users, quota)
	down := make(chan struct{})
	go func() {
		defer close(down)
		for e.messages(busiest) < poolsOf[busiest]*users/2 {
			time.Sleep(time.Millisecond)
		}
		e.stop(busiest)
	}()
	code, output := e.run(tool, "run", "--config", "job.yaml", "--yes", "--run", "night")
	if <-down; code != exit.Stopped {
		t.Fatalf("it ended with %d:\n%s", code, output)
	}
	for account, pools := range poolsOf {
		if n := e.messages(account); account != busiest && n != pools*users {
			t.Errorf("account %d has reset %d of %d users:\n%s", account, n, pools*users, output)
		}
	}
	e.start(t, busiest)
	code, output = e.run(tool, "resume", "night", "--retry", "failed,unknown")
	if code != exit.Done {
		t.Fatalf("the resume ended with %d:\n%s", code, output)
	}
	e.checkComplete(t, "night/report.csv")
	for account, pools := range poolsOf {
		if account == busiest {
			continue // its time was that of two sessions
		}
		first, last := e.span(account)
		if least := time.Duration(float64(pools*users-1) / quota * float64(time.Second)); last.Sub(first) < least*8/10 {
			t.Errorf("the %d pools of account %d took %v, less than the %v that its quota makes of them", pools, account, last.Sub(first), least)
		}
	}
}

// span is when an account's pools sent their first message and their last.
func (e *estate) span(account int) (first, last time.Time) {
	for i, p := range e.pools {
		if e.account[i] != account {
			continue
		}
		for _, m := range p.Outbox() {
			if first.IsZero() || m.At.Before(first) {
				first = m.At
			}
			if m.At.After(last) {
				last = m.At
			}
		}
	}
	return first, last
}

// Of processes that are started at once on one fleet one works.
func TestOfProcessesOnOneFleetOneWorks(t *testing.T) {
	t.Parallel()
	tool := linkTool(t, t.TempDir())
	e := newEstate(t, 30, 30)
	var codes [3]int
	var outputs [3]string
	var working sync.WaitGroup
	for i := range codes {
		working.Go(func() {
			codes[i], outputs[i] = e.run(tool, "run", "--config", "job.yaml", "--yes", "--run", "night")
		})
	}
	working.Wait()
	slices.Sort(codes[:])
	if codes != [3]int{exit.Done, exit.Usage, exit.Usage} {
		t.Errorf("they ended with %v: %s", codes, outputs)
	}
	e.checkComplete(t, "night/report.csv")
}

// checkComplete sees to it that each user of each pool was reset once, and has one
// row that says so.
func (e *estate) checkComplete(t testing.TB, path string) {
	t.Helper()
	for i, p := range e.pools {
		for u := range e.users {
			if n := p.Resets(fmt.Sprint("user", u)); n != 1 {
				t.Errorf("user%d of pool %d was reset %d times", u, i, n)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(e.dir, path))
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]int)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		cells := strings.Split(line, ",")
		if cells[2] != "reset" {
			t.Errorf("a row says %s", cells[2])
		}
		rows[cells[19]+"/"+cells[1]]++
	}
	if want := len(e.pools) * e.users; len(rows) != want {
		t.Errorf("the report has %d different rows, not %d", len(rows), want)
	}
}

// Six shards of a fleet deal its six budgets out; eight split two of them. However
// many there are, every user is in exactly one.
func TestShardsOfAFleetDealItsBudgetsOut(t *testing.T) {
	t.Parallel()
	tool := linkTool(t, t.TempDir())
	for _, shards := range []int{4, 8} {
		e := newEstate(t, 40, 0)
		var reports []string
		for i := range shards {
			code, output := e.run(tool, "run", "--config", "job.yaml", "--yes", "--run", "night", "--quiet", "--shard", fmt.Sprintf("%d/%d", i+1, shards), "--rate", "0")
			if code != exit.Done {
				t.Fatalf("shard %d of %d ended with %d:\n%s", i+1, shards, code, output)
			}
		}
		runs, err := filepath.Glob(filepath.Join(e.dir, "night/*/eu-west-1_*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range runs {
			if inner, _ := filepath.Glob(run + "/shard-*"); inner != nil {
				run = inner[0]
			}
			reports = append(reports, run)
		}
		if want := map[int]int{4: 9, 8: 9 + 2 + 1}[shards]; len(reports) != want { // the first two budgets, of 2 pools and 1, are split
			t.Errorf("%d shards made %d runs, not %d: %s", shards, len(reports), want, reports)
		}
		if code, output := e.run(tool, append([]string{"report", "merge", "--output", "whole"}, reports...)...); code != exit.Done {
			t.Fatalf("merging ended with %d:\n%s", code, output)
		}
		e.checkComplete(t, "whole/report.csv")
	}
}

// BenchmarkFleet is how long a job on nine pools takes, beside what the busiest of
// its six budgets needs.
func BenchmarkFleet(b *testing.B) {
	tool := linkTool(b, b.TempDir())
	users := 400
	if testing.Short() {
		users = 40
	}
	for _, quota := range []float64{30, 300} {
		b.Run("quota="+strconv.FormatFloat(quota, 'g', -1, 64), func(b *testing.B) {
			for b.Loop() {
				e := newEstate(b, users, quota)
				start := time.Now()
				if code, output := e.run(tool, "run", "--config", "job.yaml", "--yes", "--run", "night", "--quiet"); code != exit.Done {
					b.Fatalf("it ended with %d:\n%s", code, output)
				}
				took := time.Since(start).Seconds()
				needed := float64(poolsOf[busiest]*users) / quota
				b.ReportMetric(took, "s")
				b.ReportMetric(100*(took/needed-1), "%over-busiest")
				b.ReportMetric(took/(needed*float64(len(e.pools))/float64(poolsOf[busiest])), "of-one-after-the-other")
				e.checkComplete(b, "night/report.csv")
			}
		})
	}
}

// A fleet is killed at random moments, and gone on with each time by the same
// command, as an engine does it.
func TestAFleetKilledAtAnyMomentResetsEachUserOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("killing takes a while")
	}
	t.Parallel()
	tool := linkTool(t, t.TempDir())
	e := newEstate(t, 100, 100)
	command := func() *exec.Cmd {
		cmd := exec.Command(tool, "run", "--config", "job.yaml", "--yes", "--quiet", "--run", "night", "--shard", "auto", "--shards", "1", "--settle-after", "200ms")
		cmd.Dir, cmd.Env = e.dir, append(noAccount(), "JOB_COMPLETION_INDEX=0")
		return cmd
	}
	for range 8 {
		cmd := command()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(50+rand.IntN(500))*time.Millisecond, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
	}
	if out, err := command().CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	e.checkComplete(t, "night/shard-1-of-1/report.csv")
}
