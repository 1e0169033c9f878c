package evidence

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
)

// sideBySide does something for each number below n, on all processors, and returns the
// error of the lowest that failed. After an error none is begun any more.
func sideBySide(n int, do func(i int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var failed atomic.Bool
	var working sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && !failed.Load(); i = next.Add(1) - 1 {
				if errs[i] = do(int(i)); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	working.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A spool is the packed contents of some files, each in a file of its own.
type spool []*os.File

// spoolBeside makes one of n files beside another.
func spoolBeside(name string, n int) (s spool, err error) {
	for range n {
		f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp") // mode 0600
		if err != nil {
			return nil, errors.Join(err, s.remove())
		}
		s = append(s, f)
	}
	return s, nil
}

// contents are those of the files, one behind the other.
func (s spool) contents() (io.Reader, error) {
	var all []io.Reader
	for _, f := range s {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		all = append(all, bufio.NewReaderSize(f, 1<<16))
	}
	return io.MultiReader(all...), nil
}

func (s spool) remove() (err error) {
	for _, f := range s {
		f.Close()
		err = cmp.Or(err, os.Remove(f.Name()))
	}
	return err
}

// pack writes a member's content to the spool.
func (m Member) pack(spool io.Writer) (f File, err error) {
	packed, content := newMeter(), newMeter()
	deflate, err := flate.NewWriter(io.MultiWriter(spool, packed), flate.DefaultCompression)
	if err != nil {
		return f, err
	}
	w := bufio.NewWriterSize(io.MultiWriter(deflate, content), 1<<16)
	if err := m.Write(w); err != nil {
		return f, err
	}
	if err := cmp.Or(w.Flush(), deflate.Close()); err != nil {
		return f, err
	}
	return content.file(m.Name, packed), nil
}
