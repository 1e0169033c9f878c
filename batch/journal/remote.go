package journal

import (
	"errors"
	"io"

	"cognito-reset/batch/journal/disk"
)

// A Remote is where a run directory is kept that is only a copy here, to work on.
// The copy has what the work needs at hand: roster, journal and documents in JSON. What
// is written to these goes there as well, and counts only once it is there. Everything
// else is written and read there alone. Its methods may be called from many goroutines.
type Remote interface {
	// String is what people call it.
	String() string

	// Holder is what the process that works on the run says of itself; "" if
	// none does.
	Holder() string

	// Fence counts the processes that held the run: a later one has a higher
	// number.
	Fence() int64

	// MayCall fails once another process may hold the run.
	MayCall() error

	// Append adds whole lines to the journal, and returns once they would
	// survive this machine. If it fails, they may have been added or not.
	Append(lines []byte) error

	// Mark notes how far the journal is known to reach, apart from the journal,
	// and right away if that is asked.
	Mark(m Mark, now bool) error

	// Marked is the mark that was found; there may be none.
	Marked() (m Mark, ok bool)

	// Size is how many bytes of the journal are there now.
	Size() (int64, error)

	// Put copies the file at path there, in place of one of that name.
	Put(name, path string) error

	// Write puts there what fill writes, while fill does: whole, in place of a file of
	// that name, or not at all.
	Write(name string, fill func(io.Writer) error) error

	// Has reports whether Open would find a file.
	Has(name string) bool

	// Open reads a file that is there, as it was when the copy was made or as this
	// process wrote it. It fails with [fs.ErrNotExist] if there was none.
	Open(name string) (io.ReadCloser, error)

	// Remove deletes the files of the run.
	Remove() error

	// Close releases the run, and deletes the copy.
	Close() error
}

// Copy is the directory at path on a disk, which is a copy of a remote. It is locked if it is
// to be worked on, and deleted by [Dir.Close].
func Copy(on disk.Disk, path string, remote Remote, work bool) (*Dir, error) {
	d := &Dir{Path: path, disk: on, remote: remote}
	if !work {
		return d, nil
	}
	return d.acquire()
}

// IsCopy reports whether the directory is kept elsewhere.
func (d *Dir) IsCopy() bool { return d.remote != nil }

// A copied file is a journal that is synced by adding to that of the remote. It is
// ahead of that one between Write and Sync alone.
type copied struct {
	*disk.Appender
	remote Remote
	size   int64 // bytes known to be there
	ahead  []byte
}

func (f *copied) Write(p []byte) (int, error) {
	n, err := f.Appender.Write(p)
	f.ahead = append(f.ahead, p[:n]...)
	return n, err
}

func (f *copied) Truncate(size int64) error {
	f.ahead = f.ahead[:max(0, size-f.size)]
	return f.Appender.Truncate(size)
}

func (f *copied) Sync() error {
	if err := f.remote.Append(f.ahead); err != nil {
		return errors.Join(err, f.Truncate(f.size))
	}
	f.size += int64(len(f.ahead))
	f.ahead = f.ahead[:0]
	return nil
}
