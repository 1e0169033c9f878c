package names

import (
	"fmt"
	"strings"
	"testing"
)

func TestSetNumbersNamesInOrderAndFindsThemAgain(t *testing.T) {
	var s Set
	const n = 10_000
	for range 2 { // the second time nothing is new
		for i := range n {
			before := s.Len()
			id, added := s.Add(fmt.Sprint("user", i))
			if id != i || added != (before == i) {
				t.Fatalf("Add(user%d) = %d, %t", i, id, added)
			}
		}
	}
	for i := range n {
		if id, ok := s.Find(fmt.Sprint("user", i)); id != i || !ok {
			t.Fatalf("Find(user%d) = %d, %t", i, id, ok)
		}
	}
	for _, absent := range []string{"", "user", "user10000", "User1"} {
		if _, ok := s.Find(absent); ok {
			t.Errorf("Find(%q) found it", absent)
		}
	}
}

func TestSetFoldsWhatThePoolCountsAsEqual(t *testing.T) {
	s := Set{Fold: strings.ToLower}
	s.Add("Alice")
	if _, added := s.Add("aLICE"); added {
		t.Error("aLICE is new beside Alice")
	}
}

func TestEmptySetFindsNothing(t *testing.T) {
	if _, ok := new(Set).Find("alice"); ok {
		t.Error("found")
	}
}

func BenchmarkSet(b *testing.B) {
	for b.Loop() {
		var s Set
		for i := range 1_000_000 {
			s.Add(fmt.Sprintf("user-%015d", i))
		}
	}
}

// A set that holds no names must find each again, and take none for another, while its
// tables grow and their ends meet their beginnings.
func TestSetTellsNamesApartThatItDoesNotHold(t *testing.T) {
	var s Set
	const n = 200_000
	for i := range n {
		if first, added := s.Put(fmt.Sprint(i), 2*i); first != 2*i || !added {
			t.Fatalf("%d is %d, %t", i, first, added)
		}
	}
	for i := range 2 * n {
		found, ok := s.Find(fmt.Sprint(i))
		if ok != (i < n) || ok && found != 2*i {
			t.Fatalf("%d is %d, %t", i, found, ok)
		}
	}
	if first, added := s.Put("7", 1); first != 14 || added {
		t.Errorf("7 came as %d, %t", first, added)
	}
	if s.Len() != n {
		t.Errorf("it has %d names", s.Len())
	}
}

func TestANameLongerThanMostIsToldApartByItsEnd(t *testing.T) {
	var s Set
	long := strings.Repeat("x", 1000)
	for i := range 100 {
		if _, added := s.Add(fmt.Sprint(long, i)); !added {
			t.Errorf("%d is taken for another", i)
		}
	}
}
