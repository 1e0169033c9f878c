package disk

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// tempPrefix begins the names of the folders that [TempDir] makes, and tempAge is how
// old one must be to be taken for a dead process's: whoever makes it locks it at once.
const (
	tempPrefix = "cognito-reset-"
	tempAge    = time.Minute
)

// TempDir makes a private folder for what this process copies, until drop is called. It
// deletes those of processes that were killed, as they hold personal data.
func TempDir(d Disk) (path string, drop func() error, err error) {
	if d == OS {
		clearTemp()
	}
	if path, err = d.MkdirTemp("", tempPrefix); err != nil { // mode 0700
		return "", nil, err
	}
	lock, err := d.Lock(filepath.Join(path, "lock"))
	if err != nil || lock == nil {
		return "", nil, errors.Join(err, d.RemoveAll(path))
	}
	return path, func() error { return errors.Join(lock.Unlock(), d.RemoveAll(path)) }, nil
}

// clearTemp deletes the folders of dead processes. What cannot be deleted stays: it is
// somebody else's.
func clearTemp() {
	folders, _ := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*")) // the pattern is good
	for _, path := range folders {
		lock := filepath.Join(path, "lock")
		if info, err := os.Lstat(lock); err == nil && time.Since(info.ModTime()) > tempAge && !OS.Locked(lock) {
			os.RemoveAll(path)
		}
	}
}

// ClearUnfinished deletes the temporary files that killed processes left in a folder.
// Those of the last minute may be somebody's who is at work.
func ClearUnfinished(d Disk, folder string) error {
	left, err := d.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range left {
		if filepath.Ext(e.Name()) != Unfinished || !e.Type().IsRegular() {
			continue
		}
		name := filepath.Join(folder, e.Name())
		if info, err := d.Stat(name); err == nil && time.Since(info.ModTime()) > tempAge {
			d.Remove(name) // or it stays
		}
	}
	return nil
}
