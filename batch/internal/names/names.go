// Package names holds very many usernames in little memory.
package names

import (
	"bytes"
	"hash/maphash"
)

// A Set numbers the usernames added to it, from 0, in the order of adding. It
// compares them whole, so there are no false hits. A username costs its own
// bytes, 4 of an offset and up to 16 of the table. The zero value is empty.
type Set struct {
	// Fold, if set before the first Add, says what counts as equal: usernames
	// that it maps to the same string are one.
	Fold func(string) string

	seed   maphash.Seed
	table  []slot   // open addressing; its length is a power of two
	ends   []uint32 // where the name of an id ends in its chunk
	chunks [][]byte // names back to back, chunkIDs of them in each
}

// A slot holds id+1, so that zero is free, beside part of the hash, so that a
// probe seldom has to look at the names and growing never does.
type slot struct{ id, hash uint32 }

// chunkIDs is how many names share a chunk: growing one copies little.
const chunkIDs = 1 << 10

// Len is how many usernames were added.
func (s *Set) Len() int { return len(s.ends) }

// Add returns the username's number, and whether it is new.
func (s *Set) Add(username string) (id int, added bool) {
	if s.table == nil {
		s.seed = maphash.MakeSeed()
	}
	if 4*(len(s.ends)+1) > 3*len(s.table) {
		s.grow()
	}
	name, hash := s.key(username)
	at := s.probe(name, hash)
	if s.table[at].id != 0 {
		return int(s.table[at].id) - 1, false
	}
	id = len(s.ends)
	if id%chunkIDs == 0 {
		if n := len(s.chunks); n > 0 {
			s.chunks[n-1] = bytes.Clone(s.chunks[n-1]) // without the room that growing left
		}
		s.chunks = append(s.chunks, nil)
	}
	chunk := &s.chunks[id/chunkIDs]
	*chunk = append(*chunk, name...)
	s.ends = append(s.ends, uint32(len(*chunk)))
	s.table[at] = slot{uint32(id) + 1, hash}
	return id, true
}

// Find returns the number of a username, if it was added.
func (s *Set) Find(username string) (id int, ok bool) {
	if s.table == nil {
		return 0, false
	}
	name, hash := s.key(username)
	id = int(s.table[s.probe(name, hash)].id) - 1
	return id, id >= 0
}

func (s *Set) key(username string) (name string, hash uint32) {
	if s.Fold != nil {
		username = s.Fold(username)
	}
	return username, uint32(maphash.String(s.seed, username))
}

// probe finds the slot that holds name, or the free one where it belongs.
func (s *Set) probe(name string, hash uint32) int {
	mask := len(s.table) - 1
	for at := int(hash) & mask; ; at = (at + 1) & mask {
		sl := s.table[at]
		if sl.id == 0 || sl.hash == hash && string(s.name(int(sl.id)-1)) == name {
			return at
		}
	}
}

func (s *Set) name(id int) []byte {
	start := uint32(0)
	if id%chunkIDs != 0 {
		start = s.ends[id-1]
	}
	return s.chunks[id/chunkIDs][start:s.ends[id]]
}

func (s *Set) grow() {
	old := s.table
	s.table = make([]slot, max(64, 2*len(old)))
	mask := len(s.table) - 1
	for _, sl := range old {
		if sl.id == 0 {
			continue
		}
		at := int(sl.hash) & mask
		for s.table[at].id != 0 {
			at = (at + 1) & mask
		}
		s.table[at] = sl
	}
}
