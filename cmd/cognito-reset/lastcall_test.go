package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// Whoever is told to stop while the last calls finish has nobody left to stop for: the
// exit code comes from the rows, then and at every later resume.
func TestASignalDuringTheLastCallsEndsByTheRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, trigger string
		code          int
	}{
		{"all reset", "", exit.Done},
		{"one refused", "UserLambdaValidationException", exit.SomeFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", Latency: 2 * time.Second, Trigger: c.trigger})
			input := populate(t, pool, 3)
			server := httptest.NewServer(pool)
			t.Cleanup(server.Close)
			run := filepath.Join(t.TempDir(), "run")
			tool := func(args ...string) *exec.Cmd {
				cmd := exec.Command("cognito-reset", append(args, "--endpoint-url", server.URL, "--rate", "0", "--quiet")...)
				cmd.Env = noAccount()
				return cmd
			}
			cmd := tool("run", "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--run", run)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for asked := 0; asked < 3; time.Sleep(time.Millisecond) { // answers follow half of the latency later
				asked = 0
				for _, n := range pool.Stats().Calls["AdminResetUserPassword"] {
					asked += n
				}
				if cmd.ProcessState != nil {
					t.Fatal("the run ended before its calls were made")
				}
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("the run ended with %d, not %d", code, c.code)
			}
			for range 2 {
				again := tool("resume", run)
				out, _ := again.CombinedOutput()
				if code := again.ProcessState.ExitCode(); code != c.code {
					t.Errorf("a resume ended with %d, not %d: %s", code, c.code, out)
				}
			}
			if _, err := os.Stat(filepath.Join(run, "summary.json")); err != nil {
				t.Error(err)
			}
		})
	}
}
