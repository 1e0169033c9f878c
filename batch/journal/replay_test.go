package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
)

// wasReset is how a user ends whose call left just now, and was answered.
func wasReset(row int64, username string) batch.Result {
	left := wholeMicros(time.Now())
	return batch.Result{
		Row: row, Username: username, Outcome: batch.Reset, Attempts: 1, RequestID: "id-" + username, Sent: 1, SettledBy: batch.ByAnswer,
		StartedAt: left, FinishedAt: left.Add(85 * time.Millisecond),
	}
}

// smallRun is a run of two sessions with a journal of a few lines. Two of them are not
// sealed.
func smallRun(t *testing.T) *Dir {
	d := newRun(t, "alice", "bob", "carol")
	session(t, d, func(j *Journal) error {
		return errors.Join(
			j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}),
			j.WriteResult(wasReset(1, "alice")),
		)
	})
	session(t, d, func(j *Journal) error {
		return errors.Join(
			j.WriteIntent(batch.Entry{Row: 2, Username: "bob"}),
			j.WriteResult(wasReset(2, "bob")),
		)
	})
	return d
}

// sealOfLine is the number of the line whose seal covers that one.
func sealOfLine(file []byte, n int) int {
	for i, line := range bytes.SplitAfter(file, []byte("\n")) {
		if _, sealed := sealOf(line); sealed && i+1 >= n {
			return i + 1
		}
	}
	return n
}

func TestTheLastLineOfACommitCarriesTheHashOfEveryByteBeforeIt(t *testing.T) {
	file := journalOf(t, smallRun(t))
	const member = `"sha256":"`
	lines := 0
	for at := 0; ; lines++ {
		next := bytes.Index(file[at:], []byte(member))
		if next < 0 {
			break
		}
		at += next + len(member)
		sum := sha256.Sum256(file[:at])
		if got := string(file[at : at+2*len(sum)]); got != hex.EncodeToString(sum[:]) {
			t.Errorf("line %d says %s, but head -c %d | sha256sum says %x", lines+1, got, at, sum)
		}
	}
	if lines != 6 || bytes.Count(file, []byte("\n")) != 8 {
		t.Errorf("%d lines, of which %d have a hash; want 8 and 6", bytes.Count(file, []byte("\n")), lines)
	}
}

func TestAnyFlippedBitIsFoundInItsLineOrInTheOneThatSealsIt(t *testing.T) {
	d := smallRun(t)
	unmark(t, d)
	file := journalOf(t, d)
	for at := range file {
		line := 1 + bytes.Count(file[:at], []byte("\n"))
		for bit := range 8 {
			damaged := bytes.Clone(file)
			damaged[at] ^= 1 << bit
			var end int64
			var err error
			for _, err = range read(d.File(JournalFile), bytes.NewReader(damaged), newChain(), &end) {
				if err != nil {
					break
				}
			}
			torn := err == nil && end < int64(len(damaged))
			if 8*at+bit == len(file)*8-1 || (8*at+bit)%37 == 0 { // now and then, all the way
				write(t, d, damaged)
				var h *History
				h, err = d.Replay()
				torn = err == nil && h.Torn && !h.Sessions[1].Ended
			}
			damage, ok := errors.AsType[*DamageError](err)
			switch {
			case at == len(file)-1: // a newline less
				if !torn {
					t.Errorf("bit %d of the last newline: %v", bit, err)
				}
			case !ok:
				t.Fatalf("bit %d of byte %d, in line %d: %v", bit, at, line, err)
			case damage.Line < line || damage.Line > sealOfLine(file, line) || damage.Path != d.File(JournalFile):
				t.Fatalf("bit %d of byte %d, in line %d: %v", bit, at, line, damage)
			}
		}
	}
}

