package evidence

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func text(name, content string) Member {
	return Member{name, func(w io.Writer) error { _, err := io.WriteString(w, content); return err }}
}

var manifest = Manifest{
	SealedAt: time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC), Tool: Tool{Version: "v1.2.3", Go: "go1.26"}, Run: "breach", State: "finished",
	Journal: Head{2, strings.Repeat("0f", 32)},
}

// key signs alike each time.
func key(t testing.TB) ssh.Signer {
	t.Helper()
	return signerOf(t, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
}

func signerOf(t testing.TB, key crypto.Signer) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// sealed is a small bundle.
func sealed(t testing.TB, signer ssh.Signer) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "bundle.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(f, manifest, signer,
		text("run.json", "{}\n"), text("journal.jsonl", strings.Repeat("promised\nsettled\n", 40)), text("report.csv", "row,username\n1,ann\n2,ben\n"), text("empty.csv", ""),
	); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(f.Name()), "*.tmp")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	bundle, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func open(bundle []byte) (*Bundle, error) { return Open(bytes.NewReader(bundle), int64(len(bundle))) }

func TestABundleIsWholeAndAnyUnzipReadsIt(t *testing.T) {
	for _, signer := range []ssh.Signer{nil, key(t)} {
		bundle := sealed(t, signer)
		if again := sealed(t, signer); !bytes.Equal(bundle, again) {
			t.Error("the same run makes other bytes")
		}
		b, err := open(bundle)
		if err != nil {
			t.Fatal(err)
		}
		if (b.Signer != nil) != (signer != nil) || b.Manifest.Run != "breach" {
			t.Errorf("it says %+v, signed by %v", b.Manifest, b.Signer)
		}
		r, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			content, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			var whole, ours bytes.Buffer
			if _, err := io.Copy(&whole, content); err != nil { // which compares the checksum
				t.Errorf("%s: %v", f.Name, err)
			}
			if f.Name == ManifestFile || f.Name == SignatureFile {
				continue
			}
			if err := b.Copy(&ours, f.Name); err != nil || ours.String() != whole.String() {
				t.Errorf("%s holds %q, and here %q, %v", f.Name, &whole, &ours, err)
			}
		}
	}
}

// altered is what is found of a bundle that is not whole.
func altered(t *testing.T, bundle []byte, what string) *AlteredError {
	t.Helper()
	_, err := open(bundle)
	found, ok := errors.AsType[*AlteredError](err)
	if !ok {
		t.Fatalf("%s: found %v", what, err)
	}
	return found
}

// contents is what any unzip makes of a bundle.
func contents(t testing.TB, bundle []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	members := make(map[string]string)
	for _, f := range r.File {
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := io.ReadAll(content)
		if _, again := members[f.Name]; err != nil || again {
			t.Fatalf("%s: %v, there before: %v", f.Name, err, again)
		}
		members[f.Name] = string(whole)
	}
	return members
}

// A date, say, in a header is nobody's evidence, and may be another.
func TestOneByteChangedInAFileIsFoundAndNamedAndElsewhereChangesNothing(t *testing.T) {
	bundle := sealed(t, key(t))
	r, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	whole, found := contents(t, bundle), 0
	for at := range bundle {
		want := ""
		for _, f := range r.File {
			if first, err := f.DataOffset(); err != nil {
				t.Fatal(err)
			} else if int64(at) >= first && int64(at) < first+int64(f.CompressedSize64) {
				want = f.Name
			}
		}
		change := byte(1 + mathrand.IntN(255))
		bundle[at] ^= change
		_, err := open(bundle)
		altered, isAltered := errors.AsType[*AlteredError](err)
		switch {
		case err == nil && want == "":
			if got := contents(t, bundle); !maps.Equal(got, whole) {
				t.Errorf("byte %d changed by %#x: it holds %v", at, change, got)
			}
		case !isAltered || want != "" && altered.Part != want:
			t.Errorf("byte %d, in %q, changed by %#x: found %v", at, want, change, err)
		default:
			found++
		}
		bundle[at] ^= change
	}
	if found < len(bundle)*4/5 {
		t.Errorf("%d of %d changes were found", found, len(bundle))
	}
}

func TestWhatIsCutOffOrAddedIsFound(t *testing.T) {
	bundle := sealed(t, key(t))
	for size := range bundle {
		altered(t, bundle[:size], fmt.Sprintf("cut to %d bytes", size))
	}
	if found := altered(t, append(bundle, 0), "a byte more"); !strings.Contains(found.What, "1 bytes were added") {
		t.Errorf("found %v", found)
	}
	comment := append(bytes.Clone(bundle), "a comment"...)
	binary.LittleEndian.PutUint16(comment[len(bundle)-2:], uint16(len("a comment")))
	if _, err := zip.NewReader(bytes.NewReader(comment), int64(len(comment))); err != nil {
		t.Fatal(err)
	}
	if found := altered(t, comment, "a comment"); !strings.Contains(found.What, "9 bytes were added") {
		t.Errorf("found %v", found)
	}
}

