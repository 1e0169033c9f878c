package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/disktest"
	"cognito-reset/batch/internal/journaltest"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
)

// place is a run directory on a disk.
func place(t *testing.T, on disk.Disk) journaltest.Place {
	path := filepath.Join(t.TempDir(), "runs", "run")
	at := func(open func(disk.Disk, string) (*journal.Dir, error)) func() (*journal.Dir, error) {
		return func() (*journal.Dir, error) { return open(on, path) }
	}
	return journaltest.Place{
		Create: at(journal.CreateOn), Open: at(journal.OpenOn), View: at(journal.ViewOn),
		Litter: func() error {
			if err := os.MkdirAll(path, 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(path, "letter.txt"), nil, 0o600)
		},
	}
}

func TestADirectoryIsARunDirectory(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) journaltest.Place { return place(t, disk.OS) })
}

// Nobody reads, writes, renames or cuts there what Windows would not let them. Only
// the journal is locked though it has content: by a byte that is behind it.
func TestADirectoryIsARunDirectoryOnADiskAsStrictAsWindows(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) journaltest.Place {
		return place(t, disktest.NewWindows(journal.JournalFile))
	})
}

// A session goes as far as a disk lets it that fails at some change. Then another
// goes on from what is there: with every intent that was reported to be made.
func TestWhateverFailsOnADiskEveryIntentIsThereLater(t *testing.T) {
	t.Parallel()
	users := []batch.Entry{{Row: 1, Username: "alice"}, {Row: 2, Username: "bob"}}
	whole := &disktest.Faulty{Disk: disk.OS}
	if promised, err := sessionOn(whole, filepath.Join(t.TempDir(), "run"), users...); err != nil || promised != 2 {
		t.Fatalf("without a fault %d are promised: %v", promised, err)
	}
	var all sync.WaitGroup // for they wait for the real disk
	for at := range whole.Changes() {
		for _, onward := range []bool{false, true} {
			on := &disktest.Faulty{Disk: disk.OS, At: at + 1, Onward: onward}
			all.Go(func() { aSessionFails(t, on, users) })
		}
	}
	all.Wait()
}

// aSessionFails on a disk, and another goes on from what is there.
func aSessionFails(t *testing.T, on *disktest.Faulty, users []batch.Entry) {
	path := filepath.Join(t.TempDir(), "run")
	promised, failed := sessionOn(on, path, users...)
	if _, err := sessionOn(disk.OS, path); err != nil { // which begins the run if it never began
		t.Errorf("failing at change %d (%v) leaves a directory that nobody can go on with: %v", on.At, failed, err)
		return
	}
	if found := doubts(t, path); found < promised {
		t.Errorf("failing at change %d (%v), %d intents were made, and %d are there", on.At, failed, promised, found)
	}
}

// sessionOn goes on with a run, or begins it, and intents users until that fails.
func sessionOn(on disk.Disk, path string, users ...batch.Entry) (promised int, err error) {
	d, err := journal.OpenOn(on, path)
	if err != nil {
		d, err = beginOn(on, path)
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	h, err := d.Replay()
	if err != nil {
		return 0, err
	}
	j, err := h.Start("v1", "")
	if err != nil {
		return 0, err
	}
	for _, e := range users {
		if err = j.WriteIntent(e); err != nil {
			break
		}
		promised++
	}
	return promised, errors.Join(err, j.Close())
}

func beginOn(on disk.Disk, path string) (*journal.Dir, error) {
	d, err := journal.CreateOn(on, path)
	if err != nil {
		return nil, err
	}
	_, err = d.Spool(func(yield func(batch.Entry, error) bool) {
		_ = yield(batch.Entry{Row: 1, Username: "alice"}, nil) && yield(batch.Entry{Row: 2, Username: "bob"}, nil)
	})
	var h *journal.History
	if err == nil {
		h, err = d.Replay()
	}
	if err == nil {
		err = h.Begin(false)
	}
	if err == nil {
		err = d.WriteJSON(journal.RunFile, struct{}{})
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// doubts are the intents that the journal has.
func doubts(t *testing.T, path string) int {
	t.Helper()
	d, err := journal.View(path)
	if err != nil {
		t.Error(err)
		return 0
	}
	h, err := d.Replay()
	if err != nil {
		t.Error(err)
		return 0
	}
	_, inDoubt := h.Open()
	return int(inDoubt)
}