func TestALineTakenOutSwappedOrRepeatedIsFound(t *testing.T) {
	d := smallRun(t)
	file := journalOf(t, d)
	lines := bytes.SplitAfter(file, []byte("\n"))
	lines = lines[:len(lines)-1]
	for i := range lines[:len(lines)-1] {
		for what, changed := range map[string][][]byte{
			"taken out": slices.Delete(slices.Clone(lines), i, i+1),
			"repeated":  slices.Insert(slices.Clone(lines), i, lines[i]),
			"swapped":   slices.Concat(lines[:i], lines[i+1:i+2], lines[i:i+1], lines[i+2:]),
		} {
			write(t, d, bytes.Join(changed, nil))
			want := sealOfLine(bytes.Join(changed, nil), i+1)
			if what == "repeated" {
				want = sealOfLine(bytes.Join(changed, nil), i+2)
			}
			_, err := d.Replay()
			if damage, ok := errors.AsType[*DamageError](err); !ok || damage.Line < i+1 || damage.Line > want {
				t.Errorf("line %d %s: %v", i+1, what, err)
			}
		}
	}
}

func TestAJournalCutAnywhereIsTornAndNobodyIsDoneWithoutAWholeLine(t *testing.T) {
	d := smallRun(t)
	file := journalOf(t, d)
	for size := range len(file) + 1 {
		unmark(t, d)
		write(t, d, file[:size])
		h, err := d.Replay()
		if err != nil {
			t.Fatalf("cut to %d bytes: %v", size, err)
		}
		lines, rest := wholeLines(file[:size])
		if h.Torn != (len(rest) > 0) {
			t.Fatalf("cut to %d bytes, behind the last whole line stands %q: Torn is %t", size, rest, h.Torn)
		}
		done := settledIn(file[:size])
		for _, r := range collect(t, h.Results(batch.Interrupted)) {
			if got := r.Outcome == batch.Reset; got != slices.Contains(done, r.Username) {
				t.Fatalf("cut to %d bytes, %s is %s", size, r.Username, r.Outcome)
			}
		}
		users, doubts := h.Open()
		if want := len(intendedIn(file[:size])) - len(done); users != int64(3-len(done)) || doubts != int64(want) {
			t.Fatalf("cut to %d bytes: %d users are left and %d in doubt", size, users, doubts)
		}
		if len(rest) > 1 && size%97 != 0 {
			continue
		}
		session(t, d, func(j *Journal) error { return j.WriteIntent(batch.Entry{Row: 3, Username: "carol"}) })
		mended, rest := wholeLines(journalOf(t, d))
		if len(rest) > 0 || len(mended) != len(lines)+3 || !bytes.HasPrefix(journalOf(t, d), file[:h.size]) {
			t.Fatalf("cut to %d bytes and gone on with: %d lines and then %q", size, len(mended), rest)
		}
		if again := replay(t, d); again.Torn || len(again.Sessions) != len(h.Sessions)+1 {
			t.Fatalf("cut to %d bytes and gone on with: %d sessions, Torn is %t", size, len(again.Sessions), again.Torn)
		}
	}
}

// A doubt about a later step is about that step alone: what was done before it
// stays done.
func TestAResumeGoesOnAtTheStepThatWasIntended(t *testing.T) {
	early := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	reset := []batch.StepResult{{Step: "reset", Outcome: batch.Reset, Attempts: 2, Throttled: 1, RequestID: "id-1", StartedAt: early, FinishedAt: early.Add(time.Second), SettledBy: batch.ByAnswer}}
	before := &batch.Snapshot{Status: "CONFIRMED", Enabled: true, ModifiedAt: early}
	d := newRun(t, "alice", "bob")
	session(t, d, func(j *Journal) error {
		alice := batch.Entry{Row: 1, Username: "alice", Before: before}
		stopped := batch.Result{
			Row: 2, Username: "bob", Outcome: batch.Failed, Reason: batch.Interrupted, ErrorMessage: "sign-out: the run stopped before it",
			Steps: append(slices.Clone(reset), batch.StepResult{Step: "sign-out", Outcome: batch.NotAttempted, Reason: batch.Interrupted}),
		}
		err := errors.Join(j.WriteIntent(alice), j.WriteIntent(batch.Entry{Row: 2, Username: "bob"}), j.WriteResult(stopped))
		alice.Step, alice.Steps = "sign-out", reset
		return errors.Join(err, j.WriteIntent(alice))
	})
	h := replay(t, d)

	results := collect(t, h.Results(batch.Stopped))
	alice := results[0]
	if alice.Outcome != batch.Unknown || len(alice.Steps) != 2 || alice.Steps[0] != reset[0] || alice.Steps[1].Step != "sign-out" || alice.Steps[1].Outcome != batch.Unknown ||
		!strings.HasPrefix(alice.ErrorMessage, "sign-out: ") || !reflect.DeepEqual(alice.Before, before) {
		t.Errorf("alice: %+v", alice)
	}
	if bob := results[1]; bob.Outcome != batch.Failed || len(bob.Steps) != 2 {
		t.Errorf("bob: %+v", bob)
	}
	remaining := collect(t, h.Remaining(nil))
	if len(remaining) != 2 {
		t.Fatalf("%d users are left", len(remaining))
	}
	if e := remaining[0]; !slices.Equal(e.Steps, reset) || e.Intended.IsZero() || !reflect.DeepEqual(e.Before, before) {
		t.Errorf("alice goes on as %+v", e)
	}
	if e := remaining[1]; len(e.Steps) != 2 || e.Steps[0] != reset[0] || !e.Intended.IsZero() {
		t.Errorf("bob goes on as %+v", e)
	}
}

