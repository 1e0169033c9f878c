package roster

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"cognito-reset/batch"
)

// Stdin is the name of standard input among the names of inputs.
const Stdin = "-"

// An Opener opens an input by its name, such as s3://bucket/key. What it opens
// must fail rather than end early, and end when ctx does.
type Opener func(ctx context.Context, name string) (io.ReadCloser, error)

// Places are where inputs come from that are not files.
type Places struct {
	Stdin   io.Reader
	Schemes map[string]Opener // by what stands before the :// of a name
}

// A Source is an input that was read to its end.
type Source struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // in bytes, as they were stored
	SHA256 string `json:"sha256"` // of these bytes
}

// Expand replaces each pattern such as exports/*.csv by the files that match
// it, sorted by name. What exists is no pattern: neither the name of a file nor, in a
// longer one, that of a folder such as exports[1]; nor is - or a name with a scheme. A
// pattern that nothing matches is an error.
func Expand(patterns []string) ([]string, error) {
	var found []string
	for _, pattern := range patterns {
		if _, err := os.Lstat(pattern); err == nil || schemeOf(pattern) != "" || !strings.ContainsAny(pattern, `*?[`) {
			found = append(found, pattern)
			continue
		}
		matches, err := glob(pattern)
		if err != nil {
			return nil, &InputError{Name: pattern, What: "is not a pattern", Err: err}
		}
		if len(matches) == 0 {
			return nil, &InputError{Name: pattern, What: "no file matches this pattern"}
		}
		slices.Sort(matches)
		found = append(found, matches...)
	}
	return found, nil
}

// glob is [filepath.Glob], but takes the names of folders that exist literally.
func glob(pattern string) (matches []string, err error) {
	folder, last := filepath.Split(pattern)
	if _, err := filepath.Match(last, ""); err != nil {
		return nil, err
	}
	folders := []string{folder}
	if _, err := os.Stat(cmp.Or(folder, ".")); err != nil {
		trimmed := strings.TrimRightFunc(folder, func(r rune) bool { return r < utf8.RuneSelf && os.IsPathSeparator(uint8(r)) })
		if trimmed == folder || !strings.ContainsAny(trimmed, `*?[`) {
			return nil, nil
		}
		if folders, err = glob(trimmed); err != nil {
			return nil, err
		}
	}
	for _, folder := range folders {
		if name := filepath.Join(folder, last); exists(name) {
			matches = append(matches, name)
			continue
		}
		entries, err := os.ReadDir(cmp.Or(folder, "."))
		if err != nil {
			continue // as Glob does: it is no folder, or not ours to read
		}
		for _, e := range entries {
			if ok, _ := filepath.Match(last, e.Name()); ok { // whose pattern is good
				matches = append(matches, filepath.Join(folder, e.Name()))
			}
		}
	}
	return matches, nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func schemeOf(name string) string {
	scheme, _, found := strings.Cut(name, "://")
	if !found {
		return ""
	}
	return scheme
}

// Inputs are one or more inputs, read one after another as if they were one.
// Each is understood by itself: one may be CSV and the next JSON lines.
type Inputs struct {
	Options // of the first input, with Format, Column and Delimiter as they were found

	ctx    context.Context
	places Places
	asked  Options
	names  []string // yet to be opened
	sum    hash.Hash
	read   []Source

	// Notices and Partial are those of [Roster], of the inputs read so far.
	Notices []string
	Partial bool

	current *Roster
	source  *source // that current reads
}

// OpenInputs looks whether every file is there and opens the first input. Options
// are those of [Open] for each of them; its Name is not used. When ctx is done,
// reading ends with its cause.
func OpenInputs(ctx context.Context, names []string, places Places, o Options) (*Inputs, error) {
	in := &Inputs{ctx: ctx, places: places, asked: o, names: names, sum: sha256.New()}
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := in.open(); err != nil {
		return nil, err
	}
	in.Options = in.current.Options
	return in, nil
}

// check finds the mistakes of which a person should hear at once.
func (in *Inputs) check() error {
	if len(in.names) == 0 {
		return errors.New("no input is named")
	}
	stdin := 0
	for _, name := range in.names {
		switch scheme := schemeOf(name); {
		case name == Stdin:
			if stdin++; stdin > 1 || in.places.Stdin == nil {
				return &InputError{Name: display(name), What: "can be read only once"}
			}
		case scheme != "" && in.places.Schemes[scheme] == nil:
			return &InputError{Name: name, What: fmt.Sprintf("nothing here reads %s:// inputs", scheme)}
		case scheme != "":
		default:
			if info, err := os.Stat(name); err != nil {
				return openError(name, err)
			} else if info.IsDir() {
				return &InputError{Name: name, What: "is a directory; name the files in it, such as " + filepath.Join(name, "*.csv")}
			}
		}
	}
	return nil
}

// Place is where the row stands that Entries yielded last, such as users.csv:3.
func (in *Inputs) Place() string { return in.current.where().in(in.current.Name) }

// InReport reports whether that row is one of a report.
func (in *Inputs) InReport() bool { return in.current.Report }

func openError(name string, err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = e.Err // which leaves out the name
	}
	return &InputError{Name: display(name), What: "cannot be opened", Err: err}
}

