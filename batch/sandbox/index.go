package sandbox

import (
	"slices"
	"strings"
)

// The attributes that users are kept in the order of.
const (
	bySub = iota
	byUsername
	byEmail
	byPhone
	attributes
)

// An index is the users in the order of one attribute. It is brought up to
// date when somebody asks, so that filling a pool costs no sorting.
type index struct {
	key    func(*record) string
	sorted []*record
	seen   int // how many of Pool.users are in it; -1 if none can be trusted
}

// newIndexes makes the indexes that filters find users by, values being compared
// after fold.
func newIndexes(fold func(string) string) [attributes]index {
	var x [attributes]index
	x[bySub].key = func(r *record) string { return fold(r.Sub) }
	x[byUsername].key = func(r *record) string { return fold(r.Username) }
	x[byEmail].key = func(r *record) string { return fold(r.Email) }
	x[byPhone].key = func(r *record) string { return r.Phone }
	return x
}

func (x *index) compare(a, b *record) int {
	if c := strings.Compare(x.key(a), x.key(b)); c != 0 {
		return c
	}
	if c := strings.Compare(a.Sub, b.Sub); c != 0 {
		return c
	}
	return strings.Compare(a.Username, b.Username)
}

// reindex makes the indexes anew when they are next needed: a user went, or an
// attribute changed.
func (p *Pool) reindex() {
	for i := range p.indexes {
		p.indexes[i].seen = -1
	}
}

// ordered is all users in the order of an attribute. It is good until the lock
// is let go.
func (p *Pool) ordered(attribute int) []*record {
	const few = 64 // fewer newcomers are put in their places one by one
	x := &p.indexes[attribute]
	if x.seen < 0 || len(p.users)-x.seen > few {
		x.sorted = slices.Clone(p.users)
		slices.SortFunc(x.sorted, x.compare)
	} else {
		for _, r := range p.users[x.seen:] {
			at, _ := slices.BinarySearchFunc(x.sorted, r, x.compare)
			x.sorted = slices.Insert(x.sorted, at, r)
		}
	}
	x.seen = len(p.users)
	return x.sorted
}

// withPrefix is the users whose attribute begins with prefix, in order.
func (p *Pool) withPrefix(attribute int, prefix string) []*record {
	key := p.indexes[attribute].key
	return p.span(attribute, prefix, func(r *record) bool { return strings.HasPrefix(key(r), prefix) })
}

// equal is the users whose attribute is value, as filters compare.
func (p *Pool) equal(attribute int, value string) []*record {
	key := p.indexes[attribute].key
	value = p.filterFold(value)
	return p.span(attribute, value, func(r *record) bool { return key(r) == value })
}

// span is the users from the first whose attribute is not less than from, as
// long as they belong.
func (p *Pool) span(attribute int, from string, belongs func(*record) bool) []*record {
	all := p.ordered(attribute)
	key := p.indexes[attribute].key
	start, _ := slices.BinarySearchFunc(all, from, func(r *record, from string) int {
		return strings.Compare(key(r), from)
	})
	n, _ := slices.BinarySearchFunc(all[start:], true, func(r *record, _ bool) int {
		if belongs(r) {
			return -1
		}
		return 1
	})
	return all[start : start+n]
}
