package pace

import (
	"math"
	"time"
)

// Faults are throttles that do not depend on the rate: a server, or a proxy on the
// way, that refuses a few calls of a hundred whatever is asked of it. Yielding to
// them helps nobody. One throttle does not show which kind it is, but going slower
// does: below a quota throttles cease, and faults stay as frequent as they were.
//
// So the pace yields at first, since a quota comes before speed. Once throttles
// have cost it a third of its rate, it makes a trial: it goes at half the rate and
// counts, until it is clear whether throttles are as frequent as before. If they are
// not, there is a quota, and the rate stays where it was. Otherwise the rate from before
// the throttles comes back, and from then on as many throttles as there were faults
// are excused; only what is more than that lowers the rate.
const (
	fallen  = 2.0 / 3          // of the rate before the throttles; jitter alone hardly ever costs that much
	recent  = 500              // calls over which the share of throttles is measured, so that 2 % are 10
	noFault = 0.04             // share from which on throttles are no faults: what is excused costs live users
	longest = 60 * time.Second // that a trial may take; faults so rare lower no rate that is so low
	fading  = 0.01             // weight of a throttled window in the rate before the throttles

	// dip is the share of the rate that a trial goes at. Live users call at random, so
	// that at four fifths of the rate half of the throttles are still met, which is too
	// much like faults; at half the rate it is a seventh.
	dip   = 0.5
	fewer = 7

	// The verdict comes once the throttles are e^4 = 55 times likelier by one cause
	// than by the other. What is unclear when this many faults should have come is
	// taken for a quota.
	certain = 4
	enough  = 15

	// excess is how many times the share of faults is excused: it was measured by a
	// few of them, and if it fell short the rate would go down for nothing. At most saved
	// throttles can be excused at once, and for relief at most before faults must show again.
	excess = 1.5
	saved  = 10
	relief = 10 * time.Minute
)

// faults is what is known of them.
type faults struct {
	share   float64       // of throttles among the recent answers
	top     float64       // the rate before the throttles, in calls a second
	trial   *trial        // nil if none is made
	next    time.Time     // when a trial may be made again
	pause   time.Duration // between trials that found a quota
	rate    float64       // share of calls that are throttled whatever the rate is
	learned time.Time     // when that was
	credit  float64       // throttles that are excused now
}

// A trial is a look at a lower rate.
type trial struct {
	from      time.Time // when the answers to calls from before it are in
	rate      float64   // calls a second
	share     float64   // of throttles before it
	answers   int
	throttles int
	windowAt  time.Time // when the last window with throttles began
	company   int       // how many of them it has had
}

// count takes in an answer. Live users come in bursts that throttle several calls at
// once, so a window counts no more throttles than twice those that are due in it.
func (t *trial) count(now time.Time, throttled bool) {
	t.answers++
	if !throttled {
		return
	}
	if now.Sub(t.windowAt) >= window {
		t.windowAt, t.company = now, 0
	}
	if t.company++; float64(t.company) <= max(1, 2*t.share*t.rate*window.Seconds()) {
		t.throttles++
	}
}

// count takes in an answer.
func (f *faults) count(now time.Time, throttled bool) {
	hit := 0.0
	if throttled {
		hit = 1
	}
	f.share += (hit - f.share) / recent
	f.credit = min(saved, f.credit+excess*f.rate)
	if t := f.trial; t != nil && !now.Before(t.from) {
		t.count(now, throttled)
	}
}

// excuse reports whether a throttle is one of those that come at any rate.
func (f *faults) excuse(now time.Time) bool {
	if f.credit < 1 || now.Sub(f.learned) >= relief {
		return false
	}
	f.credit--
	return true
}

// raise keeps the rate before the throttles, which is forgotten slowly: the quota
// may have become smaller.
func (f *faults) raise(rate float64) { f.top = max(rate, f.top+fading*(rate-f.top)) }

// suspect begins a trial if throttles have made a rate far lower than it was.
func (f *faults) suspect(now time.Time, rate float64) {
	slow := dip * rate
	takes := certain * 1.75 / f.share / slow // seconds, if some throttles come
	if rate < fallen*f.top && f.share < noFault && takes < longest.Seconds() && !now.Before(f.next) {
		f.trial = &trial{from: now.Add(2 * window), rate: slow, share: f.share}
	}
}

// verdict ends the trial if it is clear by now whether throttles are faults.
func (f *faults) verdict(now time.Time) (reached, faulty bool) {
	t := f.trial
	due := t.share * float64(t.answers) // if they are faults; of a quota, so many times fewer
	likelier := float64(t.throttles)*math.Log(fewer) - due*(1-1.0/fewer)
	if now.Sub(t.from) < window || math.Abs(likelier) < certain && due < enough {
		return false, false
	}
	f.trial, f.rate = nil, 0
	if share := min(t.share, float64(t.throttles)/float64(t.answers)); likelier >= certain && share < noFault {
		f.rate, f.learned, f.credit, f.pause = share, now, saved, 0
		return true, true
	}
	// A trial costs half of the calls while it lasts, so that later ones come less often.
	f.pause = min(relief, max(4*(now.Sub(t.from)+2*window), 2*f.pause))
	f.next = now.Add(f.pause)
	return true, false
}
