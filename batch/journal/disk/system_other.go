//go:build !windows

package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// noFollow has a file not opened through a symbolic link, which somebody else may
// have put there.
const noFollow = syscall.O_NOFOLLOW

// Owner is the id of the user to whom a file belongs, where the disk tells.
func Owner(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

func lock(name string) (Lock, error) {
	lock := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR|noFollow), flock.SetPermissions(0o600))
	if held, err := lock.TryLock(); err != nil || !held {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func locked(name string) bool {
	lock := flock.New(name, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if free {
		lock.Unlock()
	}
	return err == nil && !free
}

// inUse reports whether an error is that somebody has a file open, which is in
// nobody's way here.
func inUse(error) bool { return false }

func syncDir(name string) error {
	f, err := os.Open(name)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid) {
		return nil
	}
	return err
}
