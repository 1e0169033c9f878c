package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch/journal/disk"
)

// The files of a run directory.
const (
	RunFile     = "run.json"
	RosterFile  = "roster.jsonl"
	JournalFile = "journal.jsonl"
	LockFile    = "lock"        // is empty
	HolderFile  = "holder.json" // who took the lock, while it is held

	// How whoever works in it is reached.
	SocketFile  = "control.sock"
	AddressFile = "control.json"

	reserveFile = "reserve"
)

// A Dir is a run directory.
type Dir struct {
	Path   string
	disk   disk.Disk // nil is the machine's
	lock   disk.Lock // nil if it is not held
	remote Remote    // nil if Path is no copy
}

func (d *Dir) on() disk.Disk { return cmp.Or(d.disk, disk.OS) }

// String is what people call the directory: its path, or where it is a copy of.
func (d *Dir) String() string {
	if d.remote != nil {
		return d.remote.String()
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
	if err := disk.MkdirAll(on, path); err != nil {
		return nil, err
	}
	d := &Dir{Path: path, disk: on}
	if _, err := d.leftovers(); err != nil { // before anything is put beside somebody's files
		return nil, err
	}
	if err := d.checkOwner(); err != nil {
		return nil, err
	}
	if err := on.Chmod(path, 0o700); err != nil {
		return nil, err
	}
	if _, err := d.acquire(); err != nil {
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
		case IsOfLock(name):
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
	if slices.Contains([]string{RosterFile, JournalFile, MarkFile, SocketFile, AddressFile}, name) {
		return true
	}
	for _, file := range []string{RosterFile, MarkFile, AddressFile, RunFile, HolderFile} {
		if strings.HasPrefix(name, file+".") && strings.HasSuffix(name, disk.Unfinished) {
			return true
		}
	}
	return false
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

// Open locks the directory of an earlier run, to go on with it. A lock whose
// holder is dead is taken over.
func Open(path string) (*Dir, error) { return OpenOn(disk.OS, path) }

// OpenOn is [Open] on a disk that need not be the machine's.
func OpenOn(on disk.Disk, path string) (*Dir, error) {
	d, err := ViewOn(on, path)
	if err != nil {
		return nil, err
	}
	if err := d.closeToOthers(); err != nil {
		return nil, err
	}
	if d, err = d.acquire(); err != nil {
		return nil, err
	}
	return d, disk.ClearUnfinished(on, path)
}

// View opens a run directory for reading. Its run may still be going on.
func View(path string) (*Dir, error) { return ViewOn(disk.OS, path) }

// ViewOn is [View] on a disk that need not be the machine's.
func ViewOn(on disk.Disk, path string) (*Dir, error) {
	if _, err := on.Stat(filepath.Join(path, RunFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a run directory, or its run never began: it has no %s: %w", path, RunFile, fs.ErrNotExist)
	} else if err != nil {
		if info, stat := on.Stat(path); stat == nil && !info.IsDir() {
			return nil, fmt.Errorf("%s is a file: name the run directory that it is in", path)
		}
		return nil, err
	}
	return &Dir{Path: path, disk: on}, nil
}

// Held reports whether a process works in the directory now.
func (d *Dir) Held() bool {
	if d.lock != nil {
		return true
	}
	if d.remote != nil {
		return d.remote.Holder() != ""
	}
	return d.on().Locked(d.File(LockFile))
}

// Close releases the lock. A copy is deleted.
func (d *Dir) Close() (err error) {
	if d.lock != nil {
		d.on().Remove(d.File(HolderFile)) // if it stays, as after a kill, nobody believes it
		err = d.lock.Unlock()
		d.lock = nil
	}
	if d.remote != nil {
		err = errors.Join(err, d.remote.Close())
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
	return d.keep(name, func(w disk.File) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// ReadJSON decodes a file of the directory into v.
func (d *Dir) ReadJSON(name string, v any) error {
	f, err := d.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := disk.ReadAll(f, d.File(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", d.File(name), err)
	}
	return nil
}

// Write replaces a file by what fill writes: whole and durable, or not at all.
// Nobody but the owner may read it. Where the directory is a copy, the file goes to the
// remote while it is written, and takes no room here.
func (d *Dir) Write(name string, fill func(io.Writer) error) error {
	if d.remote != nil {
		if err := d.on().Remove(d.File(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err // else an older one would be read
		}
		return d.remote.Write(name, fill)
	}
	return d.keep(name, func(f disk.File) error { return fill(f) })
}

// keep is [Dir.Write] of a file that a copy has as well.
func (d *Dir) keep(name string, fill func(disk.File) error) error {
	if d.remote == nil { // a copy need not outlive this machine
		return disk.Replace(d.on(), d.File(name), fill)
	}
	if err := disk.Swap(d.on(), d.File(name), fill); err != nil {
		return err
	}
	return d.remote.Put(name, d.File(name))
}

// Scratch makes a file in the directory that is deleted when it is closed.
func (d *Dir) Scratch() (io.ReadWriteSeeker, func() error, error) {
	f, err := d.on().CreateTemp(d.Path, "scratch.*"+disk.Unfinished) // mode 0600
	if err != nil {
		return nil, nil, err
	}
	return f, func() error { return errors.Join(f.Close(), d.on().Remove(f.Name())) }, nil
}

// Open opens a file of the directory for reading. It fails with [fs.ErrNotExist] if
// there is none.
func (d *Dir) Open(name string) (io.ReadCloser, error) {
	f, err := d.on().OpenFile(d.File(name), os.O_RDONLY, 0)
	if d.remote != nil && errors.Is(err, fs.ErrNotExist) {
		return d.remote.Open(name)
	} else if err != nil {
		return nil, err
	}
	return f, nil
}

// Has reports whether there is a file of that name, readable or not.
func (d *Dir) Has(name string) bool {
	_, err := d.on().Stat(d.File(name))
	return !errors.Is(err, fs.ErrNotExist) || d.remote != nil && d.remote.Has(name)
}

// Stat describes a file of the directory. A copy lacks those that only its remote has.
func (d *Dir) Stat(name string) (fs.FileInfo, error) { return d.on().Stat(d.File(name)) }

// OnMachine reports whether the directory is on a disk of this machine, where other
// processes find it.
func (d *Dir) OnMachine() bool { return d.on() == disk.OS }

// Remove deletes what a run that never began has written: the files of this package
// and others that are named, and the directory unless somebody has put more into it.
func (d *Dir) Remove(others ...string) error {
	if d.remote != nil {
		return errors.Join(d.remote.Remove(), d.Close())
	}
	entries, err := d.on().ReadDir(d.Path)
	left := len(entries)
	for _, e := range entries {
		if name := e.Name(); name == RunFile || name == reserveFile || NeverBegan(name) || slices.Contains(others, name) {
			err = errors.Join(err, d.on().Remove(d.File(name)))
			left--
		} else if IsOfLock(name) {
			left--
		}
	}
	if err != nil || left > 0 {
		return errors.Join(err, d.Close())
	}
	err = d.on().RemoveAll(d.Path)       // before anybody else may take the lock
	if closed := d.Close(); err != nil { // some systems keep a file that is open
		err = errors.Join(d.on().RemoveAll(d.Path), closed)
	}
	return err
}
