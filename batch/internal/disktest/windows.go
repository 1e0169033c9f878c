package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"cognito-reset/batch/journal/disk"
)

// ErrSharing is what fails on Windows while somebody has a file open.
var ErrSharing = errors.New("the process cannot access the file because it is being used by another process")

// Windows is a disk that refuses what the documentation of Windows says is refused
// there, however many processes it is shared by:
//
//   - a file that is open can be neither renamed nor replaced nor deleted, as
//     package os opens files without FILE_SHARE_DELETE;
//   - a handle that appends cannot cut, as O_APPEND leaves it without
//     FILE_WRITE_DATA, which SetEndOfFile takes;
//   - what is locked can be neither read nor written through another handle
//     (LockFileEx). A lock covers its first byte here, but for those in
//     LockedBehind, whose content it is known not to reach.
type Windows struct {
	disk.Disk
	LockedBehind string // base name of files that may be locked though they have content

	mu     sync.Mutex
	open   map[string]int // handles
	locked map[string]bool
}

// NewWindows is a Windows disk on the machine's.
func NewWindows(lockedBehind string) *Windows {
	return &Windows{Disk: disk.OS, LockedBehind: lockedBehind, open: make(map[string]int), locked: make(map[string]bool)}
}

func refused(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

func (d *Windows) track(name string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[filepath.Clean(name)] += n
}

func (d *Windows) isOpen(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open[filepath.Clean(name)] > 0
}

func (d *Windows) isLocked(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.locked[filepath.Clean(name)] && filepath.Base(name) != d.LockedBehind
}

// OpenFile counts the handle.
func (d *Windows) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	if flag&os.O_TRUNC != 0 && d.isLocked(name) {
		return nil, refused("open", name, ErrSharing)
	}
	return d.file(flag)(d.Disk.OpenFile(name, flag, perm))
}

// CreateTemp counts the handle.
func (d *Windows) CreateTemp(dir, pattern string) (disk.File, error) {
	return d.file(os.O_RDWR)(d.Disk.CreateTemp(dir, pattern))
}

func (d *Windows) file(flag int) func(disk.File, error) (disk.File, error) {
	return func(f disk.File, err error) (disk.File, error) {
		if err != nil {
			return nil, err
		}
		d.track(f.Name(), 1)
		return &windowsFile{File: f, disk: d, flag: flag}, nil
	}
}

// Rename refuses files that are open.
func (d *Windows) Rename(from, to string) error {
	if d.isOpen(from) || d.isOpen(to) {
		return refused("rename", to, ErrSharing)
	}
	return d.Disk.Rename(from, to)
}

// Remove refuses a file that is open.
func (d *Windows) Remove(name string) error {
	if d.isOpen(name) {
		return refused("remove", name, ErrSharing)
	}
	return d.Disk.Remove(name)
}

// RemoveAll deletes what is not open, and fails if anything is.
func (d *Windows) RemoveAll(name string) error {
	if !d.anyOpenBelow(name) {
		return d.Disk.RemoveAll(name)
	}
	entries, err := d.Disk.ReadDir(name)
	if err != nil {
		return d.Remove(name)
	}
	for _, e := range entries {
		err = errors.Join(err, d.RemoveAll(filepath.Join(name, e.Name())))
	}
	return err
}

func (d *Windows) anyOpenBelow(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = filepath.Clean(name)
	for path, n := range d.open {
		if n > 0 && (path == name || strings.HasPrefix(path, name+string(filepath.Separator))) {
			return true
		}
	}
	return false
}

// SyncDir does nothing.
func (d *Windows) SyncDir(string) error { return nil }

// Lock keeps others from the content.
func (d *Windows) Lock(name string) (disk.Lock, error) {
	lock, err := d.Disk.Lock(name)
	if lock == nil {
		return nil, err
	}
	d.track(name, 1)
	d.setLocked(name, true)
	return &windowsLock{lock, d, name}, nil
}

func (d *Windows) setLocked(name string, locked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked[filepath.Clean(name)] = locked
}

// Birth is that of the file below.
func (d *Windows) Birth(f disk.File) (string, error) {
	if file, ok := f.(*windowsFile); ok {
		f = file.File
	}
	return d.Disk.Birth(f)
}

type windowsLock struct {
	disk.Lock
	disk *Windows
	name string
}

func (l *windowsLock) Unlock() error {
	l.disk.setLocked(l.name, false)
	l.disk.track(l.name, -1)
	return l.Lock.Unlock()
}

type windowsFile struct {
	disk.File
	disk *Windows
	flag int
	once sync.Once
}

func (f *windowsFile) through(op string, n func() (int, error)) (int, error) {
	if f.disk.isLocked(f.Name()) {
		return 0, refused(op, f.Name(), ErrSharing)
	}
	return n()
}

func (f *windowsFile) Read(p []byte) (int, error) {
	return f.through("read", func() (int, error) { return f.File.Read(p) })
}

func (f *windowsFile) ReadAt(p []byte, at int64) (int, error) {
	return f.through("read", func() (int, error) { return f.File.ReadAt(p, at) })
}

func (f *windowsFile) Write(p []byte) (int, error) {
	return f.through("write", func() (int, error) { return f.File.Write(p) })
}

func (f *windowsFile) WriteAt(p []byte, at int64) (int, error) {
	return f.through("write", func() (int, error) { return f.File.WriteAt(p, at) })
}

func (f *windowsFile) Truncate(size int64) error {
	if f.flag&os.O_APPEND != 0 {
		return refused("truncate", f.Name(), fmt.Errorf("the handle only appends: %w", fs.ErrPermission))
	}
	return f.File.Truncate(size)
}

func (f *windowsFile) Close() error {
	f.once.Do(func() { f.disk.track(f.Name(), -1) })
	return f.File.Close()
}
