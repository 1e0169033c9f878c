package journal

import (
	"bytes"
	"testing"
)

// Two crashes, each in the middle of a mark, leave a mark all the same: the second
// session writes over what the first has torn.
func TestASessionWritesOverTheTornMark(t *testing.T) {
	whole, err := Mark{Lines: 7, Bytes: 700, Head: "x"}.seal()
	if err != nil {
		t.Fatal(err)
	}
	torn := bytes.Repeat([]byte("?"), slotSize)
	for want, text := range [][]byte{append(bytes.Clone(whole), torn...), append(bytes.Clone(torn), whole...)} {
		if m, slot, ok := newest(text); !ok || slot != want || m.Bytes != 700 {
			t.Errorf("the whole mark is in slot %d, and %d was found: %v", want, slot, ok)
		}
	}
}
