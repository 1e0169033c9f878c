package roster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// maxWindow is the memory in bytes that a zstd archive may ask for, as much as
// the zstd command allows by itself.
const maxWindow = 128 << 20

// sniffed is how many bytes tell an archive and an encoding.
const sniffed = 4

// unpack looks into a gzip or zstd archive, which it knows by its first bytes.
// Archives back to back are one.
func unpack(r *bufio.Reader) (*bufio.Reader, error) {
	head, err := r.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var unpacked io.Reader
	kind := ""
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		kind = "gzip"
		unpacked, err = gzip.NewReader(r)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		bytes.HasPrefix(head, []byte{0x50, 0x2a, 0x4d, 0x18}): // what pzstd begins with
		kind = "zstd"
		unpacked, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	default:
		return r, nil
	}
	if err != nil {
		return nil, archiveError(kind, err)
	}
	return bufio.NewReaderSize(&archive{unpacked, kind}, maxLine), nil
}

// An archive says in its errors that it is one.
type archive struct {
	io.Reader
	kind string
}

func (a *archive) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = archiveError(a.kind, err)
	}
	return n, err
}

func archiveError(kind string, err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("the %s archive is cut short: fetch it again", kind)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return fmt.Errorf("unpacking it takes more than %d MiB of memory: unpack it first, with zstd -d --long=31", maxWindow>>20)
	}
	return fmt.Errorf("as a %s archive: %w", kind, err)
}

// decode turns text into UTF-8. What a BOM says holds before name, which is
// one of the WHATWG Encoding Standard or "". It reports whether the text came
// in another encoding, so that U+FFFD in it stands for what could not be
// decoded.
func decode(r *bufio.Reader, name string) (_ *bufio.Reader, decoded bool, err error) {
	head, err := r.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	from := utf16Of(head)
	if from == nil && name != "" && !bytes.HasPrefix(head, utf8BOM) {
		if from, err = htmlindex.Get(name); err != nil {
			return nil, false, fmt.Errorf("encoding %q is not known: use one such as windows-1252, utf-16le or shift_jis", name)
		}
	}
	if from == nil || from == unicode.UTF8 {
		return r, false, nil
	}
	return bufio.NewReaderSize(transform.NewReader(r, from.NewDecoder()), maxLine), true, nil
}

// utf16Of tells UTF-16 by its BOM or, without one, by one byte of each of the
// first two pairs being NUL, as it is where a text begins in ASCII.
func utf16Of(head []byte) encoding.Encoding {
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) {
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)
	}
	if len(head) < 4 {
		return nil
	}
	switch [4]bool{head[0] == 0, head[1] == 0, head[2] == 0, head[3] == 0} {
	case [4]bool{false, true, false, true}:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case [4]bool{true, false, true, false}:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}
