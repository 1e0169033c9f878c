package userpool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cognito-reset/batch"
)

// clockStep is what the service's times are rounded by: HTTP dates have seconds.
const clockStep = 2 * time.Second

// unknownClock is how far two clocks may differ of which nothing is known, as
// those of a session that an earlier version recorded.
const unknownClock = 24 * time.Hour

// A clock knows how the service's clock stands to this process's: from the Date
// of each answer, and when its call left and the answer came. It goes by the
// monotonic clock, so that nobody who sets this machine's clock moves it.
type clock struct {
	began  time.Time
	jumped func(what string) // told when one of the clocks has jumped

	mu    sync.Mutex
	spans []span        // oldest first; a new one begins where the answers no longer agree
	set   time.Duration // this machine's clock was set by so much since it began
}

// A span is a time in which all answers agree: the service's clock is ahead by
// between low and high.
type span struct {
	from, low, high time.Duration // from: since the clock began
}

// maxSpans bounds what is kept of clocks that never agree. Of the oldest spans
// the earliest reading is kept.
const maxSpans = 16

func newClock(jumped func(string)) *clock { return &clock{began: time.Now(), jumped: jumped} }

// observe learns from one answer.
func (c *clock) observe(sent, received time.Time, date time.Time) {
	wall := received.Round(0).Sub(c.began.Round(0))
	if jump := c.learn(sent.Sub(c.began), received.Sub(c.began), wall, date.Sub(c.began.Round(0))); jump != "" && c.jumped != nil {
		c.jumped(jump)
	}
}

// learn is observe in times since the clock began: when the call left and the
// answer came, by the monotonic clock; when it came, by this machine's; and its
// date, rounded down, by the service's. It says which clock has jumped, if one has.
func (c *clock) learn(sent, received, wall, date time.Duration) (jump string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := wall - received - c.set
	if set.Abs() > clockStep {
		c.set += set
		jump = fmt.Sprintf("this machine's clock was set %s", way(set))
	}
	now := span{received, date - received, date + time.Second - sent}
	if len(c.spans) == 0 {
		now.from = 0
		c.spans = []span{now}
		return jump
	}
	last := &c.spans[len(c.spans)-1]
	gap := max(now.low-last.high, last.low-now.high)
	if gap <= 0 {
		last.low, last.high = max(last.low, now.low), min(last.high, now.high)
		return jump
	}
	// What the clock showed before is kept: calls that left then are judged by it.
	by := now.low - last.low
	if c.spans = append(c.spans, now); len(c.spans) > maxSpans {
		c.spans[1].low, c.spans[1].from = min(c.spans[0].low, c.spans[1].low), 0
		c.spans = c.spans[1:]
	}
	switch {
	case gap <= clockStep: // as clocks drift, and hosts of a service differ
	case jump != "" && (set-by).Abs() <= 2*clockStep:
		return fmt.Sprintf("this machine slept, or stood still, for %v", by.Round(time.Second))
	default:
		jump = fmt.Sprintf("the service's clock jumped %s", way(by))
	}
	return jump
}

func way(d time.Duration) string {
	if d < 0 {
		return fmt.Sprintf("back by %v", -d.Round(time.Second))
	}
	return fmt.Sprintf("ahead by %v", d.Round(time.Second))
}

// earliest is what the service's clock showed at the earliest when this
// process's showed t, by all that was heard then and since. It reports false
// if no answer had a date.
func (c *clock) earliest(t time.Time) (at time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := t.Sub(c.began)
	low := time.Duration(0)
	for i := len(c.spans) - 1; i >= 0; i-- {
		if s := c.spans[i]; !ok || s.low < low {
			low, ok = s.low, true
		}
		if c.spans[i].from <= since {
			break
		}
	}
	return c.began.Round(0).Add(since + low), ok
}

// reading is how the service's clock stands now to one that was right by this
// machine's at base, and has gone on from there.
func (c *clock) reading(base time.Time) batch.Clock {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spans) == 0 {
		return batch.Clock{}
	}
	service := c.began.Round(0).Add(base.Sub(c.began) + c.spans[len(c.spans)-1].low)
	return batch.Clock{Ahead: service.Sub(base.Round(0)), Known: true}
}

// called is when a call left, by the service's clock, at the earliest. That of an
// earlier session goes by what that session knew of its clock.
func (p *Pool) called(e batch.Entry, at time.Time) (time.Time, bool) {
	switch {
	case e.Intended.IsZero() || !at.Equal(e.Intended):
		return p.clock.earliest(at)
	case e.Clock.Known:
		return at.Add(e.Clock.Ahead), true
	}
	return at.Add(-unknownClock), true
}

// LearnClock is [Pool.Clock], after a question to the pool if there was no answer
// yet. That it may not be answered is no hindrance: refusals have a date as well.
func (p *Pool) LearnClock(ctx context.Context, base time.Time) batch.Clock {
	if now := p.Clock(base); now.Known {
		return now
	}
	_, _ = p.Settings(ctx) // only for its date
	return p.Clock(base)
}

// Clock is how the service's clock stands now to one that showed what this
// machine's did at base, a time of this process, and has gone on steadily from
// there. Before the first answer nothing is known of it.
func (p *Pool) Clock(base time.Time) batch.Clock { return p.clock.reading(base) }

// classify is what an answer is. One about the clocks says how they stand: the SDK has
// asked again by the service's, so that only somebody at this machine can help.
func (p *Pool) classify(err error) *batch.Error {
	answer := classify(err)
	if answer.Reason == batch.ClockSkew {
		answer.Err = fmt.Errorf("the service's clock is %s of this machine's", off(p.clock.reading(time.Now()).Ahead))
	}
	return answer
}

func off(ahead time.Duration) string {
	if ahead < 0 {
		return fmt.Sprintf("%v behind", -ahead.Round(time.Second))
	}
	return fmt.Sprintf("%v ahead", ahead.Round(time.Second))
}
