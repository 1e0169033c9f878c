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

func TestSetTellsLongNamesApart(t *testing.T) {
	var s Set
	long := strings.Repeat("x", 600)
	for i, name := range []string{long, long + "y", long[:599], long[:256], long[:240]} {
		if id, added := s.Add(name); id != i || !added {
			t.Errorf("%d bytes: %d, %t", len(name), id, added)
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
