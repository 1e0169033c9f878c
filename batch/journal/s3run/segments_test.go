package s3run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/internal/s3test"
)

// segmented serves a journal of segments whose sizes are known, each full of a letter of
// its own.
type segmented struct {
	sizes   []int
	latency func(n int) time.Duration // of segment n, from 0; 0 lists
	missing int                       // number of a segment that the listing lacks

	now, most atomic.Int64 // segments under way
}

func (s *segmented) letter(n int) string { return string(rune('a' + n%26)) }

func (s *segmented) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"1"`)
	w.Header().Set("X-Amz-Bucket-Region", "us-east-1")
	if r.URL.Query().Get("list-type") != "" {
		time.Sleep(s.latency(0))
		s.list(w, r.URL.Query().Get("continuation-token"))
		return
	}
	now := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	n := 0
	_, name, _ := strings.Cut(r.URL.Path, segments)
	fmt.Sscanf(name, "%d.jsonl", &n)
	time.Sleep(s.latency(n))
	w.Header().Set("Content-Length", fmt.Sprint(s.sizes[n-1]))
	io.WriteString(w, strings.Repeat(s.letter(n), s.sizes[n-1]))
}

func (s *segmented) list(w io.Writer, from string) {
	first := 1
	fmt.Sscan(from, &first)
	last := min(first+999, len(s.sizes))
	fmt.Fprintf(w, "<ListBucketResult><IsTruncated>%t</IsTruncated><NextContinuationToken>%d</NextContinuationToken>", last < len(s.sizes), last+1)
	for n := first; n <= last; n++ {
		if n != s.missing {
			fmt.Fprintf(w, "<Contents><Key>runs/monday/%s</Key><Size>%d</Size><ETag>&quot;1&quot;</ETag></Contents>", segment(int64(n)), s.sizes[n-1])
		}
	}
	fmt.Fprint(w, "</ListBucketResult>")
}

// Do makes it an HTTP client that reaches nothing else.
func (s *segmented) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), r.Context().Err()
}

// content is the whole journal.
func (s *segmented) content() []byte {
	var all bytes.Buffer
	for i, size := range s.sizes {
		all.WriteString(strings.Repeat(s.letter(i+1), size))
	}
	return all.Bytes()
}

func (s *segmented) store(t testing.TB) *store {
	s3test.OwnCredentials(t)
	reached, err := reach(t.Context(), run, objects.Options{EndpointURL: "http://s3.test", HTTPClient: s})
	if err != nil {
		t.Fatal(err)
	}
	return reached
}

func repeated(size, times int) (sizes []int) {
	for range times {
		sizes = append(sizes, size)
	}
	return sizes
}

// A journal is read many segments at a time, whose answers come in any order, and
// written in the order of the segments.
func TestSegmentsAreReadSideBySideAndWrittenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &segmented{sizes: repeated(100, 1500), latency: func(n int) time.Duration { return time.Duration(1+n*7919%50) * time.Millisecond }}
		reached, began := s.store(t), time.Now()
		var journal bytes.Buffer
		last, err := reached.copyJournal(t.Context(), &journal)
		if err != nil || last != 1500 || !bytes.Equal(journal.Bytes(), s.content()) {
			t.Errorf("%d segments, %d bytes, %v", last, journal.Len(), err)
		}
		if took := time.Since(began); took > time.Second { // one after the other, it takes 38 s
			t.Errorf("it took %v", took)
		}
		if most := s.most.Load(); most > readAhead+1 {
			t.Errorf("%d were under way at one time", most)
		}
	})
}

// However large segments are, a bounded part of them is in memory, and one that is larger
// than any that this program writes is in none.
func TestSegmentsAreReadWithinTheMemoryThatTheyMayTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &segmented{sizes: append(repeated(largest, 12), largest+1, 7), latency: func(int) time.Duration { return time.Millisecond }}
		reached := s.store(t)
		var journal bytes.Buffer
		if last, err := reached.copyJournal(t.Context(), &journal); err != nil || last != 14 || !bytes.Equal(journal.Bytes(), s.content()) {
			t.Errorf("%d segments, %d bytes, %v", last, journal.Len(), err)
		}
		if most := s.most.Load(); most*largest > readMemory {
			t.Errorf("%d were under way at one time", most)
		}
	})
}

// Whatever ends the reading leaves nothing at work, though memory is short.
func TestAReadingThatEndsEarlyLeavesNothingAtWork(t *testing.T) {
	broken := errors.New("the disk is full")
	for name, size := range map[string]int{"small": 10, "of a share": largest, "large": largest + 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // which fails if a goroutine stays
				s := &segmented{sizes: repeated(size, 20), latency: func(int) time.Duration { return time.Millisecond }}
				reached := s.store(t)
				if _, err := reached.copyJournal(t.Context(), failing{broken}); !errors.Is(err, broken) {
					t.Errorf("%v", err)
				}
				s.missing = 3
				if _, err := reached.copyJournal(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), segment(4)+" comes where") {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// BenchmarkSegments is what it takes to read the journal of a million users, ten hours at
// the quota, from a server that takes 5 ms for an answer: in order, beside requests of the
// same SDK in any order.
func BenchmarkSegments(b *testing.B) {
	const count = 35_000
	server := &segmented{sizes: repeated(16<<10, count), latency: func(int) time.Duration { return 5 * time.Millisecond }}
	served := httptest.NewUnstartedServer(server)
	var connections atomic.Int64
	served.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	served.Start()
	defer served.Close()
	s3test.OwnCredentials(b)
	s, err := reach(context.Background(), run, objects.Options{EndpointURL: served.URL})
	if err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"in order": func() error {
			_, err := s.copyJournal(b.Context(), io.Discard)
			return err
		},
		"in any order": func() error {
			var next atomic.Int64
			var readers sync.WaitGroup
			for range readAhead {
				readers.Go(func() {
					for n := next.Add(1); n <= count; n = next.Add(1) {
						if err := s.copyTo(b.Context(), io.Discard, segment(n)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			readers.Wait()
			return nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			before := connections.Load()
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s")
			b.ReportMetric(float64(connections.Load()-before), "connections")
		})
	}
}
