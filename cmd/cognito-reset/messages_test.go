package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
)

func nobody(time.Time) (int, error) { return 0, nil }

// A session that works over 09:00 UTC gets the new day's messages.
func TestAMessageBudgetIsOneDaysAndNoMore(t *testing.T) {
	now := time.Date(2026, 1, 2, 8, 59, 0, 0, time.UTC)
	m, err := newMessages(2, func() time.Time { return now }, nobody, nobody)
	if err != nil {
		t.Fatal(err)
	}
	take := func(want bool) {
		t.Helper()
		if err := m.Take(t.Context()); (err == nil) != want {
			t.Errorf("at %s: %v", now.Format(time.TimeOnly), err)
		} else if want {
			m.Spend()
		}
	}
	take(true)
	take(true)
	take(false)
	now = now.Add(2 * time.Minute)
	take(true)
	take(true)
	take(false)
}

// While a call is under way that may turn out to have sent nothing, the next
// waits for it.
func TestAMessageBudgetWaitsForCallsThatMayHaveSentNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMessages(1, time.Now, nobody, nobody)
		if err := m.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		taken := make(chan error, 1)
		go func() { taken <- m.Take(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-taken:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		m.Return()
		if err := <-taken; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { taken <- m.Take(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-taken; err == nil {
			t.Error("a run that ends went on")
		}
		go func() { taken <- m.Take(t.Context()) }()
		synctest.Wait()
		m.Spend()
		if err := <-taken; err == nil {
			t.Error("more than the budget")
		}
	})
}

func TestAMessageBudgetCountsWhatOtherRunsSent(t *testing.T) {
	theirs := 3
	m, _ := newMessages(5, time.Now, func(time.Time) (int, error) { return 1, nil }, func(time.Time) (int, error) { return theirs, nil })
	if err := m.Take(t.Context()); err != nil {
		t.Error(err)
	}
	if theirs = 5; m.Take(t.Context()) == nil {
		t.Error("more than the budget")
	}
}

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
	if code := exitOf(t, cmd); code != exitStopped || !strings.Contains(said.String(), "--max-resets 12 are made") {
		t.Errorf("exit %d: %s", code, said)
	}
	if n := c.messagesOf(); n > most {
		t.Errorf("%d messages", n)
	}
	cmd, said = c.tool("resume", dir, "--quiet", "--retry", "unknown")
	if code := exitOf(t, cmd); code != exitStopped {
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
	if code := exitOf(t, command()); code != exitStopped {
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
