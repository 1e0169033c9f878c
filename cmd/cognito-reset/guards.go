package main

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
)

// failureGuard reads --stop-on-failures.
func (s *settings) failureGuard() (*batch.FailureGuard, error) {
	text := s.StopOnFailures
	if text == "off" || text == "" {
		return nil, nil
	}
	if strings.HasSuffix(text, "%") {
		if part, err := share(text); err == nil && part > 0 {
			return &batch.FailureGuard{Share: part}, nil
		}
	} else if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= batch.GuardWindow {
		return &batch.FailureGuard{Most: n}, nil
	}
	return nil, usagef("--stop-on-failures is a number from 1 to %d, a share such as 50%%, or off; not %q", batch.GuardWindow, text)
}

// end is when a session that begins now must stop, by --deadline or --until, and
// why; zero for never.
func (s *settings) end(now time.Time) (at time.Time, why string, err error) {
	if s.Deadline > 0 {
		at, why = now.Add(s.Deadline.duration()), fmt.Sprintf("--deadline %v is over", s.Deadline.duration())
	}
	if s.Until == "" {
		return at, why, nil
	}
	clock, err := time.Parse("15:04", s.Until)
	if err != nil {
		return at, why, usagef("--until is a time of day such as 06:00, not %q", s.Until)
	}
	if until := nextTime(now, clock.Hour(), clock.Minute()); at.IsZero() || until.Before(at) {
		at, why = until, "it is "+s.Until+", the end by --until"
	}
	return at, why, nil
}

// nextTime is when a clock on the wall shows a time of day next. Of an hour that
// comes twice, as summer time ends, both count; of one that never comes, the time
// that is in its place.
func nextTime(now time.Time, hour, minute int) time.Time {
	const most, step = 3 * time.Hour, 15 * time.Minute // of which clocks are set
	for day := 0; ; day++ {
		noted := time.Date(now.Year(), now.Month(), now.Day()+day, hour, minute, 0, 0, now.Location())
		comes := false
		for shift := -most; shift <= most; shift += step {
			at := noted.Add(shift)
			if at.Hour() != hour || at.Minute() != minute || at.YearDay() != noted.YearDay() {
				continue
			}
			if comes = true; at.After(now) {
				return at
			}
		}
		if !comes && noted.After(now) {
			return noted
		}
	}
}

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

