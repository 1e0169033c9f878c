// Package names holds very many usernames in little memory.
package names

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// A Set numbers the usernames added to it. It holds no name, but 128 bits of a
// SHA-256 with a random key of its own: 27 to 33 bytes a name, however long that is.
//
// Two names are one for it if these bits are the same. The probability that two of
// ten million names share them is 2^-82, less than that of a wrong bit in memory.
// Someone who makes up names cannot do better without the key. The zero value is empty.
type Set struct {
	// Fold, if set before the first Add, says what counts as equal: usernames
	// that it maps to the same string are one.
	Fold func(string) string

	key   [keySize]byte
	parts []part // by the first byte of the hash
	names int
}

const (
	keySize = 16

	// allParts is how many tables there are. Each grows by itself, so that what
	// growing takes meanwhile is a part of the whole.
	allParts = 256
)

// A part is a table with open addressing. Its names stand in the order of their
// hashes, as far as the hashes that meet allow, so that growing passes over it once.
type part struct {
	slots []slot
	used  int
}

// A slot holds number+1, so that zero is free.
type slot struct {
	hash   [16]byte
	number uint32
}

// Len is how many usernames were added.
func (s *Set) Len() int { return s.names }

// Add returns the username's number, and whether it is new. Names are numbered from 0,
// in the order of adding.
func (s *Set) Add(username string) (number int, added bool) {
	return s.Put(username, s.names)
}

// Put does what [Set.Add] does, with a number of the caller's choice for a name that is
// new: from 0, and less than 2^32-1.
func (s *Set) Put(username string, number int) (first int, added bool) {
	if s.parts == nil {
		s.parts = make([]part, allParts)
		rand.Read(s.key[:]) // which never fails
	}
	hash := s.hash(username)
	p := &s.parts[hash[0]]
	if 4*(p.used+1) > 3*len(p.slots) {
		p.grow()
	}
	at := p.probe(hash)
	if found := p.slots[at].number; found != 0 {
		return int(found) - 1, false
	}
	p.slots[at] = slot{hash, uint32(number) + 1}
	p.used++
	s.names++
	return number, true
}

// Find returns the number of a username, if it was added.
func (s *Set) Find(username string) (number int, ok bool) {
	if s.parts == nil {
		return 0, false
	}
	hash := s.hash(username)
	p := &s.parts[hash[0]]
	if p.slots == nil {
		return 0, false
	}
	number = int(p.slots[p.probe(hash)].number) - 1
	return number, number >= 0
}

func (s *Set) hash(username string) [16]byte {
	if s.Fold != nil {
		username = s.Fold(username)
	}
	var text [keySize + 128]byte // which most names fit into
	sum := sha256.Sum256(append(append(text[:0], s.key[:]...), username...))
	return [16]byte(sum[:16])
}

// home is where a hash belongs in a table of n slots: the higher, the further down.
func home(hash *[16]byte, n int) int {
	high, _ := bits.Mul64(binary.BigEndian.Uint64(hash[1:]), uint64(n)) // hash[0] names the part
	return int(high)
}

// probe finds the slot that holds a hash, or the free one where it belongs.
func (p *part) probe(hash [16]byte) int {
	for at := home(&hash, len(p.slots)); ; {
		if sl := &p.slots[at]; sl.number == 0 || sl.hash == hash {
			return at
		}
		if at++; at == len(p.slots) {
			at = 0
		}
	}
}

// grow makes room for a quarter more.
func (p *part) grow() {
	old := p.slots
	p.slots = make([]slot, max(8, len(old)+len(old)/4))
	for i := range old {
		if old[i].number != 0 {
			p.slots[p.probe(old[i].hash)] = old[i]
		}
	}
}
