package guards

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cognito-reset/batch"
)

// messageDay is when Cognito last began to count a day's messages: 09:00 UTC.
func messageDay(now time.Time) time.Time {
	now = now.UTC()
	day := time.Date(now.Year(), now.Month(), now.Day(), 9, 0, 0, 0, time.UTC)
	if day.After(now) {
		day = day.AddDate(0, 0, -1)
	}
	return day
}

// NextMessages is when to try again after the daily message limit: a little
// after the count starts anew, and a little later if that was too early.
func NextMessages(now time.Time) time.Time {
	const late = 10 * time.Minute
	if day := messageDay(now); now.Sub(day) < time.Hour {
		return now.Add(late)
	} else {
		return day.AddDate(0, 0, 1).Add(time.Minute)
	}
}

// messages is the budget of --max-resets: so many calls a day that sent a
// message, or may have, by this run and by those on the same pool whose records
// stand near its own. It is a [batch.Budget].
//
// Two runs that work at once keep to it together: the intent of each call is in a
// record before it takes of the budget, so of two that take the last message at
// least one sees the other's.
type messages struct {
	max    int
	now    func() time.Time
	others func(since time.Time) (int, error) // messages by other runs

	mu      sync.Mutex
	day     time.Time // that used is of
	used    int       // by this run, the pending ones included
	pending int       // calls of which nobody knows yet
	changed chan struct{}
}

// newMessages is what is left of a day's messages, of which this run's own record
// counts those since a time.
func newMessages(most int, now func() time.Time, own, others func(since time.Time) (int, error)) (*messages, error) {
	m := &messages{max: most, now: now, others: others, day: messageDay(now()), changed: make(chan struct{})}
	var err error
	m.used, err = own(m.day)
	return m, err
}

// Take implements [batch.Budget].
func (m *messages) Take(ctx context.Context) error {
	for {
		wait, err := m.take()
		if wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take takes one, or returns what to wait for.
func (m *messages) take() (wait <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if day := messageDay(m.now()); day.After(m.day) {
		m.day, m.used = day, m.pending
	}
	theirs, err := m.others(m.day)
	if err != nil {
		return nil, fmt.Errorf("--max-resets: other runs on this pool cannot be counted: %w", err)
	}
	if m.used+theirs < m.max {
		m.used++
		m.pending++
		return nil, nil
	}
	if m.pending > 0 && theirs < m.max {
		return m.changed, nil
	}
	by := ""
	if theirs > 0 {
		by = fmt.Sprintf(", %d of them by other runs on this pool", theirs)
	}
	return nil, &batch.Stop{Reason: batch.Stopped, Message: fmt.Sprintf(
		"--max-resets %d are made since 09:00 UTC, calls in doubt included%s; resume after the next 09:00 UTC", m.max, by)}
}

// Spend implements [batch.Budget].
func (m *messages) Spend() { m.settle(0) }

// Return implements [batch.Budget].
func (m *messages) Return() { m.settle(1) }

func (m *messages) settle(back int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending--
	m.used = max(m.used-back, m.pending)
	close(m.changed)
	m.changed = make(chan struct{})
}

// Inherit implements [batch.Budget].
func (m *messages) Inherit(called time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if called.Before(m.day) {
		return false
	}
	m.pending++
	return true
}
