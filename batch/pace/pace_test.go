package pace_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/pace"
)

func TestCallsAreSpacedEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := pace.New(10), time.Now()
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
			p := pace.New(rate)
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
		p := pace.New(1)
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

func TestAMillionCallsDoNotDrift(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	synctest.Test(t, func(t *testing.T) {
		p, start := pace.New(30), time.Now()
		for range n {
			p.Wait(t.Context())
		}
		want := time.Duration(n-1) * time.Second / 30
		if drift := time.Since(start) - want; drift < 0 || drift > time.Second {
			t.Errorf("%v off after %v", drift, want)
		}
	})
}

func TestACeilingTakesEffectAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(0.01)
		p.Wait(t.Context())
		go func() {
			time.Sleep(time.Second)
			p.SetCeiling(10)
		}()
		start := time.Now()
		if p.Wait(t.Context()); time.Since(start) > 2*time.Second {
			t.Errorf("the next call left after %v", time.Since(start))
		}
		if s := p.State(); s.Ceiling != 10 || s.Rate != 10 || s.Throttled() {
			t.Errorf("the state is %+v", s)
		}
		start = time.Now()
		for range 20 {
			p.Wait(t.Context())
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("20 calls took %v", took)
		}
	})
}

func TestAPausedPaceLetsNoCallGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(10)
		p.Wait(t.Context())
		p.Pause()
		if !p.State().Paused {
			t.Error("its state does not say so")
		}
		go func() {
			time.Sleep(time.Hour)
			p.Resume()
		}()
		start := time.Now()
		if p.Wait(t.Context()); time.Since(start) != time.Hour {
			t.Errorf("a call left after %v", time.Since(start))
		}
		if p.State().Paused {
			t.Error("its state says that it is paused still")
		}
		p.Pause()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := p.Wait(ctx); err == nil {
			t.Error("a call left a paused pace when its context was done")
		}
	})
}

func TestAHeldPaceLetsNoCallGoBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, until := pace.New(10), time.Now().Add(12*time.Hour)
		p.Hold(until)
		p.Hold(until.Add(-time.Hour)) // the later time stands
		if held := p.State().Held; !held.Equal(until) {
			t.Errorf("its state says %v", held)
		}
		if left, _ := p.Wait(t.Context()); !left.Equal(until) {
			t.Errorf("a call left at %v, not %v", left, until)
		}
		if s := p.State(); !s.Held.IsZero() {
			t.Errorf("its state is %+v", s)
		}
	})
}

func TestChildrenTakeTurnsWithinOnePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := pace.New(30)
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second-time.Millisecond)
		defer stop()
		counts := make([]int, 3)
		var callers sync.WaitGroup
		for i, ceiling := range []float64{30, 30, 5} {
			child := parent.Child(ceiling)
			for range 1 + 20*i { // many callers have no more turns than one
				callers.Go(func() {
					for {
						if _, err := child.Wait(ctx); err != nil {
							return
						}
						counts[i]++
					}
				})
			}
		}
		callers.Wait()
		if total := counts[0] + counts[1] + counts[2]; total != 300 {
			t.Errorf("%d calls left in 10 s, of 30 a second", total)
		}
		if counts[2] < 45 || counts[2] > 50 {
			t.Errorf("the child of 5 a second had %d calls in 10 s", counts[2])
		}
		if d := counts[0] - counts[1]; d < -2 || d > 2 {
			t.Errorf("two children alike had %d and %d calls", counts[0], counts[1])
		}
	})
}

func TestAChildThatIsPausedKeepsNobodyElseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := pace.New(10)
		one, other := parent.Child(10), parent.Child(10)
		one.Pause()
		var left []time.Time
		var caller sync.WaitGroup
		caller.Go(func() {
			at, _ := one.Wait(t.Context())
			left = append(left, at)
		})
		start := time.Now()
		for range 10 {
			other.Wait(t.Context())
		}
		if took := time.Since(start); took != 900*time.Millisecond || left != nil {
			t.Errorf("10 calls beside a child that is paused took %v; %d of its own left", took, len(left))
		}
		one.Resume()
		caller.Wait()
		if len(left) != 1 {
			t.Errorf("%d calls left after the pause", len(left))
		}
	})
}

// Who has waited on the parent does not go while the child is paused meanwhile.
func TestAPauseHoldsEvenTheNextAtTheParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := pace.New(1)
		child := parent.Child(1)
		parent.Wait(t.Context())
		start, left := time.Now(), time.Time{}
		var caller sync.WaitGroup
		caller.Go(func() { left, _ = child.Wait(t.Context()) })
		time.Sleep(500 * time.Millisecond)
		child.Pause()
		time.Sleep(10 * time.Second)
		child.Resume()
		caller.Wait()
		if after := left.Sub(start); after < 10*time.Second {
			t.Errorf("it left after %v, in the pause", after)
		}
	})
}

func TestWhatAChildMeetsTheParentLearns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := pace.New(30)
		one, other := parent.Child(30), parent.Child(30)
		for range 200 {
			at, _ := one.Wait(t.Context())
			one.Answered(at.Nanosecond()%3 == 0)
		}
		if s := other.State(); !s.Throttled() || s.Rate >= 30 || s.Ceiling != 30 {
			t.Errorf("the child beside it stands at %+v", s)
		}
	})
}
