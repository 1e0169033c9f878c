package guards

import "time"

// An Outlook is what is still to come of a session, as far as can be told.
type Outlook struct {
	Left        time.Duration
	Wave, Waves int // the one at work, or the last one, and all; 0 without waves
}

// Outlook is that of a session of which so many users are settled and so many are left,
// at so many a second, with the pauses between the waves.
func (w *Waves) Outlook(settled, left int64, perSecond float64) (o Outlook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o.Left = time.Duration(float64(left) / perSecond * float64(time.Second))
	if w.Size == 0 {
		return o
	}
	following := left - max(0, w.let-settled)
	waves := int((max(0, following) + int64(w.Size) - 1) / int64(w.Size))
	o.Wave, o.Waves = w.number, w.number+waves
	pauses := waves
	if w.number == 0 { // none comes before the first
		pauses = max(0, waves-1)
	}
	pause := w.Pause
	if w.Gate > 0 {
		pause = max(pause, w.rested)
	}
	o.Left += time.Duration(pauses) * pause
	if !w.opens.IsZero() && pauses > 0 { // of this one, a part is over
		o.Left += max(0, time.Until(w.opens), pause-time.Since(w.ended)) - pause
	}
	return o
}

// A Speed is how many users a session settles in a second, by the last minute.
type Speed struct {
	at      []time.Time
	settled []int64
}

// window is how far back a [Speed] looks, and sure how long it must have looked.
const (
	window = time.Minute
	sure   = 10 * time.Second
)

// Note takes in how many users are settled now. One that rests begins anew.
func (s *Speed) Note(settled int64, rests bool) {
	now := time.Now()
	if rests {
		s.at, s.settled = nil, nil
		return
	}
	for len(s.at) > 1 && now.Sub(s.at[1]) > window {
		s.at, s.settled = s.at[1:], s.settled[1:]
	}
	if n := len(s.at); n == 0 || now.Sub(s.at[n-1]) >= time.Second {
		s.at, s.settled = append(s.at, now), append(s.settled, settled)
	}
}

// PerSecond is the speed; 0 if it is not known yet.
func (s *Speed) PerSecond() float64 {
	n := len(s.at) - 1
	if n < 1 || s.at[n].Sub(s.at[0]) < sure {
		return 0
	}
	return float64(s.settled[n]-s.settled[0]) / s.at[n].Sub(s.at[0]).Seconds()
}