// display is how errors call an input.
func display(name string) string {
	if name == Stdin {
		return "standard input"
	}
	return name
}

// open goes on to the next input.
func (in *Inputs) open() error {
	name := in.names[0]
	in.names = in.names[1:]
	file, err := in.openFile(name)
	if err != nil {
		return openError(name, err)
	}
	in.source = &source{ReadCloser: file, sum: sha256.New(), all: in.sum}
	if in.read == nil { // the sum of the first one is that of all until now
		in.source.sum = nil
	}
	o := in.asked
	o.Name = display(name)
	if in.current, err = Open(in.source, o); err != nil {
		return errors.Join(err, file.Close())
	}
	return nil
}

func (in *Inputs) openFile(name string) (io.ReadCloser, error) {
	if name == Stdin {
		return interruptible(in.ctx, io.NopCloser(in.places.Stdin)), nil
	}
	if open := in.places.Schemes[schemeOf(name)]; open != nil {
		return open(in.ctx, name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || info.Mode().IsRegular() {
		return file, err
	}
	return interruptible(in.ctx, file), nil // a named pipe
}

// interruptible reads until ctx is done. A read of a terminal or a pipe cannot
// be cancelled; it ends, and r is closed, when more comes or the process ends.
func interruptible(ctx context.Context, r io.ReadCloser) io.ReadCloser {
	out, in := io.Pipe()
	stop := context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer stop()
		defer r.Close()
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	return out
}

// A source is hashed as it is read.
type source struct {
	io.ReadCloser
	size int64
	all  hash.Hash // of the bytes of this input and those before it
	sum  hash.Hash // of its own bytes; nil for the first input, whose sum is that of all
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.size += int64(n)
	s.all.Write(p[:n])
	if s.sum != nil {
		s.sum.Write(p[:n])
	}
	return n, err
}

// Entries yields every row of every input, numbered from 1 over all of them. It
// can be ranged over once, and closes what it reads. An error is the last thing
// it yields.
func (in *Inputs) Entries() iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		row := int64(0)
		for {
			for e, err := range in.current.Entries() {
				if in.ctx.Err() != nil {
					err = context.Cause(in.ctx)
				}
				row++
				e.Row = row
				if !yield(e, err) || err != nil {
					in.Close()
					return
				}
			}
			err := in.finish()
			if err == nil && len(in.names) == 0 {
				return
			}
			if err == nil {
				err = in.open()
			}
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
		}
	}
}

// finish notes the current input as read.
func (in *Inputs) finish() error {
	s := in.source
	in.Notices = append(in.Notices, in.current.Notices...)
	in.Partial = in.Partial || in.current.Partial
	in.read = append(in.read, Source{in.current.Name, s.size, hex.EncodeToString(cmp.Or(s.sum, s.all).Sum(nil))})
	return in.Close()
}

// Sources are the inputs read so far, in order.
func (in *Inputs) Sources() []Source { return in.read }

// SHA256 is, in hexadecimal, that of the bytes of all inputs back to back, once
// they are read.
func (in *Inputs) SHA256() string { return hex.EncodeToString(in.sum.Sum(nil)) }

// Close closes the input that is being read. Entries does so itself.
func (in *Inputs) Close() error {
	if in.source == nil {
		return nil
	}
	s := in.source
	in.source = nil
	return s.Close()
}
