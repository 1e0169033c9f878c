//go:build unix

package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cognito-reset/batch/journal/disk"
)

// An owned disk says of a folder, and of the files that are made on it, whose they are.
type owned struct {
	disk.Disk
	folder, files uint32
}

type info struct {
	fs.FileInfo
	owner uint32
}

func (i info) Sys() any { return &syscall.Stat_t{Uid: i.owner} }

func (d owned) Stat(name string) (fs.FileInfo, error) {
	found, err := d.Disk.Stat(name)
	return info{found, d.folder}, err
}

func (d owned) CreateTemp(dir, pattern string) (disk.File, error) {
	f, err := d.Disk.CreateTemp(dir, pattern)
	return ownedFile{f, d.files}, err
}

type ownedFile struct {
	disk.File
	owner uint32
}

func (f ownedFile) Stat() (fs.FileInfo, error) {
	found, err := f.File.Stat()
	return info{found, f.owner}, err
}

// Whoever owns a run directory can change whom it names at any time, so nobody works in
// that of another user; but a file system whose owners are its own is no reason to stop.
func TestNobodyWorksInADirectoryOfAnotherUser(t *testing.T) {
	me := uint32(os.Geteuid())
	other := me + 1
	for what, test := range map[string]struct {
		folder, files uint32
		refused       bool
	}{
		"mine":                      {me, me, false},
		"root's":                    {0, me, false},
		"another's":                 {other, me, true},
		"a file system of one user": {other, other, false},
		"a third's":                 {other, other + 1, true},
	} {
		on := owned{disk.OS, test.folder, test.files}
		begun, empty := newRun(t), t.TempDir()
		if err := begun.Close(); err != nil {
			t.Fatal(err)
		}
		before := filesIn(t, begun.Path)
		for way, open := range map[string]func() (*Dir, error){
			"resume": func() (*Dir, error) { return OpenOn(on, begun.Path) },
			"run":    func() (*Dir, error) { return CreateOn(on, empty) },
		} {
			d, err := open()
			if err == nil {
				err = d.Close()
			}
			if refused := err != nil; refused != test.refused || refused && !strings.Contains(err.Error(), "belongs to the user with the id") {
				t.Errorf("%s, %s: %v", what, way, err)
			}
		}
		if after := filesIn(t, begun.Path); test.refused && (after != before || filesIn(t, empty) != "") {
			t.Errorf("%s: left are %s, and %s", what, after, filesIn(t, empty))
		}
	}
}

// The same of a directory that is another user's indeed, which root alone can make.
func TestRootDoesNotWorkInADirectoryOfAnotherUser(t *testing.T) {
	d := newRun(t)
	if err := errors.Join(d.Close(), os.Chown(d.Path, 12345, -1)); err != nil {
		t.Skip(err)
	}
	if _, err := Open(d.Path); err == nil || !strings.Contains(err.Error(), "the id 12345") {
		t.Errorf("%v", err)
	}
	if _, err := View(d.Path); err != nil {
		t.Errorf("it cannot be read: %v", err)
	}
	if info, err := os.Stat(filepath.Join(d.Path, LockFile)); err != nil || info.Size() > 0 {
		t.Errorf("the lock is touched: %v, %v", info, err)
	}
}

// A group that may write into a run directory could have changed it as anybody could.
func TestADirectoryThatAGroupCanWriteIntoIsClosed(t *testing.T) {
	for _, mode := range []fs.FileMode{0o770, 0o775, 0o702} {
		d := newRun(t)
		if err := errors.Join(d.Close(), os.Chmod(d.Path, mode)); err != nil {
			t.Fatal(err)
		}
		again, err := Open(d.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if info, err := os.Stat(d.Path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v is %v, %v", mode, info.Mode(), err)
		}
	}
	d := newRun(t)
	if err := errors.Join(d.Close(), os.Chmod(d.Path, 0o770)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenOn(stubborn{disk.OS}, d.Path); err == nil || !strings.Contains(err.Error(), "others on this machine can write into") {
		t.Errorf("it stays open: %v", err)
	}
}

// A stubborn disk changes no mode.
type stubborn struct{ disk.Disk }

func (stubborn) Chmod(string, fs.FileMode) error { return fs.ErrPermission }
