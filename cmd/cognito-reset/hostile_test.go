package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"cognito-reset/batch/journal"
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
	h := victim{t, tool, dir, server.URL}
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
		{"help", name}, {"completion", name}, {"man", name}, {"version", name}, {"sandbox", name}, {"status", "s3://" + name + "/run"},
		with("run", "--input", "s3://bucket/"+name), with("run", "--input", "users.csv", "--expected-bucket-owner", name),
		{"admin-reset-user-password", "--user-pool-id", "us-east-1_Sandbox", "--username", name},
	} {
		h.try(args...)
	}
	h.held(name)
}

// A victim runs commands that meet what is hostile.
type victim struct {
	*testing.T
	tool, dir, endpoint string
}

// held has commands meet a process that works on a run and says hostile things of itself.
func (h victim) held(run string) {
	h.Helper()
	dir, err := journal.Open(filepath.Join(h.dir, run))
	if err != nil {
		h.Fatal(err)
	}
	defer dir.Close()
	text, err := json.Marshal(map[string]any{"pid": 7, "host": hostile + strings.Repeat("long", 2500), "since": time.Now()})
	if err == nil {
		err = os.WriteFile(dir.File(journal.HolderFile), text, 0o600)
	}
	if err != nil {
		h.Fatal(err)
	}
	for _, args := range [][]string{{"resume", run, "--yes"}, {"status", run}, {"report", run}, {"evidence", run, "--output", "held.zip"}, {"runs", "."}, {"verify", run}} {
		out := h.try(args...)
		if args[0] == "resume" && !strings.Contains(out, "process 7 on x") {
			h.Errorf("%q does not say who holds the run: %q", args, out)
		}
	}
}

// try runs a command, whatever comes of it.
func (h victim) try(args ...string) string {
	h.Helper()
	cmd := exec.CommandContext(h.Context(), h.tool, args...)
	cmd.Dir, cmd.Env = h.dir, append(noAccount(), "HOME="+h.dir, "COGNITO_RESET_ENDPOINT_URL="+h.endpoint)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		h.Fatal(err)
	}
	for _, r := range string(out) {
		if r != '\n' && (unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r)) {
			h.Errorf("%q prints %q:\n%q", args, r, out)
			break
		}
	}
	if strings.Contains(string(out), "\nok   no byte of its files was changed") {
		h.Errorf("%q prints a line that it was told to:\n%q", args, out)
	}
	return string(out)
}
