package s3run

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/disktest"
	"cognito-reset/batch/internal/journaltest"
	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/internal/s3test"
	"cognito-reset/batch/journal"
)

const run = "s3://" + s3test.Bucket + "/runs/monday"

// through reaches a server in this process.
func through(t *testing.T, s *s3test.Server) Options {
	s3test.OwnCredentials(t)
	return Options{Options: objects.Options{EndpointURL: "http://s3.test", HTTPClient: s}}
}

// place is a run in S3.
func place(t *testing.T, name string, o Options) journaltest.Place {
	at := func(open func(context.Context, string, Options) (*journal.Dir, error)) func() (*journal.Dir, error) {
		return func() (*journal.Dir, error) { return open(t.Context(), name, o) }
	}
	return journaltest.Place{
		Create: at(Create), Open: at(Open), View: at(View),
		Litter: func() error {
			s, err := reach(t.Context(), name, o.Options)
			if err == nil {
				_, err = s.put(t.Context(), "letter.txt", strings.NewReader("hello"), objects.Condition{})
			}
			return err
		},
	}
}

func TestAPrefixIsARunDirectory(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) journaltest.Place { return place(t, run, through(t, s3test.New())) })
}

func TestAPrefixIsARunDirectoryWithItsCopyOnADiskAsStrictAsWindows(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) journaltest.Place {
		o := through(t, s3test.New())
		o.Disk = disktest.NewWindows(journal.JournalFile)
		return place(t, run, o)
	})
}

func TestAPrefixIsARunDirectoryThoughRequestsFail(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) journaltest.Place {
		s := s3test.New()
		s.Fault = func(*http.Request) s3test.Fault {
			if rand.IntN(10) == 0 {
				return []s3test.Fault{s3test.Broken, s3test.SlowDown, s3test.CutBefore, s3test.CutAfter}[rand.IntN(4)]
			}
			return s3test.None
		}
		return place(t, run, through(t, s))
	})
}

// A process that stood still while another took its run over calls nobody any
// more, and what it writes is not taken.
func TestWhoeverIsSilentForTooLongLosesTheRun(t *testing.T) { synctest.Test(t, silent) }

func silent(t *testing.T) {
	server := s3test.New()
	var still atomic.Bool
	sleeper := &s3test.Server{}
	*sleeper = *server
	sleeper.Fault = func(*http.Request) s3test.Fault {
		if still.Load() {
			return s3test.CutBefore
		}
		return s3test.None
	}
	o := through(t, sleeper)
	dir, err := Create(t.Context(), run, o)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	survey, err := dir.Spool(aliceAndBob)
	if err == nil {
		err = dir.WriteJSON(journal.RunFile, struct{}{})
	}
	if err != nil {
		t.Fatal(err)
	}
	start := func(dir *journal.Dir) (j *journal.Journal) {
		history, err := dir.Replay()
		if err == nil {
			j, err = history.Start("v1", survey.SHA256)
		}
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	j := start(dir)
	if err := j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}); err != nil {
		t.Fatal(err)
	}

	still.Store(true)
	waited := false
	o.HTTPClient, o.OnWait = server, func(string, time.Duration) { waited = true }
	other, err := Open(t.Context(), run, o)
	if err != nil || !waited {
		t.Fatalf("it is not taken over after a wait (%v): %v", waited, err)
	}
	defer other.Close()
	theirs := start(other)
	defer theirs.Close()
	still.Store(false)
	if err := j.WriteIntent(batch.Entry{Row: 2, Username: "bob"}); err == nil {
		t.Error("who lost the run may still call")
	}
	if err := theirs.WriteIntent(batch.Entry{Row: 2, Username: "bob"}); err != nil {
		t.Errorf("who has taken it over may not: %v", err)
	}
	if err := j.Close(); !errors.Is(err, ErrLost) {
		t.Errorf("closing says %v", err)
	}
}

func aliceAndBob(yield func(batch.Entry, error) bool) {
	_ = yield(batch.Entry{Row: 1, Username: "alice"}, nil) && yield(batch.Entry{Row: 2, Username: "bob"}, nil)
}
