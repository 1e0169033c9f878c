// Package disktest has disks on which things go wrong: one that fails at an
// operation of choice, and one that is as strict as Windows.
package disktest

import (
	"errors"
	"io/fs"
	"sync/atomic"

	"cognito-reset/batch/journal/disk"
)

// ErrBroken is what an operation fails with that a [Faulty] disk was to fail.
var ErrBroken = errors.New("the disk is broken")

// A Faulty disk fails at one of the operations that change something, counted
// from 1, or at that one and all later ones. It may be used once.
type Faulty struct {
	disk.Disk
	At     int64 // 0 fails none
	Onward bool

	count atomic.Int64
}

// Changes are the operations that were asked for so far.
func (d *Faulty) Changes() int64 { return d.count.Load() }

func (d *Faulty) fails() bool {
	n := d.count.Add(1)
	return d.At != 0 && (n == d.At || d.Onward && n > d.At)
}

func (d *Faulty) do(work func() error) error {
	if d.fails() {
		return ErrBroken
	}
	return work()
}

// OpenFile fails where it may make a file.
func (d *Faulty) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	if flag != 0 && d.fails() {
		return nil, ErrBroken
	}
	return d.file(d.Disk.OpenFile(name, flag, perm))
}

// CreateTemp fails in its turn.
func (d *Faulty) CreateTemp(dir, pattern string) (disk.File, error) {
	if d.fails() {
		return nil, ErrBroken
	}
	return d.file(d.Disk.CreateTemp(dir, pattern))
}

func (d *Faulty) file(f disk.File, err error) (disk.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d}, nil
}

// Mkdir fails in its turn.
func (d *Faulty) Mkdir(name string, perm fs.FileMode) error {
	return d.do(func() error { return d.Disk.Mkdir(name, perm) })
}

// Rename fails in its turn.
func (d *Faulty) Rename(from, to string) error {
	return d.do(func() error { return d.Disk.Rename(from, to) })
}

// SyncDir fails in its turn.
func (d *Faulty) SyncDir(name string) error {
	return d.do(func() error { return d.Disk.SyncDir(name) })
}

// Reserve fails in its turn.
func (d *Faulty) Reserve(name string, size int) error {
	return d.do(func() error { return d.Disk.Reserve(name, size) })
}

// Birth is that of the file below.
func (d *Faulty) Birth(f disk.File) (string, error) {
	if faulty, ok := f.(*faultyFile); ok {
		f = faulty.File
	}
	return d.Disk.Birth(f)
}

type faultyFile struct {
	disk.File
	disk *Faulty
}

// Write is torn when it fails.
func (f *faultyFile) Write(p []byte) (int, error) {
	if f.disk.fails() {
		n, err := f.File.Write(p[:len(p)/2])
		return n, errors.Join(ErrBroken, err)
	}
	return f.File.Write(p)
}

// WriteAt is torn when it fails.
func (f *faultyFile) WriteAt(p []byte, at int64) (int, error) {
	if f.disk.fails() {
		n, err := f.File.WriteAt(p[:len(p)/2], at)
		return n, errors.Join(ErrBroken, err)
	}
	return f.File.WriteAt(p, at)
}

func (f *faultyFile) Sync() error { return f.disk.do(f.File.Sync) }

func (f *faultyFile) Truncate(size int64) error {
	return f.disk.do(func() error { return f.File.Truncate(size) })
}

// Close closes the file, even if it says otherwise.
func (f *faultyFile) Close() error {
	err := f.File.Close()
	if f.disk.fails() {
		return ErrBroken
	}
	return err
}