func TestAChangedRosterThatNamesAUserTwiceMixesUpNobody(t *testing.T) {
	d := newRun(t, "carol", "alice")
	session(t, d, func(j *Journal) error {
		return errors.Join(j.WriteIntent(batch.Entry{Row: 1, Username: "carol"}), j.WriteResult(batch.Result{Row: 1, Username: "carol", Outcome: batch.Reset}))
	})
	spool(t, d, usersOf("alice", "alice", "bob", "carol"))
	for _, r := range collect(t, replay(t, d).Results(batch.Stopped)) {
		if (r.Username == "carol") != (r.Outcome == batch.Reset) {
			t.Errorf("%s is %s", r.Username, r.Outcome)
		}
	}
}

func TestRowsThatNeedNoCallKeepTheirOwnOutcome(t *testing.T) {
	d := newRun(t)
	entries := []batch.Entry{
		{Row: 1, Username: "alice"},
		{Row: 2, Username: "alice", Outcome: batch.Skipped, Reason: batch.Duplicate, Detail: "line 3: see line 2"},
		{Row: 3, Outcome: batch.Invalid, Reason: batch.EmptyUsername, Detail: "line 4: the username is empty"},
		{Row: 4, Username: "bob", ClientMetadata: map[string]string{"campaign": "2026"}},
	}
	survey := spool(t, d, func(yield func(batch.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	})
	if survey.Rows != 4 || survey.Users != 2 || survey.Reasons[batch.Duplicate] != 1 || survey.Reasons[batch.EmptyUsername] != 1 {
		t.Errorf("%+v", survey)
	}
	session(t, d, func(j *Journal) error {
		return errors.Join(j.WriteIntent(entries[0]), j.WriteResult(batch.Result{Row: 1, Username: "alice", Outcome: batch.Reset}))
	})
	h := replay(t, d)
	got := collect(t, h.Results(batch.Stopped))
	want := []batch.Outcome{batch.Reset, batch.Skipped, batch.Invalid, batch.NotAttempted}
	for i, r := range got {
		if r.Outcome != want[i] || i > 0 && i < 3 && (r.Reason != entries[i].Reason || r.ErrorMessage != entries[i].Detail) {
			t.Errorf("row %d: %+v", i+1, r)
		}
	}
	left := collect(t, h.Remaining(func(batch.Result) bool { return false }))
	if len(got) != 4 || len(left) != 1 || left[0].Row != 4 || left[0].ClientMetadata["campaign"] != "2026" {
		t.Errorf("a resume works on %+v", left)
	}
}

func TestANewerFormatIsRefusedAndIsNotCalledDamage(t *testing.T) {
	d := smallRun(t)
	c := newChain()
	file, err := c.append(nil, &line{Event: eventSession, Format: formatVersion})
	if err != nil {
		t.Fatal(err)
	}
	if file, err = c.append(file, &line{Event: eventSession, Format: formatVersion + 1, Version: "v9"}); err != nil {
		t.Fatal(err)
	}
	write(t, d, file)
	_, err = d.Replay()
	if _, damage := errors.AsType[*DamageError](err); err == nil || damage {
		t.Errorf("%v", err)
	}
}

func TestAJournalThatDoesNotBeginWithASessionIsDamaged(t *testing.T) {
	d := smallRun(t)
	l := resultOf(batch.Result{Username: "alice", Outcome: batch.Reset})
	file, err := newChain().append(nil, &l)
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, file)
	_, err = d.Replay()
	if damage, ok := errors.AsType[*DamageError](err); !ok || damage.Line != 1 {
		t.Errorf("%v", err)
	}
}

