package run

import (
	"sync"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/guards"
)

// foresee is what is to come of a session that began then.
func (s *Session) foresee(ctl *control.Control, waves *guards.Waves, began time.Time) func(*control.Live) {
	stops, _, _ := s.Record.Spec.End(began) // which was read before
	var mu sync.Mutex
	var speed guards.Speed
	return func(l *control.Live) {
		mu.Lock()
		defer mu.Unlock()
		if sp := s.Record.Spec; sp.SignsOut() && !sp.SignOutAlone() {
			l.UpdateRate = s.Paces.Updates.State().Rate
		}
		counts := ctl.Tally.Counts()
		settled := counts.Settled()
		speed.Note(settled, l.Resting)
		perSecond := s.usersPerSecond(&speed)
		if perSecond == 0 {
			return
		}
		o := waves.Outlook(settled, s.Left-settled, perSecond)
		l.Wave, l.Waves = o.Wave, o.Waves
		if ctl.First.State().Paused || ctl.Asks() { // for as long as somebody wants
			return
		}
		l.DoneAt = time.Now().Add(o.Left)
		if held := ctl.First.State().Held; !held.IsZero() {
			l.DoneAt = l.DoneAt.Add(time.Until(held))
		}
		if !stops.IsZero() && stops.Before(l.DoneAt) {
			l.DoneAt, l.StopsAt = time.Time{}, stops
		}
	}
}

// usersPerSecond is how fast users will be settled: at the pace of the slowest step, or
// as fast as they were of late where something else is slower.
func (s *Session) usersPerSecond(of *guards.Speed) float64 {
	rate, sp := s.Paces.First.State().Rate, s.Record.Spec
	if updates := s.Paces.Updates.State().Rate; sp.SignsOut() && updates > 0 && (rate == 0 || updates < rate) {
		rate = updates
	}
	const slower = 0.8
	if measured := of.PerSecond(); rate == 0 || measured > 0 && measured < slower*rate {
		return measured
	}
	return rate
}
