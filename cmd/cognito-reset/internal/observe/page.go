package observe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/report"
)

// A board is the live page: how every run of this process stands, without anybody's
// name. It draws once a second for all who look, and not at all while nobody does.
type board struct {
	mu     sync.Mutex
	runs   []*shown
	steps  report.Steps  // of the runs
	pieces []drawn       // in the order of the page
	number int           // of the last drawing
	wake   chan struct{} // closed by a drawing
	ended  *report.Summary
	looked int // by so many
}

// drawn is a piece of the page, and the drawing in which it became what it is.
type drawn struct {
	report.Piece
	number int
}

// Each second a board draws, for at most so many who look: each takes a connection,
// of which the run needs some.
const (
	drawEvery = time.Second
	mostLooks = 2000
)

func newBoard() *board { return &board{wake: make(chan struct{})} }

// shown is a run on the board.
type shown struct {
	Run
	began time.Time

	mu    sync.Mutex
	page  *report.Page
	sum   report.Summary // of those who are settled
	over  bool
	rest  string // why the run rests now; "" if it works
	wave  int    // that began last; 0 if none did
	speed speed
}

// speed is how many users were settled of late.
type speed struct {
	at    [8]time.Time
	users [8]int64
	next  int
}

func (s *speed) note(now time.Time, users int64) (perSecond float64) {
	oldest := s.next % len(s.at)
	since, before := s.at[oldest], s.users[oldest]
	if since.IsZero() {
		since, before = s.at[0], s.users[0]
	}
	s.at[oldest], s.users[oldest] = now, users
	s.next++
	if seconds := now.Sub(since).Seconds(); !since.IsZero() && seconds > 0 {
		return float64(users-before) / seconds
	}
	return 0
}

// add shows a run that begins to work.
func (b *board) add(r Run) *shown {
	s := &shown{Run: r, began: time.Now(), page: r.Page, sum: r.SoFar}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs = append(b.runs, s)
	return s
}

// settled takes in a user.
func (s *shown) settled(r batch.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Outcome == batch.NotAttempted {
		return
	}
	s.sum.Wait(-1)
	_ = s.sum.Write(r) // which never fails
	s.page.Count(r)
}

// end says that the run works no more.
func (s *shown) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.notice(control.Live{})
}

// notice notes of a run when it rests and when its waves begin.
func (s *shown) notice(live control.Live) {
	now, rest := time.Now(), ""
	if live.Wave > s.wave && !live.Resting {
		s.wave = live.Wave
		s.page.Went(report.Wave{Name: fmt.Sprint("wave ", s.wave), Began: now})
	}
	if live.Resting {
		rest, _, _ = strings.Cut(live.Why, ",")
	}
	if n := len(s.page.Rests); s.rest != "" && n > 0 {
		s.page.Rests[n-1].To = now
	}
	if rest != s.rest {
		if s.rest = rest; rest != "" {
			s.page.Rests = append(s.page.Rests, report.Rest{Name: rest, From: now, To: now})
		}
	}
}

// stands is how the run stands now.
func (s *shown) stands() (sum report.Summary, now *report.Now) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum = s.sum
	sum.Outcomes, sum.Reasons = maps.Clone(sum.Outcomes), maps.Clone(sum.Reasons)
	sum.ElapsedSeconds += time.Since(s.began).Seconds()
	_ = sum.Close() // which never fails
	if s.over {
		return sum, nil
	}
	live, counts := s.Live(), s.Counts()
	now = &report.Now{Why: live.Why, Ahead: live.Ahead(), InFlight: counts.InFlight}
	now.Rate = fmt.Sprintf("%.1f users a second", s.speed.note(time.Now(), counts.Settled()))
	if live.Ceiling > 0 {
		now.Rate += fmt.Sprintf(", of at most %.4g calls", live.Ceiling)
	}
	return sum, now
}

