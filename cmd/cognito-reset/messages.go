package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
)

// Messages is the budget of --max-resets: so many calls a day that sent a
// message, or may have, by this run and by those on the same pool whose records
// stand near its own. It is a [batch.Budget].
//
// Two runs that work at once keep to it together: each call is promised in a
// record before it takes of the budget, so of two that take the last message at
// least one sees the other's promise.
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

// messages is the session's; nil without --max-resets.
func (s *session) messages() (batch.Budget, error) {
	r := s.request
	if r.MaxResets == 0 {
		return nil, nil
	}
	own := journal.NewSent(s.dir.Path, sendsMessage)
	others := &otherRuns{own: s.dir.Path, like: r}
	return newMessages(r.MaxResets, time.Now, own.Since, others.since)
}

// sendsMessage reports whether a step sends the user a message; "" is the first.
func sendsMessage(step string) bool { return step == "" || step == stepReset || step == doInvite }

// An otherRuns finds the records of other runs on a pool: beside the run's own,
// and where runs are recorded unless they are told where, two folders deep. It
// is for one goroutine at a time.
type otherRuns struct {
	own  string
	like request

	folders map[string]*folder
	runs    map[string]*journal.Sent // nil for those that do not count
}

// A folder is one that was listed when it was last changed.
type folder struct {
	changed time.Time
	names   []string
}

// since counts the messages that they sent since a time.
func (o *otherRuns) since(at time.Time) (messages int, err error) {
	if o.runs == nil {
		o.folders, o.runs = make(map[string]*folder), make(map[string]*journal.Sent)
	}
	seen := make(map[string]bool)
	for _, root := range []string{filepath.Dir(o.own), runsFolder} {
		root, err := filepath.Abs(root)
		if err != nil {
			return 0, err
		}
		if err := o.look(root, 2, seen); err != nil {
			return 0, err
		}
	}
	for path := range seen {
		if run := o.runs[path]; run != nil {
			n, err := run.Since(at)
			if err != nil {
				return 0, err
			}
			messages += n
		}
	}
	return messages, nil
}

// look finds the runs in a folder, and in those that are in it.
func (o *otherRuns) look(path string, deep int, seen map[string]bool) error {
	names, err := o.list(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // what is not there, or not ours to read, has no records for us
	} else if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(path, name)
		if seen[path] {
			continue
		}
		if _, known := o.runs[path]; !known {
			counts, begun, err := o.counts(path)
			switch {
			case err != nil:
				return err
			case !begun && deep > 1:
				if err := o.look(path, deep-1, seen); err != nil {
					return err
				}
				continue
			case !begun:
				continue
			case counts:
				o.runs[path] = journal.NewSent(path, sendsMessage)
			default:
				o.runs[path] = nil
			}
		}
		seen[path] = true
	}
	return nil
}

// list names the folders in a folder. One that changed just now may change again
// without a sign of it, and is read anew.
func (o *otherRuns) list(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if f := o.folders[path]; f != nil && f.changed.Equal(info.ModTime()) && time.Since(f.changed).Abs() > time.Second {
		return f.names, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	f := &folder{changed: info.ModTime()}
	for _, e := range entries {
		if e.IsDir() {
			f.names = append(f.names, e.Name())
		}
	}
	o.folders[path] = f
	return f.names, nil
}

// counts reports whether a folder is the record of another run on the pool, and
// whether it is a record at all.
func (o *otherRuns) counts(path string) (counts, begun bool, err error) {
	own, err := os.Stat(o.own)
	if err != nil {
		return false, false, err
	}
	if info, err := os.Stat(path); err == nil && os.SameFile(own, info) {
		return false, true, nil
	}
	text, err := os.ReadFile(filepath.Join(path, journal.RunFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return false, false, nil
	} else if err != nil {
		return false, false, err
	}
	var r request
	if json.Unmarshal(text, &r) != nil {
		return false, false, nil // not whole yet, or no run's
	}
	mine := o.like
	sharded := r.Shard.Count > 0 && mine.Shard.Count > 0 // which have their own parts of one budget
	return r.UserPoolID == mine.UserPoolID && r.EndpointURL == mine.EndpointURL && !r.DryRun && !r.Sandbox && !sharded, true, nil
}