func TestADirectoryWithoutAJournalHasNoHistory(t *testing.T) {
	d := newRun(t, "alice")
	h := replay(t, d)
	if users, doubts := h.Open(); users != 1 || doubts != 0 || len(h.Sessions) != 0 || h.Torn {
		t.Errorf("%+v", h)
	}
	for _, r := range collect(t, h.Results(batch.Stopped)) {
		if r.Outcome != batch.NotAttempted || r.Reason != batch.Stopped {
			t.Errorf("%+v", r)
		}
	}
}

// What others do to the journal, or the roster, between Replay and the use of
// what it found must not settle the wrong user.
func TestAJournalReplacedAfterItWasReadIsNoticed(t *testing.T) {
	d := smallRun(t)
	h := replay(t, d)
	file := journalOf(t, d)
	write(t, d, bytes.ReplaceAll(file, []byte("id-alice"), []byte("id-carol")))
	for _, err := range h.Results(batch.Stopped) {
		if err != nil {
			return
		}
	}
	t.Error("nothing was noticed")
}

// sealed makes a journal whose chain verifies of lines that may be anything.
func sealed(lines []byte) []byte {
	c := newChain()
	var file []byte
	for body := range bytes.SplitSeq(lines, []byte("\n")) {
		at := len(file)
		file = append(append(file, bytes.TrimSuffix(body, []byte("}"))...), sealOpen...)
		c.hash.Write(file[at:])
		at = len(file)
		file = append(append(file, c.seal()...), sealClose...)
		c.hash.Write(file[at:])
	}
	return file
}

// write replaces the journal.
func write(tb testing.TB, d *Dir, journal []byte) {
	tb.Helper()
	if err := os.WriteFile(d.File(JournalFile), journal, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func FuzzReplay(f *testing.F) {
	d := newRun(f, "alice", "bob", "carol")
	session(f, d, func(j *Journal) error {
		return errors.Join(
			j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}),
			j.WriteResult(wasReset(1, "alice")),
			j.WriteIntent(batch.Entry{Row: 2, Username: "bob"}, batch.Entry{Row: 3, Username: "carol"}),
		)
	})
	file := journalOf(f, d)
	f.Add(file, false)
	f.Add(file[:len(file)-1], false)
	f.Add(bytes.Replace(file, []byte("alice"), []byte("carol"), 1), false)
	f.Add([]byte(nil), false)
	f.Add([]byte(`{"event":"session","format":1}
{"event":"promised","at":"2026-01-02T03:04:05Z","row":3,"username":"bob"}
{"event":"settled","row":1,"username":"bob","outcome":"reset","started_at":"2026-01-02T03:04:05Z"}
{"event":"settled","row":1,"username":"dave","outcome":"unknown"}
{"event":"ended","exit_code":3}`), true)
	f.Add([]byte(`{"event":"session","format":3}`), true)
	f.Add([]byte(`{"event":"session","format":2,"at":"2026-01-02T03:04:05Z"}
{"promised":3,"username":"bob","since":1}
{"promised":1,"username":"alice","since":1}
{"reset":3,"since":2,"took":3}
{"settled":1,"outcome":"unknown","since":2,"took":3}
{"event":"session","format":2,"at":"2026-01-02T03:04:05Z"}
{"promised":1,"username":"alice","since":1}
{"settled":1,"username":"alice","outcome":"failed","since":2,"took":3}`), true)
	f.Fuzz(func(t *testing.T, journal []byte, seal bool) {
		if seal {
			journal = sealed(journal)
		}
		write(t, d, journal)
		h, err := d.Replay()
		if err != nil {
			return
		}
		lines, rest := wholeLines(journal)
		if h.Torn != (len(rest) > 0) {
			t.Fatalf("Torn is %t, but %q is left", h.Torn, rest)
		}
		last := make(map[any]map[string]any) // what was said last of each user
		for _, line := range lines {
			if event := line["event"]; event == "promised" || event == "settled" {
				last[line["username"]] = line
			}
		}
		results := collect(t, h.Results(batch.Stopped))
		for i, r := range results {
			said := last[r.Username]
			if r.Row != int64(i+1) || r.Outcome == batch.Reset && (said["event"] != "settled" || said["outcome"] != "reset") {
				t.Fatalf("%+v, but the journal says %v", r, said)
			}
		}
		left := collect(t, h.Remaining(nil))
		users, doubts := h.Open()
		for _, e := range left {
			if !e.Intended.IsZero() {
				doubts--
			}
			if results[e.Row-1].Outcome == batch.Reset {
				t.Fatalf("%s is reset, and would be called again", e.Username)
			}
		}
		if len(results) != 3 || int64(len(left)) != users || doubts < 0 {
			t.Fatalf("%d results; %d users are left of %d, %d doubts too many", len(results), len(left), users, -doubts)
		}
		if !h.Torn {
			return
		}
		session(t, d, func(*Journal) error { return nil })
		if again := replay(t, d); again.Torn || len(again.Sessions) != len(h.Sessions)+1 {
			t.Fatalf("gone on with: %d sessions, Torn is %t", len(again.Sessions), again.Torn)
		}
	})
}

