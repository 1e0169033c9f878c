package journal

import (
	"os"
	"strings"
	"testing"
)

// What is locked can be neither read nor written by others on Windows.
func TestALockHasNoContent(t *testing.T) {
	d := newRun(t, "alice")
	if !d.isEmpty(LockFile) {
		t.Error("there is something in the lock")
	}
	if text, err := os.ReadFile(d.File(HolderFile)); err != nil || !strings.Contains(string(text), `"pid":`) {
		t.Errorf("beside it stands %q, %v", text, err)
	}
	if err := d.Close(); err != nil || filesIn(t, d.Path) != "lock roster.jsonl run.json" {
		t.Errorf("a directory that nobody holds has %s, %v", filesIn(t, d.Path), err)
	}
}

// Earlier versions wrote of themselves into the lock. They are named, too, and what
// they left is not taken for whoever works on the run now.
func TestTheHolderOfAnEarlierVersionIsNamed(t *testing.T) {
	const old = "process 7 on old-host since 2025-01-02T03:04:05Z"
	d := newRun(t, "alice")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.File(LockFile), []byte(old+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := d.Holder(); got != old {
		t.Errorf("it is held by %s", got)
	}
	now, err := Open(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	if got := now.Holder(); got == old || !strings.HasPrefix(got, "process ") || !now.isEmpty(LockFile) {
		t.Errorf("it is held by %s", got)
	}
}
