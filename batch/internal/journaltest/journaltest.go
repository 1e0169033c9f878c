// Package journaltest tests what every run directory promises, wherever it is
// kept.
package journaltest

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
)

// A Place is where one run directory can be. There is nothing there at first.
type Place struct {
	Create, Open, View func() (*journal.Dir, error)

	// Litter leaves a file there that is of no run.
	Litter func() error
}

// Test runs the suite, each part of it in a place and a time of its own.
func Test(t *testing.T, place func(t *testing.T) Place) {
	for name, test := range map[string]func(*testing.T, Place){
		"an intent can be read once it is written":                 intentsAreDurable,
		"a resume works on those whose fate is open":               fates,
		"sessions are counted, and one that died has no end":       sessions,
		"a result comes back as it was settled":                    results,
		"rows of a changed roster match by username":               changedRoster,
		"a directory in use is refused and its holder named":       holders,
		"of many that create the same directory one gets it":       creators,
		"only an empty place becomes a run directory":              litter,
		"a session needs the lock, and the journal as it was read": stale,
		"files come back as they were written":                     files,
		"reports of any size come back as they were written":       reports,
		"a run that is removed leaves its place empty":             removed,
		"what is worked on is private to its owner":                private,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, place(t)) })
		})
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// newRun begins a run on users, which is held by nobody.
func newRun(t *testing.T, p Place, usernames ...string) {
	t.Helper()
	d := must[*journal.Dir](t)(p.Create())
	if _, err := d.Spool(users(usernames...)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.WriteJSON(journal.RunFile, struct{}{}), d.Close()); err != nil {
		t.Fatal(err)
	}
}

func users(usernames ...string) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for i, username := range usernames {
			if !yield(batch.Entry{Row: int64(i + 1), Username: username}, nil) {
				return
			}
		}
	}
}

