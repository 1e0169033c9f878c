// Package pace says when the next call may go. It knows time alone.
//
// A pace has a ceiling, which it never exceeds, and a rate below it, which it
// learns from how calls are met: a throttled call cuts the rate, and time
// without one raises it again. Live users share the quota of a mass reset, so
// that their traffic shows as throttles, and the pace makes room for it.
package pace

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// How a pace learns. Throttles come for two reasons. Where jitter crowds a few
// calls they come alone, and a hair less is enough. Where the quota is spent, as
// others draw on it too, they come in company, and each is also a live user's:
// then the pace yields. So the share of throttles that come alone, cubed, says
// how bold the pace is: cuts are divided by it and climbs multiplied by its
// square. The values are those that did well in BenchmarkPace.
const (
	cut      = 0.005             // of the rate, for a throttle that comes alone; n for the nth in a window
	deepest  = 0.2               // of the rate, for all throttles of a window
	climb    = 1.0 / 700         // of the rate, for each call of a bold pace that is not throttled
	doubling = 100 * time.Second // without a throttle, after which the quota may be another
	memory   = 0.05              // weight of the last window among those with throttles
	window   = time.Second       // in which throttles are in company; and that a rate is measured over
)

// How a pace begins whose ceiling is higher than the quota that Cognito gives every
// account, or that has none: with that quota for a second, in which a lower one would
// show. From then on each answer that is not a throttle raises the rate, which so
// doubles in about an eighth of a second: where there is no quota, it has found out
// within two.
const (
	usual  = 30      // calls a second of the category UserAccountRecovery
	raise  = 6       // calls a second more, for each answer
	few    = 6       // throttles that say nothing
	fault  = 0.2     // of the answers: fewer throttles may have nothing to do with the rate
	opened = 1 << 12 // calls a second from which on there is taken to be no quota
)

// slowest is the least that throttles make of a rate, in calls a second: a pace
// that stands still would never learn that it may go on. More than that is a
// tenth of the most that the server took, for some throttles have nothing to do
// with the rate.
const slowest = 0.2

// A Pace lets calls go one by one, evenly spaced. It implements batch.Pace; its
// methods may be called from many goroutines.
type Pace struct {
	parent  *Pace         // that this is a child of; nil if it is of none
	gate    chan struct{} // one caller at a time waits for its turn; the others queue
	waiting atomic.Int64  // callers
	limiter *rate.Limiter
	left    []time.Time // when the calls of the last second left; of the gate's holder

	mu      sync.Mutex
	ceiling float64
	paused  bool
	held    time.Time     // no call goes before
	changed chan struct{} // closed when a waiting caller must look again

	// Of what was learned.
	guess    float64     // the rate to begin with, until a call is throttled
	foundAt  time.Time   // when the guess came to the ceiling
	base     float64     // the rate after the last cut
	cutAt    time.Time   // zero until a call is throttled
	windowAt time.Time   // when the last throttled window began
	peak     float64     // the rate that it began with
	company  int         // how many throttles it has had
	alone    float64     // the share of throttled windows that had one throttle, lately
	accepted []time.Time // when the answers of the last window came
	refused  []time.Time // when the throttles of the last window came, while the quota is looked for
	since    time.Time   // of the first answer
	most     int         // answers in a window, so far
}

// New returns a pace that holds a ceiling in calls a second. Zero is no
// ceiling: the pace is then what the server's throttles make of it.
func New(perSecond float64) *Pace {
	p := &Pace{gate: make(chan struct{}, 1), changed: make(chan struct{}), alone: 1, guess: usual}
	p.ceiling = unlimited(perSecond)
	p.limiter = rate.NewLimiter(limit(p.ceiling), 1)
	return p
}

// Known has the pace begin at its ceiling: it is known to be what the quota allows.
func (p *Pace) Known() *Pace {
	p.guess, p.foundAt = math.Inf(1), time.Unix(0, 0)
	return p
}

// Child returns a pace of its own, with a ceiling in calls a second, whose
// calls also wait for their turn among those of p: what several share who must
// not exceed p together. Each child has one call waiting there, so that they take
// turns. How calls are met is for p to learn from; pause, hold and ceiling of a
// child are its own.
func (p *Pace) Child(perSecond float64) *Pace {
	child := New(perSecond)
	child.parent = p
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
	now, most := time.Now(), p.ceiling
	spacing := limit(p.rate(now))
	if p.opening(now) {
		if most = min(most, p.guess); math.IsInf(p.ceiling, 1) && p.guess == usual {
			spacing = rate.Inf // nobody asked for an even pace, and so few may go at once
		}
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
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	p.accepted = lastSecond(p.accepted, now)
	if !throttled {
		p.accepted = append(p.accepted, now)
		p.most = max(p.most, len(p.accepted))
		if p.opening(now) && now.Sub(p.since) >= window {
			if p.guess += raise; p.guess > opened {
				p.guess = math.Inf(1)
			}
			if p.foundAt.IsZero() && p.guess >= p.ceiling {
				p.foundAt = now
			}
			p.wake()
		}
		return
	}
	rate := p.rate(now)
	if p.opening(now) {
		p.refused = append(lastSecond(p.refused, now), now)
		if n := len(p.refused); n < few || float64(n) < fault*float64(len(p.accepted)) {
			return
		}
		if p.guess > usual {
			// What was accepted may have been saved up: twice as much as the quota at most.
			rate = min(rate, max(usual, float64(len(p.accepted))/2/window.Seconds()))
		}
	}
	if now.Sub(p.windowAt) >= window {
		p.remember()
		// What the server took is a bound where far more was sent, as at the
		// beginning. It is a count, and so a little off.
		if now.Sub(p.since) >= window {
			rate = min(rate, 1.25*float64(len(p.accepted))/window.Seconds())
		}
		p.windowAt, p.peak, p.company = now, rate, 0
	}
	p.company++
	least := max(slowest, p.peak*(1-deepest), float64(p.most)/10)
	p.base = max(least, rate*(1-cut*float64(p.company)/p.boldness()))
	p.cutAt = now
	p.wake()
}

// remember counts a window that is over.
func (p *Pace) remember() {
	switch p.company {
	case 0:
	case 1:
		p.alone += memory * (1 - p.alone)
	default:
		p.alone -= memory * p.alone
	}
}

func (p *Pace) boldness() float64 { return p.alone * p.alone * p.alone }

// opening reports whether the pace still looks for the quota: it has not come to the
// ceiling yet, or so lately that throttles are still on their way. A child leaves that to
// its parent.
func (p *Pace) opening(now time.Time) bool {
	return p.parent == nil && p.cutAt.IsZero() && (p.foundAt.IsZero() || now.Sub(p.foundAt) < 2*window)
}

// rate is how many calls a second go now.
func (p *Pace) rate(now time.Time) float64 {
	if p.opening(now) {
		return min(p.ceiling, p.guess)
	}
	if p.cutAt.IsZero() {
		return p.ceiling
	}
	since := now.Sub(p.cutAt)
	calls, long := p.base*since.Seconds(), float64(since)/float64(doubling)
	bold := p.boldness()
	return min(p.ceiling, p.base*(1+climb*bold*bold*calls+long*long*long))
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
	s := State{Ceiling: finite(p.ceiling), Rate: finite(p.rate(now)), Paused: p.paused, Waiting: int(p.waiting.Load()), Opening: p.opening(now) && p.guess < p.ceiling}
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