// repack makes a zip of the members of another.
func repack(t *testing.T, bundle []byte, order func([]*zip.File) []*zip.File, rename map[string]string) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range order(r.File) {
		h := f.FileHeader
		if name, ok := rename[f.Name]; ok {
			h.Name = name
		}
		raw, err := f.OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		to, err := w.CreateRaw(&h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(to, raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMembersThatAreNotThoseOfTheManifestAreNamed(t *testing.T) {
	bundle := sealed(t, nil) // manifest, empty, journal, report, run
	if _, err := open(repack(t, bundle, func(f []*zip.File) []*zip.File { return f }, nil)); err != nil {
		t.Fatalf("the same, packed again: %v", err)
	}
	if _, err := open(repack(t, bundle, func(f []*zip.File) []*zip.File { f[3], f[4] = f[4], f[3]; return f }, nil)); err != nil {
		t.Fatalf("the same, in another order: %v", err)
	}
	for name, test := range map[string]struct {
		order  func([]*zip.File) []*zip.File
		rename map[string]string
		want   string
	}{
		"removed":   {func(f []*zip.File) []*zip.File { return append(f[:3:3], f[4:]...) }, nil, "report.csv is missing"},
		"extra":     {func(f []*zip.File) []*zip.File { return append(f, f[1]) }, map[string]string{"empty.csv": "more.csv"}, `"more.csv" was added`},
		"duplicate": {func(f []*zip.File) []*zip.File { return append(f, f[3]) }, nil, `"report.csv" was added`},
		"exchanged": {func(f []*zip.File) []*zip.File { f[3], f[4] = f[4], f[3]; return f }, map[string]string{"report.csv": "run.json", "run.json": "report.csv"}, "report.csv: it was changed"},
		"manifest":  {func(f []*zip.File) []*zip.File { return f[1:] }, nil, "manifest.json: it is missing"},
	} {
		if found := altered(t, repack(t, bundle, test.order, test.rename), name); !strings.Contains(found.Error(), test.want) {
			t.Errorf("%s: found %v, not %s", name, found, test.want)
		}
	}
}

func TestASignatureIsOfThisManifestAlone(t *testing.T) {
	bundle := sealed(t, key(t))
	b, err := open(bundle)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := b.text(ManifestFile)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := b.text(SignatureFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(manifest, signature, b.Manifest.SignedBy); err != nil {
		t.Fatal(err)
	}
	for what, wrong := range map[string][]byte{
		"none":           nil,
		"other bytes":    append(bytes.Clone(signature), '\n'),
		"of another key": mustSign(t, manifest, signerOf(t, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))),
		"of other bytes": mustSign(t, append(manifest, ' '), key(t)),
	} {
		if _, err := verify(manifest, wrong, b.Manifest.SignedBy); err == nil {
			t.Errorf("a signature that is %s was good", what)
		}
	}
}

func mustSign(t *testing.T, text []byte, signer ssh.Signer) []byte {
	t.Helper()
	signature, err := sign(text, signer)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestOpenSSHVerifiesTheSignatures(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("ssh-keygen, to verify the signatures with, is not here")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, signer := range []ssh.Signer{key(t), signerOf(t, other)} {
		dir := t.TempDir()
		allowed := fmt.Sprintf("ann@example.com namespaces=\"file\" %s", ssh.MarshalAuthorizedKey(signer.PublicKey()))
		for name, content := range map[string]string{"allowed": allowed, "manifest": "{}\n", "signature": string(mustSign(t, []byte("{}\n"), signer))} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(keygen, "-Y", "verify", "-f", "allowed", "-I", "ann@example.com", "-n", "file", "-s", "signature")
		cmd.Dir, cmd.Stdin = dir, strings.NewReader("{}\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", signer.PublicKey().Type(), err, out)
		}
		signers, err := ParseSigners([]byte("# ours\n\n" + allowed))
		if err != nil {
			t.Fatal(err)
		}
		if who, trusted := signers.Find(signer.PublicKey()); !trusted || who != "ann@example.com" {
			t.Errorf("its signer is %q, trusted %v", who, trusted)
		}
	}
}

func TestSignersAreTrustedOnlyForFiles(t *testing.T) {
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key(t).PublicKey())))
	for text, who := range map[string]string{
		public + " ann":                           "ann",
		"ben " + public:                           "ben",
		`ben namespaces="git,file" ` + public:     "ben",
		`ben namespaces="*" ` + public:            "ben",
		`ben namespaces="!file,*" ` + public:      "refused",
		`ben namespaces="*,!fi?e" ` + public:      "refused",
		`ben namespaces="!git,file" ` + public:    "ben",
		`ben namespaces="git" ` + public:          "refused",
		`ben cert-authority ` + public:            "refused",
		`ben valid-before="20260101" ` + public:   "refused",
		"":                                        "refused",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3": "refused",
	} {
		signers, err := ParseSigners([]byte(text + "\n"))
		found, trusted := signers.Find(key(t).PublicKey())
		if (err != nil) != (who == "refused") || err == nil && (!trusted || found != who) {
			t.Errorf("%q: %q, %v, %v", text, found, trusted, err)
		}
	}
	signers, err := ParseSigners([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	if _, trusted := signers.Find(signerOf(t, ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))).PublicKey()); trusted {
		t.Error("another key is trusted")
	}
}