// draw draws what has changed, and tells whoever looks. The board is locked.
func (b *board) draw() error {
	var total report.Summary
	var pieces []report.Piece
	for i, s := range b.runs {
		sum, now := s.stands()
		if b.ended != nil && len(b.runs) == 1 {
			sum, now = *b.ended, nil
		}
		total.Add(sum)
		s.mu.Lock()
		parts, err := s.page.Pieces(fmt.Sprintf("run-%d-", i+1), sum, now)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		pieces = append(pieces, parts...)
	}
	if len(b.runs) != 1 {
		all, now := total, &report.Now{Why: "its runs to begin"}
		if all.UserPoolName = fmt.Sprintf("%d user pools", len(b.runs)); len(b.runs) > 0 {
			now.Why = "its runs, below"
		}
		if b.ended != nil {
			all, now = *b.ended, nil
		}
		parts, err := report.NewPage().Pieces("all-", all, now)
		if err != nil {
			return err
		}
		pieces = append(parts[:2:2], pieces...) // the verdict and the outcomes
	}
	b.steps = total.Steps
	b.number++
	old := make(map[string]drawn, len(b.pieces))
	for _, p := range b.pieces {
		old[p.ID] = p
	}
	b.pieces = b.pieces[:0:0]
	for _, p := range pieces {
		if was := old[p.ID]; was.HTML == p.HTML {
			b.pieces = append(b.pieces, was)
		} else {
			b.pieces = append(b.pieces, drawn{p, b.number})
		}
	}
	close(b.wake)
	b.wake = make(chan struct{})
	return nil
}

// keepDrawing draws while somebody looks, until the process ends.
func (b *board) keepDrawing() {
	for range time.Tick(drawEvery) {
		b.mu.Lock()
		for _, s := range b.runs {
			s.mu.Lock()
			if !s.over {
				s.notice(s.Live())
			}
			s.mu.Unlock()
		}
		if b.looked > 0 && b.ended == nil {
			_ = b.draw() // whoever looks sees that it does not go on
		}
		b.mu.Unlock()
	}
}

// since are the pieces that are newer than a drawing.
func (b *board) since(number int) (fresh []drawn, last int, wake <-chan struct{}, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.pieces {
		if p.number > number {
			fresh = append(fresh, p)
		}
	}
	return fresh, b.number, b.wake, b.ended != nil
}

// look counts who looks; false if there are too many.
func (b *board) look(more int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if more > 0 && b.looked >= mostLooks {
		return false
	}
	b.looked += more
	return true
}

// servePage answers with the whole page as it is now.
func (b *board) servePage(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	err := b.draw()
	var pieces []report.Piece
	for _, p := range b.pieces {
		pieces = append(pieces, p.Piece)
	}
	steps := b.steps
	b.mu.Unlock()
	var html bytes.Buffer
	if err == nil {
		err = report.RenderLive(&html, steps, pieces)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = html.WriteTo(w)
}

// serveEvents tells of each piece that changes, until the run has ended.
func (b *board) serveEvents(w http.ResponseWriter, r *http.Request) {
	if !b.look(1) {
		http.Error(w, fmt.Sprintf("%d pages are open, and no more are served", mostLooks), http.StatusServiceUnavailable)
		return
	}
	defer b.look(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy is not to keep events back
	out, seen := http.NewResponseController(w), 0
	fmt.Fprint(w, "retry: 1000\n\n") // ms, after a connection was lost
	for {
		fresh, last, wake, ended := b.since(seen)
		for _, p := range fresh {
			data, err := json.Marshal(p.Piece)
			if err == nil {
				_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second)) // for whoever does not read
				_, err = fmt.Fprintf(w, "data: %s\n\n", data)
			}
			if err != nil {
				return
			}
		}
		if seen = last; ended {
			fmt.Fprint(w, "event: end\ndata:\n\n")
			_ = out.Flush()
			return
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-wake:
		case <-r.Context().Done():
			return
		}
	}
}

// end shows how all ended, and waits a moment until whoever looks has seen it.
func (b *board) end(sum report.Summary) {
	b.mu.Lock()
	b.ended = &sum
	_ = b.draw()
	b.mu.Unlock()
	for began := time.Now(); time.Since(began) < 2*time.Second && !b.alone(); {
		time.Sleep(10 * time.Millisecond)
	}
}

func (b *board) alone() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.looked == 0
}
