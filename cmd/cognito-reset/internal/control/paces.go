package control

import (
	"slices"
	"sync"
	"time"

	"cognito-reset/batch/pace"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// Paces are how fast the calls of each of Cognito's categories go.
type Paces struct {
	Resets    *pace.Pace // and locks
	Updates   *pace.Pace // sign-outs and disablings
	Creations *pace.Pace // invitations
	First     *pace.Pace // whichever of them the run's first step keeps: the one that is steered

	shared *shared // nil of a run by itself
}

// shared is what runs share whose quotas are the same.
type shared struct {
	mu    sync.Mutex
	first *pace.Pace // parent of the first of each
	all   []*Paces
}

// inviteRate is how many invitations are sent a second of the 50 of the category
// UserCreation, which new users share.
const inviteRate = 20

// NewPaces are those that a spec asks for.
func NewPaces(s spec.Spec) *Paces {
	p := &Paces{Resets: pace.New(s.Rate), Updates: pace.New(s.UpdateRate), Creations: pace.New(s.Shard.Of(inviteRate))}
	if s.RateAuto != "" { // the quota was looked up
		p.Resets.Known()
	}
	return p.begin(s)
}

// begin says which pace is that of the first step.
func (p *Paces) begin(s spec.Spec) *Paces {
	if p.First = p.Resets; s.SignOutAlone() {
		p.First = p.Updates
	}
	return p
}

// SharePaces are those of runs that share the quotas of one account and Region, in
// the order of their specs, at least one: together they go as fast as the fastest of them.
func SharePaces(all []spec.Spec) []*Paces {
	parent := func(rate func(spec.Spec) float64) *pace.Pace {
		var rates []float64
		for _, s := range all {
			rates = append(rates, rate(s))
		}
		return pace.New(fastest(rates))
	}
	parents := &Paces{
		Resets:    parent(func(s spec.Spec) float64 { return s.Rate }),
		Updates:   parent(func(s spec.Spec) float64 { return s.UpdateRate }),
		Creations: parent(func(s spec.Spec) float64 { return s.Shard.Of(inviteRate) }),
	}
	group := &shared{first: parents.begin(all[0]).First} // all begin with the same step
	for _, s := range all {
		p := &Paces{
			Resets: parents.Resets.Child(s.Rate), Updates: parents.Updates.Child(s.UpdateRate), Creations: parents.Creations.Child(s.Shard.Of(inviteRate)),
			shared: group,
		}
		group.all = append(group.all, p.begin(s))
	}
	return group.all
}

// fastest is the highest of some rates; 0, which is no limit, is higher than any.
func fastest(rates []float64) float64 {
	if slices.Contains(rates, 0) {
		return 0
	}
	return slices.Max(rates)
}

// SetRate changes how many calls of the first step go a second from now on, 0 without a
// limit. Runs that share a quota go together as fast as the fastest of them from then on;
// with tells of how many others that is so.
func (p *Paces) SetRate(perSecond float64) (with int) {
	p.First.SetCeiling(perSecond)
	if p.shared == nil {
		return 0
	}
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	var rates []float64
	for _, one := range p.shared.all {
		rates = append(rates, one.First.State().Ceiling)
	}
	p.shared.first.SetCeiling(fastest(rates))
	return len(rates) - 1
}

// Pause lets no call leave until [Paces.Resume].
func (p *Paces) Pause() { p.each((*pace.Pace).Pause) }

// Resume ends a pause.
func (p *Paces) Resume() { p.each((*pace.Pace).Resume) }

// HoldMessages lets no call leave that sends a message until a time.
func (p *Paces) HoldMessages(until time.Time) {
	p.Resets.Hold(until)
	p.Creations.Hold(until)
}

func (p *Paces) each(do func(*pace.Pace)) {
	for _, one := range []*pace.Pace{p.Resets, p.Updates, p.Creations} {
		do(one)
	}
}
