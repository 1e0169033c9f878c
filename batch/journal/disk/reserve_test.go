package disk

import (
	"bytes"
	"errors"
	"testing"
)

// A file system that compresses, or keeps what is the same once, must find nothing to
// save in a reserve: neither within one nor between two.
func TestNoiseIsNeverTheSameTwice(t *testing.T) {
	const size = 200_001
	var one, other bytes.Buffer
	if err := errors.Join(writeNoise(&one, size), writeNoise(&other, size)); err != nil {
		t.Fatal(err)
	}
	if one.Len() != size || other.Len() != size {
		t.Fatalf("of %d bytes there are %d and %d", size, one.Len(), other.Len())
	}
	known := make(map[string]bool)
	for _, text := range [][]byte{one.Bytes(), other.Bytes()} {
		for ; len(text) >= 16; text = text[16:] {
			if known[string(text[:16])] {
				t.Fatalf("%x is there twice", text[:16])
			}
			known[string(text[:16])] = true
		}
	}
}
