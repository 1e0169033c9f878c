package pace

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCallsAreSpacedEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := NewSteady(10), time.Now()
		for i := range 100 {
			left, err := p.Wait(t.Context())
			if want := start.Add(time.Duration(i) * 100 * time.Millisecond); err != nil || !left.Equal(want) {
				t.Fatalf("call %d left at %v, not %v: %v", i, left.Sub(start), want.Sub(start), err)
			}
		}
		if took := time.Since(start); took != 9900*time.Millisecond {
			t.Errorf("100 calls took %v", took)
		}
	})
}

func TestNoSecondHoldsMoreCallsThanTheRate(t *testing.T) {
	for _, rate := range []float64{0.5, 1, 7, 20.5, 300} {
		synctest.Test(t, func(t *testing.T) {
			p := NewSteady(rate)
			var mu sync.Mutex
			var left []time.Time
			var callers sync.WaitGroup
			for range 5 {
				callers.Go(func() {
					for range 100 {
						at, err := p.Wait(t.Context())
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						left = append(left, at)
						n := len(left)
						mu.Unlock()
						if n%13 == 0 { // a caller is away for a while
							time.Sleep(time.Duration(n) * 7 * time.Millisecond)
						}
					}
				})
			}
			callers.Wait()
			most := max(1, int(rate))
			for i := most; i < len(left); i++ {
				if within := left[i].Sub(left[i-most]); within < time.Second {
					t.Fatalf("at %v a second, %d calls left within %v", rate, most+1, within)
				}
			}
		})
	}
}

func TestATurnGivenUpIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewSteady(1)
		p.Wait(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := p.Wait(ctx); err == nil {
			t.Error("it did not give up")
		}
		left, err := p.Wait(t.Context())
		if after := left.Sub(start); err != nil || after != time.Second {
			t.Errorf("the next turn came after %v, %v", after, err)
		}
	})
}

func TestALongRunDoesNotDrift(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand turns take a while")
	}
	synctest.Test(t, func(t *testing.T) {
		p, start := NewSteady(30), time.Now()
		const n = 100_000
		for range n {
			p.Wait(t.Context())
		}
		want := (n - 1) * time.Second / 30
		if drift := time.Since(start) - want; drift < -time.Second || drift > want/1000 {
			t.Errorf("%v off after %v", drift, want)
		}
	})
}
