package batch

import (
	"maps"
	"sync"
)

// Counts says how many rows ended how. The outcomes add up to Rows.
type Counts struct {
	Rows      int64
	Outcomes  map[Outcome]int64
	Reasons   map[Reason]int64
	Calls     int64 // attempts made, throttled ones included, read-backs not
	Throttled int64 // attempts answered by a throttle
	InFlight  int64 // calls under way
}

// Add adds the counts of others.
func (c *Counts) Add(other Counts) {
	if c.Outcomes == nil {
		c.Outcomes, c.Reasons = make(map[Outcome]int64), make(map[Reason]int64)
	}
	c.Rows += other.Rows
	for o, n := range other.Outcomes {
		c.Outcomes[o] += n
	}
	for r, n := range other.Reasons {
		c.Reasons[r] += n
	}
	c.Calls, c.Throttled, c.InFlight = c.Calls+other.Calls, c.Throttled+other.Throttled, c.InFlight+other.InFlight
}

// Settled is how many of the rows were attempted, or needed no attempt.
func (c Counts) Settled() int64 { return c.Rows - c.Outcomes[NotAttempted] }

// A Tally counts results while a run goes on. Its zero value is ready, and its
// methods may be called from any goroutine.
type Tally struct {
	mu     sync.Mutex
	counts Counts
}

// Add counts one result.
func (t *Tally) Add(r Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts.Outcomes == nil {
		t.counts.Outcomes = make(map[Outcome]int64)
		t.counts.Reasons = make(map[Reason]int64)
	}
	t.counts.Rows++
	t.counts.Outcomes[r.Outcome]++
	if r.Reason != "" {
		t.counts.Reasons[r.Reason]++
	}
}

// Counts returns the counts of this moment.
func (t *Tally) Counts() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Outcomes, c.Reasons = maps.Clone(c.Outcomes), maps.Clone(c.Reasons)
	return c
}

func (t *Tally) callLeft() {
	t.mu.Lock()
	t.counts.Calls++
	t.counts.InFlight++
	t.mu.Unlock()
}

func (t *Tally) callAnswered(throttled bool) {
	t.mu.Lock()
	t.counts.InFlight--
	if throttled {
		t.counts.Throttled++
	}
	t.mu.Unlock()
}
