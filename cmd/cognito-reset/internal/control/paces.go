package control

import (
	"time"

	"cognito-reset/batch/pace"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// Paces are how fast the calls of each of Cognito's categories go.
type Paces struct {
	Resets    *pace.Pace // and locks
	Updates   *pace.Pace // sign-outs and disablings
	Creations *pace.Pace // invitations
}

// inviteRate is how many invitations are sent a second of the 50 of the category
// UserCreation, which new users share.
const inviteRate = 20

// NewPaces are those that settings ask for.
func NewPaces(s spec.Settings) *Paces {
	return &Paces{pace.New(s.Rate), pace.New(s.UpdateRate), pace.New(s.Shard.Of(inviteRate))}
}

// SharePaces are those of runs that share the quotas of one account and Region, in
// the order of their settings: together they go as fast as the fastest of them.
func SharePaces(all []spec.Settings) (paces []*Paces) {
	parent := func(rate func(spec.Settings) float64) *pace.Pace {
		most := 0.0
		for _, s := range all {
			r := rate(s)
			if r == 0 { // no limit
				return pace.New(0)
			}
			most = max(most, r)
		}
		return pace.New(most)
	}
	resets := parent(func(s spec.Settings) float64 { return s.Rate })
	updates := parent(func(s spec.Settings) float64 { return s.UpdateRate })
	creations := parent(func(s spec.Settings) float64 { return s.Shard.Of(inviteRate) })
	for _, s := range all {
		paces = append(paces, &Paces{resets.Child(s.Rate), updates.Child(s.UpdateRate), creations.Child(s.Shard.Of(inviteRate))})
	}
	return paces
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
