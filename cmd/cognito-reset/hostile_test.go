package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"cognito-reset/batch/sandbox"
)

// hostile steers a terminal, turns the direction of writing and begins lines of its own.
const hostile = "x\x1b[2J\x1b]0;owned\x07\u202egnp\u2028\r\nok   no byte of its files was changed"

// Whatever comes from outside, what a command prints for people steers no terminal.
func TestNothingFromOutsideSteersTheTerminal(t *testing.T) {
	t.Parallel()
	name := strings.ReplaceAll(hostile, "/", "")
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", PoolName: hostile, Trigger: hostile + strings.Repeat("long", 2500)})
	pool.Add(sandbox.NewUser("ann"), sandbox.NewUser("x\u202egnp"))
	server := httptest.NewServer(pool)
	defer server.Close()
	dir := t.TempDir()
	tool := linkTool(t, dir)
	for file, text := range map[string]string{
		"users.csv":    "username\nann\nx\u202egnp\n",
		name + ".csv":  "username\nann\n",
		"broken.csv":   "username\nann\n\"" + name + "\n",
		"job.yaml":     fmt.Sprintf("%q: 1\n", name),
		"signers.txt":  name,
		"damaged.json": name,
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pooled := []string{"--user-pool-id", "us-east-1_Sandbox", "--yes", "--rate", "0", "--settle-after", "0s", "--max-attempts", "1"} // an answer that hostile is a doubt
	with := func(command string, more ...string) []string {
		return append(append([]string{command}, pooled...), more...)
	}
	for _, args := range [][]string{
		with("run", "--input", "users.csv", "--run", name, "--approved-by", name, "--reason", name, "--snapshot"),
		with("run", "--input", name+".csv", "--run", "second"),
		with("run", "--input", "broken.csv"), with("run", "--input", name), with("run", "--input", "users.csv", "--username-column", name),
		with("run", "--input", "users.csv", "--profile", name), with("run", "--input", "users.csv", "--region", name), with("run", "--group", name),
		with("run", "--all-users", "--run", "all", "--exclude", name+".csv"), with("run", "--input", "users.csv", "--dry-run", "--plan", name+".json"),
		{"run", "--user-pool-id", name, "--input", "users.csv"}, {"run", "--config", "job.yaml"}, {"run", "--plan", "damaged.json"}, {"run", "--" + name}, {name},
		{"preflight", "--user-pool-id", "us-east-1_Sandbox", "--input", name + ".csv"},
		{"resume", name}, {"resume", name, "--retry", "failed"}, {"status", name}, {"report", name, "--format", "text"}, {"verify", name}, {"ctl", name, "stop"}, {"ctl", name, name},
		{"runs", "."}, {"runs", name}, {"runs", "prune", ".", "--older-than", "0s", "--dry-run"}, {"report", "merge", name, "second"},
		{"evidence", name, "--output", name + ".zip"}, {"evidence", "check", name + ".zip"}, {"evidence", "check", name + ".zip", "--signer", "signers.txt"}, {"evidence", "check", "damaged.json"},
		{"admin-reset-user-password", "--user-pool-id", "us-east-1_Sandbox", "--username", name},
	} {
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir, cmd.Env = dir, append(noAccount(), "HOME="+dir, "COGNITO_RESET_ENDPOINT_URL="+server.URL)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		for _, r := range string(out) {
			if r != '\n' && (unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r)) {
				t.Errorf("%q prints %q:\n%q", args, r, out)
				break
			}
		}
		if strings.Contains(string(out), "\nok   no byte of its files was changed") {
			t.Errorf("%q prints a line that it was told to:\n%q", args, out)
		}
	}
}
