package batch

import (
	"context"
	"time"
)

// maxAside bounds how many users wait without a worker, for each takes memory.
// More than that wait with one, and so hold up the run.
const maxAside = 10_000

// A seat is what a user who is worked on takes of [Options.Workers].
type seat struct {
	r      *runner
	ctx    context.Context
	taken  bool
	spared bool // another worker took this one's place
}

// leave gives the seat back, if it is taken.
func (s *seat) leave() {
	if s.taken {
		s.taken = false
		<-s.r.seats
	}
}

// standAside waits without a seat, which another worker takes meanwhile. It
// reports false if ctx was done first.
func (s *seat) standAside(ctx context.Context, d time.Duration) bool {
	select {
	case s.r.aside <- struct{}{}:
		defer func() { <-s.r.aside }()
	default:
		return sleep(ctx, d)
	}
	s.leave()
	if !s.spared {
		s.spared = true
		s.r.begin(s.ctx)
	}
	return sleep(ctx, d)
}

// sit takes a seat again, to call. It reports false if ctx was done first.
func (s *seat) sit(ctx context.Context) bool {
	if s.taken {
		return true
	}
	select {
	case s.r.seats <- struct{}{}:
		s.taken = true
		return true
	case <-ctx.Done():
		return false
	}
}
