package batch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Suspicious tells of a reason to fail that speaks of a broken pool, trigger or
// network rather than of the user: others will fail alike.
func (r Reason) Suspicious() bool {
	switch r {
	case LambdaRefused, MessageRefused, ServerError, Network, ClockSkew, Throttled, InvalidParameter, Other:
		return true
	}
	return false
}

// A FailureGuard stops a run when too many of the users that ended last failed
// suspiciously. It knows nothing before guardWarmUp users have ended. Set Most
// or Share; the zero value never stops. Its methods may be called from many
// goroutines.
type FailureGuard struct {
	Most  int     // stop at this many of the last GuardWindow users
	Share float64 // stop at this share of them, above 0 and at most 1

	mu     sync.Mutex
	recent []Reason // of the last users, a ring; empty if not suspicious
	at     int
	failed map[Reason]int // in recent
	sum    int            // of failed
}

// GuardWindow is how many users a [FailureGuard] looks back on, and guardWarmUp
// how many it waits for before it judges: one of one is no rate.
const (
	GuardWindow = 100
	guardWarmUp = 20
)

// Add counts a user and returns why the run must stop, or nil. Rows that were
// never called do not count.
func (g *FailureGuard) Add(r Result) *Stop {
	if r.Attempts == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed == nil {
		g.failed = make(map[Reason]int)
	}
	if len(g.recent) < GuardWindow {
		g.recent = append(g.recent, "")
	}
	g.count(g.recent[g.at], -1)
	g.recent[g.at] = ""
	if r.Reason.Suspicious() {
		g.recent[g.at] = r.Reason
	}
	g.count(g.recent[g.at], 1)
	g.at = (g.at + 1) % GuardWindow

	n := len(g.recent)
	if n < guardWarmUp {
		return nil
	}
	if g.Most > 0 && g.sum >= g.Most || g.Share > 0 && float64(g.sum) >= g.Share*float64(n) {
		return &Stop{Reason: Stopped, Message: fmt.Sprintf("%d of the last %d users failed (%s), which speaks of the pool, its triggers or the network and not of the users", g.sum, n, g.reasons())}
	}
	return nil
}

func (g *FailureGuard) count(reason Reason, n int) {
	if reason != "" {
		g.failed[reason] += n
		g.sum += n
	}
}

// reasons lists what failed, the most frequent first.
func (g *FailureGuard) reasons() string {
	var list []string
	for _, r := range slices.SortedFunc(maps.Keys(g.failed), func(a, b Reason) int {
		return cmp.Or(cmp.Compare(g.failed[b], g.failed[a]), cmp.Compare(a, b))
	}) {
		if n := g.failed[r]; n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, r))
		}
	}
	return strings.Join(list, ", ")
}
