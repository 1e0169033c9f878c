package batch_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/pace"
)

func TestAFailureGuardLooksAtTheLastUsers(t *testing.T) {
	failed := func(r batch.Reason) batch.Result { return batch.Result{Attempts: 1, Outcome: batch.Failed, Reason: r} }
	reset := batch.Result{Attempts: 1, Outcome: batch.Reset}
	add := func(n int, r batch.Result) []batch.Result { return slices.Repeat([]batch.Result{r}, n) }
	for _, c := range []struct {
		name    string
		guard   *batch.FailureGuard
		results [][]batch.Result
		stopsAt int // number of the result, 0 for never
		words   string
	}{
		{"one of one is no rate", &batch.FailureGuard{Share: 0.5}, [][]batch.Result{add(19, failed(batch.LambdaRefused))}, 0, ""},
		{"a trigger refuses everybody", &batch.FailureGuard{Share: 0.5}, [][]batch.Result{add(100, failed(batch.LambdaRefused))}, 20, "20 of the last 20 users failed (20 lambda_refused)"},
		{"leaked addresses that are no users here", &batch.FailureGuard{Share: 0.5}, [][]batch.Result{add(5000, failed(batch.UserNotFound))}, 0, ""},
		{"no answer settles anything", &batch.FailureGuard{Share: 0.5}, [][]batch.Result{add(30, batch.Result{Attempts: 1, Outcome: batch.Unknown, Reason: batch.ServerError})}, 20, "20 server_error"},
		{"rows without a call do not count", &batch.FailureGuard{Share: 0.5}, [][]batch.Result{add(200, batch.Result{Outcome: batch.Skipped, Reason: batch.Duplicate}), add(19, failed(batch.Network))}, 0, ""},
		{"it breaks after a long good time", &batch.FailureGuard{Share: 0.5}, [][]batch.Result{add(5000, reset), add(100, failed(batch.Network))}, 5050, "50 of the last 100 users failed (50 network)"},
		{"a few, spread out", &batch.FailureGuard{Share: 0.1}, [][]batch.Result{add(9, failed(batch.Other)), add(91, reset), add(9, failed(batch.Other)), add(91, reset)}, 20, "9 of the last 20"},
		{"so many of the last hundred", &batch.FailureGuard{Most: 3}, [][]batch.Result{add(2, failed(batch.Other)), add(99, reset), add(2, failed(batch.Network)), add(1, failed(batch.Other))}, 104, "2 network, 1 other"},
		{"none asked for", new(batch.FailureGuard), [][]batch.Result{add(500, failed(batch.Other))}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			stopped := 0
			for i, r := range slices.Concat(c.results...) {
				if stop := c.guard.Add(r); stop != nil {
					if stopped = i + 1; !strings.Contains(stop.Message, c.words) || stop.Reason != batch.Stopped {
						t.Errorf("it says %q", stop.Message)
					}
					break
				}
			}
			if stopped != c.stopsAt {
				t.Errorf("it stopped at %d, not %d", stopped, c.stopsAt)
			}
		})
	}
}

func TestAFailureGuardStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts, err := batch.Run(t.Context(), users(1000), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			time.Sleep(time.Second)
			return answer(batch.ClassUser, batch.LambdaRefused)
		}}, nil), batch.Options{Workers: 4, Journal: newLedger(), Failures: &batch.FailureGuard{Share: 0.5}, Grace: time.Minute})
		stop, ok := errors.AsType[*batch.Stop](err)
		if !ok || stop.Reason != batch.Stopped {
			t.Errorf("it ended with %v", err)
		}
		if failed := counts.Outcomes[batch.Failed]; failed < 20 || failed > 24 || counts.Rows != 1000 {
			t.Errorf("of %d rows %d failed before it stopped", counts.Rows, failed)
		}
	})
}

func TestAWaveEndsBeforeTheNextBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		journal, done := newLedger(), 0
		var waves []int64 // users ended when each was asked for
		_, err := batch.Run(t.Context(), users(25), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			done++
			return nil
		}}, nil), batch.Options{Workers: 8, Journal: journal, NextWave: func(_ context.Context, soFar batch.Counts) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if len(journal.promised) != done || int64(done) != soFar.Outcomes[batch.Reset] {
				t.Errorf("%d are promised and %d done when a wave begins", len(journal.promised), done)
			}
			waves = append(waves, soFar.Rows)
			if len(waves) == 3 {
				return 0, nil // and no more of them
			}
			return 5, nil
		}})
		if err != nil || done != 25 || !slices.Equal(waves, []int64{0, 5, 10}) {
			t.Errorf("%d were done, in waves after %v: %v", done, waves, err)
		}
	})
}

func TestAWaveThatMayNotBeginEndsTheRun(t *testing.T) {
	enough := &batch.Stop{Reason: batch.Stopped, Message: "enough"}
	journal := newLedger()
	counts, err := batch.Run(t.Context(), users(25), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error { return nil }}, nil),
		batch.Options{Workers: 8, Journal: journal, NextWave: func(_ context.Context, soFar batch.Counts) (int, error) {
			if soFar.Rows == 10 {
				return 0, enough
			}
			return 10, nil
		}})
	if err != error(enough) || counts.Outcomes[batch.Reset] != 10 || counts.Outcomes[batch.NotAttempted] != 15 || len(journal.promised) != 10 {
		t.Errorf("%v, with %d promised: %v", counts, len(journal.promised), err)
	}
}

func TestALimitThatIsWaitedOutFailsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := pace.New(10), time.Now()
		tomorrow := start.Add(24 * time.Hour)
		var mu sync.Mutex
		sent := 0
		counts, err := batch.Run(t.Context(), users(20), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			mu.Lock()
			defer mu.Unlock()
			if sent == 7 && time.Now().Before(tomorrow) {
				return answer(batch.ClassRun, batch.MessageLimit)
			}
			sent++
			return nil
		}}, p), batch.Options{Journal: newLedger(), WaitOut: func(e *batch.Error) bool {
			if e.Reason != batch.MessageLimit {
				t.Errorf("asked about %v", e)
			}
			p.Hold(tomorrow)
			return true
		}})
		if err != nil || sent != 20 || counts.Outcomes[batch.Reset] != 20 || time.Now().Before(tomorrow) {
			t.Errorf("%d were done by %v: %v", sent, time.Since(start), err)
		}
	})
}
