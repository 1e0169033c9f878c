package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
)

// Every command that the README shows works as it says, in the order in which
// it is shown, in a folder that holds nothing but the examples and a list of
// users.
func TestEveryCommandOfTheREADME(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
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
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Skipf("the go command, to build the tool with, is not here: %v %s", err, out)
	}
	const input = "username\nalice\nbob\n"
	writeInput := func(more int) error {
		var rows strings.Builder
		for i := range more {
			fmt.Fprintf(&rows, "nobody-%d\n", i)
		}
		return os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input+rows.String()), 0o600)
	}
	if err := errors.Join(
		writeInput(0),
		os.Symlink(filepath.Join(root, "examples"), filepath.Join(dir, "examples")),
		os.WriteFile(filepath.Join(dir, "leaked.csv"), []byte("email,seen\nALICE@example.com,2026-07-01\nnobody@example.com,2026-07-02\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}

	base := append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	var commands int
	var ended []func() // checks of what runs in the background
	for i, block := range strings.Split(string(readme), "```sh\n") {
		if i == 0 {
			continue
		}
		block, _, _ = strings.Cut(block, "```")
		for line := range strings.Lines(block) {
			command, note, _ := strings.Cut(strings.TrimSpace(line), " # ")
			words := strings.Fields(strings.Replace(command, ":9229", ":0", 1)) // whatever port is free
			env := base
			switch {
			case strings.HasPrefix(command, "go run ./cmd/cognito-reset "):
				words = append([]string{"cognito-reset"}, words[3:]...)
			case command == "go test ./...", command == "go build ./cmd/cognito-reset":
				commands++
				continue // this very test, and what it began with
			default:
				env = append(env, "COGNITO_RESET_ENDPOINT_URL="+server.URL)
			}
			commands++
			background := words[len(words)-1] == "&"
			if background {
				// So that it is there to be steered: slow, with much to do, and alice first.
				words, env = words[:len(words)-1], append(env, "COGNITO_RESET_RATE=0.001", "COGNITO_RESET_WORKERS=1")
				if err := writeInput(1000); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(filepath.Join(bin, words[0]), words[1:]...)
			cmd.Dir, cmd.Env = dir, env
			var output strings.Builder
			cmd.Stderr = &output
			resets := pool.Resets("alice")
			stdout, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			check := func() {
				lines := bufio.NewScanner(stdout)
				for lines.Scan() {
					if note == "until Ctrl-C" {
						cmd.Process.Signal(os.Interrupt)
					}
				}
				want := 0
				if code, ok := strings.CutPrefix(note, "exit "); ok {
					want, _ = strconv.Atoi(code)
				}
				if cmd.Wait(); cmd.ProcessState.ExitCode() != want {
					t.Errorf("%s ended with %v, not %d:\n%s", command, cmd.ProcessState, want, output.String())
				}
			}
			if !background {
				check()
				continue
			}
			ended = append(ended, check)
			for socket := filepath.Join(dir, "night", socketFile); ; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Stat(socket); err == nil && pool.Resets("alice") > resets {
					break
				} else if cmd.ProcessState != nil {
					t.Fatal("it is not there to be steered")
				}
			}
		}
		for _, check := range ended {
			check()
		}
		if ended = nil; writeInput(0) != nil {
			t.Fatal("the input cannot be written again")
		}
	}
	if commands < 8 {
		t.Errorf("only %d commands were found in the README", commands)
	}
	if n := pool.Resets("alice"); n != 3 {
		t.Errorf("alice was reset %d times, not by each of two runs and by admin-reset-user-password", n)
	}
}
