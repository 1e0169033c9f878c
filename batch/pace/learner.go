package pace

import (
	"math"
	"time"
)

// How a pace yields. Throttles come for two reasons. Where jitter crowds a few
// calls they come alone, and a hair less is enough. Where the quota is spent, as
// others draw on it too, they come in company, and each is also a live user's:
// then the pace yields. So the share of throttles that come alone, cubed, says
// how bold the pace is: cuts are divided by it and climbs multiplied by its
// square. The values are those that did well in BenchmarkPace.
const (
	cut      = 0.005             // of the rate, for a throttle that comes alone; n for the nth in a window
	deepest  = 0.2               // of the rate, for all throttles of a window
	climb    = 1.0 / 700         // of the rate, for each call of a bold pace that is not throttled
	doubling = 100 * time.Second // without a throttle, after which the quota may be another
	memory   = 0.05              // weight of the last window among those with throttles
	window   = time.Second       // in which throttles are in company; and that a rate is measured over
)

// slowest is the least that throttles make of a rate, in calls a second: a pace
// that stood still would never learn that it may go on. The rate also stays above
// a tenth of the most that the server took, because throttles that are faults
// could otherwise push it down for as long as they last.
const slowest = 0.2

// A phase is how far a pace has come that began without knowing the quota.
type phase int

const (
	asking  phase = iota // is the quota the usual one?
	growing              // it is not: where does it end?
	settled              // the ceiling was reached, or a quota was found
)

// How a pace begins whose ceiling is higher than the quota that Cognito gives
// every account, or that has none. A server holds at most a second's worth of calls
// that were not made, so the answers to a burst of a little more than that tell the
// quota, for the price of the surplus.
const (
	usual = 30 // calls a second of the category UserAccountRecovery

	// surplus is how many calls the first second has beyond the usual quota. A token
	// bucket gains tokens while the burst arrives, 6 in the 0.2 s that calls to
	// Cognito differ by; it must be enough to show beside those.
	surplus = 12

	// So many throttles in the first burst mean that the quota is the usual one or
	// lower: a bucket throttles 6 of the surplus, a server that counts the last second all
	// 12. Faults of 2 % come to 5 in one start of five hundred.
	refusals = 5

	// Once the usual quota is ruled out, each answer lets so many more calls go in a
	// second. That triples them with each round trip: thousands a second are reached
	// within 2 s even where a round trip takes 0.2 s, and a quota of hundreds costs no
	// more throttles than it must.
	raise  = 2
	opened = 1 << 10 // calls a second from which on there is taken to be no quota

	// A quota has been reached when at least this many throttles came in a second,
	// and this share of as many calls as were accepted. Fewer may be faults.
	few   = 6
	fault = 0.2

	// A pace that found the usual quota goes on with this share of it, and as bold as if
	// that share of its throttles had come alone. A server that counts the last second
	// takes no more, because jitter crowds calls; with a bucket the rest is regained
	// within seconds.
	start      = 0.9
	startAlone = 0.75
)

// A learner is what a pace knows of the server's quota. The pace's mutex guards it.
type learner struct {
	ceiling float64

	phase    phase
	began    time.Time   // when the first call left that asks for the quota
	answers  [2]int      // until the phase is settled: accepted, throttled
	guess    float64     // calls that may go in a second, until a quota is found
	reached  time.Time   // when the guess came to the ceiling
	refused  []time.Time // when the throttles of the last window came, in the opening
	found    float64     // the usual quota if that is what there is, else infinite
	since    time.Time   // of the first answer
	accepted []time.Time // when the answers of the last window came
	most     int         // answers in a window, so far
	base     float64     // the rate after the last cut
	cutAt    time.Time   // zero until a call is throttled
	windowAt time.Time   // when the last throttled window began
	peak     float64     // the rate that it began with
	company  int         // how many throttles it has had
	alone    float64     // the share of throttled windows that had one throttle, lately
	faults   faults
}

func newLearner(ceiling float64) learner {
	return learner{ceiling: ceiling, alone: 1, guess: usual + surplus, found: math.Inf(1)}
}

// learn takes in an answer. It reports whether the rate may have changed at once.
func (l *learner) learn(now time.Time, throttled bool) (changed bool) {
	if l.since.IsZero() {
		l.since = now
	}
	l.accepted = lastSecond(l.accepted, now)
	if !throttled {
		l.accepted = append(l.accepted, now)
		l.most = max(l.most, len(l.accepted))
	}
	if l.opening(now) {
		l.open(now, throttled)
		return true
	}
	if l.faults.count(now, throttled); l.faults.trial != nil {
		return l.judge(now)
	}
	if !throttled || l.faults.excuse(now) {
		return false
	}
	l.yield(now)
	return true
}

