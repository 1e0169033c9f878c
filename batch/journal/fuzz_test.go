package journal

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch"
)

// Whatever mark.json holds, a mark that is believed is one that a run could have
// written, and of two it is the one that reaches further.
func FuzzMark(f *testing.F) {
	seal := func(m Mark) []byte {
		slot, err := m.seal()
		if err != nil {
			f.Fatal(err)
		}
		return slot
	}
	one, two := seal(Mark{Lines: 1, Bytes: 100, Head: "ab"}), seal(Mark{Lines: 2, Bytes: 200, Place: "7 of 9"})
	f.Add(one)
	f.Add(append(bytes.Clone(one), two...))
	f.Add(append(bytes.Clone(two), one[:300]...))
	f.Add(bytes.Repeat([]byte(" "), 3*slotSize))
	d := &Dir{Path: f.TempDir()}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(d.File(MarkFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		m, ok, err := d.mark()
		if ok != (err == nil) {
			t.Fatalf("found %t, %v", ok, err)
		}
		if !ok {
			return
		}
		reached := false
		for slot := range slices.Chunk(text, slotSize) {
			other, whole := unseal(slot)
			if whole && other.Bytes > m.Bytes {
				t.Errorf("%+v is believed, and there is %+v", m, other)
			}
			reached = reached || whole && other == m
		}
		if !reached {
			t.Errorf("%+v is in no slot", m)
		}
	})
}

// An action that says megabytes of a user, wherever, stops no run: it is kept shortly.
func TestWhatAnActionSaysIsJournaledShortly(t *testing.T) {
	d, long := newRun(t, "alice"), strings.Repeat("\x01", 2<<20)
	session(t, d, func(j *Journal) error {
		return errors.Join(
			j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}),
			j.WriteResult(batch.Result{Row: 1, Username: "alice", Outcome: batch.Failed, Reason: batch.Other, ErrorCode: long, ErrorMessage: long, RequestID: long}),
		)
	})
	if text := journalOf(t, d); len(text) > maxLine {
		t.Errorf("the journal has %d bytes", len(text))
	}
	results := collect(t, replay(t, d).Results(batch.Stopped))
	if len(results) != 1 || results[0].Outcome != batch.Failed {
		t.Errorf("%d results, the first of which is %s", len(results), results[0].Outcome)
	}
}

// Whatever the lock and holder.json hold, who holds a run is said, and shortly.
func FuzzHolder(f *testing.F) {
	f.Add([]byte(nil), []byte(`{"pid":7,"host":"a","since":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte("process 7 on a since 2026-01-02T03:04:05Z"), []byte(nil))
	f.Add(bytes.Repeat([]byte("é"), 200), []byte(nil))
	f.Add([]byte(nil), append(append([]byte(`{"pid":7,"host":"`), bytes.Repeat([]byte("é"), 200)...), `"}`...))
	f.Add([]byte(nil), bytes.Repeat([]byte("["), 200))
	d := &Dir{Path: f.TempDir()}
	f.Fuzz(func(t *testing.T, lock, holder []byte) {
		for name, text := range map[string][]byte{LockFile: lock, HolderFile: holder} {
			if err := os.WriteFile(d.File(name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if who := d.Holder(); who == "" || len(who) > longestHolder+len("…") {
			t.Errorf("the holder is %d bytes: %q", len(who), who)
		}
	})
}
