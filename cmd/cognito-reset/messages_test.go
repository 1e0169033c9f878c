package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// messagesOf is how many the server sent.
func (c *servedPool) messagesOf() (n int) {
	c.EachUser(func(_ sandbox.User, _, messages int) { n += messages })
	return n
}

// The server sends a message for each call and loses all answers; users without
// a proof are called again, as was asked.
func TestMaxResetsBoundsMessagesNotRows(t *testing.T) {
	t.Parallel()
	const most = 12
	c := newServedPool(t, 40, sandbox.Config{Denied: []string{"cognito-idp:AdminGetUser"}, Faults: sandbox.Faults{LostAfter: 0.7}, Seed: 1, AttemptLimit: -1}, nil)
	dir := filepath.Join(t.TempDir(), "run")
	flags := []string{"--rate", "0", "--max-resets", "12", "--on-unknown", "retry", "--settle-after", "0s", "--stop-on-failures", "off"}
	cmd, said := c.run(dir, flags...)
	if code := exitOf(t, cmd); code != exit.Stopped || !strings.Contains(said.String(), "--max-resets 12 are made") {
		t.Errorf("exit %d: %s", code, said)
	}
	if n := c.messagesOf(); n > most {
		t.Errorf("%d messages", n)
	}
	cmd, said = c.tool("resume", dir, "--quiet", "--retry", "unknown")
	if code := exitOf(t, cmd); code != exit.Stopped {
		t.Errorf("resume: exit %d: %s", code, said)
	}
	if n := c.messagesOf(); n > most {
		t.Errorf("%d messages after a resume", n)
	}
}

// A canary is killed with its calls in flight, again and again: what may have been
// sent counts.
func TestMaxResetsHoldsOverKillsAndResumes(t *testing.T) {
	t.Parallel()
	const most = 15
	c := newServedPool(t, 200, sandbox.Config{Latency: 40 * time.Millisecond}, nil)
	dir := filepath.Join(t.TempDir(), "run")
	begun := func() bool {
		paths, _ := filepath.Glob(filepath.Join(dir, "run.json"))
		return len(paths) > 0
	}
	command := func() *exec.Cmd {
		if begun() {
			cmd, _ := c.tool("resume", dir, "--quiet", "--settle-after", "100ms")
			return cmd
		}
		cmd, _ := c.run(dir, "--rate", "100", "--max-resets", "15", "--canary-random", "10", "--settle-after", "100ms")
		return cmd
	}
	for i := range 6 {
		cmd := command()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(150+30*i)*time.Millisecond, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
	}
	if code := exitOf(t, command()); code != exit.Stopped {
		t.Errorf("exit %d", code)
	}
	if n := c.messagesOf(); n != most {
		t.Errorf("%d messages, not %d", n, most)
	}
}

// Two runs on one pool at once keep to it together.
func TestMaxResetsHoldsForTwoRunsTogether(t *testing.T) {
	t.Parallel()
	const most = 30
	c := newServedPool(t, 100, sandbox.Config{Latency: 5 * time.Millisecond}, nil)
	folder := t.TempDir()
	first, saidFirst := c.run(filepath.Join(folder, "one"), "--rate", "200", "--max-resets", "30")
	second, saidSecond := c.run(filepath.Join(folder, "two"), "--rate", "200", "--max-resets", "30")
	for _, cmd := range []*exec.Cmd{first, second} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	first.Wait()
	second.Wait()
	if n := c.messagesOf(); n > most || n < most/2 {
		t.Errorf("%d messages: %s%s", n, saidFirst, saidSecond)
	}
	if said := saidFirst.String() + saidSecond.String(); !strings.Contains(said, "by other runs on this pool") {
		t.Errorf("said %s", said)
	}
}
