package guards

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// A machine that slept wakes up to a deadline that is over.
func TestDeadlinesCountTheTimeAsleep(t *testing.T) {
	for _, c := range []struct {
		name   string
		slept  time.Duration
		over   bool
		awaken time.Duration
	}{
		{"awake, before the deadline", 0, false, 5*time.Hour + 59*time.Minute},
		{"awake, after it", 0, true, 6*time.Hour + time.Second},
		{"asleep meanwhile", 5 * time.Hour, true, time.Hour + 2*time.Second},
		{"the clock on the wall was set back", -5 * time.Hour, true, 6*time.Hour + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := spec.Settings{Deadline: spec.Seconds(6 * 3600)}
				ctx, cancel := within(t.Context(), s, func(since time.Time) (awake, onTheWall time.Duration) {
					awake = time.Since(since)
					if awake > 10*time.Second {
						return awake, awake + c.slept
					}
					return awake, awake
				})
				defer cancel()
				time.Sleep(c.awaken)
				synctest.Wait()
				if over := ctx.Err() != nil; over != c.over {
					t.Errorf("it is over: %t", over)
				}
				if stop, ok := errors.AsType[*batch.Stop](context.Cause(ctx)); c.over && (!ok || stop.Message != "--deadline 6h0m0s is over") {
					t.Errorf("for %v", context.Cause(ctx))
				}
			})
		})
	}
}

func nobody(time.Time) (int, error) { return 0, nil }

// A session that works over 09:00 UTC gets the new day's messages.
func TestAMessageBudgetIsOneDaysAndNoMore(t *testing.T) {
	now := time.Date(2026, 1, 2, 8, 59, 0, 0, time.UTC)
	m, err := newMessages(2, func() time.Time { return now }, nobody, nobody)
	if err != nil {
		t.Fatal(err)
	}
	take := func(want bool) {
		t.Helper()
		if err := m.Take(t.Context()); (err == nil) != want {
			t.Errorf("at %s: %v", now.Format(time.TimeOnly), err)
		} else if want {
			m.Spend()
		}
	}
	take(true)
	take(true)
	take(false)
	now = now.Add(2 * time.Minute)
	take(true)
	take(true)
	take(false)
}

// While a call is under way that may turn out to have sent nothing, the next
// waits for it.
func TestAMessageBudgetWaitsForCallsThatMayHaveSentNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMessages(1, time.Now, nobody, nobody)
		if err := m.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		taken := make(chan error, 1)
		go func() { taken <- m.Take(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-taken:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		m.Return()
		if err := <-taken; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { taken <- m.Take(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-taken; err == nil {
			t.Error("a run that ends went on")
		}
		go func() { taken <- m.Take(t.Context()) }()
		synctest.Wait()
		m.Spend()
		if err := <-taken; err == nil {
			t.Error("more than the budget")
		}
	})
}

func TestAMessageBudgetCountsWhatOtherRunsSent(t *testing.T) {
	theirs := 3
	m, _ := newMessages(5, time.Now, func(time.Time) (int, error) { return 1, nil }, func(time.Time) (int, error) { return theirs, nil })
	if err := m.Take(t.Context()); err != nil {
		t.Error(err)
	}
	if theirs = 5; m.Take(t.Context()) == nil {
		t.Error("more than the budget")
	}
}
