package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cognito-reset/batch/internal/disktest"
	"cognito-reset/batch/journal/disk"
)

func writing(text string) func(disk.File) error {
	return func(f disk.File) error {
		for _, half := range []string{text[:len(text)/2], text[len(text)/2:]} {
			if _, err := io.WriteString(f, half); err != nil {
				return err
			}
		}
		return nil
	}
}

// everyFault tries something on a disk that fails at its first change, at its
// second, and so on, until it succeeds. check is told what each try came to.
func everyFault(t *testing.T, prepare func(folder string), try func(on disk.Disk, folder string) error, check func(folder string, at int64, err error)) {
	t.Helper()
	for _, onward := range []bool{false, true} {
		for at := int64(1); ; at++ {
			folder := t.TempDir()
			prepare(folder)
			on := &disktest.Faulty{Disk: disk.OS, At: at, Onward: onward}
			err := try(on, folder)
			if check(folder, at, err); on.Changes() < at {
				break
			}
			if err == nil {
				t.Errorf("nobody hears that change %d failed", at)
			}
		}
	}
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	name := func(folder string) string { return filepath.Join(folder, "run.json") }
	everyFault(t, func(folder string) {
		if err := os.WriteFile(name(folder), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}, func(on disk.Disk, folder string) error {
		return disk.Replace(on, name(folder), writing("what is new"))
	}, func(folder string, at int64, err error) {
		text, readErr := os.ReadFile(name(folder))
		if got := string(text); readErr != nil || got != "what is new" && (err == nil || got != "old") {
			t.Errorf("failing at change %d (%v) leaves %q, %v", at, err, got, readErr)
		}
		if entries, _ := os.ReadDir(folder); len(entries) != 1 {
			t.Errorf("failing at change %d leaves %v", at, entries)
		}
	})
}

func TestAnErrorOfWhoeverFillsAFileIsReturnedAsItIs(t *testing.T) {
	folder, broken := t.TempDir(), errors.New("the input broke off")
	for what, write := range map[string]func(disk.Disk, string, func(disk.File) error) error{"Replace": disk.Replace, "Swap": disk.Swap} {
		if err := write(disk.OS, filepath.Join(folder, "file"), func(disk.File) error { return broken }); err != broken {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := disk.Create(disk.OS, filepath.Join(folder, "file"), func(disk.File) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Create: %v", err)
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 0 {
		t.Errorf("they leave %v", entries)
	}
}

// What is no file, such as a device, is not replaced by one, though root could.
func TestOnlyAFileIsReplaced(t *testing.T) {
	for _, replace := range []func(disk.Disk, string, func(disk.File) error) error{disk.Replace, disk.Swap} {
		folder := t.TempDir()
		err := replace(disk.OS, folder, writing("report"))
		if err == nil || !strings.Contains(err.Error(), "is no regular file") {
			t.Errorf("%v", err)
		}
	}
}

func TestAFileIsCreatedOnceAndWhole(t *testing.T) {
	everyFault(t, func(string) {}, func(on disk.Disk, folder string) error {
		return disk.Create(on, filepath.Join(folder, "key"), writing("secret"))
	}, func(folder string, at int64, err error) {
		text, readErr := os.ReadFile(filepath.Join(folder, "key"))
		if there := readErr == nil; there && string(text) != "secret" || err == nil && !there {
			t.Errorf("failing at change %d (%v) leaves %q, %v", at, err, text, readErr)
		}
	})
	folder := t.TempDir()
	name := filepath.Join(folder, "key")
	if err := disk.Create(disk.OS, name, writing("first")); err != nil {
		t.Fatal(err)
	}
	err := disk.Create(disk.OS, name, writing("second"))
	if text, _ := os.ReadFile(name); !errors.Is(err, fs.ErrExist) || string(text) != "first" {
		t.Errorf("%v, and it holds %q", err, text)
	}
}

func TestAFileIsEnsuredAndKeepsWhatItHolds(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "journal.jsonl")
	for range 2 {
		if err := disk.Ensure(disk.OS, name); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("line"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if text, _ := os.ReadFile(name); string(text) != "line" {
		t.Errorf("it holds %q", text)
	}
}

func TestFoldersAreMadeAndSynced(t *testing.T) {
	everyFault(t, func(string) {}, func(on disk.Disk, folder string) error {
		return disk.MkdirAll(on, filepath.Join(folder, "runs", "monday", "shard-1"))
	}, func(folder string, at int64, err error) {
		if again := disk.MkdirAll(disk.OS, filepath.Join(folder, "runs", "monday", "shard-1")); again != nil {
			t.Errorf("after a failure at change %d: %v", at, again)
		}
	})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := disk.MkdirAll(disk.OS, file); err == nil {
		t.Error("a file passes for a folder")
	}
}

// What was synced stays, whatever fails later; and a file can be cut though its
// handle appends, as it could not be on Windows.
func TestAnAppenderKeepsWhatWasSyncedAndCanBeCut(t *testing.T) {
	for what, on := range map[string]disk.Disk{"this machine": disk.OS, "Windows": disktest.NewWindows("")} {
		name := filepath.Join(t.TempDir(), "journal.jsonl")
		if _, err := disk.OpenAppend(on, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
		if err := os.WriteFile(name, []byte("one\ntorn"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := disk.OpenAppend(on, name)
		if err != nil {
			t.Fatal(err)
		}
		err = f.Truncate(4)
		if err == nil {
			_, err = io.WriteString(f, "two\n")
		}
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if text, _ := os.ReadFile(name); string(text) != "one\ntwo\n" {
			t.Errorf("%s: it holds %q", what, text)
		}
	}
}
