package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cognito-reset/batch/journal/disk"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// age makes a file so old that nobody can have just made it.
func age(t *testing.T, path string) {
	t.Helper()
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

func TestCopiesOfDeadProcessesAreDeleted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	living, drop, err := disk.TempDir(disk.OS)
	if err != nil {
		t.Fatal(err)
	}
	age(t, filepath.Join(living, "lock"))
	dead, foreign := filepath.Join(os.TempDir(), "cognito-reset-1"), filepath.Join(os.TempDir(), "cognito-reset-2")
	for _, folder := range []string{dead, foreign} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dead, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	age(t, filepath.Join(dead, "lock"))
	_, dropSecond, err := disk.TempDir(disk.OS)
	if err != nil {
		t.Fatal(err)
	}
	if !exists(living) || exists(dead) || !exists(foreign) {
		t.Errorf("living %t, dead %t, somebody else's %t", exists(living), exists(dead), exists(foreign))
	}
	if err := errors.Join(drop(), dropSecond()); err != nil || exists(living) {
		t.Errorf("%v; it is there: %t", err, exists(living))
	}
}

func TestUnfinishedFilesOfDeadProcessesAreDeleted(t *testing.T) {
	folder := t.TempDir()
	old, young, report := filepath.Join(folder, "report.csv.1.tmp"), filepath.Join(folder, "report.csv.2.tmp"), filepath.Join(folder, "report.csv")
	for _, name := range []string{old, young, report} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	age(t, old)
	age(t, report)
	if err := disk.ClearUnfinished(disk.OS, folder); err != nil || exists(old) || !exists(young) || !exists(report) {
		t.Errorf("%v; old %t, young %t, report %t", err, exists(old), exists(young), exists(report))
	}
}
