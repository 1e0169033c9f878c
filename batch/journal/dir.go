package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch/journal/disk"
)

// The files of a run directory.
const (
	RunFile     = "run.json"
	RosterFile  = "roster.jsonl"
	JournalFile = "journal.jsonl"
	LockFile    = "lock"

	reserveFile = "reserve"
)

// A Dir is a run directory.
type Dir struct {
	Path string
	disk disk.Disk // nil is the machine's
	lock disk.Lock // nil if it is not held
	home Home      // nil if Path is no copy
}

func (d *Dir) on() disk.Disk { return cmp.Or(d.disk, disk.OS) }

// String is what people call the directory: its path, or where it is a copy of.
func (d *Dir) String() string {
	if d.home != nil {
		return d.home.String()
	}
	return d.Path
}

// ErrExists is why a directory cannot be made into a run directory.
var ErrExists = errors.New("there are files in it already")

// A HeldError is a run directory that another process works in.
type HeldError struct {
	Path   string
	Holder string // what the holder wrote of itself: pid, host, time
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is in use by %s", e.Path, e.Holder)
}

// Create makes a run directory and locks it. An existing one must be empty, but for
// what a process has left that died before its run began: that is deleted.
func Create(path string) (*Dir, error) { return CreateOn(disk.OS, path) }

