package roster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lines reads physical lines, ending in LF, CRLF or, where a file has no LF, CR.
type lines struct {
	name string
	r    *bufio.Reader
	end  byte   // of a line
	n    int    // of the current line, from 1
	text []byte // the current line without its end; valid until the next read
	kept bool   // the current line is yet to be used
}

// lineEnd is what lines of a text end in.
func lineEnd(head []byte) byte {
	if bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(head, '\n') < 0 {
		return '\r'
	}
	return '\n'
}

// read steps to the next line, or to the current one if that was kept.
func (l *lines) read() error {
	if l.kept {
		l.kept = false
		return nil
	}
	raw, err := l.r.ReadSlice(l.end)
	l.n++
	if errors.Is(err, bufio.ErrBufferFull) {
		return &InputError{Name: l.name, Line: l.n, What: fmt.Sprintf("the line is longer than %d KiB: is this a list of users?", maxLine>>10)}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return &InputError{Name: l.name, Line: l.n, What: "cannot be read", Err: err}
	}
	if err != nil && len(raw) == 0 {
		return io.EOF
	}
	raw = bytes.TrimPrefix(raw, utf8BOM) // which stands in the middle where files were put together
	l.text = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte{l.end}), []byte("\r"))
	return nil
}

// skipBlank steps to the next line that is not blank, and keeps it.
func (l *lines) skipBlank() error {
	for {
		if err := l.read(); err != nil {
			return err
		}
		if len(bytes.TrimSpace(l.text)) > 0 {
			l.kept = true
			return nil
		}
	}
}

// last reports whether nothing but blank lines follows, as far as can be seen
// without reading on.
func (l *lines) last() bool {
	head, err := l.r.Peek(maxLine)
	return err != nil && len(bytes.TrimSpace(head)) == 0
}
