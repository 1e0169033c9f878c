//go:build unix

package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"cognito-reset/batch/journal"
)

// Somebody who can write into a run directory puts a link there, in the place of a
// file of the lock: what it leads to stays as it is.
func TestALockFollowsNoLink(t *testing.T) {
	for _, name := range []string{journal.LockFile, journal.HolderFile} {
		path, victim := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "victim")
		dir, err := journal.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := dir.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(path, name))
		if err := os.Symlink(victim, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
		if dir, err := journal.Open(path); err == nil {
			dir.Close()
			t.Errorf("%s: a link was followed", name)
		}
		if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
