package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
)

// What a brief line leaves out is read back to the letter, and what it could not say
// so is said at length.
func TestALineSaysTheSameWhetherItIsBriefOrNot(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 123_456_000, time.UTC)
	usual := batch.Result{
		Row: 7, Username: "ann", Sub: "s-7", Outcome: batch.Reset, Attempts: 1, Sent: 1, SettledBy: batch.ByAnswer,
		RequestID: "r-7", StartedAt: began.Add(3 * time.Microsecond), FinishedAt: began.Add(time.Hour),
	}
	with := func(change func(*batch.Result)) line {
		r := usual
		change(&r)
		return resultOf(r)
	}
	before := &batch.Snapshot{Status: "CONFIRMED", Enabled: true}
	for name, tt := range map[string]struct {
		line
		brief string // what it begins with
	}{
		"promise":            {intentOf(batch.Entry{Row: 7, Username: "ann"}, began), `{"promised":7,`},
		"intent of a step":   {intentOf(batch.Entry{Row: 7, Username: "a\"b", Step: "lock", Steps: []batch.StepResult{{Step: "reset", Outcome: batch.Reset}}, Before: before}, began.Add(time.Second)), `{"promised":7,`},
		"before the session": {intentOf(batch.Entry{Row: 7, Username: "ann"}, began.Add(-time.Microsecond)), `{"event":`},
		"of nanoseconds":     {intentOf(batch.Entry{Row: 7, Username: "ann"}, began.Add(1)), `{"event":`},
		"without a row":      {intentOf(batch.Entry{Username: "ann"}, began), `{"event":`},
		"usual":              {with(func(*batch.Result) {}), `{"reset":7,`},
		"at once":            {with(func(r *batch.Result) { r.FinishedAt = r.StartedAt }), `{"reset":7,`},
		"second attempt":     {with(func(r *batch.Result) { r.Attempts = 2 }), `{"settled":7,`},
		"read back":          {with(func(r *batch.Result) { r.SettledBy = batch.ByReadBack }), `{"settled":7,`},
		"throttled":          {with(func(r *batch.Result) { r.Throttled = 1 }), `{"reset":7,`},
		"failed":             {with(func(r *batch.Result) { r.Outcome, r.Reason, r.Sent = batch.Failed, batch.Disabled, 0 }), `{"settled":7,`},
		"never called":       {with(func(r *batch.Result) { r.StartedAt, r.FinishedAt = time.Time{}, time.Time{} }), `{"event":`},
		"no answer":          {with(func(r *batch.Result) { r.FinishedAt = time.Time{} }), `{"event":`},
		"a year later":       {with(func(r *batch.Result) { r.FinishedAt = began.AddDate(90, 0, 0) }), `{"event":`},
		"again":              {line{Event: eventAgain, At: began, Row: 7, Username: "ann"}, `{"event":`},
	} {
		c := newChain()
		text, err := c.append(nil, &line{Event: eventSession, Format: formatVersion, At: began})
		if err != nil {
			t.Fatal(err)
		}
		session := len(text)
		if text, err = c.append(text, &tt.line); err != nil {
			t.Fatal(err)
		}
		text = c.finish(text)
		raw := text[session:]
		if !bytes.HasPrefix(raw, []byte(tt.brief)) || !json.Valid(raw) {
			t.Errorf("%s: %s does not begin with %s", name, raw, tt.brief)
		}
		var scanned, read line
		scanned.scan(raw, began)
		if what := read.unmarshal(raw, began); what != "" || !reflect.DeepEqual(read, tt.line) {
			t.Errorf("%s: %s reads as %+v, %s", name, raw, read, what)
		}
		if !strings.Contains(string(raw), `\`) && tt.Event != eventAgain && !reflect.DeepEqual(scanned, tt.line) {
			t.Errorf("%s: %s scans as %+v", name, raw, scanned)
		}
	}
}

// olderRun is a run with one finished session of the first format, with alice reset and
// bob in doubt.
func olderRun(t *testing.T) *Dir {
	d := newRun(t, "alice", "bob", "carol")
	c, at := newChain(), time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	var text []byte
	for _, l := range []line{
		{Event: eventSession, At: at, Format: 1, Version: "v0.9"},
		intentOf(batch.Entry{Row: 1, Username: "alice"}, at),
		resultOf(batch.Result{Row: 1, Username: "alice", Outcome: batch.Reset, Attempts: 1, Sent: 1, SettledBy: batch.ByAnswer, StartedAt: at, FinishedAt: at.Add(time.Second)}),
		intentOf(batch.Entry{Row: 2, Username: "bob"}, at),
	} {
		var err error
		if text, err = c.append(text, &l); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Count(text, []byte(sealOpen)) != 4 {
		t.Fatalf("a line of the first format is not sealed: %s", text)
	}
	write(t, d, text)
	return d
}

// A session goes on with a journal of the first format, and settles a doubt of it.
func TestAJournalOfTheFirstFormatIsGoneOnWith(t *testing.T) {
	d := olderRun(t)
	older := journalOf(t, d)
	session(t, d, func(j *Journal) error {
		return errors.Join(j.WriteResult(wasReset(2, "bob")), j.WriteIntent(batch.Entry{Row: 3, Username: "carol"}), j.WriteResult(wasReset(3, "carol")))
	})
	text := journalOf(t, d)
	if !bytes.HasPrefix(text, older) || !bytes.Contains(text[len(older):], []byte(`{"reset":2,"username":"bob"`)) || !bytes.Contains(text, []byte(`{"reset":3,"request_id"`)) {
		t.Errorf("%s", text[len(older):])
	}
	for _, r := range collect(t, replay(t, d).Results(batch.Stopped)) {
		if r.Outcome != batch.Reset || r.Attempts != 1 || r.Sent != 1 || r.StartedAt.IsZero() {
			t.Errorf("%+v", r)
		}
	}
}

// A line without a seal in a session of the first format is damage, not the mark of a
// crash.
func TestABriefLineInASessionOfTheFirstFormatIsDamage(t *testing.T) {
	d := olderRun(t)
	for _, brief := range []string{`{"promised":3,"username":"carol","since":1}`, `{"event":"ended"}`} {
		write(t, d, append(journalOf(t, olderRun(t)), brief+"\n"...))
		if _, err := d.Replay(); !isDamage(err, 5) {
			t.Errorf("%s: %v", brief, err)
		}
	}
}

// The result of a row that its session has not promised names nobody, and is damage.
func TestAResultWithoutANameAndAnIntentIsDamage(t *testing.T) {
	for _, text := range []string{
		`{"event":"session","format":2,"at":"2026-01-02T03:04:05Z"}
{"reset":1,"since":1,"took":1}`,
		`{"event":"session","format":2,"at":"2026-01-02T03:04:05Z"}
{"promised":1,"username":"alice","since":1}
{"reset":2,"since":1,"took":1}`,
		`{"event":"session","format":2,"at":"2026-01-02T03:04:05Z"}
{"promised":1,"username":"alice","since":1}
{"event":"session","format":2,"at":"2026-01-02T03:04:05Z"}
{"reset":1,"since":1,"took":1}`,
	} {
		d := newRun(t, "alice", "bob")
		unmark(t, d)
		write(t, d, sealed([]byte(text)))
		if _, err := d.Replay(); !isDamage(err, 1+strings.Count(text, "\n")) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Of a commit that a crash tore, nothing counts, and a session goes on before it.
func TestATornCommitIsCutOff(t *testing.T) {
	d := newRun(t, "alice", "bob", "carol")
	session(t, d, func(j *Journal) error {
		return j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}, batch.Entry{Row: 2, Username: "bob"})
	})
	whole := journalOf(t, d)
	at := bytes.Index(whole, []byte(`{"promised":2`))
	if at < 0 || bytes.Contains(whole[bytes.Index(whole, []byte(`{"promised":1`)):at], []byte("sha256")) {
		t.Fatalf("%s", whole)
	}
	unmark(t, d)
	write(t, d, whole[:at])
	if h := replay(t, d); !h.Torn {
		t.Error("it is not torn")
	} else if users, doubts := h.Open(); users != 3 || doubts != 0 {
		t.Errorf("%d users are left, %d in doubt", users, doubts)
	}
	session(t, d, func(j *Journal) error { return j.WriteIntent(batch.Entry{Row: 3, Username: "carol"}) })
	if _, doubts := replay(t, d).Open(); doubts != 1 || bytes.Contains(journalOf(t, d), []byte("alice")) {
		t.Errorf("%d are in doubt:\n%s", doubts, journalOf(t, d))
	}
}

// A user who goes by another name since, and whom the sub tells, has the result of the
// call that was made by the older one.
func TestAResultKeepsTheNameThatWasCalled(t *testing.T) {
	d := newRun(t)
	roster := func(name string) {
		spool(t, d, func(yield func(batch.Entry, error) bool) {
			_ = yield(batch.Entry{Row: 1, Username: "bob", Sub: "s-2"}, nil) && yield(batch.Entry{Row: 2, Username: name, Sub: "s-1"}, nil)
		})
	}
	roster("alice")
	session(t, d, func(j *Journal) error {
		r := wasReset(2, "alice")
		r.Sub = "s-1"
		return errors.Join(j.WriteIntent(batch.Entry{Row: 2, Username: "alice", Sub: "s-1"}), j.WriteResult(r))
	})
	roster("alicia")
	results := collect(t, replay(t, d).Results(batch.Stopped))
	if r := results[1]; r.Username != "alice" || r.Sub != "s-1" || r.Outcome != batch.Reset {
		t.Errorf("%+v", r)
	}
	if results[0].Outcome != batch.NotAttempted {
		t.Errorf("%+v", results[0])
	}
}

// Lines that nothing durable follows are sealed once there are a MiB of them, so that
// a reader need not hold more.
func TestALongCommitHasSeveralSeals(t *testing.T) {
	d := newRun(t)
	spool(t, d, func(yield func(batch.Entry, error) bool) {
		for row := int64(1); row <= 20_000 && yield(batch.Entry{Row: row, Username: fmt.Sprint("user-", row)}, nil); row++ {
		}
	})
	session(t, d, func(j *Journal) error {
		var users []batch.Entry
		for row := int64(1); row <= 20_000; row++ {
			users = append(users, batch.Entry{Row: row, Username: fmt.Sprint("user-", row)})
		}
		return j.WriteIntent(users...)
	})
	if seals := bytes.Count(journalOf(t, d), []byte(sealOpen)); seals < 3 || seals > 10 {
		t.Errorf("%d seals in %d bytes", seals, len(journalOf(t, d)))
	}
	if _, doubts := replay(t, d).Open(); doubts != 20_000 {
		t.Errorf("%d are in doubt", doubts)
	}
}

func isDamage(err error, line int) bool {
	damage, ok := errors.AsType[*DamageError](err)
	return ok && damage.Line == line
}

// What the engine writes of a usual run is brief, each line of it.
func TestTheLinesOfAUsualRunAreBrief(t *testing.T) {
	d := newRun(t, "alice", "bob", "carol")
	session(t, d, func(j *Journal) error {
		_, err := batch.Run(t.Context(), replay(t, d).Remaining(nil), batch.ResetOnly(yes{}, nil), batch.Options{Journal: j})
		return err
	})
	text := journalOf(t, d)
	promised, reset := bytes.Count(text, []byte(intentOpen)), bytes.Count(text, []byte(resetOpen))
	if promised != 3 || reset != 3 || bytes.Count(text, []byte("alice")) != 1 {
		t.Errorf("%d intents and %d results are brief:\n%s", promised, reset, text)
	}
}

// yes is an action that the service always accepts.
type yes struct{}

func (yes) Do(context.Context, batch.Entry) (batch.Answer, error) {
	return batch.Answer{RequestID: "r"}, nil
}
