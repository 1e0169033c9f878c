package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// An operator who stops a run while it still lists the pool stops it, and is told so.
func TestARunIsStoppedWhileItIsPrepared(t *testing.T) {
	t.Parallel()
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	pool.Add(sandbox.NewUser("ann"))
	asked, release := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListUsers") {
			asked <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
				return
			}
		}
		pool.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer close(release)
	dir := t.TempDir()
	tool := linkTool(t, dir)
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir, cmd.Env = dir, append(noAccount(), "COGNITO_RESET_ENDPOINT_URL="+server.URL)
		return cmd
	}
	run := command("run", "--user-pool-id", "us-east-1_Sandbox", "--all-users", "--yes", "--run", "night")
	var stderr bytes.Buffer
	run.Stderr = &stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(time.Minute):
		run.Process.Kill()
		t.Fatalf("the pool is not listed: %s", &stderr)
	}
	if out, err := command("status", "night").CombinedOutput(); err != nil || !strings.Contains(string(out), "nothing was sent yet") {
		t.Errorf("status: %v: %s", err, out)
	}
	if out, err := command("ctl", "night", "stop").CombinedOutput(); err != nil || string(out) != "Stopping: no call leaves.\n" {
		t.Errorf("ctl: %v: %s", err, out)
	}
	run.Wait()
	if code := run.ProcessState.ExitCode(); code != exit.Stopped || !strings.Contains(stderr.String(), "before the first call while the input was read; nothing was sent") {
		t.Errorf("it ends with %d: %s", code, &stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "night")); !errors.Is(err, fs.ErrNotExist) || pool.Resets("ann") != 0 {
		t.Errorf("the directory is there: %v", err)
	}
}
