// Package guards says when a run must wait, and when it must stop: waves and their
// gates, the canary, the budget of messages a day, the deadline.
package guards

import (
	"context"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"cognito-reset/batch"
)

// Waves let users go in groups: a canary, and waves with a pause between.
type Waves struct {
	Canary  int                                       // users still to be tried first
	Judge   func(context.Context, batch.Counts) error // says whether the canary fared well
	Size    int                                       // of a wave; 0 is all
	Gate    float64                                   // share of a wave to have a new password before the next; 0 is none
	Look    func(context.Context, []batch.Result) (done int, err error)
	Skip    <-chan struct{} // opens the next wave at once
	Pause   time.Duration
	Resting func(until time.Time) // is told of a pause; zero at its end
	Begins  func(canary bool)     // is told of each group that begins to go

	tried, begun bool

	mu     sync.Mutex
	last   []batch.Result // resets of the wave
	let    int64          // users who may go, or went, so far
	number int            // of the wave, from 1
	ended  time.Time      // the last one; before the first, zero
	opens  time.Time      // the next one, or the next look at the gate; zero while nobody waits for it
	rested time.Duration  // between the last two
}

// Note remembers whom a wave has reset, for its gate.
func (w *Waves) Note(r batch.Result) {
	if w.Gate > 0 && r.Outcome == batch.Reset {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.last = append(w.last, r)
	}
}

// Next is a [batch.Options.NextWave].
func (w *Waves) Next(ctx context.Context, soFar batch.Counts) (users int, err error) {
	switch {
	case w.Canary > 0 && !w.tried:
		w.tried, users = true, w.Canary
	case w.Canary > 0:
		err, w.Canary = w.Judge(ctx, soFar), 0
		users = w.Size
	case w.begun && w.Size > 0:
		err = w.rest(ctx)
		fallthrough
	default:
		users = w.Size
	}
	if err != nil {
		return 0, err
	}
	w.begun = w.Canary == 0
	if w.Begins != nil && (w.Size > 0 || w.tried) {
		w.Begins(!w.begun)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.let += int64(users)
	if w.begun {
		w.number++
	}
	return users, nil
}

// codeLife is how long a code that Cognito sends can be used. Whoever has not
// come by then needs another; waiting for them is in vain.
const codeLife = time.Hour

// rest waits between two waves: for the pause, and at the gate.
func (w *Waves) rest(ctx context.Context) error {
	w.mu.Lock()
	users, ended := w.last, time.Now()
	w.last, w.ended = nil, ended
	w.mu.Unlock()
	opens := ended.Add(w.Pause)
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.opens, w.rested = time.Time{}, time.Since(ended)
	}()
	for {
		if w.Gate > 0 && len(users) > 0 && time.Since(ended) < codeLife {
			done, err := w.Look(ctx, users)
			if err != nil {
				return err
			}
			if float64(done) < w.Gate*float64(len(users)) {
				opens = later(opens, time.Now().Add(lookEvery(len(users))))
			}
		}
		wait := time.Until(opens)
		if wait <= 0 {
			return nil
		}
		w.mu.Lock()
		w.opens = opens
		w.mu.Unlock()
		w.Resting(opens)
		select {
		case <-time.After(wait):
			w.Resting(time.Time{})
		case <-w.Skip:
			w.Resting(time.Time{})
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if w.Gate == 0 {
			return nil
		}
	}
}

func later(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}

// lookEvery is how often so many users may be looked at, a call each, without
// taking much of what listings may take.
func lookEvery(users int) time.Duration {
	return min(max(2*time.Second, time.Duration(users)*200*time.Millisecond), 5*time.Minute)
}

// CanaryFirst brings n entries to the front: those of a canary that was cut short,
// whose calls may have left, and then others chosen at random.
func CanaryFirst(entries iter.Seq2[batch.Entry, error], n int) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		var called, chosen []batch.Entry
		seen := 0
		for e, err := range entries {
			if err != nil {
				yield(e, err)
				return
			}
			if !e.Intended.IsZero() {
				if len(called) < n {
					called = append(called, e)
				}
			} else if seen++; len(chosen) < n {
				chosen = append(chosen, e)
			} else if i := rand.IntN(seen); i < n {
				chosen[i] = e
			}
		}
		chosen = append(called, chosen[:min(len(chosen), n-len(called))]...)
		first := make(map[int64]bool, n)
		for _, e := range chosen {
			if first[e.Row] = true; !yield(e, nil) {
				return
			}
		}
		for e, err := range entries {
			if !first[e.Row] && !yield(e, err) {
				return
			}
		}
	}
}