// CreateOn is [Create] on a disk that need not be the machine's.
func CreateOn(on disk.Disk, path string) (*Dir, error) {
	if err := makeDir(on, path); err != nil {
		return nil, err
	}
	d := &Dir{Path: path, disk: on}
	if _, err := d.leftovers(); err != nil { // before anything is put beside somebody's files
		return nil, err
	}
	if err := on.Chmod(path, 0o700); err != nil {
		return nil, err
	}
	if _, err := d.hold(); err != nil {
		return nil, err
	}
	left, err := d.leftovers() // of several processes, one comes here first
	for _, name := range left {
		err = errors.Join(err, on.Remove(d.File(name)))
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// leftovers are the files of a run that never began, but for its lock. It fails if
// there are others.
func (d *Dir) leftovers() (names []string, err error) {
	entries, err := d.on().ReadDir(d.Path)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		written := name == JournalFile && !d.isEmpty(name) || name == MarkFile && !d.markedNothing()
		switch {
		case name == LockFile:
		case NeverBegan(name) && !written:
			names = append(names, name)
		case d.lock == nil && d.Held():
			return nil, &HeldError{d.Path, d.Holder()}
		default:
			return nil, fmt.Errorf("%s: %w", d.Path, ErrExists)
		}
	}
	return names, nil
}

// NeverBegan reports whether a run that died before it began, and so has no run.json,
// may leave a file of that name, beside its lock.
func NeverBegan(name string) bool {
	switch name {
	case RosterFile, JournalFile, MarkFile:
		return true
	}
	return strings.HasSuffix(name, unfinished) &&
		(strings.HasPrefix(name, RosterFile+".") || strings.HasPrefix(name, RunFile+".") || strings.HasPrefix(name, MarkFile+"."))
}

func (d *Dir) isEmpty(name string) bool {
	info, err := d.on().Stat(d.File(name))
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// markedNothing reports whether the mark is that of a journal without a line.
func (d *Dir) markedNothing() bool {
	m, ok, err := d.mark()
	return err == nil && ok && m.Lines == 0
}

// makeDir is [os.MkdirAll], but durable: what is synced to a file is lost if
// the name of a folder above it is. A folder that is there may not be durable
// either, if whoever made it died before it was synced.
func makeDir(on disk.Disk, path string) error {
	parent := filepath.Dir(path)
	err := on.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeDir(on, parent); err == nil {
			err = on.Mkdir(path, 0o700)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return on.SyncDir(parent)
}

// Open locks the directory of an earlier run, to go on with it. A lock whose
// holder is dead is taken over.
func Open(path string) (*Dir, error) { return OpenOn(disk.OS, path) }

// OpenOn is [Open] on a disk that need not be the machine's.
func OpenOn(on disk.Disk, path string) (*Dir, error) {
	d, err := ViewOn(on, path)
	if err != nil {
		return nil, err
	}
	return d.hold()
}

// View opens a run directory for reading. Its run may still be going on.
func View(path string) (*Dir, error) { return ViewOn(disk.OS, path) }

// ViewOn is [View] on a disk that need not be the machine's.
func ViewOn(on disk.Disk, path string) (*Dir, error) {
	if _, err := on.Stat(filepath.Join(path, RunFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a run directory, or its run never began: it has no %s: %w", path, RunFile, fs.ErrNotExist)
	} else if err != nil {
		return nil, err
	}
	return &Dir{Path: path, disk: on}, nil
}

// patience is how long a lock must have been held for it to be somebody's work
// and not a look by [Dir.Held].
const patience = 100 * time.Millisecond

// hold takes the lock, which the kernel releases however this process ends.
func (d *Dir) hold() (*Dir, error) {
	var lock disk.Lock
	for began := time.Now(); lock == nil; {
		var err error
		if lock, err = d.on().Lock(d.File(LockFile)); err != nil {
			return nil, fmt.Errorf("lock %s: %w", d.Path, err)
		} else if lock == nil && time.Since(began) >= patience {
			return nil, &HeldError{d.Path, d.Holder()}
		} else if lock == nil {
			time.Sleep(patience / 20)
		}
	}
	host, _ := os.Hostname()
	holder := fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	if err := disk.WriteFile(d.on(), d.File(LockFile), []byte(holder)); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	d.lock = lock
	return d, nil
}

// Held tells whether a process works in the directory now.
func (d *Dir) Held() bool {
	if d.lock != nil {
		return true
	}
	if d.home != nil {
		return d.home.Holder() != ""
	}
	return d.on().Locked(d.File(LockFile))
}

// Holder is what the last process to lock the directory wrote of itself.
func (d *Dir) Holder() string {
	if d.home != nil {
		return cmp.Or(d.home.Holder(), "an unknown process")
	}
	text, err := disk.ReadFile(d.on(), d.File(LockFile))
	if holder := strings.TrimSpace(string(text)); err == nil && holder != "" {
		return holder
	}
	return "an unknown process"
}

// Close lets go of the lock. A copy is deleted.
func (d *Dir) Close() (err error) {
	if d.lock != nil {
		err = d.lock.Unlock()
		d.lock = nil
	}
	if d.home != nil {
		err = errors.Join(err, d.home.Close())
	}
	return err
}

// File is the path of a file in the directory.
func (d *Dir) File(name string) string { return filepath.Join(d.Path, name) }

// WriteJSON replaces a file by v as indented JSON, as [Dir.Write] does.
func (d *Dir) WriteJSON(name string, v any) error {
	text, err := json.Marshal(v, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return err
	}
	return d.write(name, func(f disk.File) error {
		_, err := f.Write(append(text, '\n'))
		return err
	})
}

// ReadJSON decodes a file of the directory into v.
func (d *Dir) ReadJSON(name string, v any) error {
	text, err := disk.ReadFile(d.on(), d.File(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", d.File(name), err)
	}
	return nil
}

// unfinished ends the name of a file that is being written.
const unfinished = ".tmp"

// Write replaces a file by what fill writes: whole and durable, or not at all.
// Nobody but the owner may read it.
func (d *Dir) Write(name string, fill func(*os.File) error) error {
	return d.write(name, func(f disk.File) error {
		file, ok := f.(*os.File)
		if !ok {
			return fmt.Errorf("%s is no file of this machine: %w", f.Name(), errors.ErrUnsupported)
		}
		return fill(file)
	})
}

// write is [Dir.Write] on any disk.
func (d *Dir) write(name string, fill func(disk.File) error) (err error) {
	f, err := d.on().CreateTemp(d.Path, name+".*"+unfinished) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.on().Remove(f.Name())
		}
	}()
	if err := fill(f); err != nil {
		f.Close()
		return err // in words of its own, perhaps about something else
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", d.File(name), err)
	}
	if err := d.on().Rename(f.Name(), d.File(name)); err != nil {
		return err
	}
	if d.home != nil {
		return d.home.Put(name, d.File(name))
	}
	return d.on().SyncDir(d.Path)
}

// Remove deletes the directory and all in it, for a run that never began.
func (d *Dir) Remove() error {
	if d.home != nil {
		return errors.Join(d.home.Remove(), d.Close())
	}
	err := d.on().RemoveAll(d.Path)      // before anybody else may take the lock
	if closed := d.Close(); err != nil { // some systems keep a file that is open
		err = errors.Join(d.on().RemoveAll(d.Path), closed)
	}
	return err
}
