package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/run"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// prepare does all that comes before the first call. A target that cannot begin is left
// out; it is an error if none can.
func (f *fleet) prepare(ctx context.Context) error {
	if err := f.assign(ctx); err != nil {
		return err
	}
	if len(f.members) == 0 {
		term.Linef(f.Err, "There are more shards than this job can be dealt to: nothing is left for this one.")
		return exit.Silent(exit.Done)
	}
	if !f.Quiet {
		term.Linef(f.Err, "Targets: %d. Accounts and Regions, each with a quota of its own: %d.", len(f.members), len(f.groups))
	}
	var prepared sync.WaitGroup
	for _, g := range f.groups {
		prepared.Go(func() { f.readyGroup(ctx, g) })
	}
	prepared.Wait()
	if ctx.Err() != nil {
		return exit.Early(fmt.Errorf("%w; nothing was sent", context.Cause(ctx)))
	}
	able := 0
	for _, g := range f.groups {
		able += len(g.able())
		g.share()
		f.print(g)
	}
	if able == 0 {
		return exit.Refusef("no target can begin")
	}
	if f.Ask && (f.Keep != nil || f.users() > 0) { // of a fleet that is done there is nothing to ask
		if err := f.ask(ctx); err != nil {
			return err
		}
	}
	return f.keep()
}

// assign finds out whose quotas the calls of each target take from, and which
// targets are this process's. Of a sharded fleet every process must come to the
// same end.
func (f *fleet) assign(ctx context.Context) error {
	f.askAccounts(ctx)
	known := make(map[string]*quotaGroup)
	for _, m := range f.members {
		if m.out != nil && f.Shard.Count > 0 {
			return exit.Refusef("%s: %s: %w; to deal the targets out, every shard must know the account of each", m.At, m.PoolID, m.out)
		}
		key := m.quota()
		if known[key] == nil {
			known[key] = &quotaGroup{account: m.account, region: m.Region}
		}
		known[key].members = append(known[key].members, m)
	}
	for i, key := range slices.Sorted(maps.Keys(known)) {
		g, mine := known[key], false
		if g.shard, mine = part(i, len(known), f.Shard); mine {
			f.groups = append(f.groups, g)
			continue
		}
		f.members = slices.DeleteFunc(f.members, func(m *member) bool { return slices.Contains(g.members, m) })
	}
	return nil
}

// askAccounts asks in which account each target is, all side by side.
func (f *fleet) askAccounts(ctx context.Context) {
	var asked sync.WaitGroup
	for _, m := range f.members {
		if m.begun && m.account != "" || m.s == nil || m.s.Record.Spec.Sandbox || m.s.Record.Spec.Offline {
			continue
		}
		asked.Go(func() {
			if err := m.s.Connect(ctx); err != nil {
				m.out = err
				return
			}
			caller, err := awsaccount.Of(m.s.Pool()).Caller(ctx)
			if m.account = caller.Account; err != nil && f.Shard.Count > 0 {
				m.out = err
			}
		})
	}
	asked.Wait()
}

// together is how many targets of a quota group are prepared at one time: each looks at
// its pool, and these looks have a quota, too.
const together = 4

// readyGroup prepares the targets of a group: those that go on one after the other, for
// they read their journals, and those that begin side by side.
func (f *fleet) readyGroup(ctx context.Context, g *quotaGroup) {
	var goOn, begin []*member
	for _, m := range g.able() {
		if m.begun {
			goOn = append(goOn, m)
		} else if m.out = f.reach(ctx, m, g.shard); m.out == nil {
			begin = append(begin, m)
		}
	}
	g.beside()
	var readied sync.WaitGroup
	readied.Go(func() {
		for _, m := range goOn {
			m.out = f.resume(ctx, m)
		}
	})
	next := make(chan *member)
	for range min(together, len(begin)) {
		readied.Go(func() {
			for m := range next {
				m.out = m.s.Prepare(ctx)
			}
		})
	}
	for _, m := range begin {
		next <- m
	}
	close(next)
	readied.Wait()
}

// resume takes up the run of a target.
func (f *fleet) resume(ctx context.Context, m *member) (err error) {
	r := f.Resume
	r.Path = m.path
	m.s, err = run.Resume(ctx, r, f.env())
	return err
}

// reach opens the pool of a target whose run is to begin, which calls nobody.
func (f *fleet) reach(ctx context.Context, m *member, shard roster.Shard) error {
	if shard.Count > 0 {
		if err := f.open(m, shard); err != nil {
			return err
		}
	}
	if m.s.Pool() == nil {
		return m.s.Reach(ctx)
	}
	return nil
}
