package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"cognito-reset/batch/sandbox"
)

// What Prometheus scrapes of a run that works is well-formed, is all that the
// README names, and names nobody.
func TestMetricsOfARunThatWorks(t *testing.T) {
	t.Parallel()
	pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI", Quotas: map[sandbox.Category]float64{sandbox.UserAccountRecovery: 5}})
	var input strings.Builder
	input.WriteString("username\n")
	for i := range 500 {
		fmt.Fprintf(&input, "person%d\n", i)
		pool.Add(sandbox.NewUser(fmt.Sprint("person", i)))
	}
	server := httptest.NewServer(pool)
	defer server.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, linkTool(t, t.TempDir()), "run", "--user-pool-id", "eu-west-1_AbCdEfGhI", "--input", "users.csv", "--yes",
		"--endpoint-url", server.URL, "--rate", "50", "--listen", "127.0.0.1:0", "--run", "night")
	cmd.Dir, cmd.Env = dir, noAccount()
	address := "http://" + showing(t, cmd)
	text := ""
	for want := `answer="throttled"`; !strings.Contains(text, want) && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		text = fetch(t, address+"/metrics", http.StatusOK)
	}
	for _, name := range []string{
		`users_total{outcome="reset",reason="",user_pool_id="eu-west-1_AbCdEfGhI"}`, `calls_total{answer="ok",operation="AdminResetUserPassword",`,
		`call_duration_seconds_bucket{operation="AdminResetUserPassword",`, `throttled_total{`, `rate{`, `rate_ceiling{user_pool_id="eu-west-1_AbCdEfGhI"} 50`,
		`in_flight{`, `users_planned{user_pool_id="eu-west-1_AbCdEfGhI"} 500`, `eta_seconds{`, `waiting{user_pool_id="eu-west-1_AbCdEfGhI"} 0`,
		`last_progress_timestamp_seconds{`, `build_info{version=`,
	} {
		if !strings.Contains(text, "\ncognito_reset_"+name) {
			t.Errorf("there is no cognito_reset_%s", name)
		}
	}
	if strings.Contains(text, "person") {
		t.Error("somebody is named")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || problems != nil {
		t.Errorf("%v %v in:\n%s", problems, err, text)
	}
	if got := fetch(t, address+"/healthz", http.StatusOK); got != "ok\n" {
		t.Errorf("/healthz says %q", got)
	}
	t.Run("promtool", func(t *testing.T) {
		check := exec.Command("promtool", "check", "metrics")
		if check.Err != nil {
			t.Skip("promtool is not installed")
		}
		check.Stdin = strings.NewReader(text)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// showing starts a run that serves a page, and returns where; the run is killed when the
// test ends.
func showing(t *testing.T, run *exec.Cmd) (address string) {
	t.Helper()
	stderr, err := run.StderrPipe()
	if err == nil {
		err = run.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		run.Process.Kill()
		run.Wait()
	})
	for lines := bufio.NewScanner(stderr); address == "" && lines.Scan(); {
		if found := regexp.MustCompile(`shows at http://(\S+)/,`).FindStringSubmatch(lines.Text()); found != nil {
			address = found[1]
		}
	}
	go io.Copy(io.Discard, stderr)
	return address
}

func fetch(t *testing.T, url string, status int) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		t.Fatalf("%s: %s %v", url, res.Status, err)
	}
	return string(text)
}
