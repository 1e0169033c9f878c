package evidence

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/klauspost/compress/flate"
	"golang.org/x/crypto/ssh"
)

// An AlteredError is a bundle that is not as it was sealed.
type AlteredError struct {
	Part string // a member, or a part of the zip itself
	What string // is wrong with it
}

func (e *AlteredError) Error() string { return e.Part + ": " + e.What }

// A Bundle is one of which no byte was changed, as far as the bundle itself can
// tell.
type Bundle struct {
	Manifest Manifest
	SHA256   string        // of the whole bundle
	Signer   ssh.PublicKey // whose signature is good, whoever that may be; nil if it is not signed

	file    io.ReaderAt
	offsets map[string]int64 // of the files' packed contents
}

// Open reads all of a bundle of so many bytes, and compares it with what follows
// from its manifest. It returns an [*AlteredError] for what it finds.
func Open(file io.ReaderAt, size int64) (*Bundle, error) {
	b := &Bundle{file: file, offsets: make(map[string]int64)}
	text, next, err := b.stored(ManifestFile, 0)
	if err != nil {
		return nil, err
	}
	if b.Manifest, err = decode(text); err != nil {
		return nil, err
	}
	l := layout{manifest: text, files: b.Manifest.Files}
	if b.Manifest.SignedBy != "" {
		if l.signature, _, err = b.stored(SignatureFile, next); err != nil {
			return nil, err
		}
		if b.Signer, err = verify(text, l.signature, b.Manifest.SignedBy); err != nil {
			return nil, &AlteredError{SignatureFile, err.Error()}
		}
	}
	same := &mirror{file: file, whole: newMeter()}
	l.part = func(part string) { same.part = part }
	l.content = func(f File, offset int64) (io.Reader, error) {
		b.offsets[f.Name] = offset
		return b.packed(f), b.measure(f)
	}
	if err := l.write(same); err != nil {
		return nil, b.repacked(err, size)
	}
	if extra := size - same.whole.bytes; extra > 0 {
		return nil, &AlteredError{"the zip's end", fmt.Sprintf("%d bytes were added behind it", extra)}
	}
	b.SHA256 = sumOf(same.whole.sum)
	return b, nil
}

// The most bytes of a member that is held in memory, and where a zip's header has
// what is needed to find its content.
const (
	mostStored = 1 << 20

	headerLen = 30
	crcAt     = 14
	sizeAt    = 18
)

