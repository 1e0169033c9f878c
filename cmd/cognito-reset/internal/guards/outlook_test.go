package guards

import (
	"context"
	"iter"
	"math"
	"slices"
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
		users    int64
		rate     float64
		waves    *Waves
		signOuts float64       // a second; 0 is no second step
		comes    time.Duration // how long after a wave enough of its users have a new password
	}{
		"no waves":                 {2000, 20, &Waves{}, 0, 0},
		"waves":                    {2000, 20, &Waves{Size: 300, Pause: 10 * time.Minute}, 0, 0},
		"long pauses":              {5000, 30, &Waves{Size: 200, Pause: time.Hour}, 0, 0},
		"one wave":                 {100, 1, &Waves{Size: 1000, Pause: time.Hour}, 0, 0},
		"a canary before them":     {1000, 10, &Waves{Canary: 20, Size: 100, Pause: 5 * time.Minute}, 0, 0},
		"a canary, and no waves":   {1000, 10, &Waves{Canary: 20}, 0, 0},
		"waves that divide evenly": {900, 10, &Waves{Size: 300, Pause: 30 * time.Minute}, 0, 0},
		"gates":                    {4000, 20, &Waves{Size: 200, Gate: 0.5}, 0, 25 * time.Minute},
		"gates after pauses":       {4000, 20, &Waves{Size: 200, Gate: 0.5, Pause: 10 * time.Minute}, 0, 25 * time.Minute},
		"two steps":                {5000, 16, &Waves{}, 16, 0},
		"two steps, and waves":     {5000, 16, &Waves{Size: 400, Pause: 5 * time.Minute}, 16, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, tally, began := c.waves, new(batch.Tally), time.Now()
				w.Judge = func(context.Context, batch.Counts) error { return nil }
				w.Resting = func(time.Time) {}
				w.Look = func(_ context.Context, wave []batch.Result) (done int, err error) {
					if time.Since(wave[len(wave)-1].FinishedAt) < c.comes {
						return 0, nil
					}
					return len(wave), nil
				}
				resets := c.rate
				if c.signOuts > 0 {
					resets = 20
				}
				steps := batch.ResetOnly(action{50 * time.Millisecond}, pace.New(resets))
				if c.signOuts > 0 {
					steps = append(steps, batch.Step{Name: "sign-out", Action: action{50 * time.Millisecond}, Pace: pace.New(c.signOuts), Outcome: batch.SignedOut, Repeatable: true})
				}
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
				if _, err := batch.Run(t.Context(), entries(c.users), steps, batch.Options{Tally: tally, NextWave: w.Next, OnResult: w.Note}); err != nil {
					t.Fatal(err)
				}
				end := time.Now()
				close(done)
				looks.Wait()
				for _, share := range []float64{0.1, 0.5, 0.9} {
					at := began.Add(time.Duration(share * float64(end.Sub(began))))
					i := slices.IndexFunc(all, func(f foreseen) bool { return !f.at.Before(at) })
					if i < 0 {
						continue // the last look came before
					}
					truth := end.Sub(all[i].at)
					if off := math.Abs((all[i].left - truth).Seconds()); off > 0.05*truth.Seconds()+2 {
						t.Errorf("at %.0f %% of %v: %v are left, and %v was told", 100*share, end.Sub(began), truth, all[i].left)
					}
				}
				for _, f := range all {
					truth := end.Sub(f.at)
					if off := math.Abs((f.left - truth).Seconds()); c.comes == 0 && off > 0.05*end.Sub(began).Seconds() {
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