// Each session's times go by its own clock; what it knew of that clock stays with
// them. A session that an earlier version wrote knew nothing.
func TestACallInDoubtGoesByTheClockOfItsSession(t *testing.T) {
	clock := func(ahead time.Duration) batch.Clock { return batch.Clock{Ahead: ahead, Known: true} }
	d := newRun(t, "alice", "bob", "carol", "dave")
	for i, s := range []struct {
		clock, later batch.Clock
		user         string
	}{
		{clock(-10 * time.Second), batch.Clock{}, "alice"},
		{batch.Clock{}, batch.Clock{}, "bob"},
		{clock(0), clock(-5 * time.Second), "carol"},
		{clock(0), clock(5 * time.Second), "dave"},
	} {
		h := replay(t, d)
		h.Clock = s.clock
		j, err := h.Start("test", h.RosterSHA256)
		if err != nil {
			t.Fatal(err)
		}
		err = j.WriteIntent(batch.Entry{Row: int64(i + 1), Username: s.user})
		if s.later.Known {
			err = errors.Join(err, j.Clock(s.later))
		}
		if err = errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
	}
	h := replay(t, d)
	h.Clock = clock(3 * time.Second)
	own := []batch.Clock{clock(-10 * time.Second), {}, clock(-5 * time.Second), clock(0)}
	since := []batch.Clock{{}, {}, clock(-5 * time.Second), clock(0)} // no later than any session since then
	for i, e := range collect(t, h.Remaining(nil)) {
		if e.Clock != since[i] {
			t.Errorf("the doubt about %s goes by %+v, not %+v", e.Username, e.Clock, since[i])
		}
	}
	for i, r := range collect(t, h.Results(batch.Stopped)) {
		if r.Clock != own[i] {
			t.Errorf("the row of %s goes by %+v, not %+v", r.Username, r.Clock, own[i])
		}
	}
}

// A doubt that one session after the other could not settle is never dated later
// than its first call, though each session goes by another clock.
func TestACallInDoubtThatIsHandedOnIsNotDatedLater(t *testing.T) {
	for _, known := range []bool{true, false} {
		d := newRun(t, "alice")
		first := time.Time{} // by the service's clock
		for i, ahead := range []time.Duration{-10 * time.Second, 10 * time.Second, 0} {
			h := replay(t, d)
			h.Clock = batch.Clock{Ahead: ahead, Known: known || i > 0}
			retry := func(batch.Result) bool { return true }
			j, err := h.Start("test", h.RosterSHA256)
			if err != nil {
				t.Fatal(err)
			}
			e := collect(t, h.Remaining(retry))[0]
			if i == 0 {
				first = time.Now().Add(ahead)
				err = j.WriteIntent(e)
			} else {
				if got := e.Intended.Add(e.Clock.Ahead); e.Clock.Known != known || known && got.After(first.Add(time.Second)) {
					t.Errorf("session %d takes the call to have left %v late, its clock known %t; want %t", i+1, got.Sub(first), e.Clock.Known, known)
				}
				err = j.WriteResult(batch.Result{Row: 1, Username: "alice", Outcome: batch.Unknown, Reason: batch.Network, StartedAt: e.Intended, FinishedAt: time.Now()})
			}
			if err = errors.Join(err, j.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
