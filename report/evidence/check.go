package evidence

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

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

// A Bundle is one of whose files no byte was changed, as far as the bundle itself can
// tell.
type Bundle struct {
	Manifest Manifest
	SHA256   string        // of the whole bundle
	Signer   ssh.PublicKey // whose signature is good, whoever that may be; nil if it is not signed

	members map[string]*zip.File
}

// Open reads all of a bundle of so many bytes, and compares it with its manifest. It
// returns an [*AlteredError] for what it finds.
func Open(file io.ReaderAt, size int64) (*Bundle, error) {
	whole := sha256.New()
	if _, err := io.Copy(whole, io.NewSectionReader(file, 0, size)); err != nil {
		return nil, err
	}
	directory, err := readDirectory(file, size)
	if err != nil {
		return nil, err
	}
	b := &Bundle{SHA256: sumOf(whole), members: make(map[string]*zip.File)}
	for _, f := range directory {
		b.members[f.Name] = f
	}
	text, err := b.text(ManifestFile)
	if err != nil {
		return nil, err
	}
	if b.Manifest, err = decode(text); err != nil {
		return nil, err
	}
	if err := b.Manifest.names(directory); err != nil {
		return nil, err
	}
	if b.Manifest.SignedBy != "" {
		signature, err := b.text(SignatureFile)
		if err != nil {
			return nil, err
		}
		if b.Signer, err = verify(text, signature, b.Manifest.SignedBy); err != nil {
			return nil, &AlteredError{SignatureFile, err.Error()}
		}
	}
	if err := sideBySide(len(b.Manifest.Files), func(i int) error { return b.measure(b.Manifest.Files[i]) }); err != nil {
		return nil, err
	}
	return b, nil
}

// mostStored is the most bytes of a member that is held in memory.
const mostStored = 1 << 20

// text is a member that is not packed, whole.
func (b *Bundle) text(name string) ([]byte, error) {
	f, ok := b.members[name]
	switch {
	case !ok:
		return nil, &AlteredError{name, "it is missing, or this is not a bundle of evidence"}
	case f.Method != zip.Store || f.UncompressedSize64 > mostStored:
		return nil, &AlteredError{name, "it was changed: it is packed, or larger than it can be"}
	}
	r, err := f.Open()
	if err != nil {
		return nil, found(name, err)
	}
	text, err := io.ReadAll(r) // which compares the checksum
	return text, found(name, err)
}

// names finds out whether the members are those of the manifest, each once.
func (m Manifest) names(members []*zip.File) error {
	want := map[string]int{ManifestFile: 1}
	if m.SignedBy != "" {
		want[SignatureFile] = 1
	}
	for _, f := range m.Files {
		want[f.Name] = 1
	}
	for _, f := range members {
		want[f.Name]--
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch n := want[name]; {
		case n > 0:
			wrong = append(wrong, name+" is missing")
		case n < 0:
			wrong = append(wrong, fmt.Sprintf("%q was added", name))
		}
	}
	if wrong == nil {
		return nil
	}
	return &AlteredError{"the members", strings.Join(wrong, "; ")}
}

// decode reads a manifest, which has no member twice and none that is unknown.
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
	if m.Format != format {
		return m, &AlteredError{ManifestFile, fmt.Sprintf("it was changed: there is no format %d", m.Format)}
	}
	for i, f := range m.Files {
		if f.Bytes < 0 || f.Packed.Bytes < 0 || f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name) ||
			f.Name == ManifestFile || f.Name == SignatureFile || i > 0 && m.Files[i-1].Name >= f.Name {
			return m, &AlteredError{ManifestFile, fmt.Sprintf("it was changed: there can be no file %q in its place", f.Name)}
		}
	}
	return m, nil
}

// measure compares a file's content, packed and unpacked, with the manifest.
func (b *Bundle) measure(f File) error {
	raw, err := b.members[f.Name].OpenRaw()
	if err != nil {
		return found(f.Name, err)
	}
	return f.measure(raw)
}

// measure compares a content, which may be anything, with what the manifest says of it.
// It reads no more than that, and a byte.
func (f File) measure(raw io.Reader) error {
	packed, content := newMeter(), newMeter()
	r := io.TeeReader(io.LimitReader(raw, f.Packed.Bytes+1), packed)
	_, wrong := io.Copy(content, io.LimitReader(flate.NewReader(r), f.Bytes+1))
	if wrong == nil && content.bytes == f.Bytes { // else what follows does not matter
		if _, err := io.Copy(io.Discard, r); err != nil {
			return found(f.Name, err)
		}
	}
	if content.file(f.Name, packed) == f && wrong == nil {
		return nil
	}
	return &AlteredError{f.Name, fmt.Sprintf("it was changed: its content is not what %s says of it", ManifestFile)}
}

// Has reports whether a file is in the bundle.
func (b *Bundle) Has(name string) bool { _, ok := b.members[name]; return ok }

// Copy writes a file's content.
func (b *Bundle) Copy(w io.Writer, name string) error {
	r, err := b.content(name)
	if err == nil {
		_, err = io.Copy(w, r)
	}
	return err
}

func (b *Bundle) content(name string) (io.Reader, error) {
	f, ok := b.members[name]
	if !ok {
		return nil, &AlteredError{name, "it is not in the bundle"}
	}
	raw, err := f.OpenRaw()
	return flate.NewReader(raw), err
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
	same := n
	if !bytes.Equal(c.found[:n], p[:n]) {
		for same = 0; c.found[same] == p[same]; same++ {
		}
	}
	if c.line += bytes.Count(p[:same], []byte("\n")); same < n {
		return 0, c.differ("it says something else")
	}
	if n < len(p) {
		return 0, c.differ("the file ends before")
	}
	return n, nil
}
