package evidence

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Whatever allowed_signers hold, a key is trusted only if its line has it, and no line
// with an option that is not known here is taken for one without.
func FuzzSigners(f *testing.F) {
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key(f).PublicKey())))
	for _, text := range []string{
		public, "ann@example.com " + public, "*@example.com,!bob@example.com namespaces=\"file\" " + public,
		"ann namespaces=\"!file,*\" " + public, "ann cert-authority " + public, "ann valid-before=\"20200101\" " + public,
		"# " + public, "a" + strings.Repeat("*a", 200) + " " + public, "\"a b\" " + public, "ann NAMESPACES=\"FILE\" " + public, "ann namespaces=\"a\",namespaces=\"file\" " + public,
	} {
		f.Add(text, "ann@example.com")
	}
	f.Fuzz(func(t *testing.T, text, identity string) {
		signers, err := ParseSigners([]byte(text))
		if err != nil {
			return
		}
		if len(signers) == 0 {
			t.Error("it is no error that nobody may sign")
		}
		for _, s := range signers {
			if _, trusted := signers.Find(s.key); !trusted {
				t.Errorf("the key of %q is not trusted", s.who)
			}
		}
		for _, s := range signers.Of(identity) {
			if !matches(s.who, identity) {
				t.Errorf("%q is taken for %q", s.who, identity)
			}
		}
		for line := range strings.Lines(text) {
			for _, option := range []string{"cert-authority", "valid-after", "valid-before", "verify-required"} {
				fields := strings.Fields(line)
				if len(fields) > 2 && fields[1] == option && !strings.HasPrefix(fields[0], "#") && !strings.ContainsAny(fields[0], "\"\\") {
					t.Errorf("%q is taken", line)
				}
			}
		}
	})
}

// A bomb is packed zeros without an end. It fails once more was read than any manifest of
// these tests allows.
type bomb struct {
	block []byte
	left  io.Reader
	read  int64
}

func (b *bomb) Read(p []byte) (n int, err error) {
	if n, err = b.left.Read(p); n == 0 {
		b.left = bytes.NewReader(b.block)
		n, err = b.left.Read(p)
	}
	if b.read += int64(n); b.read > 64<<20 {
		return 0, errors.New("the bomb went off")
	}
	return n, err
}

// A bundle of a few bytes may unpack to gigabytes: no more is packed out than its
// manifest says, whatever comes.
func TestABundleThatUnpacksWithoutAnEndIsRefusedAtWhatItsManifestSays(t *testing.T) {
	var block bytes.Buffer
	w, err := flate.NewWriter(&block, flate.BestCompression)
	if err == nil {
		_, err = w.Write(make([]byte, 1<<20))
	}
	if err == nil {
		err = w.Flush() // and no end
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []File{
		{Name: "report.csv", Bytes: 100, Packed: Packed{Bytes: 1 << 50}},
		{Name: "report.csv", Bytes: 100, Packed: Packed{Bytes: 100}},
		{Name: "report.csv", Bytes: 1 << 50, Packed: Packed{Bytes: 100}},
	} {
		endless := &bomb{block: block.Bytes(), left: bytes.NewReader(block.Bytes())}
		err := f.measure(endless)
		if _, ok := errors.AsType[*AlteredError](err); !ok || endless.read > 1<<20 && f.Packed.Bytes == 100 {
			t.Errorf("%+v: %v after %d bytes", f, err, endless.read)
		}
	}
}
