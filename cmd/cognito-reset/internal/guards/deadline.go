package guards

import (
	"context"
	"time"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// passed is how long it is since a time of this process. Time that the machine
// slept counts, for which the monotonic clock stands still, and so may the one on
// the wall be set meanwhile: the longer of the two counts.
func passed(since time.Time) (awake, onTheWall time.Duration) {
	now := time.Now()
	return now.Sub(since), now.Round(0).Sub(since.Round(0))
}

// lookAtClock is how often the end of a session is looked for, at least: timers do
// not count the time that a machine slept.
const lookAtClock = time.Second

// Within ends ctx when a session that begins now must stop, by --deadline or
// --until.
func Within(ctx context.Context, s spec.Settings) (context.Context, context.CancelFunc) {
	return within(ctx, s, passed)
}

func within(ctx context.Context, s spec.Settings, passed func(since time.Time) (awake, onTheWall time.Duration)) (context.Context, context.CancelFunc) {
	began := time.Now()
	at, why, err := s.End(began)
	ctx, cancel := context.WithCancelCause(ctx)
	if err != nil || at.IsZero() {
		return ctx, func() { cancel(nil) }
	}
	look := func() (left time.Duration) {
		if left = at.Sub(began) - max(passed(began)); left <= 0 {
			cancel(&batch.Stop{Reason: batch.Stopped, Message: why})
		}
		return left
	}
	left := look() // before any call
	go func() {
		for ; left > 0; left = look() {
			select {
			case <-time.After(min(left, lookAtClock)):
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
