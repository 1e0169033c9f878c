package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// noFollow has no meaning here: making a symbolic link takes a privilege.
const noFollow = 0

// Owner tells nothing: who may write is not the owner's alone to say here.
func Owner(fs.FileInfo) (uid int, known bool) { return 0, false }

// lockAt is the byte that a lock covers, beyond any that a file has: on Windows,
// nobody can read or write what another handle has locked, and to lock what is
// behind the end of a file is no error there.
const lockAt = 1 << 62

func lockPlace() *windows.Overlapped {
	return &windows.Overlapped{Offset: lockAt & (1<<32 - 1), OffsetHigh: lockAt >> 32}
}

// A held lock is the handle that holds it.
type held struct{ file *os.File }

func (h held) Unlock() error {
	// The system would release it at some time after the handle is closed.
	err := windows.UnlockFileEx(windows.Handle(h.file.Fd()), 0, 1, 0, lockPlace())
	return errors.Join(err, h.file.Close())
}

// tryLock returns nil if another handle holds a lock that flags does not go with.
func tryLock(f *os.File, flags uint32) (Lock, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, lockPlace())
	if err == nil {
		return held{f}, nil
	}
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		err = nil
	}
	return nil, errors.Join(err, f.Close())
}

func lock(name string) (Lock, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return tryLock(f, windows.LOCKFILE_EXCLUSIVE_LOCK)
}

func locked(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	look, err := tryLock(f, 0) // which is one that several may hold
	if look != nil {
		look.Unlock()
	}
	return err == nil && look == nil
}

// inUse reports whether an error is that somebody has a file open: of the one that is
// renamed, and of the one that it would replace.
func inUse(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// syncDir has nothing to do: a folder cannot be flushed here.
func syncDir(string) error { return nil }
