package s3run

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/internal/s3test"
	"cognito-reset/batch/journal"
)

// large is a report in two parts, like no other of that seed.
func large(seed uint64) []byte {
	report := make([]byte, objects.PartSize+1000)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(report)
	return report
}

// writes writes a report piece by piece, and then fails with an error, if it is not nil.
func writes(report []byte, fails error) func(io.Writer) error {
	return func(w io.Writer) error {
		for rest := report; len(rest) > 0; rest = rest[min(len(rest), 100_000):] {
			if _, err := w.Write(rest[:min(len(rest), 100_000)]); err != nil {
				return err
			}
		}
		return fails
	}
}

// holds fails unless a report in the directory is as it should be, and no part of another
// is left in S3.
func holds(t *testing.T, d *journal.Dir, s *s3test.Server, want []byte) {
	t.Helper()
	f, err := d.Open("report.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the report has %d bytes, not the %d that were written: %v", len(got), len(want), err)
	}
	if n := s.Uploads(); n > 0 {
		t.Errorf("%d uploads are left", n)
	}
}

func TestAReportGoesToS3WhileItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := s3test.New()
		d, j := begin(t, through(t, server))
		defer d.Close()
		defer j.Close()
		for seed := range uint64(2) {
			if err := d.Write("report.csv", writes(large(seed), nil)); err != nil {
				t.Fatal(err)
			}
			holds(t, d, server, large(seed))
		}
		if _, err := d.Stat("report.csv"); err == nil {
			t.Error("there is a copy of it")
		}
	})
}

// A report that cannot be written, of whatever reason, leaves the one before it, and the
// run goes on.
func TestAReportThatFailsLeavesTheOneBefore(t *testing.T) {
	broken := errors.New("a report that breaks off")
	is := func(method, query string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && r.URL.Query().Has(query) }
	}
	part := func(n string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == n }
	}
	for what, c := range map[string]struct {
		fault s3test.Fault
		of    func(*http.Request) bool
		fails error
	}{
		"the report breaks off":    {fails: broken},
		"no upload is allowed":     {fault: s3test.Denied, of: is(http.MethodPost, "uploads")},
		"a part is refused":        {fault: s3test.Denied, of: part("1")},
		"S3 is broken at the last": {fault: s3test.Broken, of: part("2")},
		"the end is refused":       {fault: s3test.Denied, of: is(http.MethodPost, "uploadId")},
		"the end is never reached": {fault: s3test.CutBefore, of: is(http.MethodPost, "uploadId")},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, fails := s3test.New(), false
				server.Fault = func(r *http.Request) s3test.Fault {
					if fails && c.of != nil && c.of(r) {
						return c.fault
					}
					return s3test.None
				}
				d, j := begin(t, through(t, server))
				if err := d.Write("report.csv", writes([]byte("the one before"), nil)); err != nil {
					t.Fatal(err)
				}
				fails = true
				err := d.Write("report.csv", writes(large(1), c.fails))
				if _, inS3 := errors.AsType[*Error](err); !inS3 && !errors.Is(err, broken) {
					t.Errorf("it is written: %v", err)
				}
				holds(t, d, server, []byte("the one before"))
				if err := errors.Join(j.WriteIntent(batch.Entry{Row: 2, Username: "bob"}), j.Close(), d.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAReportIsWrittenThoughTheLastAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, lost := s3test.New(), 0
		server.Fault = func(r *http.Request) s3test.Fault {
			if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && lost == 0 {
				lost++
				return s3test.CutAfter
			}
			return s3test.None
		}
		d, j := begin(t, through(t, server))
		if err := d.Write("report.csv", writes(large(1), nil)); err != nil || lost == 0 {
			t.Error(lost, err)
		}
		holds(t, d, server, large(1))
		if err := errors.Join(j.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	})
}

// Of two who write a report, as when a run was taken over, the one that has not seen the
// other's fails.
func TestAReportOfAnotherProcessIsNotReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := s3test.New()
		o := through(t, server)
		d, j := begin(t, o)
		other, err := View(t.Context(), run, o)
		if err == nil {
			err = other.Write("report.csv", writes(large(1), nil))
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, report := range [][]byte{large(2), []byte("small")} {
			if err := d.Write("report.csv", writes(report, nil)); !objects.Unmet(err) {
				t.Errorf("it is replaced: %v", err)
			}
		}
		holds(t, other, server, large(1))
		if err := errors.Join(j.Close(), d.Close(), other.Close()); err != nil {
			t.Error(err)
		}
	})
}
