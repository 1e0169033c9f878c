package journal

import (
	"bytes"
	"errors"
	"testing"

	"cognito-reset/batch"
)

func TestAMaskedCopyIsTheSameRunOfOtherNames(t *testing.T) {
	d := newRun(t, "alice", "bob", "carol")
	session(t, d, func(j *Journal) error {
		return errors.Join(
			j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}, batch.Entry{Row: 2, Username: "bob"}),
			j.WriteResult(batch.Result{Row: 1, Username: "alice", Outcome: batch.Failed, Reason: batch.Other, Attempts: 1, ErrorMessage: "alice is odd"}),
			j.Steer("carol", "pause"),
			j.End(4, "alice did it"),
		)
	})
	to := &Dir{Path: t.TempDir()}
	masked := func(text string) string { return "x" + text[:1] }
	survey, err := d.CopyMasked(to, Mask{User: masked, Kept: masked, Actor: masked})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "bob", "carol", "odd"} {
		if bytes.Contains(journalOf(t, to), []byte(name)) {
			t.Errorf("the copy names %s", name)
		}
	}
	if !bytes.Contains(journalOf(t, to), []byte(`"stopped_because":"withheld"`)) {
		t.Error("it is not told that the run was stopped")
	}
	before, err := d.Replay()
	if err != nil {
		t.Fatal(err)
	}
	after, err := to.Replay()
	if err != nil {
		t.Fatal(err)
	}
	if after.RosterSHA256 != survey.SHA256 {
		t.Errorf("the roster has the SHA-256 %s, and was said to have %s", after.RosterSHA256, survey.SHA256)
	}
	lines, head := before.Head()
	if n, other := after.Head(); n != lines || other == head || len(other) != len(head) {
		t.Errorf("of %d lines up to %s became %d up to %s", lines, head, n, other)
	}
	if got := after.Sessions[0]; got.Steered[0].By != "xc" || got.Host != "" {
		t.Errorf("its session is %+v", got)
	}
	want := collect(t, before.Results(batch.Interrupted))
	for i, r := range collect(t, after.Results(batch.Interrupted)) {
		if w := want[i]; r.Username != masked(w.Username) || r.Outcome != w.Outcome || r.Reason != w.Reason || r.Row != w.Row {
			t.Errorf("%+v became %+v", w, r)
		}
	}
}

func TestTheHeadIsTheHashOfTheLastWholeLine(t *testing.T) {
	d := smallRun(t)
	file := journalOf(t, d)
	h, err := d.Replay()
	if err != nil {
		t.Fatal(err)
	}
	lines, head := h.Head()
	if lines != int64(bytes.Count(file, []byte("\n"))) || !bytes.HasSuffix(file, []byte(sealOpen+head+sealClose)) {
		t.Errorf("the head is %d lines up to %s", lines, head)
	}
	empty, err := newRun(t, "alice").Replay()
	if err != nil {
		t.Fatal(err)
	}
	if lines, head := empty.Head(); lines != 0 || head != "" {
		t.Errorf("of no journal it is %d lines up to %q", lines, head)
	}
}
