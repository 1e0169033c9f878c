// Package evidence seals the record of a run into one file, and finds out whether
// a byte of it was changed.
//
// A bundle is a zip that any program can unpack. Its first member, manifest.json,
// lists all others with their SHA-256, says where the journal's chain of hashes
// ends, and what program sealed it. There is nothing in a bundle but these members:
// [Open] compares each byte of them, and finds what stands before, between or behind
// them. So whatever was changed is found, and named, by any later version as well.
//
// Who can write the file could still make all of it anew. Against that helps what
// is out of their reach: the SHA-256 of the bundle, noted elsewhere, or the key of
// a signature. The member manifest.json.sig is one as ssh-keygen -Y makes them, in
// the namespace file:
//
//	ssh-keygen -Y verify -f allowed_signers -I ann@example.com -n file -s manifest.json.sig < manifest.json
package evidence

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/crypto/ssh"
)

// The members of a bundle that are not of the run.
const (
	ManifestFile  = "manifest.json"
	SignatureFile = "manifest.json.sig"
)

// format is that of the bundle. A newer one is refused.
const format = 1

// A Manifest says what a bundle holds.
type Manifest struct {
	Format   int       `json:"format"`
	SealedAt time.Time `json:"sealed_at"` // by the clock of who sealed it
	Tool     Tool      `json:"tool"`      // that sealed it
	Run      string    `json:"run"`       // name of the run directory
	State    string    `json:"state"`     // finished, or open: a resume would find something to do
	Journal  Head      `json:"journal"`

	Pseudonyms *Pseudonyms `json:"pseudonyms,omitempty"` // nil if usernames are as they were
	SignedBy   string      `json:"signed_by,omitzero"`   // fingerprint of the key; "" if the bundle is not signed

	Files []File `json:"files"` // sorted by name
}

// A Tool is a program as its build knows it.
type Tool struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitzero"` // of its source
	Modified bool   `json:"modified,omitzero"` // the source was not as that revision has it
	Go       string `json:"go"`
}

// Holds reports whether a file of the bundle has a content of that SHA-256.
func (m Manifest) Holds(name string, sum []byte) bool {
	return slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == name && f.SHA256 == hex.EncodeToString(sum) })
}

// A Head is where a journal's chain of hashes ends.
type Head struct {
	Lines  int64  `json:"lines"`
	SHA256 string `json:"sha256"` // that the last line carries; "" if there is none
}

// Pseudonyms say of a bundle without usernames what it was made of.
type Pseudonyms struct {
	Key     string   `json:"key"`                // tells keys apart
	Journal Head     `json:"journal"`            // of the journal with usernames; the SHA-256 is replaced as usernames are
	LeftOut []string `json:"left_out,omitempty"` // files of the run
}

// A File is a member of a bundle.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	CRC32  uint32 `json:"crc32"` // which a zip wants
	Packed Packed `json:"packed"`
}

// Packed is a file's content as it stands in the zip, deflated.
type Packed struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// encode is the manifest as it stands in the bundle: the only way to write it.
func (m Manifest) encode() ([]byte, error) {
	text, err := json.Marshal(m, jsontext.WithIndent("  "), json.Deterministic(true))
	return append(text, '\n'), err
}

// A Member is a file to seal.
type Member struct {
	Name  string
	Write func(io.Writer) error // may be called while others are
}

// An Output is a file of this machine that is written. [*os.File] is one.
type Output interface {
	io.Writer
	Name() string
}

// Write seals members into an empty file. It completes the manifest, in which only
// they, the format and the signer are missing. The signer may be nil. What is sealed passes once
// through further files beside the first, never through memory. The members are written
// side by side, from several goroutines. The same members and manifest make the same
// bytes, and so does the same key if it is an Ed25519 one.
func Write(f Output, m Manifest, signer ssh.Signer, members ...Member) (err error) {
	members = slices.SortedFunc(slices.Values(members), func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	spool, err := spoolBeside(f.Name(), len(members))
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, spool.remove()) }()
	m.Files = make([]File, len(members))
	if err := sideBySide(len(members), func(i int) (err error) {
		m.Files[i], err = members[i].pack(spool[i])
		return err
	}); err != nil {
		return err
	}
	if m.Format = format; signer != nil {
		m.SignedBy = ssh.FingerprintSHA256(signer.PublicKey())
	}
	b := layout{files: m.Files}
	if b.packed, err = spool.contents(); err != nil {
		return err
	}
	if b.manifest, err = m.encode(); err != nil {
		return err
	}
	if signer != nil {
		if b.signature, err = sign(b.manifest, signer); err != nil {
			return err
		}
	}
	return b.write(f)
}

func sumOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// A meter takes the measure of what is written to it.
type meter struct {
	bytes int64
	sum   hash.Hash
	crc   uint32
}

func newMeter() *meter { return &meter{sum: sha256.New()} }

func (m *meter) Write(p []byte) (int, error) {
	m.bytes += int64(len(p))
	m.crc = crc32.Update(m.crc, crc32.IEEETable, p)
	return m.sum.Write(p)
}

// file is that of a content, given its packed form.
func (m *meter) file(name string, packed *meter) File {
	return File{name, m.bytes, sumOf(m.sum), m.crc, Packed{packed.bytes, sumOf(packed.sum)}}
}

// A layout is what a bundle is written from.
type layout struct {
	manifest  []byte
	signature []byte // nil without one
	files     []File
	packed    io.Reader // the files' packed contents, one behind the other
}

const (
	// firstDate is that of every member: 1980-01-01, the first that a zip knows.
	firstDate = 1<<5 | 1

	// sizesFollow is the flag of a member whose sizes stand behind its content:
	// there a zip has room for more than 4 GiB.
	sizesFollow = 0x8
)

// write writes the bundle.
func (b *layout) write(w io.Writer) error {
	zw := zip.NewWriter(w)
	add := func(h zip.FileHeader, content io.Reader) error {
		h.ModifiedDate = firstDate //lint:ignore SA1019 a raw member takes its date in no other way
		if h.ReaderVersion = 20; max(h.CompressedSize64, h.UncompressedSize64) > math.MaxUint32-1 {
			h.ReaderVersion = 45
		}
		h.SetMode(0o600)
		member, err := zw.CreateRaw(&h)
		if err != nil {
			return err
		}
		_, err = io.Copy(member, content)
		return err
	}
	store := func(name string, text []byte) error {
		size := uint64(len(text))
		return add(zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(text), CompressedSize64: size, UncompressedSize64: size}, bytes.NewReader(text))
	}
	if err := store(ManifestFile, b.manifest); err != nil {
		return err
	}
	if b.signature != nil {
		if err := store(SignatureFile, b.signature); err != nil {
			return err
		}
	}
	for _, f := range b.files {
		h := zip.FileHeader{Name: f.Name, Method: zip.Deflate, Flags: sizesFollow, CRC32: f.CRC32, CompressedSize64: uint64(f.Packed.Bytes), UncompressedSize64: uint64(f.Bytes)}
		if err := add(h, io.LimitReader(b.packed, f.Packed.Bytes)); err != nil {
			return err
		}
	}
	return zw.Close()
}
