package batch

import (
	"context"
	"crypto/rand"
	"math/big"
	"time"
)

// Attempts back off exponentially with full jitter between these bounds; the
// pace, not the backoff, is what keeps a run under its quota.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 20 * time.Second
)

// jitter is how long to wait after n earlier failures: anything up to a bound
// that doubles, so that users who failed together do not return together. It is
// drawn from crypto/rand, whose source a test can replace.
func jitter(n int) time.Duration {
	bound := min(maxBackoff, minBackoff<<min(n, 10))
	drawn, err := rand.Int(rand.Reader, big.NewInt(int64(bound)))
	if err != nil {
		return bound // nothing that crypto/rand reads from fails, but for a test's
	}
	return time.Duration(drawn.Int64())
}

// sleep waits, and reports false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