func TestALineThatTheRecordDoesNotSayIsNamed(t *testing.T) {
	b, err := open(sealed(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for rendered, want := range map[string]string{
		"row,username\n1,ann\n2,ben\n":        "",
		"row,username\n1,ann\n2,zoe\n":        "report.csv: line 3 is not what the record says",
		"row,username\n1,ann\n":               "report.csv: line 3 is not",
		"row,username\n1,ann\n2,ben\n3,cid\n": "report.csv: line 4 is not",
	} {
		err := b.Compare("report.csv", func(w io.Writer) error { _, err := io.WriteString(w, rendered); return err })
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: %v, not %s", rendered, err, want)
		}
	}
}

func TestAKeyIsMadeOnceAndKeptPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if _, err := ReadKey(path); err == nil {
		t.Error("a key was read that is not there")
	}
	first, err := OpenKey(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenKey(path)
	if err != nil || again != first {
		t.Errorf("opened again it is another: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its file has mode %v, %v", info.Mode(), err)
	}
	// printf ann | openssl dgst -sha256 -mac HMAC -macopt hexkey:00…
	if got := (Key{}).User("ann"); got != "78352bae17eb6789b087bccad1370630a54d2ac28874e5be281538683767823c" {
		t.Errorf("ann is %s", got)
	}
	if err := os.WriteFile(path, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKey(path); err == nil {
		t.Error("a short key was taken")
	}
}

// The bundle of an earlier version: whoever has one must be able to check it.
func TestABundleOfAnEarlierVersionIsStillWhole(t *testing.T) {
	bundle, err := os.ReadFile("testdata/v1.zip")
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(bundle)
	if err != nil {
		t.Fatal(err)
	}
	if got := ssh.FingerprintSHA256(b.Signer); got != ssh.FingerprintSHA256(key(t).PublicKey()) {
		t.Errorf("it was signed by %s", got)
	}
}

// Bytes that are hidden between two members are shown by some programs and not by others.
func TestBytesBetweenTheMembersAreFound(t *testing.T) {
	bundle, hidden := sealed(t, nil), "hidden"
	end := len(bundle) - endSize
	directory := int(binary.LittleEndian.Uint32(bundle[end+16:]))
	for at := directory; at < end; {
		entry := bundle[at:]
		offset := int(binary.LittleEndian.Uint32(entry[42:])) // of the member, before which the bytes go
		moved := slices.Concat(bundle[:offset], []byte(hidden), bundle[offset:])
		later := moved[len(hidden):]
		binary.LittleEndian.PutUint32(later[end+16:], uint32(directory+len(hidden)))
		for at := directory; at < end; at += entrySize + int(binary.LittleEndian.Uint16(later[at+28:])) {
			if start := binary.LittleEndian.Uint32(later[at+42:]); int(start) >= offset {
				binary.LittleEndian.PutUint32(later[at+42:], start+uint32(len(hidden)))
			}
		}
		if got := contents(t, moved); !maps.Equal(got, contents(t, bundle)) {
			t.Fatalf("unzipped it is %v", got)
		}
		altered(t, moved, "bytes between members")
		at += entrySize + int(binary.LittleEndian.Uint16(entry[28:]))
	}
}

func FuzzOtherBytesThatAreABundleHoldTheSame(f *testing.F) {
	var wholes []map[string]string
	for _, bundle := range [][]byte{sealed(f, nil), sealed(f, key(f))} {
		wholes = append(wholes, contents(f, bundle))
		f.Add(bundle)
		f.Add(bundle[:len(bundle)/2])
		f.Add(append([]byte("PK\x03\x04"), bundle...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := open(data); err != nil {
			return
		}
		got := contents(t, data)
		if !slices.ContainsFunc(wholes, func(whole map[string]string) bool { return maps.Equal(got, whole) }) {
			t.Errorf("these bytes are a bundle: %v", got)
		}
	})
}

func TestTheKeysOfAnIdentity(t *testing.T) {
	key, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	signers, err := ParseSigners([]byte("ann@example.com,*@audit.example.com,!eve@audit.example.com " + string(ssh.MarshalAuthorizedKey(key.PublicKey()))))
	if err != nil {
		t.Fatal(err)
	}
	for identity, want := range map[string]int{"ann@example.com": 1, "bob@audit.example.com": 1, "eve@audit.example.com": 0, "bob@example.com": 0, "": 0} {
		if got := signers.Of(identity); len(got) != want {
			t.Errorf("%q has %d keys, not %d", identity, len(got), want)
		}
	}
}