// within ends ctx when the session must stop.
func (s *settings) within(ctx context.Context, passed func(since time.Time) (awake, onTheWall time.Duration)) (context.Context, context.CancelFunc) {
	began := time.Now()
	at, why, err := s.end(began)
	ctx, cancel := context.WithCancelCause(ctx)
	if err != nil || at.IsZero() {
		return ctx, func() { cancel(nil) }
	}
	go func() {
		for {
			left := at.Sub(began) - max(passed(began))
			if left <= 0 {
				cancel(&batch.Stop{Reason: batch.Stopped, Message: why})
				return
			}
			select {
			case <-time.After(min(left, lookAtClock)):
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// messageDay is when Cognito last began to count a day's messages: 09:00 UTC.
func messageDay(now time.Time) time.Time {
	now = now.UTC()
	day := time.Date(now.Year(), now.Month(), now.Day(), 9, 0, 0, 0, time.UTC)
	if day.After(now) {
		day = day.AddDate(0, 0, -1)
	}
	return day
}

// nextMessages is when to try again after the daily message limit: a little
// after the count starts anew, and a little later if that was too early.
func nextMessages(now time.Time) time.Time {
	const late = 10 * time.Minute
	if day := messageDay(now); now.Sub(day) < time.Hour {
		return now.Add(late)
	} else {
		return day.AddDate(0, 0, 1).Add(time.Minute)
	}
}

// Waves let users go in groups: a canary, and waves with a pause between.
type waves struct {
	canary  int                                       // users still to be tried first
	judge   func(context.Context, batch.Counts) error // says whether the canary fared well
	size    int                                       // of a wave; 0 is all
	gate    float64                                   // share of a wave to have a new password before the next; 0 is none
	look    func(context.Context, []batch.Result) (done int, err error)
	skip    <-chan struct{} // opens the next wave at once
	pause   time.Duration
	resting func(until time.Time) // is told of a pause; zero at its end

	tried, begun bool

	mu   sync.Mutex
	last []batch.Result // resets of the wave
}

// note remembers whom a wave has reset, for its gate.
func (w *waves) note(r batch.Result) {
	if w.gate > 0 && r.Outcome == batch.Reset {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.last = append(w.last, r)
	}
}

// next is a [batch.Options.NextWave].
func (w *waves) next(ctx context.Context, soFar batch.Counts) (users int, err error) {
	switch {
	case w.canary > 0 && !w.tried:
		w.tried, users = true, w.canary
	case w.canary > 0:
		err, w.canary = w.judge(ctx, soFar), 0
		users = w.size
	case w.begun && w.size > 0:
		err = w.rest(ctx)
		fallthrough
	default:
		users = w.size
	}
	if err != nil {
		return 0, err
	}
	w.begun = w.canary == 0
	return users, nil
}

// codeLife is how long a code that Cognito sends can be used. Whoever has not
// come by then needs another; waiting for them is in vain.
const codeLife = time.Hour

// rest waits between two waves: for the pause, and at the gate.
func (w *waves) rest(ctx context.Context) error {
	w.mu.Lock()
	users := w.last
	w.last = nil
	w.mu.Unlock()
	ended := time.Now()
	opens := ended.Add(w.pause)
	for {
		if w.gate > 0 && len(users) > 0 && time.Since(ended) < codeLife {
			done, err := w.look(ctx, users)
			if err != nil {
				return err
			}
			if float64(done) < w.gate*float64(len(users)) {
				opens = later(opens, time.Now().Add(lookEvery(len(users))))
			}
		}
		wait := time.Until(opens)
		if wait <= 0 {
			return nil
		}
		w.resting(opens)
		select {
		case <-time.After(wait):
			w.resting(time.Time{})
		case <-w.skip:
			w.resting(time.Time{})
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if w.gate == 0 {
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

// lookAtWave counts those of a wave who have a new password, or are gone.
func (s *session) lookAtWave(ctx context.Context, resets []batch.Result) (done int, err error) {
	for v, err := range s.pool.Verify(ctx, func(yield func(batch.Result, error) bool) {
		for _, r := range resets {
			if !yield(r, nil) {
				return
			}
		}
	}) {
		if err != nil {
			return 0, fmt.Errorf("--wave-gate: %w", err)
		}
		if v.Effect == userpool.Completed || v.Effect == userpool.Gone {
			done++
		}
	}
	return done, nil
}

// waves are those of a session.
func (s *session) waves(ctl *control) *waves {
	r := s.request
	w := &waves{
		canary: r.Canary, size: r.WaveSize, pause: r.WavePause.duration(),
		gate: r.WaveGate, look: s.lookAtWave, skip: ctl.nextWave,
		judge:   func(ctx context.Context, c batch.Counts) error { return s.judgeCanary(ctx, ctl, c) },
		resting: ctl.rest,
	}
	for _, session := range s.history.Sessions {
		w.canary = max(0, w.canary-int(session.Settled))
	}
	return w
}

// judgeCanary shows how the first users fared. Where keys are read a person
// decides; elsewhere one suspicious failure is too many.
func (s *session) judgeCanary(ctx context.Context, ctl *control, c batch.Counts) error {
	suspicious := int64(0)
	for reason, n := range c.Reasons {
		if reason.Suspicious() {
			suspicious += n
		}
	}
	text := fmt.Sprintf("The canary, %d users: %s.", doneOf(c), state(c))
	if len(c.Reasons) > 0 {
		text = fmt.Sprintf("The canary, %d users: %s (%s).", doneOf(c), state(c), counted(c.Reasons))
	}
	if !s.quiet || s.ask {
		say(s.stderr, "\n%s", text)
	}
	if s.ask && ctl.keys {
		yes, err := ctl.ask(ctx, "Go on with the others? (y/n) ", s.stderr)
		if err != nil || yes {
			return err
		}
		return &batch.Stop{Reason: batch.Stopped, Message: "after the canary you said no"}
	}
	if missing, of := c.Reasons[batch.UserNotFound], doneOf(c)-c.Outcomes[batch.Skipped]-c.Outcomes[batch.Invalid]; mostlyMissing(missing, of) {
		return &batch.Stop{Reason: batch.Stopped, Message: fmt.Sprintf(
			"%d of the canary's %d users are not in this pool; %s, or resume if that is right", missing, of, whichList)}
	}
	if suspicious > 0 {
		return &batch.Stop{Reason: batch.Stopped, Message: fmt.Sprintf(
			"%d of the canary's users failed in a way that is not their own (%s); look into it, then resume", suspicious, counted(c.Reasons))}
	}
	return nil
}

// canaryFirst brings n entries to the front: those of a canary that was cut short,
// whose calls may have left, and then others chosen at random.
func canaryFirst(entries iter.Seq2[batch.Entry, error], n int) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		var called, chosen []batch.Entry
		seen := 0
		for e, err := range entries {
			if err != nil {
				yield(e, err)
				return
			}
			if !e.Promised.IsZero() {
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
