package main

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// An array is shards as an engine runs them: each a process, which it starts again
// until it ends well.
type array struct {
	testing.TB
	tool, dir string
	url       string // of the pool
	flags     []string
	shards    int
	pool      *sandbox.Pool

	mu      sync.Mutex
	running []*exec.Cmd // the processes of the shards
}

// newArray makes a pool of so many users, which takes so many resets a second.
func newArray(t testing.TB, tool string, shards, users int, quota float64) *array {
	t.Helper()
	a := &array{TB: t, tool: tool, dir: t.TempDir(), shards: shards, running: make([]*exec.Cmd, shards)}
	a.pool = sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", Quotas: map[sandbox.Category]float64{sandbox.UserAccountRecovery: quota}})
	var input strings.Builder
	input.WriteString("username\n")
	for i := range users {
		u := sandbox.NewUser(fmt.Sprintf("user%d", i))
		u.Created = time.Now().Add(-time.Hour)
		a.pool.Add(u)
		input.WriteString(u.Username + "\n")
	}
	if err := os.WriteFile(filepath.Join(a.dir, "users.csv"), []byte(input.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.pool)
	t.Cleanup(server.Close)
	a.url = server.URL
	a.flags = []string{"run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--quiet", "--endpoint-url", server.URL,
		"--rate", fmt.Sprint(quota), "--settle-after", "200ms", "--run", "parts", "--shard", "auto", "--shards", fmt.Sprint(shards)}
	return a
}

// start starts a shard's process, or a copy of it.
func (a *array) start(shard int) (*exec.Cmd, *strings.Builder, error) {
	cmd := exec.Command(a.tool, a.flags...)
	cmd.Dir, cmd.Env = a.dir, append(noAccount(), fmt.Sprint("JOB_COMPLETION_INDEX=", shard))
	output := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd, output, cmd.Start()
}

// finish runs a shard until it ends well.
func (a *array) finish(shard int) {
	for range 100 {
		cmd, output, err := a.start(shard)
		if err != nil {
			a.Error(err)
			return
		}
		a.mu.Lock()
		a.running[shard] = cmd
		a.mu.Unlock()
		cmd.Wait()
		switch code := cmd.ProcessState.ExitCode(); {
		case code == exit.Done:
			return
		case code == -1: // killed
		case code == exit.Usage && strings.Contains(output.String(), "in use"): // by a copy of it
			time.Sleep(50 * time.Millisecond)
		default:
			a.Errorf("shard %d ended with %d: %s", shard, code, output)
			return
		}
	}
	a.Errorf("shard %d does not end", shard)
}

// run runs all shards at once, and kills one at random so many times.
func (a *array) run(kills int) {
	var working sync.WaitGroup
	for shard := range a.shards {
		working.Go(func() { a.finish(shard) })
	}
	for range kills {
		time.Sleep(time.Duration(50+rand.IntN(250)) * time.Millisecond)
		a.mu.Lock()
		if cmd := a.running[rand.IntN(a.shards)]; cmd != nil {
			cmd.Process.Kill()
		}
		a.mu.Unlock()
	}
	working.Wait()
}

// check sees to it that each user was reset once, and that the shards' reports,
// merged, have each in one row.
func (a *array) check(users int) {
	a.Helper()
	seen := 0
	a.pool.EachUser(func(u sandbox.User, resets, messages int) {
		if seen++; resets != 1 || messages != 1 {
			a.Errorf("%s: %d resets, %d messages", u.Username, resets, messages)
		}
	})
	parts, _ := filepath.Glob(filepath.Join(a.dir, "parts", "*"))
	merge := exec.Command(a.tool, append([]string{"report", "merge", "--output", "whole"}, parts...)...)
	merge.Dir, merge.Env = a.dir, noAccount()
	if out, err := merge.CombinedOutput(); err != nil || len(parts) != a.shards {
		a.Fatalf("merging %s: %v: %s", parts, err, out)
	}
	for i, line := range readReport(a, filepath.Join(a.dir, "whole"))[1:] {
		if line[0] != fmt.Sprint(i+1) || line[1] != fmt.Sprint("user", i) || line[2] != "reset" {
			a.Fatalf("line %d of the merged report: %q", i+2, line)
		}
		seen--
	}
	if seen != 0 {
		a.Errorf("of %d users %d more are in the pool than in the report", users, seen)
	}
}

// Eight shards work on one pool side by side, one of them twice, and are killed
// ten times. Each user is reset once, by no more calls than the one quota takes.
func TestShardsSideBySideResetEachUserOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("killing takes a while")
	}
	t.Parallel()
	const shards, users, quota, kills = 8, 4000, 800, 10
	a := newArray(t, linkTool(t, t.TempDir()), shards, users, quota)
	copied, output, err := a.start(0)
	if err != nil {
		t.Fatal(err)
	}
	a.run(kills)
	copied.Wait()
	if code := copied.ProcessState.ExitCode(); code != exit.Done && code != exit.Usage {
		t.Errorf("the copy of a shard ended with %d: %s", code, output)
	}
	a.check(users)
	outbox := a.pool.Outbox()
	if took, least := outbox[len(outbox)-1].At.Sub(outbox[0].At), time.Duration(users)*time.Second/quota; took < least*8/10 {
		t.Errorf("all together took %v, less than the %v that one quota makes of them", took, least)
	}
}

// BenchmarkShards is how long users take by one process and by eight, at the same
// quota.
func BenchmarkShards(b *testing.B) {
	tool := linkTool(b, b.TempDir())
	users, quota := 80_000, 1000.0
	if testing.Short() {
		users = 4000
	}
	for _, shards := range []int{1, 8} {
		b.Run(fmt.Sprintf("processes=%d", shards), func(b *testing.B) {
			for b.Loop() {
				a := newArray(b, tool, shards, users, quota)
				start := time.Now()
				a.run(0)
				b.ReportMetric(time.Since(start).Seconds(), "s")
				calls := a.pool.Stats().Calls["AdminResetUserPassword"]
				b.ReportMetric(100*float64(calls["TooManyRequestsException"])/float64(users), "%throttled")
				a.check(users)
			}
		})
	}
}
