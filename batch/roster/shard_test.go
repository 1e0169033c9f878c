package roster

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"cognito-reset/batch"
)

// The part that a username falls to never changes: shards of different versions
// may work side by side.
func TestAUsernameFallsToTheSameShardForever(t *testing.T) {
	for username, want := range map[string]int{
		"alice": 8, "ALICE": 8, "bob": 3, "jörg": 7, "JÖRG": 7, "user-0000001": 8, "0190a7e6-7a9b-7b1c-8d2e-3f4a5b6c7d8e": 5,
	} {
		got := 0
		for i := 1; i <= 8; i++ {
			if (Shard{i, 8}).Has(username) {
				got = i
			}
		}
		if got != want {
			t.Errorf("%s falls to %d, not %d", username, got, want)
		}
	}
}

func TestEachRowFallsToOneShardWhateverTheOrder(t *testing.T) {
	var all []batch.Entry
	for i := range 4000 {
		e := batch.Entry{Row: int64(i + 1), Username: fmt.Sprintf("User-%d", i)}
		if i%100 == 7 {
			e.Username, e.Outcome, e.Reason = "", batch.Invalid, batch.EmptyUsername
		}
		all = append(all, e)
	}
	shuffled := slices.Clone(all)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for count := 1; count <= 9; count++ {
		fell := make(map[int64]int)
		for index := 1; index <= count; index++ {
			s := Shard{index, count}
			n := 0
			for _, e := range entriesOf(t, s.Entries(inSequence(all))) {
				fell[e.Row]++
				n++
			}
			if want := len(all) / count; n < want*8/10 || n > want*12/10 {
				t.Errorf("%s has %d of %d rows", s, n, len(all))
			}
			if again := entriesOf(t, s.Entries(inSequence(shuffled))); len(again) != n {
				t.Errorf("%s has %d rows in another order, not %d", s, len(again), n)
			}
		}
		for row, n := range fell {
			if n != 1 {
				t.Fatalf("of %d shards, row %d falls to %d", count, row, n)
			}
		}
		if len(fell) != len(all) {
			t.Errorf("%d shards have %d rows of %d", count, len(fell), len(all))
		}
	}
}

func TestParseShard(t *testing.T) {
	for text, want := range map[string]Shard{"1/1": {1, 1}, "3/8": {3, 8}, "8/8": {8, 8}} {
		if got, err := ParseShard(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "3", "0/8", "9/8", "-1/8", "3/8x", "03/8", "3 / 8", "a/b", "1/0"} {
		if got, err := ParseShard(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func inSequence(all []batch.Entry) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func entriesOf(t *testing.T, entries iter.Seq2[batch.Entry, error]) (all []batch.Entry) {
	t.Helper()
	for e, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}