// resume opens the run for a session, which work may end or not.
func resume(t *testing.T, p Place, version string, work func(*journal.Journal) error) {
	t.Helper()
	d := must[*journal.Dir](t)(p.Open())
	j := must[*journal.Journal](t)(must[*journal.History](t)(d.Replay()).Start(version, ""))
	if err := errors.Join(work(j), j.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
}

// look reads what is there of the run.
func look(t *testing.T, p Place, see func(*journal.History)) {
	t.Helper()
	d := must[*journal.Dir](t)(p.View())
	see(must[*journal.History](t)(d.Replay()))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func intentsAreDurable(t *testing.T, p Place) {
	newRun(t, p, "alice", "bob", "carol")
	resume(t, p, "", func(j *journal.Journal) error {
		for i, username := range []string{"alice", "bob", "carol"} {
			if err := errors.Join(j.MayCall(), j.WriteIntent(batch.Entry{Row: int64(i + 1), Username: username})); err != nil {
				return err
			}
			look(t, p, func(h *journal.History) {
				if _, doubts := h.Open(); doubts != int64(i+1) {
					t.Errorf("%d intents were written, and %d can be read", i+1, doubts)
				}
			})
		}
		return nil
	})
}

func settle(o batch.Outcome, reason batch.Reason) func(*journal.Journal, batch.Entry, batch.Result) error {
	return func(j *journal.Journal, e batch.Entry, res batch.Result) error {
		res.Outcome, res.Reason = o, reason
		return errors.Join(j.WriteIntent(e), j.WriteResult(res))
	}
}

// fates is a list of how users can end, and as long as there are.
func fates(t *testing.T, p Place) {
	began := time.Now()
	early := began.UTC().Add(-time.Hour)
	const never, then, now = 0, 1, 2 // when a resume, or a retry, must take a user for called
	all := []struct {
		username string
		work     func(j *journal.Journal, e batch.Entry, res batch.Result) error
		want     batch.Outcome
		reason   batch.Reason
		open     bool
		promised int
	}{
		{"never", func(*journal.Journal, batch.Entry, batch.Result) error { return nil }, batch.NotAttempted, batch.Stopped, true, never},
		{"promised", func(j *journal.Journal, e batch.Entry, _ batch.Result) error { return j.WriteIntent(e) }, batch.Unknown, batch.Interrupted, true, now},
		{"reset", settle(batch.Reset, ""), batch.Reset, "", false, never},
		{"refused", settle(batch.Failed, batch.UserNotFound), batch.Failed, batch.UserNotFound, false, never},
		{"credentials", settle(batch.Failed, batch.Credentials), batch.Failed, batch.Credentials, true, never},
		{"stopped", settle(batch.NotAttempted, batch.Interrupted), batch.NotAttempted, batch.Interrupted, true, never},
		{"unknown", settle(batch.Unknown, batch.Network), batch.Unknown, batch.Network, false, then},
		{"undated", func(j *journal.Journal, e batch.Entry, res batch.Result) error {
			res.StartedAt = time.Time{}
			return settle(batch.Unknown, "")(j, e, res)
		}, batch.Unknown, "", false, now},
		{"failed then promised", func(j *journal.Journal, e batch.Entry, res batch.Result) error {
			return errors.Join(settle(batch.Failed, batch.Network)(j, e, res), j.WriteIntent(e))
		}, batch.Unknown, batch.Interrupted, true, now},
		{"failed then reset", func(j *journal.Journal, e batch.Entry, res batch.Result) error {
			return errors.Join(settle(batch.Failed, batch.Network)(j, e, res), settle(batch.Reset, "")(j, e, res))
		}, batch.Reset, "", false, never},
		{"reset, twice promised", func(j *journal.Journal, e batch.Entry, res batch.Result) error {
			return errors.Join(j.WriteIntent(e), settle(batch.Reset, "")(j, e, res))
		}, batch.Reset, "", false, never},
	}
	var usernames, open, doubtful []string
	for _, f := range all {
		usernames = append(usernames, f.username)
		if f.open {
			open = append(open, f.username)
		}
		if f.open || f.want == batch.Unknown {
			doubtful = append(doubtful, f.username)
		}
	}
	newRun(t, p, usernames...)
	resume(t, p, "", func(j *journal.Journal) (err error) {
		for i, f := range all {
			e := batch.Entry{Row: int64(i + 1), Username: f.username}
			err = errors.Join(err, f.work(j, e, batch.Result{Row: e.Row, Username: e.Username, Attempts: 1, StartedAt: early, FinishedAt: began.UTC()}))
		}
		return errors.Join(err, j.End(0, ""))
	})
	look(t, p, func(h *journal.History) {
		doubts := 0
		for i, res := range collect(t, h.Results(batch.Stopped)) {
			f := all[i]
			if res.Username != f.username || res.Row != int64(i+1) || res.Outcome != f.want || res.Reason != f.reason {
				t.Errorf("%s: %+v", f.username, res)
			}
			if f.want == batch.Unknown && f.reason == batch.Interrupted {
				doubts++
			}
		}
		for _, c := range []struct {
			retry func(batch.Result) bool
			want  []string
		}{
			{nil, open},
			{func(r batch.Result) bool { return r.Outcome == batch.Unknown }, doubtful},
			{func(batch.Result) bool { return true }, usernames},
		} {
			var got []string
			for _, e := range collect(t, h.Remaining(c.retry)) {
				got = append(got, e.Username)
				f := all[e.Row-1]
				right := map[int]bool{never: e.Intended.IsZero(), then: e.Intended.Equal(early), now: !e.Intended.Before(began) && !e.Intended.After(time.Now())}
				if f.username != e.Username || !right[f.promised] {
					t.Errorf("%s counts as intended at %s", e.Username, e.Intended)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("a resume works on %q, want %q", got, c.want)
			}
		}
		if left, inDoubt := h.Open(); left != int64(len(open)) || inDoubt != int64(doubts) {
			t.Errorf("Open says %d users, %d in doubt; want %d and %d", left, inDoubt, len(open), doubts)
		}
	})
}

func sessions(t *testing.T, p Place) {
	newRun(t, p, "alice", "bob")
	resume(t, p, "v1", func(j *journal.Journal) error { // without an end: as close to a crash as one process can come
		return j.WriteIntent(batch.Entry{Row: 1, Username: "alice"})
	})
	resume(t, p, "v2", func(j *journal.Journal) error {
		return errors.Join(settle(batch.Reset, "")(j, batch.Entry{Row: 2, Username: "bob"}, batch.Result{Row: 2, Username: "bob"}), j.End(4, "told to"))
	})
	look(t, p, func(h *journal.History) {
		s := h.Sessions
		if len(s) != 2 || s[0].Version != "v1" || s[0].PID != os.Getpid() || s[0].Ended || s[0].Settled != 0 ||
			s[1].Version != "v2" || !s[1].Ended || s[1].ExitCode != 4 || s[1].Stopped != "told to" || s[1].Settled != 1 {
			t.Errorf("%+v", s)
		}
		if s[1].Fence != 0 && s[1].Fence <= s[0].Fence {
			t.Errorf("the fence went from %d to %d", s[0].Fence, s[1].Fence)
		}
	})
}

func results(t *testing.T, p Place) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	want := batch.Result{
		Row: 1, Username: `a "quoted" <名前> user`, Outcome: batch.Failed, Reason: batch.LambdaRefused, Attempts: 3, Throttled: 2,
		ErrorCode: "UserLambdaValidationException", ErrorMessage: "no\nway \u2028", RequestID: "id-1",
		StartedAt: at, FinishedAt: at.Add(time.Second), SettledBy: batch.ByReadBack,
	}
	newRun(t, p, want.Username)
	resume(t, p, "", func(j *journal.Journal) error {
		return errors.Join(j.WriteIntent(batch.Entry{Row: 1, Username: want.Username}), j.WriteResult(want))
	})
	look(t, p, func(h *journal.History) {
		if got := collect(t, h.Results("")); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("%+v", got)
		}
	})
}

// changedRoster tells one story, step by step.
func changedRoster(t *testing.T, p Place) {
	var usernames []string
	for i := range 200 {
		usernames = append(usernames, fmt.Sprint("user", i))
	}
	newRun(t, p, usernames...)
	want := make(map[string]batch.Outcome)
	resume(t, p, "", func(j *journal.Journal) (err error) {
		var promised []batch.Entry
		for i, username := range usernames {
			want[username] = []batch.Outcome{batch.NotAttempted, batch.Failed, batch.Unknown, batch.Reset}[i%4]
			if want[username] != batch.NotAttempted {
				promised = append(promised, batch.Entry{Row: int64(i + 1), Username: username})
			}
		}
		err = j.WriteIntent(promised...)
		for _, e := range promised {
			if o := want[e.Username]; o != batch.Unknown {
				err = errors.Join(err, j.WriteResult(batch.Result{Row: e.Row, Username: e.Username, Outcome: o}))
			}
		}
		return err
	})
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		changed := slices.Clone(usernames)
		rng.Shuffle(len(changed), func(i, k int) { changed[i], changed[k] = changed[k], changed[i] })
		gone := int64(0)
		for _, username := range changed[:20] {
			if want[username] != batch.NotAttempted {
				gone++
			}
		}
		changed = append(changed[20:], "newcomer")
		d := must[*journal.Dir](t)(p.Open())
		must[journal.Survey](t)(d.Spool(users(changed...)))
		if err := errors.Join(d.WriteJSON(journal.RunFile, struct{}{}), d.Close()); err != nil {
			t.Fatal(err)
		}
		look(t, p, func(h *journal.History) {
			if h.Unmatched != gone {
				t.Errorf("%d unmatched, want %d", h.Unmatched, gone)
			}
			results := collect(t, h.Results(batch.Stopped))
			if len(results) != len(changed) {
				t.Fatalf("%d results for %d rows", len(results), len(changed))
			}
			for i, r := range results {
				outcome := want[r.Username]
				if r.Username == "newcomer" {
					outcome = batch.NotAttempted
				}
				if r.Row != int64(i+1) || r.Username != changed[i] || r.Outcome != outcome {
					t.Errorf("row %d is %s: %+v; want %s", i+1, changed[i], r, outcome)
				}
			}
			for _, e := range collect(t, h.Remaining(nil)) {
				if changed[e.Row-1] != e.Username || e.Intended.IsZero() != (want[e.Username] != batch.Unknown) {
					t.Errorf("a resume works on %+v", e)
				}
			}
		})
	}
}
