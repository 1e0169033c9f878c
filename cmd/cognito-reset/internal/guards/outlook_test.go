package guards

import (
	"context"
	"iter"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/pace"
)

// action resets at once, as far as the pace allows.
type action struct{ took time.Duration }

func (a action) Do(context.Context, batch.Entry) (batch.Answer, error) {
	time.Sleep(a.took)
	return batch.Answer{}, nil
}

func entries(n int64) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for row := range n {
			if !yield(batch.Entry{Row: row + 1, Username: "u"}, nil) {
				return
			}
		}
	}
}

// At every moment of a run, with whatever waves, the end that is told is the end.
func TestTheEndIsForeseen(t *testing.T) {
	for name, c := range map[string]struct {
		users int64
		rate  float64
		waves *Waves
	}{
		"no waves":                 {2000, 20, &Waves{}},
		"waves":                    {2000, 20, &Waves{Size: 300, Pause: 10 * time.Minute}},
		"long pauses":              {5000, 30, &Waves{Size: 200, Pause: time.Hour}},
		"one wave":                 {100, 1, &Waves{Size: 1000, Pause: time.Hour}},
		"a canary before them":     {1000, 10, &Waves{Canary: 20, Size: 100, Pause: 5 * time.Minute}},
		"a canary, and no waves":   {1000, 10, &Waves{Canary: 20}},
		"waves that divide evenly": {900, 10, &Waves{Size: 300, Pause: 30 * time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, tally, began := c.waves, new(batch.Tally), time.Now()
				w.Judge = func(context.Context, batch.Counts) error { return nil }
				w.Resting = func(time.Time) {}
				type foreseen struct {
					at   time.Time
					left time.Duration
				}
				var all []foreseen
				done := make(chan struct{})
				var looks sync.WaitGroup
				looks.Go(func() {
					for {
						select {
						case <-time.After(7 * time.Second):
							settled := tally.Counts().Settled()
							if settled == 0 { // no wave may have begun
								continue
							}
							all = append(all, foreseen{time.Now(), w.Outlook(settled, c.users-settled, c.rate).Left})
						case <-done:
							return
						}
					}
				})
				if _, err := batch.Run(t.Context(), entries(c.users), batch.ResetOnly(action{50 * time.Millisecond}, pace.New(c.rate)), batch.Options{Tally: tally, NextWave: w.Next}); err != nil {
					t.Fatal(err)
				}
				end := time.Now()
				close(done)
				looks.Wait()
				for _, f := range all {
					truth := end.Sub(f.at)
					if off := math.Abs((f.left - truth).Seconds()); off > 0.05*end.Sub(began).Seconds() {
						t.Fatalf("after %v of %v: %v are left, and %v was told", f.at.Sub(began), end.Sub(began), truth, f.left)
					}
				}
				if len(all) < 5 {
					t.Errorf("only %d looks", len(all))
				}
			})
		})
	}
}

func TestASpeedIsOfTheLastMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Speed
		settled := int64(0)
		for second := range 300 {
			if second < 200 {
				settled += 10
			} else {
				settled += 2
			}
			s.Note(settled, false)
			time.Sleep(time.Second)
		}
		if got := s.PerSecond(); got < 1.9 || got > 2.1 {
			t.Errorf("it is %v a second", got)
		}
		if s.Note(settled, true); s.PerSecond() != 0 {
			t.Errorf("a run that rests has a speed of %v", s.PerSecond())
		}
	})
}
