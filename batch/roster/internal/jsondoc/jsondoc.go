// Package jsondoc finds the rows of a JSON document: the values of an array or of
// several, those one after another, and the users of what ListUsers answers. It
// holds one row at a time.
package jsondoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxRow is how many bytes a row may have.
const MaxRow = 1 << 20

// ErrTooLong is that a row has more.
var ErrTooLong = fmt.Errorf("a value is longer than %d KiB", MaxRow>>10)

// ErrBoth is an object that names a user and has a list of users.
var ErrBoth = errors.New("an object names a user and lists users")

// A Reader reads a document. Its errors come with a place, from Place.
type Reader struct {
	source  *source
	decoder *jsontext.Decoder
	start   int64 // of the current row, in bytes
	nesting nesting
	partial string
	names   bool // the object around the list names a user as well
}

// A nesting is what the reader is in.
type nesting int

const (
	top     nesting = iota
	array           // whose values are rows
	page            // an object with a list of users, outside that list
	listing         // that list
)

// New reads a document of UTF-8. Of invalid UTF-8, and of names that come twice
// in an object, the rows tell.
func New(r io.Reader) *Reader {
	s := &source{r: r, line: 1}
	return &Reader{source: s, decoder: jsontext.NewDecoder(s, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))}
}

// Place is where the current row begins, or an error stands: the line and, in
// bytes, the column, both from 1.
func (r *Reader) Place() (line, column int) { return r.source.place(r.start) }

// Partial names what says that the last list of users goes on elsewhere, such as
// NextToken; "" if it does not.
func (r *Reader) Partial() string { return r.partial }

// Lists reports whether the current row stands in a list of users.
func (r *Reader) Lists() bool { return r.nesting == listing || r.nesting == page }

// Next is the next row, or io.EOF at the end of a document that is whole. The
// row is good until Next is called again.
func (r *Reader) Next() (jsontext.Value, error) {
	r.source.begin(r.decoder.InputOffset())
	value, err := r.next()
	if err != nil && !errors.Is(err, io.EOF) {
		r.start = r.decoder.InputOffset()
		if wrong, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			r.start = wrong.ByteOffset
		}
	}
	return value, err
}

func (r *Reader) next() (jsontext.Value, error) {
	for {
		kind := r.decoder.PeekKind()
		switch {
		case r.nesting == top && kind == '[':
			r.nesting = array
			if _, err := r.decoder.ReadToken(); err != nil {
				return nil, err
			}
		case kind == ']' && (r.nesting == array || r.nesting == listing):
			r.nesting = map[nesting]nesting{array: top, listing: page}[r.nesting]
			if _, err := r.decoder.ReadToken(); err != nil {
				return nil, err
			}
		case r.nesting == top && kind == '{':
			if row, err := r.object(); err != nil || row != nil {
				return row, err
			}
		case r.nesting == page:
			if _, err := r.members(); err != nil {
				return nil, err
			}
		default:
			return r.value()
		}
	}
}

// value reads a value.
func (r *Reader) value() (jsontext.Value, error) {
	value, err := r.decoder.ReadValue()
	if err != nil {
		return nil, err
	}
	r.start = r.decoder.InputOffset() - int64(len(value))
	return value, nil
}

// object reads an object that is a row, or up to the users that it lists, where
// it gives none.
func (r *Reader) object() (jsontext.Value, error) {
	if _, err := r.decoder.ReadToken(); err != nil {
		return nil, err
	}
	start := r.decoder.InputOffset() - 1
	r.partial, r.names = "", false
	row, err := r.members()
	r.start = start
	return row, err
}

// members reads the members of an object to its end, and returns the object; or
// up to a list of users, and returns none.
func (r *Reader) members() (jsontext.Value, error) {
	row := []byte{'{'}
	for r.decoder.PeekKind() != '}' {
		name, err := r.decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		if len(row) > 1 {
			row = append(row, ',')
		}
		key := strings.Trim(string(name), `"`)
		row = append(append(row, name...), ':')
		if strings.EqualFold(key, "users") && r.decoder.PeekKind() == '[' {
			r.nesting = listing
			_, err := r.decoder.ReadToken()
			return nil, errors.Join(err, r.both())
		}
		value, err := r.decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		row = append(row, value...)
		r.names = r.names || strings.EqualFold(key, "username")
		if isToken(key) && len(bytes.Trim(value, `"`)) > 0 && value.Kind() == '"' {
			r.partial = key
		}
	}
	if _, err := r.decoder.ReadToken(); err != nil {
		return nil, err
	}
	if r.nesting == page {
		r.nesting = top
		return nil, r.both()
	}
	r.partial = ""
	return append(row, '}'), nil
}

func (r *Reader) both() error {
	if r.names {
		return ErrBoth
	}
	return nil
}

// isToken reports whether a member of an answer of AWS says that there is more.
func isToken(name string) bool { return name == "NextToken" || name == "PaginationToken" }

// A source counts the lines that pass through it, and ends a row that is too long.
type source struct {
	r    io.Reader
	at   int64   // bytes read
	ends []int64 // offsets of line ends from begun on
	line int     // of the byte at begun
	last int64   // offset at which that line begins
	from int64   // where the current row may begin
}

// begin says that nothing before an offset is asked for any more.
func (s *source) begin(offset int64) {
	s.from = offset
	n := 0
	for ; n < len(s.ends) && s.ends[n] < offset; n++ {
		s.line++
		s.last = s.ends[n] + 1
	}
	s.ends = append(s.ends[:0], s.ends[n:]...)
}

func (s *source) place(offset int64) (line, column int) {
	line, last := s.line, s.last
	for _, end := range s.ends {
		if end >= offset {
			break
		}
		line++
		last = end + 1
	}
	return line, int(offset-last) + 1
}

func (s *source) Read(p []byte) (int, error) {
	if s.at-s.from > MaxRow {
		return 0, ErrTooLong
	}
	p = p[:min(len(p), MaxRow)]
	n, err := s.r.Read(p)
	for i := 0; i < n; {
		next := bytes.IndexByte(p[i:n], '\n')
		if next < 0 {
			break
		}
		s.ends = append(s.ends, s.at+int64(i+next))
		i += next + 1
	}
	s.at += int64(n)
	return n, err
}
