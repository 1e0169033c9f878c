package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Unfinished ends the name of a file that is being written.
const Unfinished = ".tmp"

// MostRead is how many bytes a file has at most that is read whole: no lock, mark,
// plan, job or run.json comes near, and one that somebody else made may be endless.
const MostRead = 32 << 20

// ReadFile returns what a file holds, of [MostRead] bytes at most.
func ReadFile(d Disk, name string) ([]byte, error) {
	f, err := d.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAll(f, name)
}

// ReadAll is [ReadFile] of a file that is open, and has a name.
func ReadAll(f io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, MostRead+1))
	if err == nil && len(text) > MostRead {
		err = fmt.Errorf("%s has more than %d MiB, which no file of its kind has", name, MostRead>>20)
	}
	return text, err
}

// WriteFile replaces what a file holds, without making it durable: a crash may
// leave it empty or torn.
func WriteFile(d Disk, name string, text []byte) error {
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|noFollow, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// Replace replaces a file by what fill writes: whole and durable, or not at all.
// Nobody but its owner may read it. An error of fill is returned as it is. What is there
// and no regular file, such as a device, is not replaced.
func Replace(d Disk, name string, fill func(File) error) error {
	if err := Swap(d, name, fill); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(name))
}

// Swap is [Replace], but for the sync of the folder: a crash of the machine may
// bring the old content back. It is for copies of what is durable elsewhere.
func Swap(d Disk, name string, fill func(File) error) (err error) {
	if info, err := d.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file, and is not replaced by one", name)
	}
	f, err := d.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*"+Unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.Remove(f.Name())
		}
	}()
	if err := fill(f); err != nil {
		f.Close()
		return err // in words of its own, perhaps about something else
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return d.Rename(f.Name(), name)
}

// Create makes a file of what fill writes, durably. It fails with [fs.ErrExist]
// if there is one. A crash meanwhile may leave a part of it.
func Create(d Disk, name string, fill func(File) error) error {
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		d.Remove(name)
		return err
	}
	return d.SyncDir(filepath.Dir(name))
}

// Ensure makes an empty file unless there is a file, and makes it durable: a process
// that was killed may have left what it wrote unsynced.
func Ensure(d Disk, name string) error {
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), d.SyncDir(filepath.Dir(name)))
}

// MkdirAll is [os.MkdirAll] with mode 0700, but durable: what is synced to a file
// is lost if the name of a folder above it is. A folder that is there may not be
// durable either, if whoever made it died before it was synced.
func MkdirAll(d Disk, path string) error {
	parent := filepath.Dir(path)
	err := d.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err = MkdirAll(d, parent); err == nil {
			err = d.Mkdir(path, 0o700)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		var info fs.FileInfo
		if info, err = d.Stat(path); err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
	}
	if err != nil {
		return err
	}
	return d.SyncDir(parent)
}

// An Appender is a file that is only added to, and that can be cut. It has two
// handles: one that appends cannot cut on Windows, where that takes the right to
// write at any place.
type Appender struct {
	File      // appends
	cut  File // to Truncate
}

// OpenAppend opens a file, which must be there, to add to it.
func OpenAppend(d Disk, name string) (*Appender, error) {
	cut, err := d.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, errors.Join(err, cut.Close())
	}
	a := &Appender{f, cut}
	ours, err := f.Stat()
	theirs, cutErr := cut.Stat()
	if err = errors.Join(err, cutErr); err == nil && !d.SameFile(ours, theirs) {
		err = fmt.Errorf("%s was replaced while it was opened", name)
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Truncate cuts the file. What was synced of it stays cut only once it is synced
// again.
func (a *Appender) Truncate(size int64) error { return a.cut.Truncate(size) }

// Close closes both handles.
func (a *Appender) Close() error { return errors.Join(a.File.Close(), a.cut.Close()) }

// How long [Disk.Rename] waits for a file that somebody has open: programs that
// read it, search indexes and virus scanners need that long at most.
const (
	inUsePatience = 2 * time.Second
	inUsePause    = 10 * time.Millisecond
)

// insist does something, and again for as long as its error is one that passes, but
// not longer than [inUsePatience].
func insist(passes func(error) bool, do func() error) error {
	began := time.Now()
	for pause := inUsePause; ; pause = min(2*pause, inUsePatience/8) {
		err := do()
		if err == nil || !passes(err) || time.Since(began) >= inUsePatience {
			return err
		}
		time.Sleep(pause)
	}
}
