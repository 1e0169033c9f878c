package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// begin starts the tool in the estate's folder. What it prints is complete once it has
// been waited for.
func (e *estate) begin(t *testing.T, tool string, args ...string) (cmd *exec.Cmd, output *bytes.Buffer) {
	t.Helper()
	cmd, output = exec.Command(tool, args...), new(bytes.Buffer)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = e.dir, noAccount(), output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, output
}

// What ctl says of a fleet is what happens, to runs that share a quota as well: at the rate
// that this one began with, it would take weeks.
func TestTheRateThatCtlGivesAFleetIsThatOfItsQuotas(t *testing.T) {
	t.Parallel()
	tool := linkTool(t, t.TempDir())
	e := newEstate(t, 6, 0)
	fleet, output := e.begin(t, tool, "run", "--config", "job.yaml", "--yes", "--run", "night", "--rate", "0.00001", "--log-format", "json")
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, stand := e.run(tool, "status", "night")
		if strings.Count(stand, "waits for rate, 1e-05/s") == len(e.pools) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("they do not all work: %s", stand)
		}
	}
	code, steered := e.run(tool, "ctl", "night", "rate", "500")
	if code != exit.Done {
		t.Errorf("ctl ended with %d: %s", code, steered)
	}
	if n := strings.Count(steered, "At most 500 calls a second from now on"); n != len(e.pools) {
		t.Errorf("%d of %d runs answer: %s", n, len(e.pools), steered)
	}
	if n := strings.Count(steered, "which it shares with 2 other user pools of the account and Region: together they go as fast"); n != poolsOf[busiest] {
		t.Errorf("%d runs share with two others: %s", n, steered)
	}
	if err := fleet.Wait(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if !regexp.MustCompile(`"msg":"progress","event":"progress","done":54,"total":54,.*"outcomes":{"reset":54},.*"done_at":"[^"]+","eta_seconds":0`).MatchString(output.String()) {
		t.Errorf("no line of progress tells the end: %s", output)
	}
	e.checkComplete(t, "night/report.csv")
}

// A fleet that is interrupted ends with 130, at whatever call that comes, and says once how
// to go on; what it says works.
func TestAnInterruptedFleetEndsWith130(t *testing.T) {
	t.Parallel()
	tool := linkTool(t, t.TempDir())
	for _, at := range []int64{1, 12, 40, 70} {
		e := newEstate(t, 4, 0)
		var calls atomic.Int64
		reached := make(chan struct{})
		job, err := os.ReadFile(filepath.Join(e.dir, "job.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for i, pool := range e.pools {
			counted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) == at {
					close(reached)
				}
				pool.ServeHTTP(w, r)
			}))
			t.Cleanup(counted.Close)
			job = bytes.ReplaceAll(job, []byte(e.servers[i].URL+"\n"), []byte(counted.URL+"\n"))
		}
		if err := os.WriteFile(filepath.Join(e.dir, "job.yaml"), job, 0o600); err != nil {
			t.Fatal(err)
		}
		fleet, output := e.begin(t, tool, "run", "--config", "job.yaml", "--yes", "--run", "night", "--rate", "0.00001")
		select {
		case <-reached:
		case <-time.After(2 * time.Minute):
			t.Fatalf("there are only %d calls: %s", calls.Load(), output)
		}
		if err := fleet.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if fleet.Wait(); fleet.ProcessState.ExitCode() != exit.Interrupted+2 {
			t.Errorf("interrupted at call %d it ended with %v: %s", at, fleet.ProcessState, output)
		}
		if _, err := os.Stat(filepath.Join(e.dir, "night")); err != nil {
			if strings.Contains(output.String(), "resume") {
				t.Errorf("nothing has begun, and it says: %s", output)
			}
			continue
		}
		if n := strings.Count(output.String(), "cognito-reset resume night"); n != 1 {
			t.Errorf("interrupted at call %d it says %d times how to go on: %s", at, n, output)
		}
		if code, output := e.run(tool, "resume", "night", "--rate", "0", "--yes"); code != exit.Done {
			t.Fatalf("interrupted at call %d, the resume ended with %d: %s", at, code, output)
		}
		e.checkComplete(t, "night/report.csv")
	}
}
