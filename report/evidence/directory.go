package evidence

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// The parts of a zip that are not a member's content, and their sizes.
const (
	headerMark     = "PK\x03\x04" // before each member
	headerSize     = 30
	descriptorMark = "PK\x07\x08" // behind the content of a member whose flag is sizesFollow
	entryMark      = "PK\x01\x02" // of the directory
	entrySize      = 46
	endSize        = 22      // of the directory's end
	largeEndSize   = 56 + 20 // before it, in a zip above 4 GiB
	largeExtra     = 4 + 3*8 // of an entry, in such a zip
)

// The directory's name in errors.
const atItsEnd = "the zip's directory, at its end,"

// found makes an [*AlteredError] of an error that a part of a zip is read with,
// unless it is the file that cannot be read.
func found(part string, err error) error {
	for _, format := range []error{zip.ErrFormat, zip.ErrAlgorithm, zip.ErrChecksum, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, format) {
			return &AlteredError{part, "it was changed, or was cut short, or is not a bundle of evidence"}
		}
	}
	return err
}

// readDirectory lists the members of a zip, which must fill it from the first byte to
// the last: then nothing is in it that one program shows and another does not.
func readDirectory(file io.ReaderAt, size int64) ([]*zip.File, error) {
	w := walk{file: io.NewSectionReader(file, 0, size)}
	directory, err := zip.NewReader(w.file, size)
	if err != nil {
		return nil, found(atItsEnd, err)
	}
	for _, f := range directory.File {
		if err := w.member(f); err != nil {
			return nil, found("the zip's own bytes at "+f.Name, err)
		}
	}
	for _, f := range directory.File {
		if err := w.entry(f); err != nil {
			return nil, found(atItsEnd, err)
		}
	}
	switch left := size - w.at; {
	case left == endSize, left == endSize+largeEndSize:
		return directory.File, nil
	case left > endSize:
		return nil, &AlteredError{"the zip's end", fmt.Sprintf("%d bytes were added behind it", left-endSize)}
	}
	return nil, found(atItsEnd, zip.ErrFormat)
}

// A walk goes through a zip's bytes in their order.
type walk struct {
	file io.ReaderAt
	at   int64
}

// next reads so many bytes, which begin with a mark.
func (w *walk) next(mark string, size int) ([]byte, error) {
	text := make([]byte, size)
	n, err := w.file.ReadAt(text, w.at)
	if n < size {
		return nil, err
	}
	if !bytes.HasPrefix(text, []byte(mark)) {
		return nil, zip.ErrFormat
	}
	w.at += int64(size)
	return text, nil
}

// member passes one with its header, which says what the directory says.
func (w *walk) member(f *zip.File) error {
	header, err := w.next(headerMark, headerSize+len(f.Name))
	if err != nil {
		return err
	}
	first, err := f.DataOffset()
	if err != nil {
		return err
	}
	if first != w.at || string(header[headerSize:]) != f.Name || !f.Mode().IsRegular() ||
		binary.LittleEndian.Uint16(header[6:]) != f.Flags || binary.LittleEndian.Uint16(header[8:]) != f.Method ||
		f.CompressedSize64 > math.MaxInt64-uint64(first) {
		return zip.ErrFormat
	}
	w.at += int64(f.CompressedSize64)
	sums := binary.LittleEndian.AppendUint32(nil, f.CRC32)
	large := max(f.CompressedSize64, f.UncompressedSize64) >= math.MaxUint32
	for _, size := range []uint64{f.CompressedSize64, f.UncompressedSize64} {
		if large {
			sums = binary.LittleEndian.AppendUint64(sums, size)
		} else {
			sums = binary.LittleEndian.AppendUint32(sums, uint32(size))
		}
	}
	found := header[14:][:12]
	if f.Flags&sizesFollow != 0 {
		if found, err = w.next(descriptorMark, len(descriptorMark)+len(sums)); err != nil {
			return err
		}
		found = found[len(descriptorMark):]
	}
	if !bytes.Equal(found, sums) {
		return zip.ErrFormat
	}
	return nil
}

// entry passes one of the directory, which holds nothing of its own.
func (w *walk) entry(f *zip.File) error {
	entry, err := w.next(entryMark, entrySize+len(f.Name)+len(f.Extra))
	if err == nil && (string(entry[entrySize:][:len(f.Name)]) != f.Name || f.Comment != "" || len(f.Extra) > largeExtra) {
		err = zip.ErrFormat
	}
	return err
}
