package sandbox

import (
	"sync"
	"time"
)

// A Category is a set of operations that share one quota of calls a second,
// per account and Region.
type Category string

// The categories that the sandbox's operations belong to, as the developer
// guide's quota table names them.
const (
	UserAccountRecovery Category = "UserAccountRecovery"
	UserUpdate          Category = "UserUpdate"
	UserRead            Category = "UserRead"
	UserList            Category = "UserList"
	UserCreation        Category = "UserCreation"
	UserPoolRead        Category = "UserPoolRead"
	UserPoolClientRead  Category = "UserPoolClientRead"

	// UserAuthentication holds the sign-ins. No mass reset touches it, so
	// DefaultQuotas leaves it unlimited.
	UserAuthentication Category = "UserAuthentication"
)

// DefaultQuotas is what an account has, in calls a second, unless Amazon
// raised it: UserAccountRecovery 30, UserUpdate 25, UserRead 120, UserList 30,
// UserCreation 50, UserPoolRead 15 (developer guide, "Quotas in Amazon
// Cognito"). The map is the caller's to change.
func DefaultQuotas() map[Category]float64 {
	return map[Category]float64{
		UserAccountRecovery: 30,
		UserUpdate:          25,
		UserRead:            120,
		UserList:            30,
		UserCreation:        50,
		UserPoolRead:        15,
	}
}

// A limiter measures the calls of one category, and refuses those over its
// quota. Times are since the quotas were made.
type limiter struct {
	rate     float64 // calls a second; 0 is unlimited
	sliding  bool
	tokens   float64
	filled   time.Duration
	admitted window

	arrived window
	peak    int
	used    usage
}

// The quotas of an account in a Region are shared by its pools.
type quotas struct {
	cfg     *Config // of the first pool
	started time.Time

	mu     sync.Mutex
	limits map[Category]*limiter
}

// limiter is the one of category c. The lock is held.
func (q *quotas) limiter(c Category) *limiter {
	l := q.limits[c]
	if l == nil {
		rate := max(0, q.cfg.Quotas[c])
		l = &limiter{rate: rate, sliding: q.cfg.SlidingSecond, tokens: max(1, rate)}
		q.limits[c] = l
	}
	return l
}

// take counts a call of category c, and says whether it is within the quota.
func (q *quotas) take(c Category, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.limiter(c)
	used := l.used.at(now)
	used.calls++
	if l.arrive(now.Sub(q.started)) {
		return true
	}
	used.throttled++
	return false
}

// refused counts a call that was throttled though it was within the quota.
func (q *quotas) refused(c Category, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limiter(c).used.at(now).throttled++
}

// used is what category c was used lately.
func (q *quotas) used(c Category) usage {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.limiter(c).used
}

// peaks are the most calls of each category that arrived in any one second.
func (q *quotas) peaks() map[Category]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	peaks := make(map[Category]int, len(q.limits))
	for c, l := range q.limits {
		peaks[c] = l.peak
	}
	return peaks
}

// arrive takes in a call at now, and says whether it is within the quota.
func (l *limiter) arrive(now time.Duration) bool {
	l.arrived.push(now)
	l.peak = max(l.peak, l.arrived.count(now))
	switch {
	case l.rate == 0:
		return true
	case l.sliding:
		if float64(l.admitted.count(now)) > max(0, l.rate-1) {
			return false
		}
		l.admitted.push(now)
		return true
	}
	l.tokens = min(max(1, l.rate), l.tokens+(now-l.filled).Seconds()*l.rate)
	l.filled = now
	// A caller who keeps exactly to the rate must not fail by a rounding.
	if l.tokens < 1-1e-9 {
		return false
	}
	l.tokens--
	return true
}

// A window holds the times of the last second.
type window struct {
	times []time.Duration // rising
	gone  int             // how many of the first are too old
}

func (w *window) push(now time.Duration) { w.times = append(w.times, now) }

// count is how many times lie within the second that ends at now. A time
// exactly one second ago does not: ten calls a second are one every 100 ms.
func (w *window) count(now time.Duration) int {
	for w.gone < len(w.times) && w.times[w.gone] <= now-time.Second {
		w.gone++
	}
	if w.gone > 64 && w.gone > len(w.times)/2 {
		w.times = w.times[:copy(w.times, w.times[w.gone:])]
		w.gone = 0
	}
	return len(w.times) - w.gone
}

// keptMinutes is how far back a usage reaches: a day, and an hour to spare.
const keptMinutes = 25 * 60

// A usage counts the calls of one category by the minute, as CloudWatch does.
type usage [keptMinutes]minute

type minute struct {
	since1970        int64
	calls, throttled int
}

// at is the minute of a time no further back than a usage reaches.
func (u *usage) at(t time.Time) *minute {
	n := t.Unix() / 60
	m := &u[n%keptMinutes]
	if m.since1970 != n {
		*m = minute{since1970: n}
	}
	return m
}
