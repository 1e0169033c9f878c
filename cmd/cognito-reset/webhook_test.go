package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cognito-reset/batch/sandbox"
)

// Whoever follows a channel hears that a run has begun, how it goes on and how it ended,
// and nobody's name.
func TestAWebhookHearsHowARunGoesOn(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	script, err := filepath.Abs("../../examples/webhook/slack.sh")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []string
	var once sync.Once
	progress := make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Text string }
		err := json.NewDecoder(r.Body).Decode(&message)
		mu.Lock()
		defer mu.Unlock()
		if told = append(told, message.Text); err != nil || message.Text == "" {
			t.Errorf("%v", err)
		}
		if strings.Contains(message.Text, "progress") {
			once.Do(func() { close(progress) })
		}
	}))
	defer hook.Close()
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input := "username\n"
	for name := range numbered(12) {
		pool.Add(sandbox.NewUser(name))
		input += name + "\n"
	}
	var resets atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminResetUserPassword") && resets.Add(1) == 12 {
			select { // the run goes on until somebody has heard so
			case <-progress:
			case <-r.Context().Done():
			}
		}
		pool.ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), linkTool(t, dir), "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--run", "night",
		"--notify-every", "200ms", "--notify-exec", "sh "+script+" "+hook.URL)
	cmd.Dir, cmd.Env = dir, append(noAccount(), "COGNITO_RESET_ENDPOINT_URL="+server.URL)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "--notify-exec") {
		t.Fatalf("%v: %s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	all := strings.Join(told, "\n")
	for _, want := range []string{"cognito-reset began: 0 of 12 reset", "cognito-reset progress: ", "done ≈ ", "cognito-reset done: 12 of 12 reset, 0 failed"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q was not told:\n%s", want, all)
		}
	}
	if strings.Contains(all, "user-") {
		t.Errorf("somebody is named:\n%s", all)
	}
}
