// Package names holds very many usernames in little memory.
package names

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// A Set numbers the usernames added to it, from 0, in the order of adding. It
// tells them apart by 128 bits of a SHA-256 under a key that nobody knows: of
// ten million, two would be taken for one by a chance of 1 in 10^24. So a
// username of any length costs 16 bytes, and up to 11 of the table. The zero
// value is empty.
type Set struct {
	// Fold, if set before the first Add, says what counts as equal: usernames
	// that it maps to the same string are one.
	Fold func(string) string

	key     [16]byte
	table   []uint32            // open addressing, of id+1; its length is a power of two
	digests []*[chunkIDs]digest // by id
	n       int
}

type digest [16]byte

// chunkIDs is how many digests are allocated at once.
const chunkIDs = 1 << 12

// Len is how many usernames were added.
func (s *Set) Len() int { return s.n }

// Add returns the username's number, and whether it is new.
func (s *Set) Add(username string) (id int, added bool) {
	if s.table == nil {
		rand.Read(s.key[:])
	}
	if 4*(s.n+1) > 3*len(s.table) {
		s.grow()
	}
	d := s.digest(username)
	at := s.probe(d)
	if s.table[at] != 0 {
		return int(s.table[at]) - 1, false
	}
	if s.n%chunkIDs == 0 {
		s.digests = append(s.digests, new([chunkIDs]digest))
	}
	*s.of(s.n) = d
	s.n++
	s.table[at] = uint32(s.n)
	return s.n - 1, true
}

// Find returns the number of a username, if it was added.
func (s *Set) Find(username string) (id int, ok bool) {
	if s.table == nil {
		return 0, false
	}
	id = int(s.table[s.probe(s.digest(username))]) - 1
	return id, id >= 0
}

func (s *Set) digest(username string) digest {
	if s.Fold != nil {
		username = s.Fold(username)
	}
	var room [256]byte
	sum := sha256.Sum256(append(append(room[:0], s.key[:]...), username...))
	return digest(sum[:])
}

func (s *Set) of(id int) *digest { return &s.digests[id/chunkIDs][id%chunkIDs] }

// probe finds the slot that holds a digest, or the free one where it belongs.
func (s *Set) probe(d digest) int {
	mask := len(s.table) - 1
	for at := int(binary.NativeEndian.Uint32(d[:])) & mask; ; at = (at + 1) & mask {
		if id := s.table[at]; id == 0 || *s.of(int(id) - 1) == d {
			return at
		}
	}
}

// grow makes the table twice as large. The digests tell all that was in it.
func (s *Set) grow() {
	size := max(64, 2*len(s.table))
	s.table = nil // before the new one is allocated
	s.table = make([]uint32, size)
	for id := range s.n {
		s.table[s.probe(*s.of(id))] = uint32(id) + 1
	}
}
