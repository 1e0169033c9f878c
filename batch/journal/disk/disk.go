// Package disk is the file system as far as a record needs it: what is written,
// what is durable, and who holds a lock. [OS] is the machine's. A test takes
// another, which fails as disks do.
//
// What is written to a [File] survives a crash of the machine once Sync has
// returned, and its name once SyncDir of the folder has.
package disk

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
)

// A Disk holds files and folders. Its methods may be called from many
// goroutines; but for what is said here they do what those of package os do,
// and fail as those do.
type Disk interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	CreateTemp(dir, pattern string) (File, error)           // mode 0600
	MkdirTemp(dir, pattern string) (name string, err error) // mode 0700; dir "" is the folder for temporary files
	Mkdir(name string, perm fs.FileMode) error
	Chmod(name string, mode fs.FileMode) error
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Rename(from, to string) error
	Remove(name string) error
	RemoveAll(name string) error

	// SyncDir makes the names in a folder durable, where the system can and
	// lets us.
	SyncDir(name string) error

	// Lock takes the lock of a file, which it makes if there is none. It never
	// waits: a nil Lock says that another holds it. The system releases a lock
	// however its process ends.
	Lock(name string) (Lock, error)

	// Locked reports whether a process holds the lock of a file, as far as a look
	// can tell.
	Locked(name string) bool

	// SameFile reports whether what Stat said twice is of the same file.
	SameFile(a, b fs.FileInfo) bool

	// Birth says which file this is, in a way that a copy does not keep; "" where
	// the system does not tell.
	Birth(f File) (string, error)

	// Reserve sets bytes aside under a name, so that removing it makes room for
	// as many on a disk that is full.
	Reserve(name string, size int) error
}

// A File is an open file. [*os.File] is one.
type File interface {
	io.Reader
	io.ReaderAt
	io.Seeker
	io.Writer
	io.WriterAt
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

// A Lock is a lock that this process holds.
type Lock interface{ Unlock() error }

// ReadFile returns what a file holds.
func ReadFile(d Disk, name string) ([]byte, error) {
	f, err := d.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// WriteFile replaces what a file holds, without making it durable.
func WriteFile(d Disk, name string, text []byte) error {
	f, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// OS is the file system of this machine.
var OS Disk = machine{}

type machine struct{}

func (machine) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return file(os.OpenFile(name, flag, perm))
}

func (machine) CreateTemp(dir, pattern string) (File, error) {
	return file(os.CreateTemp(dir, pattern))
}

// file keeps a nil *os.File from becoming a File that is not nil.
func file(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (machine) MkdirTemp(dir, pattern string) (string, error) { return os.MkdirTemp(dir, pattern) }
func (machine) Mkdir(name string, perm fs.FileMode) error     { return os.Mkdir(name, perm) }
func (machine) Chmod(name string, mode fs.FileMode) error     { return os.Chmod(name, mode) }
func (machine) Stat(name string) (fs.FileInfo, error)         { return os.Stat(name) }
func (machine) ReadDir(name string) ([]fs.DirEntry, error)    { return os.ReadDir(name) }
func (machine) Rename(from, to string) error                  { return os.Rename(from, to) }
func (machine) Remove(name string) error                      { return os.Remove(name) }
func (machine) RemoveAll(name string) error                   { return os.RemoveAll(name) }

func (machine) SyncDir(name string) error {
	f, err := os.Open(name)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid) {
		return nil
	}
	return err
}

func (machine) Lock(name string) (Lock, error) {
	lock := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if held, err := lock.TryLock(); err != nil || !held {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func (machine) Locked(name string) bool {
	lock := flock.New(name, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if free {
		lock.Unlock()
	}
	return err == nil && !free
}

func (machine) SameFile(a, b fs.FileInfo) bool { return os.SameFile(a, b) }

func (machine) Birth(f File) (string, error) {
	file, ok := f.(*os.File)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return birth(file)
}

// Reserve writes random bytes, for file systems that compress.
func (machine) Reserve(name string, size int) error {
	bytes := make([]byte, size)
	rand.Read(bytes)
	err := os.WriteFile(name, bytes, 0o600)
	if err != nil {
		os.Remove(name)
	}
	return err
}
