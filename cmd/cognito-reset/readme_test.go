package main

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/manual"
)

// Every command that the manual shows works as it says, topic by topic, in a folder that
// holds nothing but the examples and a list of users.
func TestEveryCommandOfTheManual(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}

	pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI", CaseInsensitive: true})
	unreachable := sandbox.NewUser("bob")
	unreachable.EmailVerified = false
	pool.Add(sandbox.NewUser("alice"), unreachable)
	server := httptest.NewServer(pool)
	defer server.Close()

	dir := t.TempDir()
	const input = "username\nalice\nbob\n"
	writeInput := func(more int) {
		var rows strings.Builder
		for i := range more {
			fmt.Fprintf(&rows, "nobody-%d\n", i)
		}
		if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input+rows.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeInput(0)
	fleet, _ := manual.Topic("fleet")
	_, job, _ := strings.Cut(fleet, "```yaml\n")
	job, _, _ = strings.Cut(job, "```")
	if err := errors.Join(
		os.Symlink(filepath.Join(root, "examples"), filepath.Join(dir, "examples")),
		os.WriteFile(filepath.Join(dir, "job.yaml"), []byte(job), 0o600),
		os.WriteFile(filepath.Join(dir, "admins.csv"), []byte("email\nAlice@example.com\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "leaked.csv"), []byte("email,seen\nALICE@example.com,2026-07-01\nnobody@example.com,2026-07-02\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}

	sh := &page{T: t, dir: dir, env: []string{"COGNITO_RESET_ENDPOINT_URL=" + server.URL}}
	sh.beside = func() ([]string, func()) {
		writeInput(1000) // so that it is there to be steered: slow, with much to do, and alice first
		return append(sh.env, "COGNITO_RESET_RATE="+crawl, "COGNITO_RESET_WORKERS=1"), func() { writeInput(0) }
	}
	commands := 0
	for _, topic := range manual.Topics {
		commands += sh.run(filepath.Join("internal/manual/topics", topic+".md"))
	}
	if commands < 35 {
		t.Errorf("only %d commands were found in the manual", commands)
	}
	if n := pool.Resets("alice"); n != 6 {
		t.Errorf("alice was reset %d times, not by each of four runs and twice by admin-reset-user-password", n)
	}
}

// Whoever follows the README from an empty folder sees what it says.
func TestEveryCommandOfTheREADME(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI"})
	pool.Add(sandbox.NewUser("ada@example.com"))
	unreachable := sandbox.NewUser("grace@example.com")
	unreachable.EmailVerified = false
	pool.Add(unreachable)
	server := httptest.NewServer(pool)
	defer server.Close()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(root, "examples"), filepath.Join(dir, "examples")); err != nil {
		t.Fatal(err)
	}
	sh := &page{T: t, dir: dir, env: []string{"COGNITO_RESET_ENDPOINT_URL=" + server.URL, "COGNITO_RESET_RATE=0"}}
	if commands := sh.run(filepath.Join(root, "README.md")); commands < 10 {
		t.Errorf("only %d commands were found in the README", commands)
	}
	if n := pool.Resets("ada@example.com"); n != 1 {
		t.Errorf("ada was reset %d times", n)
	}
}