// stored reads a member that is not packed, whose header is at an offset, and
// tells where the next begins.
func (b *Bundle) stored(name string, offset int64) (text []byte, next int64, err error) {
	header := make([]byte, headerLen+len(name))
	if _, err := b.file.ReadAt(header, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	if !bytes.HasPrefix(header, []byte("PK\x03\x04")) || string(header[headerLen:]) != name {
		return nil, 0, &AlteredError{"the zip's own bytes before " + name, "they were changed, or this is not a bundle of evidence"}
	}
	size := binary.LittleEndian.Uint32(header[sizeAt:])
	if size > mostStored {
		return nil, 0, &AlteredError{"the zip's own bytes before " + name, fmt.Sprintf("they were changed: they tell of %d bytes", size)}
	}
	offset += int64(len(header))
	text = make([]byte, size)
	if _, err := b.file.ReadAt(text, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	content := newMeter()
	content.Write(text)
	if content.crc != binary.LittleEndian.Uint32(header[crcAt:]) {
		return nil, 0, &AlteredError{name, "it was changed, or was cut short: it does not match the checksum before it"}
	}
	return text, offset + int64(size), nil
}

// decode reads a manifest, of which every byte must be as this package writes it.
func decode(text []byte) (m Manifest, err error) {
	var known struct {
		Format int  `json:"format"`
		Tool   Tool `json:"tool"`
		Rest   any  `json:",unknown"`
	}
	if err := json.Unmarshal(text, &known); err == nil && known.Format > format {
		return m, fmt.Errorf("it was sealed by cognito-reset %s in format %d, and this program knows %d: check it with that version or a newer one", known.Tool.Version, known.Format, format)
	}
	if err := json.Unmarshal(text, &m, json.RejectUnknownMembers(true)); err != nil {
		return m, &AlteredError{ManifestFile, "it was changed: " + err.Error()}
	}
	whole, err := m.encode()
	if err != nil {
		return m, err
	}
	if !bytes.Equal(text, whole) || m.Format != format {
		return m, &AlteredError{ManifestFile, "it was changed: it is not as this program writes it"}
	}
	for i, f := range m.Files {
		if f.Bytes < 0 || f.Packed.Bytes < 0 || f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name) ||
			f.Name == ManifestFile || f.Name == SignatureFile || i > 0 && m.Files[i-1].Name >= f.Name {
			return m, &AlteredError{ManifestFile, fmt.Sprintf("it was changed: there can be no file %q in its place", f.Name)}
		}
	}
	return m, nil
}

// packed is a file's content as it stands in the zip.
func (b *Bundle) packed(f File) *io.SectionReader {
	return io.NewSectionReader(b.file, b.offsets[f.Name], f.Packed.Bytes)
}

// measure compares a file's content with the manifest.
func (b *Bundle) measure(f File) error {
	packed, content := newMeter(), newMeter()
	r := io.TeeReader(b.packed(f), packed)
	inflate := flate.NewReader(r)
	_, wrong := io.Copy(content, io.LimitReader(inflate, f.Bytes+1))
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	if content.file(f.Name, packed) == f && wrong == nil {
		return nil
	}
	first := b.offsets[f.Name]
	return &AlteredError{f.Name, fmt.Sprintf("it was changed: bytes %d to %d of the bundle are not what %s says of it", first, first+f.Packed.Bytes-1, ManifestFile)}
}

// repacked adds to an error what is said by the zip's directory, if it can be
// read: the members may be others.
func (b *Bundle) repacked(err error, size int64) error {
	altered, ok := errors.AsType[*AlteredError](err)
	if !ok {
		return err
	}
	directory, err := zip.NewReader(b.file, size)
	if err != nil {
		return altered
	}
	want := map[string]int{ManifestFile: 1}
	if b.Signer != nil {
		want[SignatureFile] = 1
	}
	for _, f := range b.Manifest.Files {
		want[f.Name] = 1
	}
	for _, f := range directory.File {
		want[f.Name]--
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch n := want[name]; {
		case n > 0:
			altered.What += "; " + name + " is missing"
		case n < 0:
			altered.What += fmt.Sprintf("; %q was added", name)
		}
	}
	return altered
}

// A mirror is written what a file should hold, and fails where it does not.
type mirror struct {
	file  io.ReaderAt
	part  string // that the next bytes belong to
	whole *meter
	found []byte
}

func (m *mirror) Write(p []byte) (int, error) {
	m.found = slices.Grow(m.found[:0], len(p))[:len(p)]
	n, err := m.file.ReadAt(m.found, m.whole.bytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	for i := range n {
		if m.found[i] != p[i] {
			return 0, &AlteredError{m.part, fmt.Sprintf("changed at byte %d of the bundle", m.whole.bytes+int64(i))}
		}
	}
	if n < len(p) {
		return 0, &AlteredError{m.part, fmt.Sprintf("the bundle was cut short: it ends at byte %d", m.whole.bytes+int64(n))}
	}
	return m.whole.Write(p)
}

// Has reports whether a file is in the bundle.
func (b *Bundle) Has(name string) bool { _, ok := b.offsets[name]; return ok }

// Copy writes a file's content.
func (b *Bundle) Copy(w io.Writer, name string) error {
	r, err := b.content(name)
	if err == nil {
		_, err = io.Copy(w, r)
	}
	return err
}

func (b *Bundle) content(name string) (io.Reader, error) {
	for _, f := range b.Manifest.Files {
		if f.Name == name {
			return flate.NewReader(b.packed(f)), nil
		}
	}
	return nil, &AlteredError{name, "it is not in the bundle"}
}

// Compare finds out whether a file holds what render writes, and returns an
// [*AlteredError] with the first line that is different.
func (b *Bundle) Compare(name string, render func(io.Writer) error) error {
	r, err := b.content(name)
	if err != nil {
		return err
	}
	c := &comparison{name: name, file: r, line: 1}
	if err := render(c); err != nil {
		return cmp.Or(c.differs, err)
	}
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return c.differ("the record has no such line")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// A comparison is written what a file should hold, line by line.
type comparison struct {
	name    string
	file    io.Reader
	line    int // 1-based
	found   []byte
	differs error
}

func (c *comparison) differ(what string) error {
	c.differs = &AlteredError{c.name, fmt.Sprintf("line %d is not what the record says: %s", c.line, what)}
	return c.differs
}

func (c *comparison) Write(p []byte) (int, error) {
	c.found = slices.Grow(c.found[:0], len(p))[:len(p)]
	n, err := io.ReadFull(c.file, c.found)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	for i := range n {
		if c.found[i] != p[i] {
			return 0, c.differ("it says something else")
		}
		if p[i] == '\n' {
			c.line++
		}
	}
	if n < len(p) {
		return 0, c.differ("the file ends before")
	}
	return n, nil
}
