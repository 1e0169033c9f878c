package control

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"
)

// What somebody sets for runs that share a quota is what happens: together they go as
// fast as the fastest of them, faster or slower than they began.
func TestASharedRateIsWhatWasSet(t *testing.T) {
	t.Run("resets", func(t *testing.T) {
		testSharedRate(t, func(rate float64) spec.Spec { return spec.Spec{Settings: spec.Settings{Rate: rate, UpdateRate: 3}} })
	})
	t.Run("sign-outs alone", func(t *testing.T) {
		testSharedRate(t, func(rate float64) spec.Spec {
			return spec.Spec{Response: spec.Response{Steps: report.Steps{spec.StepSignOut}}, Settings: spec.Settings{Rate: 3, UpdateRate: rate}}
		})
	})
}

func testSharedRate(t *testing.T, at func(rate float64) spec.Spec) {
	synctest.Test(t, func(t *testing.T) {
		paces := SharePaces([]spec.Spec{at(2), at(2), at(1)})
		perSecond := func() float64 {
			const span = 100 * time.Second
			ctx, cancel := context.WithTimeout(t.Context(), span)
			defer cancel()
			var working sync.WaitGroup
			var mu sync.Mutex
			calls := 0
			for _, p := range paces {
				working.Go(func() {
					for {
						if _, err := p.First.Wait(ctx); err != nil {
							return
						}
						p.First.Answered(false)
						mu.Lock()
						calls++
						mu.Unlock()
					}
				})
			}
			working.Wait()
			return float64(calls) / span.Seconds()
		}
		expect := func(when string, want float64) {
			t.Helper()
			if got := perSecond(); got < 0.95*want || got > 1.05*want {
				t.Errorf("%s %.2f calls a second go, not %g", when, got, want)
			}
		}
		expect("at first", 2)
		for i, p := range paces { // as ctl of a fleet does
			if with := p.SetRate(10); with != 2 {
				t.Errorf("run %d shares with %d", i, with)
			}
		}
		expect("set to 10", 10)
		for _, p := range paces {
			p.SetRate(1)
		}
		expect("set to 1", 1)
		paces[1].SetRate(5)
		expect("with one at 5", 5)
		if with := NewPaces(at(2)).SetRate(3); with != 0 {
			t.Errorf("a run by itself shares with %d", with)
		}
	})
}
