package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

func TestARosterComesBackAsItWasSpooled(t *testing.T) {
	d := newRun(t)
	want := []batch.Entry{
		{Row: 1, Username: "alice"},
		{Row: 2, InputRow: 7, Username: "a,\"b\"\n<名前>\u2028", ClientMetadata: map[string]string{"k": "v\x00"}},
		{Row: 3, Outcome: batch.Invalid, Reason: batch.EmptyUsername, Detail: "line 4: the username is empty"},
	}
	survey := spool(t, d, func(yield func(batch.Entry, error) bool) {
		for _, e := range want {
			if !yield(e, nil) {
				return
			}
		}
	})
	if got := collect(t, d.Entries()); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	file, err := os.ReadFile(d.File(RosterFile))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(file); survey.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("the file's SHA-256 is %x, not %s", sum, survey.SHA256)
	}
}

// The line that is made by hand is the one that its type says.
func TestARowIsWrittenAsItsTypeSays(t *testing.T) {
	for _, e := range []batch.Entry{
		{Row: 1, Username: "alice", Sub: "s"},
		{Row: 2, InputRow: 7, Username: "a,\"b\"\n<名前>\u2028\xff\\&", ClientMetadata: map[string]string{"k": "v\x00\xff", "a": ""}, Kept: []string{"", "x\xff"}},
		{Row: 3, ClientMetadata: map[string]string{}, Kept: []string{}, Before: &batch.Snapshot{Status: "CONFIRMED", EmailVerified: true}},
		{Row: 4, Outcome: batch.Invalid, Reason: batch.EmptyUsername, Detail: "line 4: \"x\" \xfe"},
	} {
		want, err := json.Marshal(row{e.Row, e.InputRow, e.Username, e.Sub, e.ClientMetadata, e.Kept, e.Before, e.Outcome, e.Reason, e.Detail}, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := appendRow(nil, &e); err != nil || string(got) != string(want)+"\n" {
			t.Errorf("%s is written as %s, %v", want, got, err)
		}
	}
}

func TestAnErrorAmongTheEntriesLeavesTheRosterAsItWas(t *testing.T) {
	broken := errors.New("line 7: no comma")
	for what, entries := range map[string]iter.Seq2[batch.Entry, error]{
		"an error": func(yield func(batch.Entry, error) bool) {
			_ = yield(batch.Entry{Row: 1, Username: "alice"}, nil) && yield(batch.Entry{}, broken)
		},
		"a row left out": func(yield func(batch.Entry, error) bool) {
			_ = yield(batch.Entry{Row: 1, Username: "alice"}, nil) && yield(batch.Entry{Row: 3, Username: "bob"}, nil)
		},
		"a row too long to read back": usersOf("alice", strings.Repeat("x", maxLine)),
	} {
		d := newRun(t)
		if err := os.Remove(d.File(RosterFile)); err != nil {
			t.Fatal(err)
		}
		before := filesIn(t, d.Path)
		if _, err := d.Spool(entries); err == nil || what == "an error" && !errors.Is(err, broken) {
			t.Errorf("%s: %v", what, err)
		}
		if after := filesIn(t, d.Path); after != before {
			t.Errorf("%s: the directory held %s and holds %s", what, before, after)
		}
		spool(t, d, usersOf("carol"))
		if _, err := d.Spool(entries); err == nil {
			t.Errorf("%s is taken the second time", what)
		}
		if got := collect(t, d.Entries()); len(got) != 1 || got[0].Username != "carol" {
			t.Errorf("%s: the earlier roster is now %+v", what, got)
		}
	}
}

func TestADamagedRosterIsToldByItsLine(t *testing.T) {
	for roster, line := range map[string]int{
		`{"row":1,"username":"alice"}`:                                   1, // no newline
		"{\"row\":1}\n{\"row\":3}\n":                                     2,
		"{\"row\":1}\n\n{\"row\":2}\n":                                   2,
		"{\"row\":1}\n{\"row\":2,\"username\":\"\xff\"}\n":               2,
		"{\"row\":1}\n" + strings.Repeat(" ", maxLine) + "{\"row\":2}\n": 2,
	} {
		d := newRun(t)
		if err := os.WriteFile(d.File(RosterFile), []byte(roster), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := d.Replay()
		if damage, ok := errors.AsType[*DamageError](err); !ok || damage.Line != line || damage.Path != d.File(RosterFile) {
			t.Errorf("%.60q: %v", roster, err)
		}
	}
}

func TestARosterThatGrewAfterItWasReadIsNoticed(t *testing.T) {
	d := newRun(t, "alice")
	h := replay(t, d)
	spool(t, d, usersOf("alice", "bob"))
	for _, err := range h.Results(batch.Stopped) {
		if err != nil {
			return
		}
	}
	t.Error("nothing was noticed")
}

func TestCompareCountsWhoIsNewAndWhoIsGone(t *testing.T) {
	skipped := func(usernames ...string) iter.Seq2[batch.Entry, error] {
		return func(yield func(batch.Entry, error) bool) {
			for e := range usersOf(usernames...) {
				e.Outcome = batch.Skipped
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	for _, c := range []struct {
		before, after iter.Seq2[batch.Entry, error]
		added, gone   int64
	}{
		{usersOf(), usersOf(), 0, 0},
		{usersOf("a", "b", "c"), usersOf("c", "b", "a"), 0, 0},
		{usersOf("a", "b", "c"), usersOf("d", "b"), 1, 2},
		{usersOf("a", "a"), usersOf("a"), 0, 0},
		{usersOf("a", "b"), usersOf("a", "a", "c", "c"), 1, 1},
		{usersOf("a", "b"), skipped("a", "c"), 0, 2},
		{skipped("a", "b"), usersOf("a", "c"), 2, 0},
	} {
		if added, gone, err := Compare(c.before, c.after); added != c.added || gone != c.gone || err != nil {
			t.Errorf("%v to %v: %d new and %d gone, want %d and %d; %v", collect(t, c.before), collect(t, c.after), added, gone, c.added, c.gone, err)
		}
	}
	broken := func(yield func(batch.Entry, error) bool) { yield(batch.Entry{}, os.ErrInvalid) }
	for _, side := range [][2]iter.Seq2[batch.Entry, error]{{broken, usersOf()}, {usersOf(), broken}} {
		if _, _, err := Compare(side[0], side[1]); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("%v", err)
		}
	}
}

func FuzzEntries(f *testing.F) {
	d := newRun(f)
	f.Add([]byte("{\"row\":1,\"username\":\"alice\",\"client_metadata\":{\"k\":\"v\"}}\n{\"row\":2,\"outcome\":\"invalid\",\"reason\":\"empty_username\"}\n"))
	f.Add([]byte("{\"row\":1}\n{\"row\":1}\n"))
	f.Add([]byte("null\n"))
	f.Fuzz(func(t *testing.T, roster []byte) {
		if err := os.WriteFile(d.File(RosterFile), roster, 0o600); err != nil {
			t.Fatal(err)
		}
		var all []batch.Entry
		for e, err := range d.Entries() {
			if err != nil {
				if damage, ok := errors.AsType[*DamageError](err); !ok || damage.Line != len(all)+1 {
					t.Fatalf("%v behind row %d", err, len(all))
				}
				return
			}
			all = append(all, e)
		}
		survey := spool(t, d, func(yield func(batch.Entry, error) bool) {
			for _, e := range all {
				if !yield(e, nil) {
					return
				}
			}
		})
		if again := collect(t, d.Entries()); survey.Rows != int64(len(all)) || fmt.Sprint(again) != fmt.Sprint(all) {
			t.Fatalf("%+v became %+v", all, again)
		}
	})
}
