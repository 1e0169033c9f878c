// Package pace says when the next call may go. It knows time alone.
//
// A pace has a ceiling, which it never exceeds, and a rate below it, which it
// learns from how calls are met: a throttled call cuts the rate, and time
// without one raises it again. Live users share the quota of a mass reset, so
// that their traffic shows as throttles, and the pace makes room for it. Throttles
// that go on as before when it goes slower are faults, and it gets used to those.
package pace

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// A Pace lets calls go one by one, evenly spaced. It implements batch.Pace; its
// methods may be called from many goroutines.
type Pace struct {
	parent  *Pace         // that this is a child of; nil if it is of none
	gate    chan struct{} // one caller at a time waits for its turn; the others queue
	waiting atomic.Int64  // callers
	limiter *rate.Limiter
	left    []time.Time // when the calls of the last second left; of the gate's holder

	mu      sync.Mutex
	paused  bool
	held    time.Time     // no call goes before
	changed chan struct{} // closed when a waiting caller must look again
	learner
}

// New returns a pace that holds a ceiling in calls a second. Zero is no
// ceiling: the pace is then what the server's throttles make of it.
func New(perSecond float64) *Pace {
	p := &Pace{gate: make(chan struct{}, 1), changed: make(chan struct{}), learner: newLearner(unlimited(perSecond))}
	p.limiter = rate.NewLimiter(limit(p.ceiling), 1)
	return p
}

// Known has the pace begin at its ceiling: it is known to be what the quota allows.
func (p *Pace) Known() *Pace {
	p.phase = settled
	return p
}

// Child returns a pace of its own, with a ceiling in calls a second, whose
// calls also wait for their turn among those of p: what several share who must
// not exceed p together. Each child has one call waiting there, so that they take
// turns. How calls are met is for p to learn from; pause, hold and ceiling of a
// child are its own.
func (p *Pace) Child(perSecond float64) *Pace {
	child := New(perSecond)
	child.parent, child.phase = p, settled
	return child
}

func unlimited(perSecond float64) float64 {
	if perSecond <= 0 {
		return math.Inf(1)
	}
	return perSecond
}

func limit(perSecond float64) rate.Limit {
	if math.IsInf(perSecond, 1) {
		return rate.Inf
	}
	return rate.Limit(perSecond)
}

// Wait blocks until the next call may go and returns when that was. It fails
// only if ctx is done.
func (p *Pace) Wait(ctx context.Context) (time.Time, error) {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	select {
	case p.gate <- struct{}{}:
		defer func() { <-p.gate }()
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
	for {
		free, changed := p.free()
		turn := p.limiter.Reserve()
		if !sleep(ctx, max(turn.Delay(), time.Until(free)), changed) {
			turn.Cancel()
			if ctx.Err() != nil {
				return time.Time{}, context.Cause(ctx)
			}
			continue
		}
		now := time.Now()
		if p.parent != nil {
			var err error
			if now, err = p.parent.Wait(ctx); err != nil {
				return now, err
			}
			if p.stands(now) { // since it waited; the turn is nobody's
				continue
			}
		}
		p.left = append(p.left, now)
		return now, nil
	}
}

// stands reports whether no call may go now, however few went before.
func (p *Pace) stands(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused || p.held.After(now)
}

// forever is when a paused pace lets the next call go.
var forever = time.Unix(1<<40, 0)

// free is when the next call may go as far as ceiling, pause and hold have a
// say. The limiter, set to the rate of this moment, spaces calls by the clock;
// the ceiling makes up for a turn that was taken late and would crowd those
// after it.
func (p *Pace) free() (at time.Time, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	most, spacing := p.ceiling, limit(p.rate(now))
	if p.opening(now) && p.reached.IsZero() {
		if p.began.IsZero() {
			p.began = now
		}
		most, spacing = p.burst(now), rate.Inf // so few may go at once
	}
	if spacing != p.limiter.Limit() {
		p.limiter.SetLimit(spacing)
	}
	p.left = lastSecond(p.left, now)
	at = p.held
	if n := len(p.left) - int(max(1, min(most, math.MaxInt32))); n >= 0 && p.left[n].Add(time.Second).After(at) {
		at = p.left[n].Add(time.Second)
	}
	if p.paused {
		at = forever
	}
	return at, p.changed
}

// sleep reports false if it was woken, or ctx was done, before its time.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-wake:
		return false
	case <-ctx.Done():
		return false
	}
}

// lastSecond drops the times that are a second old or more.
func lastSecond(times []time.Time, now time.Time) []time.Time {
	n := 0
	for n < len(times) && now.Sub(times[n]) >= time.Second {
		n++
	}
	return times[n:]
}

// Answered tells how a call was met.
func (p *Pace) Answered(throttled bool) {
	if p.parent != nil {
		p.parent.Answered(throttled)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.learn(time.Now(), throttled) {
		p.wake()
	}
}

// wake lets the waiting caller look again.
func (p *Pace) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// SetCeiling changes the ceiling from now on. Zero is none. What was learned of
// the server's quota stays.
func (p *Pace) SetCeiling(perSecond float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ceiling = unlimited(perSecond)
	p.wake()
}

// Pause lets no call go until Resume.
func (p *Pace) Pause() { p.pause(true) }

// Resume ends a Pause.
func (p *Pace) Resume() { p.pause(false) }

func (p *Pace) pause(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = paused
	p.wake()
}

// Hold lets no call go before a time. An earlier time than one held before
// changes nothing.
func (p *Pace) Hold(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.held) {
		p.held = until
		p.wake()
	}
}

// A State is how a pace stands.
type State struct {
	Ceiling float64   // calls a second at most; 0 without a ceiling
	Rate    float64   // calls a second now, of a child and those beside it; 0 without a ceiling or a throttle so far
	Paused  bool      // no call goes until Resume
	Held    time.Time // no call goes before; zero if that is past
	Waiting int       // calls that wait for their turn
	Opening bool      // the quota is looked for: Rate is what it was found to be so far
}

// Throttled reports whether the server's quota, not the ceiling, sets the rate.
func (s State) Throttled() bool { return !s.Opening && s.Rate != s.Ceiling }

// State is how the pace stands now.
func (p *Pace) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	finite := func(r float64) float64 {
		if math.IsInf(r, 1) {
			return 0
		}
		return r
	}
	s := State{Ceiling: finite(p.ceiling), Rate: finite(p.rate(now)), Paused: p.paused, Waiting: int(p.waiting.Load()), Opening: p.opening(now) && p.reached.IsZero()}
	if p.held.After(now) {
		s.Held = p.held
	}
	if p.parent != nil {
		if parent := p.parent.State().Rate; parent > 0 && (s.Rate == 0 || parent < s.Rate) {
			s.Rate = parent
		}
	}
	return s
}
