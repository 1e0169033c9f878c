package batch

import (
	"context"
	"sync"
)

// A backlog is the users who are between two of their steps. Nobody begins while there
// are many: the slowest step sets the pace of all, and a run that is stopped leaves few
// who are reset and not signed out.
type backlog struct {
	mu    sync.Mutex
	users int
	room  chan struct{} // closed while there is room
}

// maxBacklog is how many users may be between two steps before others wait. Calls that
// are under way then make it more.
const maxBacklog = 16

func (b *backlog) init() {
	b.room = make(chan struct{})
	close(b.room)
}

// enter counts a user who has come to the second step, until leave is called.
func (b *backlog) enter() (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users++; b.users == maxBacklog {
		b.room = make(chan struct{})
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.users--; b.users == maxBacklog-1 {
			close(b.room)
		}
	}
}

// wait blocks until there is room, and calls leave before it does: those who are between
// two steps need the seats. It reports false if ctx was done first.
func (b *backlog) wait(ctx context.Context, leave func()) bool {
	for {
		b.mu.Lock()
		room, full := b.room, b.users >= maxBacklog
		b.mu.Unlock()
		if !full {
			return true
		}
		leave()
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}
