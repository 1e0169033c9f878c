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
	"time"

	"cognito-reset/batch/internal/relay"
)

// What follows the JSON members of a sealed line, and of one that is not. The hash
// covers all up to and with sealOpen, so nothing in the file is left out but the
// hashes themselves, and each hash is covered by the next. Lines without a seal count
// once one that has a seal stands behind them.
const (
	lineClose = "}\n"
	sealOpen  = `,"sha256":"`
	sealClose = `"}` + "\n"
	sumLen    = 2 * sha256.Size
	sealLen   = len(sealOpen) + sumLen + len(sealClose)
)

// A chain is the running hash over a journal, and what is known of the session that
// its end is in.
type chain struct {
	hash hash.Hash
	sum  [sha256.Size]byte
	hex  [sumLen]byte

	format int
	began  time.Time
	named  map[int64]name // of users whose intents have no result yet, by row

	// Of one that is appended to.
	open     bool // the last line is not closed yet
	unsealed int  // bytes since the last seal
}

// A name is what a line calls a user.
type name struct{ username, sub string }

// maxGroup is about how many bytes of lines, at most, share a seal.
const maxGroup = 1 << 20

func newChain() *chain { return &chain{hash: sha256.New()} }

// enter goes into a session.
func (c *chain) enter(l *line) { c.format, c.began, c.named = l.Format, l.At, make(map[int64]name) }

// seal is the hash so far, valid until the next call.
func (c *chain) seal() []byte {
	return hex.AppendEncode(c.hex[:0], c.hash.Sum(c.sum[:0]))
}

// append adds l to dst. If it is brief, it is sealed by finish, or with what is added
// behind it; any other line is at once. An error leaves the chain and dst as they were.
func (c *chain) append(dst []byte, l *line) ([]byte, error) {
	var b brief
	if c.format >= briefFormat {
		var ok bool
		if b, ok = briefOf(l, c.began); !ok {
			b = brief{}
		} else if l.Event == eventResult {
			intended, known := c.named[l.Row]
			b.unnamed = known && intended == name{l.Username, l.Sub}
		}
	}
	start := len(dst)
	if c.open {
		dst = append(dst, lineClose...)
	}
	from := len(dst)
	dst = l.append(dst, b)
	if size := len(dst) - from + sealLen; size > maxLine {
		return dst[:start], fmt.Errorf("row %d takes a line of %d bytes, and %d is the most", l.Row, size, maxLine)
	}
	c.hash.Write(dst[start:])
	c.open, c.unsealed = true, c.unsealed+len(dst)-start
	c.note(l)
	if !b.is() || c.unsealed >= maxGroup {
		dst = c.finish(dst)
	}
	return dst, nil
}

// note keeps what later lines build on.
func (c *chain) note(l *line) {
	switch l.Event {
	case eventSession:
		c.enter(l)
	case eventIntent:
		if c.format >= briefFormat && l.Row > 0 {
			c.named[l.Row] = name{l.Username, l.Sub}
		}
	case eventResult:
		delete(c.named, l.Row)
	}
}

// finish seals the last line that was appended to dst, if it is not.
func (c *chain) finish(dst []byte) []byte {
	if !c.open {
		return dst
	}
	start := len(dst)
	dst = append(dst, sealOpen...)
	c.hash.Write(dst[start:])
	start = len(dst)
	dst = append(append(dst, c.seal()...), sealClose...)
	c.hash.Write(dst[start:])
	c.open, c.unsealed = false, 0
	return dst
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
	sum    [3]byte
	sealed bool
}

// read yields the lines of a journal after checking each against the chain, by a
// goroutine of its own. A torn last line, or the lines before it that lack its seal,
// are the mark of a crash and end it quietly; c and *end then stand behind the last
// sealed line. Anything else that is wrong is a [*DamageError].
func read(path string, r io.Reader, c *chain, end *int64) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		var rec record // one for all, as it escapes
		var broken error
		var began time.Time // the session
		n, more := 0, true
		relay.Run(func(pass func([]byte) ([]byte, bool)) {
			broken = c.follow(path, r, pass)
		}, func(lines []byte) bool {
			for raw := range bytes.Lines(lines) {
				n++
				rec = record{offset: *end, size: len(raw), sum: sumOf(raw)}
				_, rec.sealed = sealOf(raw)
				what := decode(raw, began, &rec.line)
				if rec.Event == eventSession {
					began = rec.At
				}
				if what != "" {
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
// not what the chain says. Lines without a seal wait for the one that has it.
func (c *chain) follow(path string, r io.Reader, pass func([]byte) ([]byte, bool)) (err error) {
	var lines []byte
	n, whole, more := 0, 0, true
	for raw, wrong := range split(path, r) {
		if err = wrong; err != nil || raw[len(raw)-1] != '\n' {
			break
		}
		n++
		sealed, what := c.check(lines[whole:], raw)
		if what != "" {
			err = &DamageError{path, n, what}
			break
		}
		if lines = append(lines, raw...); !sealed {
			continue
		}
		if whole = len(lines); whole >= passSize {
			if lines, more = pass(lines); !more {
				return nil
			}
			whole = 0
		}
	}
	pass(lines[:whole])
	return err
}

// check advances the chain over one line, if it is sealed, and those before it that
// are not. It says what is wrong.
func (c *chain) check(unsealed, raw []byte) (seals bool, what string) {
	body, seals := sealOf(raw)
	switch {
	case !seals && (body >= 0 || c.format < briefFormat || !isBrief(raw)):
		return false, "this is not a whole line"
	case !seals && len(unsealed) > maxGroup:
		return false, fmt.Sprintf("no line of the last %d bytes has a SHA-256", len(unsealed))
	case !seals:
		return false, ""
	}
	sum := body + len(sealOpen)
	c.hash.Write(unsealed)
	c.hash.Write(raw[:sum])
	if !bytes.Equal(c.seal(), raw[sum:sum+sumLen]) {
		return true, "the SHA-256 does not match what stands before it"
	}
	c.hash.Write(raw[sum:])
	if bytes.HasPrefix(raw, []byte(sessionOpen)) {
		var l line
		if decode(raw, time.Time{}, &l) == "" { // else it is for who reads the line to say
			c.enter(&l)
		}
	}
	return true, ""
}

// sessionOpen is what the line of a session begins with.
const sessionOpen = `{"event":"` + eventSession + `"`

// sealOf reports whether a line is sealed, and where its seal begins; -1 if it has not
// even the beginning of one.
func sealOf(raw []byte) (body int, ok bool) {
	body = len(raw) - sealLen
	if body < 1 || !bytes.HasPrefix(raw[body:], []byte(sealOpen)) {
		return -1, false
	}
	return body, bytes.HasSuffix(raw, []byte(sealClose))
}
