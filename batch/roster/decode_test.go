package roster

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"
)

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t testing.TB, text string, options ...zstd.EOption) string {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, options...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func utf16(t testing.TB, text string, endian unicode.Endianness, bom unicode.BOMPolicy) string {
	t.Helper()
	s, err := unicode.UTF16(endian, bom).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestArchivesAndEncodingsAreKnownByTheirContent(t *testing.T) {
	const text = "username;note\njörg;x\n𝒶lice;ÿĀ\n"
	little, big := unicode.LittleEndian, unicode.BigEndian
	for name, stored := range map[string]string{
		"gzip":                  gzipped(t, text),
		"gzip, two members":     gzipped(t, text[:20]) + gzipped(t, text[20:]),
		"zstd":                  zstandard(t, text),
		"zstd, two frames":      zstandard(t, text[:20]) + zstandard(t, text[20:]),
		"zstd of pzstd":         "\x50\x2a\x4d\x18\x04\x00\x00\x00\x10\x00\x00\x00" + zstandard(t, text),
		"UTF-16 LE":             utf16(t, text, little, unicode.UseBOM),
		"UTF-16 BE":             utf16(t, text, big, unicode.UseBOM),
		"UTF-16 LE, no BOM":     utf16(t, text, little, unicode.IgnoreBOM),
		"UTF-16 BE, no BOM":     utf16(t, text, big, unicode.IgnoreBOM),
		"UTF-16 in an archive":  gzipped(t, utf16(t, text, little, unicode.UseBOM)),
		"UTF-8 with a BOM in a": zstandard(t, "\ufeff"+text),
	} {
		got, err := read(t, stored, Options{Name: "users"})
		if want := []string{"jörg", "𝒶lice"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestTheNameOfAnArchiveTellsItsFormat(t *testing.T) {
	for name, want := range map[string]Format{"users.csv.gz": CSV, "users.jsonl.zst": JSONL, "USERS.JSONL.GZ": JSONL} {
		r, err := Open(strings.NewReader(gzipped(t, "\"username\"\n\"alice\"\n")), Options{Name: name})
		if err != nil || r.Format != want {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

// Wherever an archive is cut, that is an error.
func TestACutArchiveIsNeverAShorterList(t *testing.T) {
	text := "username\n" + strings.Repeat("alice\nbob\n", 20)
	for kind, stored := range map[string]string{"gzip": gzipped(t, text), "zstd": zstandard(t, text)} {
		for size := 4; size < len(stored); size++ {
			_, err := read(t, stored[:size], Options{Name: "users"})
			if err == nil || !strings.Contains(err.Error(), "users") || !strings.Contains(err.Error(), kind+" archive") {
				t.Fatalf("%d of %d bytes of %s: %v", size, len(stored), kind, err)
			}
		}
		damaged := []byte(stored)
		damaged[len(damaged)-3] ^= 1
		if _, err := read(t, string(damaged), Options{Name: "users"}); err == nil {
			t.Errorf("a damaged %s archive was read", kind)
		}
		if _, err := read(t, stored+"more", Options{Name: "users"}); err == nil {
			t.Errorf("a %s archive with other bytes behind it was read", kind)
		}
	}
}

func TestAnArchiveThatWantsTooMuchMemoryIsRefused(t *testing.T) {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithWindowSize(2*maxWindow))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "username\nalice\n")
	w.Flush() // so that the frame does not say how little it holds
	w.Close()
	if _, err := read(t, b.String(), Options{Name: "users"}); err == nil || !strings.Contains(err.Error(), "zstd -d --long=31") {
		t.Errorf("%v", err)
	}
}

func TestHalfACharacterOfUTF16IsNotLost(t *testing.T) {
	text := utf16(t, "username\nalice\nbob", unicode.LittleEndian, unicode.UseBOM)
	for _, stored := range []string{text + "x", text + "\x00\xd8"} {
		got, err := read(t, stored, Options{Name: "users"})
		if want := []string{"alice", "!malformed_row"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v", got, err)
		}
	}
}