// opening reports whether the pace still looks for the quota: it has not come to the
// ceiling yet, or so lately that throttles are still on their way.
func (l *learner) opening(now time.Time) bool {
	if l.phase == asking && l.answers[1] >= refusals && now.Sub(l.began) >= window {
		l.found, l.alone = usual, startAlone
		// Others may have used the quota up just now, so there is a bound.
		l.settle(now, start*max(usual/4, min(usual, float64(l.answers[0]))))
	}
	if !l.reached.IsZero() && now.Sub(l.reached) >= 2*window {
		l.phase = settled
	}
	return l.phase != settled && l.ceiling > usual
}

// burst is how many calls may go in a second of the opening, however they are spaced.
func (l *learner) burst(now time.Time) float64 {
	if l.phase == asking && !l.began.IsZero() && now.Sub(l.began) >= window {
		return usual // while answers are still on their way
	}
	return min(l.ceiling, l.guess)
}

func (l *learner) open(now time.Time, throttled bool) {
	if throttled {
		l.answers[1]++
		l.refused = append(lastSecond(l.refused, now), now)
		if n := len(l.refused); l.phase == growing && n >= few && float64(n) >= fault*float64(len(l.accepted)) {
			// What was accepted may have been saved up: twice as much as the quota at most.
			l.settle(now, min(l.ceiling, l.guess, max(usual, float64(len(l.accepted))/2)))
		}
		return
	}
	l.answers[0]++
	if l.phase == asking && l.answers[0] <= usual+surplus-refusals {
		return
	}
	l.phase = growing
	if l.guess += raise; l.guess > opened {
		l.guess = math.Inf(1)
	}
	if l.reached.IsZero() && l.guess >= l.ceiling {
		l.reached = now
	}
}

// settle ends the opening at a rate that the quota allows.
func (l *learner) settle(now time.Time, rate float64) {
	l.phase, l.base, l.cutAt, l.faults.top = settled, rate, now, rate
}

// yield makes way after a throttle.
func (l *learner) yield(now time.Time) {
	if float64(len(l.accepted)) > 2*l.found {
		l.found = math.Inf(1) // no quota of that size lets more go in a second, saved up or not
	}
	rate := l.rate(now)
	if now.Sub(l.windowAt) >= window {
		l.remember()
		// What the server took is a bound where far more was sent, as at the
		// beginning. It is a count, and so a little off.
		if now.Sub(l.since) >= window {
			rate = min(rate, 1.25*float64(len(l.accepted))/window.Seconds())
		}
		l.windowAt, l.peak, l.company = now, rate, 0
		l.faults.raise(rate)
	}
	l.company++
	least := max(slowest, l.peak*(1-deepest), float64(l.most)/10)
	l.base = max(least, rate*(1-cut*float64(l.company)/l.boldness()))
	l.phase, l.cutAt = settled, now
	l.faults.suspect(now, l.base)
}

// judge ends a trial once its verdict is clear. It reports whether it is.
func (l *learner) judge(now time.Time) bool {
	reached, faulty := l.faults.verdict(now)
	if !reached {
		return false
	}
	l.cutAt = now
	if faulty { // the rate was lowered in vain
		l.base, l.alone, l.company, l.windowAt = l.faults.top, 1, 0, now
	} else {
		l.faults.top = max(l.base, float64(l.most)/5) // a rate near the least may be put to the trial again
	}
	return true
}

// remember counts a window that is over.
func (l *learner) remember() {
	switch l.company {
	case 0:
	case 1:
		l.alone += memory * (1 - l.alone)
	default:
		l.alone -= memory * l.alone
	}
}

func (l *learner) boldness() float64 { return l.alone * l.alone * l.alone }

// rate is how many calls a second go now.
func (l *learner) rate(now time.Time) float64 {
	switch {
	case l.opening(now):
		return l.burst(now)
	case l.cutAt.IsZero():
		return l.ceiling
	case l.faults.trial != nil:
		return min(l.ceiling, l.faults.trial.rate)
	}
	since := now.Sub(l.cutAt)
	calls, long := l.base*since.Seconds(), float64(since)/float64(doubling)
	bold := l.boldness()
	long *= long * long
	return min(l.ceiling, l.base*(1+climb*bold*bold*calls+long), l.found*(1+long))
}
