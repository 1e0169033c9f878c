// Package pace says when the next call may go. It knows time alone.
package pace

import (
	"context"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// A Steady pace spaces calls evenly and holds a ceiling: within no window of
// one second do more calls leave than the rate, however late a goroutine is
// woken. It implements batch.Pace.
type Steady struct {
	gate    chan struct{} // one caller at a time, in the order of coming
	limiter *rate.Limiter
	window  []time.Time // when the last calls left, a ring as long as the rate
	at      int
}

// NewSteady returns a pace of perSecond calls a second, which must be positive.
func NewSteady(perSecond float64) *Steady {
	return &Steady{
		gate:    make(chan struct{}, 1),
		limiter: rate.NewLimiter(rate.Limit(perSecond), 1),
		window:  make([]time.Time, max(1, int(math.Floor(perSecond)))),
	}
}

// Wait blocks until the next call may go and returns when that was. It fails
// only if ctx is done.
func (s *Steady) Wait(ctx context.Context) (time.Time, error) {
	select {
	case s.gate <- struct{}{}:
		defer func() { <-s.gate }()
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
	// The limiter spaces turns by the clock; the window then makes up for a
	// turn that was taken late and would crowd those after it.
	turn := s.limiter.Reserve()
	wait := max(turn.Delay(), time.Until(s.window[s.at].Add(time.Second)))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		turn.Cancel()
		return time.Time{}, context.Cause(ctx)
	}
	left := time.Now()
	s.window[s.at] = left
	s.at = (s.at + 1) % len(s.window)
	return left, nil
}

// Answered does nothing: a steady pace does not learn.
func (s *Steady) Answered(time.Time, bool) {}
