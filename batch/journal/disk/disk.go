// Package disk is the file system as far as a record needs it: what is written,
// what is durable, and who holds a lock. [OS] is the machine's. A test takes
// another, which fails as disks do.
//
// Every file that must outlive a crash is written by the functions of this
// package. They promise that
//
//   - a file that [Replace] writes has its old content or its new one, whole,
//     whenever the process or the machine dies, and the new one once Replace has
//     returned nil;
//   - a file that [Create] or [Ensure] makes, and a folder that [MkdirAll] makes,
//     is there after a crash once the function has returned nil;
//   - what was written to an [Appender] is there after a crash once its Sync has
//     returned nil, and what was written since may be there in part.
//
// The steps behind that are those that POSIX knows: write, sync the file, rename
// it, sync the folder that has its name. They do not promise
//
//   - anything of a disk or a network file system that lies about a sync;
//   - which of the two contents a file has after Replace has failed; it may be
//     the new one, if only the sync of the folder failed;
//   - that no temporary file stays behind a crash: its name ends in
//     [Unfinished], and it may be deleted;
//   - to keep the owner, the extended attributes or the hard links of a file
//     that is replaced: the new one has mode 0600 and the owner of the process;
//   - on Windows, that a name is durable at once, for no folder can be synced
//     there: NTFS logs the names in their order, so a crash leaves an earlier
//     state, not a broken one.
package disk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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
	Remove(name string) error
	RemoveAll(name string) error

	// Rename replaces a file by another. Where the system refuses that while
	// somebody has one of them open, it tries again for a short time.
	Rename(from, to string) error

	// SyncDir makes the names in a folder durable, where the system can and
	// lets us.
	SyncDir(name string) error

	// Lock takes the lock of a file, which it makes if there is none. It never
	// waits: a nil Lock says that another holds it. The system releases a lock
	// however its process ends. A file that is there to be locked should be
	// empty: on some systems nobody else can read or write what is locked.
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
func (machine) Remove(name string) error                      { return os.Remove(name) }
func (machine) RemoveAll(name string) error                   { return os.RemoveAll(name) }

func (machine) SyncDir(name string) error      { return syncDir(name) }
func (machine) Lock(name string) (Lock, error) { return lock(name) }
func (machine) Locked(name string) bool        { return locked(name) }

// Rename tells whoever holds the file open what to do, once it has waited in vain.
func (machine) Rename(from, to string) error {
	err := insist(inUse, func() error { return os.Rename(from, to) })
	if err != nil && inUse(err) {
		return fmt.Errorf("%w: if a program has %s open, close it", err, to)
	}
	return err
}

func (machine) SameFile(a, b fs.FileInfo) bool { return os.SameFile(a, b) }

func (machine) Birth(f File) (string, error) {
	file, ok := f.(*os.File)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return birth(file)
}

// Reserve writes random bytes, for file systems that compress or keep what is the same once.
func (machine) Reserve(name string, size int) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(writeNoise(f, size), f.Close()); err != nil {
		os.Remove(name)
	}
	return err
}

// writeNoise writes random bytes. They are nobody's secret: AES makes them, as the fastest
// that a processor has.
func writeNoise(w io.Writer, size int) error {
	var key, start [aes.BlockSize]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return err
	}
	stream, chunk := cipher.NewCTR(block, start[:]), make([]byte, 64<<10)
	for ; size > 0; size -= len(chunk) {
		chunk = chunk[:min(size, len(chunk))]
		stream.XORKeyStream(chunk, chunk)
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
	return nil
}
