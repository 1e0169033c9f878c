package userpool

import (
	"context"
	"errors"
	"slices"
	"sync"

	"cognito-reset/batch"
)

// States is what naming the states of users takes. A permission that is missing
// is asked for once.
type states struct {
	mu       sync.Mutex
	settings *Settings // once they are known
	denied   bool
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
			if slices.ContainsFunc(s.names(u), func(name string) bool { return s.Fold(name) == s.Fold(username) }) {
				return nameOf(u.Status)
			}
		}
	}
	return batch.WrongState
}

// errDenied is that an earlier call had no permission.
var errDenied = errors.New("not allowed")

// settingsOnce asks for the pool's settings until they are known.
func (p *Pool) settingsOnce(ctx context.Context) (Settings, error) {
	p.states.mu.Lock()
	defer p.states.mu.Unlock()
	switch {
	case p.states.denied:
		return Settings{}, errDenied
	case p.states.settings != nil:
		return *p.states.settings, nil
	}
	s, err := ask(ctx, p.lists, p.describe)
	if err != nil {
		p.states.denied = denied(err)
		return Settings{}, err
	}
	p.states.settings = &s
	return s, nil
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
