package userpool

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"cognito-reset/batch"
)

// A hit is a user who has a value, or whom a name means, and what is kept of them.
type hit struct {
	Person
	username string // "" where the sub is all that matters
	place    place
	skip     batch.Reason // why the user is passed over; "" if not
}

// who tells one user from another.
func (u hit) who() string { return cmp.Or(u.username, u.Sub) }

// hits are users by the number of the value that each has. A million of them with all
// that is kept take some 110 MB as bytes, and 250 MB as strings and pointers to them.
type hits struct {
	last   []int64  // by number of a value, 1 + the address of the newest record; 0 is nobody
	leaves [][]byte // of records, one after another
	record []byte   // the next to be added
}

// leaf is how many bytes are allocated at a time, or more for one record that is longer.
// The address of a record is the number of its leaf times this, and its place in the leaf.
const leaf = 1 << 16

// add keeps a user for the value of that number. It takes no longer if a great many have
// one value, as whoever signs up may choose an address.
func (h *hits) add(number int, u hit) {
	if h.last[number] != 0 {
		newest := h.at(h.last[number])
		if same, _ := decode(newest); same.who() == u.who() {
			newest[0] = byte(min(same.place, u.place))
			return
		}
	}
	h.record = encode(h.record[:0], u, h.last[number])
	n := len(h.leaves)
	if n == 0 || len(h.leaves[n-1])+len(h.record) > leaf {
		h.leaves, n = append(h.leaves, make([]byte, 0, max(leaf, len(h.record)))), n+1
	}
	h.last[number] = 1 + int64(n-1)*leaf + int64(len(h.leaves[n-1]))
	h.leaves[n-1] = append(h.leaves[n-1], h.record...)
}

// of are the users who have the value of that number, in the order of their names: each
// once, by the first of the places that they were found at.
func (h *hits) of(number int) (users []hit) {
	for at := h.last[number]; at != 0; {
		u, before := decode(h.at(at))
		users, at = append(users, u), before
	}
	slices.SortFunc(users, func(a, b hit) int {
		return cmp.Or(strings.Compare(a.who(), b.who()), cmp.Compare(a.place, b.place))
	})
	return slices.CompactFunc(users, func(a, b hit) bool { return a.who() == b.who() })
}

// at is where a record begins, with whatever follows it.
func (h *hits) at(last int64) []byte { return h.leaves[(last-1)/leaf][(last-1)%leaf:] }

// encode appends a record: the place, which alone may change, what is true of the user,
// the record before it of the same value, and the rest.
func encode(b []byte, u hit, before int64) []byte {
	was := u.Before
	if was == nil {
		was = new(batch.Snapshot)
	}
	var facts byte
	for i, fact := range []bool{u.recent, u.Before != nil, was.Enabled, was.EmailVerified, was.PhoneVerified} {
		if fact {
			facts |= 1 << i
		}
	}
	b = binary.AppendUvarint(append(b, byte(u.place), facts), uint64(before))
	for _, text := range []string{u.username, u.Sub, string(u.skip)} {
		b = appendText(b, text)
	}
	if u.Before != nil {
		b, _ = was.ModifiedAt.AppendBinary(appendText(b, was.Status)) // which takes every time in UTC
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// timeBytes is what a time in UTC takes.
const timeBytes = 15

// decode reads a record.
func decode(b []byte) (u hit, before int64) {
	u.place = place(b[0])
	is := func(i int) bool { return b[1]&(1<<i) != 0 }
	rest := b[2:]
	number := func() int {
		n, size := binary.Uvarint(rest)
		rest = rest[size:]
		return int(n)
	}
	text := func() string {
		n := number()
		s := string(rest[:n])
		rest = rest[n:]
		return s
	}
	before = int64(number())
	u.username, u.Sub, u.skip, u.recent = text(), text(), batch.Reason(text()), is(0)
	if is(1) {
		u.Before = &batch.Snapshot{Status: text(), Enabled: is(2), EmailVerified: is(3), PhoneVerified: is(4)}
		_ = u.Before.ModifiedAt.UnmarshalBinary(rest[:timeBytes]) // as encode wrote it
	}
	return u, before
}
