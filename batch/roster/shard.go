package roster

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"cognito-reset/batch"
)

// A Shard is one of several equal parts of an input, for runs side by side. Each
// row falls to exactly one of them, whatever the order of the input. The zero
// value is the whole.
type Shard struct {
	Index int `json:"index"` // from 1
	Count int `json:"count"`
}

// ParseShard reads INDEX/COUNT, such as 3/8.
func ParseShard(text string) (s Shard, err error) {
	n, err := fmt.Sscanf(text, "%d/%d", &s.Index, &s.Count)
	if err != nil || n != 2 || s.String() != text || s.Index < 1 || s.Index > s.Count {
		return Shard{}, fmt.Errorf("%q is not a shard: write INDEX/COUNT, from 1/8 to 8/8", text)
	}
	return s, nil
}

// String is the shard as ParseShard reads it.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Count) }

// Of is this shard's part of a quantity that all shards share.
func (s Shard) Of(whole float64) float64 { return whole / float64(max(s.Count, 1)) }

// Has reports whether a user falls to the shard: the first 8 bytes of the SHA-256 of
// the username in lower case, as a big-endian number, leave Index-1 when they are
// divided by Count. Letters count as alike on every pool, so that nobody is in
// two shards whichever way the pool compares them.
func (s Shard) Has(username string) bool {
	sum := sha256.Sum256([]byte(strings.ToLower(username)))
	return s.has(binary.BigEndian.Uint64(sum[:8]))
}

func (s Shard) has(number uint64) bool {
	return s.Count == 0 || number%uint64(s.Count) == uint64(s.Index-1)
}

// Entries passes on the shard's own entries. A row that gives no username falls
// to a shard by its number.
func (s Shard) Entries(entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	if s.Count == 0 {
		return entries
	}
	return func(yield func(batch.Entry, error) bool) {
		for e, err := range entries {
			own := s.Has(e.Username)
			if e.Username == "" {
				own = s.has(uint64(e.Row - 1))
			}
			if (own || err != nil) && !yield(e, err) {
				return
			}
		}
	}
}
