package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// A servedPool is a pool in this process, with its clock and its users at hand, for
// a tool in another.
type servedPool struct {
	*sandbox.Pool
	url, input string
	users      int
}

// newServedPool serves a pool of so many users and writes an input that names them. wrap
// may come between the pool and the tool.
func newServedPool(t *testing.T, users int, config sandbox.Config, wrap func(http.Handler) http.Handler) *servedPool {
	config.PoolID = "us-east-1_Sandbox"
	c := &servedPool{Pool: sandbox.New(config), users: users, input: filepath.Join(t.TempDir(), "users.csv")}
	var rows strings.Builder
	rows.WriteString("username\n")
	for name := range numbered(users) {
		u := sandbox.NewUser(name)
		u.Created = time.Now().AddDate(-1, 0, 0)
		c.Add(u)
		fmt.Fprintln(&rows, name)
	}
	if err := os.WriteFile(c.input, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var handler http.Handler = c.Pool
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// tool is a command of the tool, in a process of its own.
func (c *servedPool) tool(args ...string) (*exec.Cmd, *bytes.Buffer) {
	var said bytes.Buffer
	cmd := exec.Command("cognito-reset", args...) // which testscript.Main puts there
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	cmd.Stdout, cmd.Stderr = &said, &said
	return cmd, &said
}

// run begins a run of all users.
func (c *servedPool) run(dir string, flags ...string) (*exec.Cmd, *bytes.Buffer) {
	return c.tool(append([]string{"run", "--user-pool-id", "us-east-1_Sandbox", "--input", c.input, "--endpoint-url", c.url, "--yes", "--quiet", "--run", dir}, flags...)...)
}

// exitOf runs a command to its end.
func exitOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// once checks that the server reset nobody twice, and returns how many it reset.
func (c *servedPool) once(t *testing.T) (reset int) {
	t.Helper()
	c.EachUser(func(u sandbox.User, resets, messages int) {
		if reset += resets; resets > 1 || messages > 1 {
			t.Errorf("%s: %d resets, %d messages", u.Username, resets, messages)
		}
	})
	return reset
}

// comeBack gives a share of the users who were reset a new password.
func (c *servedPool) comeBack(share float64) {
	now := c.Now()
	for name := range numbered(c.users) {
		c.Update(name, func(u *sandbox.User) {
			if u.Status == sandbox.ResetRequired && rand.Float64() < share {
				u.Status, u.Modified = sandbox.Confirmed, now
			}
		})
	}
}

// outcomes counts those of a report.
func outcomes(t *testing.T, run string) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for _, row := range readReport(t, run)[1:] {
		counts[row[2]]++
	}
	return counts
}

// A first process by whose clock it is later, or earlier, than by the server's is
// killed with all calls in flight; the server does the work, and the users choose
// new passwords. A resume with a right clock may call none of them.
func TestAResumeByAnotherClockResetsNobodyTwice(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Second, 10 * time.Second} {
		t.Run(fmt.Sprintf("the service's clock is ahead by %v", off), func(t *testing.T) {
			t.Parallel()
			const users = 20
			var answered atomic.Int32
			reset := make(chan struct{})
			done := make(chan struct{})
			c := newServedPool(t, users, sandbox.Config{}, func(pool http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminResetUserPassword") {
						pool.ServeHTTP(w, r)
						return
					}
					pool.ServeHTTP(httptest.NewRecorder(), r)
					if answered.Add(1) == users {
						close(reset)
					}
					<-done
					panic(http.ErrAbortHandler)
				})
			})
			c.SetClock(off)
			dir := filepath.Join(t.TempDir(), "run")
			first, said := c.run(dir, "--rate", "0", "--workers", "64")
			if err := first.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-reset:
			case <-time.After(time.Minute):
				first.Process.Kill()
				t.Fatalf("%d of %d were called: %s", answered.Load(), users, said)
			}
			first.Process.Kill()
			first.Wait()
			close(done)
			c.comeBack(1)
			c.SetClock(0)

			second, said := c.tool("resume", dir, "--quiet", "--settle-after", "100ms")
			if code := exitOf(t, second); code != exit.SomeFailed {
				t.Errorf("exit %d: %s", code, said)
			}
			if n := c.once(t); n != users {
				t.Errorf("%d resets", n)
			}
			if got := outcomes(t, dir); got["unknown"] != users {
				t.Errorf("%v", got)
			}
			if !strings.Contains(said.String(), "this machine's clock") {
				t.Errorf("that the clocks differ was not said: %s", said)
			}
		})
	}
}

// The journal of a session says how its clock stood.
func TestTheJournalSaysHowTheClocksStood(t *testing.T) {
	t.Parallel()
	c := newServedPool(t, 1, sandbox.Config{}, nil)
	c.SetClock(time.Hour)
	dir := filepath.Join(t.TempDir(), "run")
	cmd, said := c.run(dir, "--rate", "0")
	if code := exitOf(t, cmd); code != exit.Done {
		t.Fatalf("exit %d: %s", code, said)
	}
	journal, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var session struct {
		Ahead string `json:"service_ahead"`
	}
	if err := json.Unmarshal(bytes.SplitN(journal, []byte("\n"), 2)[0], &session); err != nil {
		t.Fatal(err)
	}
	if ahead, err := time.ParseDuration(session.Ahead); err != nil || ahead < time.Hour-3*time.Second || ahead > time.Hour+3*time.Second {
		t.Errorf("service_ahead is %q", session.Ahead)
	}
}

// A user whom the run saw in RESET_REQUIRED before its call, which was lost before
// anything was done, is not taken for reset because of that.
func TestWhoWasInResetRequiredBeforeIsNotTakenForReset(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]string{"report": "unknown", "retry": "failed unknown"} {
		c := newServedPool(t, 3, sandbox.Config{Faults: sandbox.Faults{LostBefore: 1}}, nil)
		for name := range numbered(3) {
			c.Update(name, func(u *sandbox.User) { u.Status = sandbox.ResetRequired })
		}
		dir := filepath.Join(t.TempDir(), "run")
		cmd, said := c.run(dir, "--rate", "0", "--snapshot", "--if-reset-required", "again", "--settle-after", "0s", "--on-unknown", flag, "--max-attempts", "2", "--stop-on-failures", "off")
		if code := exitOf(t, cmd); code != exit.SomeFailed {
			t.Errorf("%s: exit %d: %s", flag, code, said)
		}
		for outcome := range outcomes(t, dir) {
			if !strings.Contains(want, outcome) {
				t.Errorf("--on-unknown %s: a row is %s", flag, outcome)
			}
		}
		if calls := c.Stats().Calls["AdminResetUserPassword"][sandbox.LostBefore]; calls != map[string]int{"report": 3, "retry": 6}[flag] {
			t.Errorf("--on-unknown %s: %d calls", flag, calls)
		}
	}
}
