package observe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"
)

// watchedRun is an observer with a page, and a run of so many users on it.
func watchedRun(tb testing.TB, name string, users int64, o *Observer) (settled func(batch.Result), end func(), ctl *control.Control) {
	tb.Helper()
	ctl = control.New(control.NewPaces(spec.Spec{Settings: spec.Settings{Rate: 20}}), nil, nil)
	sum := report.Summary{UserPoolID: name}
	sum.Wait(users)
	settled, end = o.Watch(Run{
		PoolID: name, Log: slog.New(slog.DiscardHandler), Live: ctl.Live, Counts: ctl.Tally.Counts, Page: report.NewPage(), SoFar: sum,
		Stands: func(string) report.Summary { return report.Summary{} },
	})
	return settled, end, ctl
}

func withPage() *Observer {
	o := newObserver(Options{StallAfter: time.Hour}, func(string, report.Summary, string) {})
	o.board = newBoard()
	return o
}

// events reads what a page is told, a piece a line, until it is closed.
func events(tb testing.TB, url string) (lines <-chan string, end func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events", nil)
	if err != nil {
		tb.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatal(err)
	}
	all := make(chan string, 1000)
	go func() {
		defer close(all)
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			if scanner.Text() != "" {
				all <- scanner.Text()
			}
		}
	}()
	return all, cancel
}

// await reads until a line has a text.
func await(tb testing.TB, lines <-chan string, want string) string {
	tb.Helper()
	for limit := time.After(20 * time.Second); ; {
		select {
		case line, open := <-lines:
			if !open {
				tb.Fatalf("it ended before it said %q", want)
			}
			if strings.Contains(line, want) {
				return line
			}
		case <-limit:
			tb.Fatalf("it did not say %q", want)
		}
	}
}

// Whoever looks sees the users settled, is told of what changes alone, and sees the
// end; whoever comes late, or comes back, sees all of it.
func TestThePageMovesWithTheRun(t *testing.T) {
	o := withPage()
	server := httptest.NewServer(o.handler())
	defer server.Close()
	settled, end, ctl := watchedRun(t, "eu-west-1_AbCdEfGhI", 3, o)
	redraw := func() {
		o.board.mu.Lock()
		defer o.board.mu.Unlock()
		if err := o.board.draw(); err != nil {
			t.Error(err)
		}
	}
	redraw()
	first, leave := events(t, server.URL)
	await(t, first, "0 of 3 are safe. 3 wait for their turn.")
	at := time.Now()
	settled(batch.Result{Row: 1, Username: "ann@example.com", Outcome: batch.Reset, Attempts: 1, StartedAt: at, FinishedAt: at.Add(time.Millisecond)})
	settled(batch.Result{Row: 2, Username: "bob", Outcome: batch.NotAttempted, Reason: batch.Interrupted})
	ctl.Pause()
	redraw()
	if line := await(t, first, "1 of 3 are safe. 2 wait for their turn."); !strings.Contains(line, "paused") {
		t.Error("it does not say that the run is paused")
	}
	await(t, first, "run-1-calls")
	leave()

	late, leave := events(t, server.URL)
	defer leave()
	for _, part := range []string{"verdict", "outcomes", "reasons", "calls", "waves"} {
		if line := await(t, late, "run-1-"+part); strings.Contains(line, "ann") {
			t.Error("somebody is named")
		}
	}
	end()
	over := make(chan struct{})
	go func() {
		sum := report.Summary{UserPoolName: "prod-eu", StoppedBecause: "interrupted"}
		sum.Write(batch.Result{Outcome: batch.Reset})
		o.Ended(sum)
		close(over)
	}()
	await(t, late, "1 of 1 are safe.")
	await(t, late, "event: end")
	<-over
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if html, _ := io.ReadAll(response.Body); !strings.Contains(string(html), "STOPPED") || !strings.Contains(string(html), "prod-eu") {
		t.Error("who opens the page after the end does not see it")
	}
}

// Several runs have one verdict above theirs.
func TestThePageOfAFleetAddsUp(t *testing.T) {
	o := withPage()
	for i := range 3 {
		settled, _, _ := watchedRun(t, fmt.Sprintf("eu-west-1_Pool%05d", i), 10, o)
		settled(batch.Result{Outcome: batch.Reset})
	}
	w := httptest.NewRecorder()
	o.handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	for _, want := range []string{"3 user pools", "3 of 30 are safe. 27 wait for their turn.", "1 of 10 are safe. 9 wait for their turn.", "eu-west-1_Pool00002"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q is not on the page", want)
		}
	}
}

// BenchmarkPage is what the page takes of a run: for each user, and each second that
// somebody looks.
func BenchmarkPage(b *testing.B) {
	o := withPage()
	settled, end, _ := watchedRun(b, "eu-west-1_AbCdEfGhI", 1<<40, o)
	defer end()
	at := time.Now()
	r := batch.Result{Outcome: batch.Reset, Attempts: 1, StartedAt: at, FinishedAt: at.Add(80 * time.Millisecond)}
	b.Run("user", func(b *testing.B) {
		for b.Loop() {
			r.StartedAt, r.FinishedAt = r.StartedAt.Add(time.Millisecond), r.FinishedAt.Add(time.Millisecond)
			settled(r)
		}
	})
	b.Run("drawing", func(b *testing.B) {
		for b.Loop() {
			o.board.mu.Lock()
			o.board.draw()
			o.board.mu.Unlock()
		}
	})
	b.Run("drawing for 1000", func(b *testing.B) {
		server := httptest.NewServer(o.handler())
		defer server.Close()
		for range 1000 {
			lines, leave := events(b, server.URL)
			defer leave()
			go func() {
				for range lines {
				}
			}()
		}
		for b.Loop() {
			settled(r)
			o.board.mu.Lock()
			o.board.draw()
			o.board.mu.Unlock()
		}
	})
}
