package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A dimension is a question that a run answers in one of several ways. The first
// way is the everyday one.
type dimension []string

// A combination is one way for each dimension, by its number.
type combination []int

// A tuple is ways of some dimensions that meet in one run; -1 is a dimension that
// does not matter.
type tuple [8]int8

// covering chooses combinations in which every strength ways of different
// dimensions meet at least once, unless two of them are refused. It returns them
// with the number of tuples that they cover. The same dimensions give the same
// combinations.
func covering(dimensions []dimension, strength int, refused func(dim1, way1, dim2, way2 int) bool) (runs []combination, covered int) {
	random := rand.New(rand.NewPCG(1, 2))
	missing := tuples(dimensions, strength, refused)
	covered = len(missing)
	for len(missing) > 0 {
		best, most := combination(nil), 0
		for range 8 {
			run := complete(dimensions, anyOf(missing), missing, strength, refused, random)
			if run == nil {
				continue
			}
			if n := count(run, missing, strength); n > most {
				best, most = run, n
			}
		}
		if best == nil { // two ways meet, but no run has room for both
			t := anyOf(missing)
			delete(missing, t)
			covered--
			continue
		}
		for t := range within(best, strength) {
			delete(missing, t)
		}
		runs = append(runs, best)
	}
	return runs, covered
}

// tuples are all that can meet.
func tuples(dimensions []dimension, strength int, refused func(int, int, int, int) bool) map[tuple]bool {
	all := make(map[tuple]bool)
	var extend func(t tuple, from, left int)
	extend = func(t tuple, from, left int) {
		if left == 0 {
			all[t] = true
			return
		}
		for d := from; d <= len(dimensions)-left; d++ {
			for way := range dimensions[d] {
				if fits(t, d, way, refused) {
					longer := t
					longer[d] = int8(way)
					extend(longer, d+1, left-1)
				}
			}
		}
	}
	extend(none(), 0, strength)
	return all
}

func none() (t tuple) {
	for i := range t {
		t[i] = -1
	}
	return t
}

// fits reports whether a way goes with all others of a tuple.
func fits(t tuple, d, way int, refused func(int, int, int, int) bool) bool {
	for other, w := range t {
		if w >= 0 && other != d && (refused(other, int(w), d, way) || refused(d, way, other, int(w))) {
			return false
		}
	}
	return true
}

// anyOf is the first of the tuples, in an order of their own.
func anyOf(missing map[tuple]bool) tuple {
	return slices.MinFunc(slices.Collect(maps.Keys(missing)), func(a, b tuple) int { return slices.Compare(a[:], b[:]) })
}

// complete makes a run of a tuple: in each other dimension the way by which most
// is covered that was missing. It is nil if no run has the tuple.
func complete(dimensions []dimension, t tuple, missing map[tuple]bool, strength int, refused func(int, int, int, int) bool, random *rand.Rand) combination {
	for _, d := range random.Perm(len(dimensions)) {
		if t[d] >= 0 {
			continue
		}
		best, most := -1, -1
		for _, way := range random.Perm(len(dimensions[d])) {
			if !fits(t, d, way, refused) {
				continue
			}
			longer := t
			longer[d] = int8(way)
			if n := gain(longer, d, missing, strength); n > most {
				best, most = way, n
			}
		}
		if best < 0 {
			return nil
		}
		t[d] = int8(best)
	}
	run := make(combination, len(dimensions))
	for d := range run {
		run[d] = int(t[d])
	}
	return run
}

// gain counts the missing tuples that a dimension of a partial run covers.
func gain(t tuple, d int, missing map[tuple]bool, strength int) (n int) {
	part := make(combination, len(t))
	for i, way := range t {
		part[i] = int(way)
	}
	for sub := range within(part, strength) {
		if sub[d] >= 0 && missing[sub] {
			n++
		}
	}
	return n
}

func count(run combination, missing map[tuple]bool, strength int) (n int) {
	for t := range within(run, strength) {
		if missing[t] {
			n++
		}
	}
	return n
}

// within yields the tuples of a run, which may be a partial one.
func within(run combination, strength int) func(func(tuple) bool) {
	return func(yield func(tuple) bool) {
		var extend func(t tuple, from, left int) bool
		extend = func(t tuple, from, left int) bool {
			if left == 0 {
				return yield(t)
			}
			for d := from; d <= len(run)-left; d++ {
				if run[d] >= 0 {
					longer := t
					longer[d] = int8(run[d])
					if !extend(longer, d+1, left-1) {
						return false
					}
				}
			}
			return true
		}
		extend(none(), 0, strength)
	}
}

// A covering set has every pair that is not refused, no refused one, and fewer
// runs than there are combinations.
func TestCoveringHasEveryPairThatIsNotRefused(t *testing.T) {
	dimensions := []dimension{{"a", "b", "c"}, {"d", "e"}, {"f", "g", "h", "i"}, {"j", "k"}}
	refused := func(d1, w1, d2, w2 int) bool { return d1 == 0 && w1 == 2 && d2 == 2 && w2 == 3 }
	runs, covered := covering(dimensions, 2, refused)
	seen := make(map[string]bool)
	for _, run := range runs {
		for i := range run {
			for j := range i {
				seen[fmt.Sprint(j, run[j], i, run[i])] = true
			}
		}
	}
	want := 0
	for i := range dimensions {
		for j := range i {
			for wi := range dimensions[i] {
				for wj := range dimensions[j] {
					pair := fmt.Sprint(j, wj, i, wi)
					if refused(j, wj, i, wi) {
						if seen[pair] {
							t.Errorf("%s is refused, and in a run", pair)
						}
						continue
					}
					if want++; !seen[pair] {
						t.Errorf("%s is in no run", pair)
					}
				}
			}
		}
	}
	if covered != want || len(runs) > 20 {
		t.Errorf("%d of %d pairs in %d runs", covered, want, len(runs))
	}
}

// names are the ways of a run that are not the everyday ones.
func (c combination) names(dimensions []dimension) string {
	var words []string
	for d, way := range c {
		if d == 0 || way > 0 {
			words = append(words, dimensions[d][way])
		}
	}
	return strings.Join(words, "+")
}
