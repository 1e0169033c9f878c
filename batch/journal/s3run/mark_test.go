package s3run

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/s3test"
	"cognito-reset/batch/journal"
)

// begin begins a run on alice and bob, and intents alice.
func begin(t *testing.T, o Options) (*journal.Dir, *journal.Journal) {
	t.Helper()
	d, err := Create(t.Context(), run, o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Spool(aliceAndBob)
	var h *journal.History
	if err == nil {
		h, err = d.Replay()
	}
	if err == nil {
		err = errors.Join(h.Begin(false), d.WriteJSON(journal.RunFile, struct{}{}))
	}
	var j *journal.Journal
	if err == nil {
		j, err = h.Start("", "")
	}
	if err == nil {
		err = j.WriteIntent(batch.Entry{Row: 1, Username: "alice"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return d, j
}

// forget deletes the objects of the run that are picked, as a lifecycle rule does.
func forget(t *testing.T, o Options, pick func(name string) bool) {
	t.Helper()
	s, err := reach(t.Context(), run, o.Options)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", segments} {
		for name, err := range s.list(t.Context(), folder) {
			if err == nil && pick(name) {
				err = s.bucket.Delete(t.Context(), s.key(name))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestARunOfWhichObjectsAreGoneIsRefused(t *testing.T) {
	for what, pick := range map[string]func(name string) bool{
		"the last segment":         func(name string) bool { return name == segment(2) },
		"all segments":             func(name string) bool { return strings.HasPrefix(name, segments) },
		"everything but the lease": func(name string) bool { return name != leaseFile },
	} {
		synctest.Test(t, func(t *testing.T) {
			o := through(t, s3test.New())
			d, j := begin(t, o)
			if err := errors.Join(j.Close(), d.Close()); err != nil {
				t.Fatal(err)
			}
			forget(t, o, pick)
			d, err := Open(t.Context(), run, o)
			if err == nil {
				_, err = d.Replay()
				err = errors.Join(err, d.Close())
			}
			if err == nil {
				t.Errorf("%s: the run is gone on with", what)
			}
			if d, err := Create(t.Context(), run, o); !errors.Is(err, journal.ErrExists) {
				t.Errorf("%s: a new run is begun: %v", what, errors.Join(err, d.Close()))
			}
		})
	}
}

// A process that is killed leaves a mark, if an older one.
func TestAKilledProcessLeavesAMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := through(t, s3test.New())
		d, j := begin(t, o)
		s, err := reach(t.Context(), run, o.Options)
		if err != nil {
			t.Fatal(err)
		}
		if now, _, _, err := s.claim(t.Context()); err != nil || now.Mark == nil || now.Mark.Lines == 0 {
			t.Errorf("%+v, %v", now, err)
		}
		if err := errors.Join(j.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAProcessNoticesAtItsEndThatSegmentsAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := through(t, s3test.New())
		d, j := begin(t, o)
		defer d.Close()
		forget(t, o, func(name string) bool { return name == segment(1) })
		if _, ok := errors.AsType[*journal.CutError](j.Close()); !ok {
			t.Error("nobody notices")
		}
	})
}

// S3 is silent for longer than half of the lease, while the run goes on: its
// calls wait, somebody is told, and they leave once it answers again.
func TestWhileTheLeaseIsHeldForCertainCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := s3test.New()
		var down atomic.Bool
		server.Fault = func(*http.Request) s3test.Fault {
			if down.Load() {
				return s3test.Broken
			}
			return s3test.None
		}
		o, told := through(t, server), 0
		o.TTL = 30 * time.Second
		o.OnSilence = func(why error, wait time.Duration) {
			if told++; why == nil || wait <= 0 || wait > o.TTL/2 {
				t.Errorf("%v, %v", why, wait)
			}
		}
		d, j := begin(t, o)
		defer d.Close()
		down.Store(true)
		time.AfterFunc(20*time.Second, func() { down.Store(false) })
		time.Sleep(19 * time.Second)
		began := time.Now()
		if err := errors.Join(j.MayCall(), j.WriteIntent(batch.Entry{Row: 2, Username: "bob"})); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < time.Second || waited > 11*time.Second || told != 1 {
			t.Errorf("it took %v, and was said %d times", waited, told)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

// One that lasts longer than the lease ends the run before another may begin.
func TestASilenceLongerThanTheLeaseEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := s3test.New()
		var down atomic.Bool
		server.Fault = func(*http.Request) s3test.Fault {
			if down.Load() {
				return s3test.Broken
			}
			return s3test.None
		}
		o := through(t, server)
		d, j := begin(t, o)
		down.Store(true)
		began := time.Now()
		time.Sleep(defaultTTL/2 + time.Second)
		err := j.MayCall()
		if stop, ok := errors.AsType[*batch.Stop](err); !ok || stop.Reason != batch.Stopped || time.Since(began) > defaultTTL+time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		down.Store(false)
		_ = errors.Join(j.Close(), d.Close())
	})
}
