package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"

	"cognito-reset/batch/internal/relay"
)

// What follows the JSON members of every line. The hash covers all up to and
// with sealOpen, so nothing in the file is left out but the hashes themselves,
// and each hash is covered by the next.
const (
	sealOpen  = `,"sha256":"`
	sealClose = `"}` + "\n"
	sumLen    = 2 * sha256.Size
	sealLen   = len(sealOpen) + sumLen + len(sealClose)
)

// A chain is the running hash over a journal.
type chain struct {
	hash hash.Hash
	sum  [sha256.Size]byte
	hex  [sumLen]byte
}

func newChain() *chain { return &chain{hash: sha256.New()} }

// seal is the hash so far, valid until the next call.
func (c *chain) seal() []byte {
	return hex.AppendEncode(c.hex[:0], c.hash.Sum(c.sum[:0]))
}

// append adds l, sealed, to dst. An error leaves the chain and dst as they were.
func (c *chain) append(dst []byte, l *line) ([]byte, error) {
	start := len(dst)
	dst = append(l.members(dst), sealOpen...)
	if size := len(dst) - start + sumLen + len(sealClose); size > maxLine {
		return dst[:start], fmt.Errorf("row %d takes a line of %d bytes, and %d is the most", l.Row, size, maxLine)
	}
	c.hash.Write(dst[start:])
	start = len(dst)
	dst = append(append(dst, c.seal()...), sealClose...)
	c.hash.Write(dst[start:])
	return dst, nil
}

// A DamageError is a journal or a roster's copy that was changed, or rotted,
// after it was written.
type DamageError struct {
	Path string
	Line int    // 1-based
	What string // what is wrong with it
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s:%d: %s; the file was changed after it was written, so from here on nothing in it can be believed: restore it from a copy", e.Path, e.Line, e.What)
}

// maxLine bounds a line of a journal or a roster, in bytes, the newline
// included. Usernames have 128 characters and messages of the service are short;
// no longer line is written, and one that is read is damage. maxMessage bounds
// an error message, and maxCode a code or a request id, so that they fit however they
// are escaped.
const (
	maxLine    = 1 << 20
	maxMessage = 1 << 16
	maxCode    = 1 << 12
)

// split yields the lines of a file, each with its newline and valid until the
// next. Only the last can lack the newline. A line that is too long is a
// [*DamageError].
func split(path string, r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(make([]byte, 1<<16), maxLine)
		s.Split(func(data []byte, atEOF bool) (int, []byte, error) {
			size := bytes.IndexByte(data, '\n') + 1
			if size == 0 && atEOF {
				size = len(data)
			}
			if size == 0 {
				return 0, nil, nil
			}
			return size, data[:size], nil
		})
		n := 1
		for ; s.Scan(); n++ {
			if !yield(s.Bytes(), nil) {
				return
			}
		}
		switch err := s.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(nil, &DamageError{path, n, fmt.Sprintf("the line is longer than %d bytes", maxLine)})
		case err != nil:
			yield(nil, fmt.Errorf("%s:%d: %w", path, n, err))
		}
	}
}

// An entry of a journal, with where it stands.
type record struct {
	line
	offset int64 // of the line's first byte
	size   int   // bytes, the newline included
}

// read yields the lines of a journal after checking each against the chain, by a
// goroutine of its own. A torn last line, the mark of a crash, ends it quietly; c
// and *end then stand behind the last whole line. Anything else that is wrong is
// a [*DamageError].
func read(path string, r io.Reader, c *chain, end *int64) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		var rec record // one for all, as it escapes
		var broken error
		n, more := 0, true
		relay.Run(func(pass func([]byte) ([]byte, bool)) {
			broken = c.follow(path, r, pass)
		}, func(lines []byte) bool {
			for raw := range bytes.Lines(lines) {
				n++
				rec = record{offset: *end, size: len(raw)}
				if what := decode(raw, &rec.line); what != "" {
					yield(record{}, &DamageError{path, n, what})
					more = false
					break
				}
				*end += int64(len(raw))
				if more = yield(rec, nil); !more {
					break
				}
			}
			return more
		})
		if more && broken != nil {
			yield(record{}, broken)
		}
	}
}

// passSize is how many bytes of lines are passed on together, at least.
const passSize = 64 << 10

// follow passes on the lines of a journal, many together, until one is torn or
// not what the chain says.
func (c *chain) follow(path string, r io.Reader, pass func([]byte) ([]byte, bool)) (err error) {
	var lines []byte
	n, more := 0, true
	for raw, wrong := range split(path, r) {
		if err = wrong; err != nil || raw[len(raw)-1] != '\n' {
			break
		}
		n++
		if what := c.check(raw); what != "" {
			err = &DamageError{path, n, what}
			break
		}
		if lines = append(lines, raw...); len(lines) >= passSize {
			if lines, more = pass(lines); !more {
				return nil
			}
		}
	}
	pass(lines)
	return err
}

// check advances the chain over one line. It says what is wrong.
func (c *chain) check(raw []byte) (what string) {
	body := len(raw) - sealLen
	if body < 1 || !bytes.HasPrefix(raw[body:], []byte(sealOpen)) || !bytes.HasSuffix(raw, []byte(sealClose)) {
		return "this is not a whole line"
	}
	sum := body + len(sealOpen)
	c.hash.Write(raw[:sum])
	if !bytes.Equal(c.seal(), raw[sum:sum+sumLen]) {
		return "the SHA-256 does not match what stands before it"
	}
	c.hash.Write(raw[sum:])
	return ""
}
