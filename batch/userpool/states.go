package userpool

import (
	"context"
	"errors"
	"sync"
	"time"

	"cognito-reset/batch"
)

// States is what naming the states of users takes. A permission that is missing
// is asked for once.
type states struct {
	asking chan struct{} // has room for the one who asks

	mu       sync.Mutex
	settings *Settings // once they are known
	denied   bool
	asked    time.Time // last, in vain
}

// nameState finds out which state it is that a user was refused for, by
// ListUsers. Within 5 s, and within what listings may take of the quota, it
// either knows or says WrongState.
func (p *Pool) nameState(ctx context.Context, username string) batch.Reason {
	ctx, cancel := context.WithTimeout(ctx, AsideTimeout)
	defer cancel()
	s, err := p.settingsOnce(ctx)
	if err != nil {
		return batch.WrongState
	}
	for _, f := range s.lookups(AnyName, username) {
		if tooLong(f) {
			continue
		}
		for u, err := range p.list(ctx, []Filter{f}) {
			if err != nil {
				p.states.note(err)
				return batch.WrongState
			}
			if s.goesBy(u, username) {
				return nameOf(u.Status)
			}
		}
	}
	return batch.WrongState
}

// errDenied is that an earlier call had no permission.
var errDenied = errors.New("not allowed")

// errSilent is that a question was not answered a moment ago.
var errSilent = errors.New("no answer")

// settingsOnce asks for the pool's settings until they are known, now and then.
func (p *Pool) settingsOnce(ctx context.Context) (Settings, error) {
	select {
	case p.states.asking <- struct{}{}:
		defer func() { <-p.states.asking }()
	case <-ctx.Done():
		return Settings{}, context.Cause(ctx)
	}
	if known, err := p.states.known(); err != nil {
		return Settings{}, err
	} else if known != nil {
		return *known, nil
	}
	s, err := ask(ctx, p.lists, p.describe)
	p.states.mu.Lock()
	defer p.states.mu.Unlock()
	if err != nil {
		p.states.denied, p.states.asked = p.states.denied || denied(err), time.Now()
		return Settings{}, err
	}
	p.states.settings = &s
	return s, nil
}

// known is the settings, or why not to ask for them now; nil is neither.
func (s *states) known() (*Settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.denied:
		return nil, errDenied
	case s.settings == nil && time.Since(s.asked) < askAgain:
		return nil, errSilent
	}
	return s.settings, nil
}

// note remembers a permission that is missing.
func (s *states) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = s.denied || denied(err)
}

func denied(err error) bool {
	answer, ok := errors.AsType[*batch.Error](err)
	return ok && answer.Reason == batch.AccessDenied
}
