package batch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/pace"
)

// response is a reset, a sign-out after it, and a lock in place of the reset
// where there is no contact. What is done is told to do, by name of the step.
func response(do func(step string, e batch.Entry) error) []batch.Step {
	step := func(name string, outcome batch.Outcome) batch.Step {
		return batch.Step{Name: name, Outcome: outcome, Repeatable: name != "reset", Action: fake{
			do: func(_ context.Context, e batch.Entry) error { return do(name, e) },
		}}
	}
	reset, signOut := step("reset", batch.Reset), step("sign-out", batch.SignedOut)
	reset.Instead = map[batch.Reason]batch.Step{batch.NoVerifiedContact: step("lock", batch.Locked)}
	return []batch.Step{reset, signOut}
}

// just is one entry.
func just(e batch.Entry) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) { yield(e, nil) }
}

// steps are the ends of a row's steps in words.
func steps(r batch.Result) (words []string) {
	for _, s := range r.Steps {
		words = append(words, fmt.Sprintf("%s %s", s.Step, s.Outcome))
	}
	return words
}

func TestTheRowOfAUserTellsOfItsSteps(t *testing.T) {
	refusal := func(reason batch.Reason) error { return answer(batch.ClassUser, reason) }
	for name, tc := range map[string]struct {
		answers map[string]error // by step; nil is done
		outcome batch.Outcome
		reason  batch.Reason
		message string
		steps   []string
	}{
		"all done":             {nil, batch.Reset, "", "", []string{"reset reset", "sign-out signed_out"}},
		"refused":              {map[string]error{"reset": refusal(batch.Disabled)}, batch.Failed, batch.Disabled, "words", []string{"reset failed"}},
		"replaced":             {map[string]error{"reset": refusal(batch.NoVerifiedContact)}, batch.Locked, batch.NoVerifiedContact, "", []string{"reset failed", "lock locked", "sign-out signed_out"}},
		"replacement refused":  {map[string]error{"reset": refusal(batch.NoVerifiedContact), "lock": refusal(batch.ExternalProvider)}, batch.Failed, batch.ExternalProvider, "lock: words", []string{"reset failed", "lock failed"}},
		"later step refused":   {map[string]error{"sign-out": refusal(batch.UserNotFound)}, batch.Failed, batch.UserNotFound, "sign-out: words", []string{"reset reset", "sign-out failed"}},
		"later step of no use": {map[string]error{"sign-out": answer(batch.ClassInDoubt, batch.ServerError)}, batch.Failed, batch.ServerError, "sign-out: words", []string{"reset reset", "sign-out failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got batch.Result
				calls := 0
				_, err := batch.Run(t.Context(), users(1), response(func(step string, _ batch.Entry) error {
					calls++
					return tc.answers[step]
				}), batch.Options{OnResult: func(r batch.Result) { got = r }})
				if err != nil || got.Outcome != tc.outcome || got.Reason != tc.reason || got.ErrorMessage != tc.message || !slices.Equal(steps(got), tc.steps) {
					t.Errorf("%s %s %q by %v: %v", got.Outcome, got.Reason, got.ErrorMessage, steps(got), err)
				}
				if got.Attempts != calls {
					t.Errorf("%d attempts, and %d calls", got.Attempts, calls)
				}
			})
		})
	}
}

func TestTheIntentOfEachStepIsWrittenBeforeItIsTaken(t *testing.T) {
	journal := newLedger()
	_, err := batch.Run(t.Context(), users(50), response(func(step string, e batch.Entry) error {
		if last := journal.last(e.Username); step != "reset" && last != step || step == "reset" && last != "" {
			return fmt.Errorf("promised %q when %s is called", last, step)
		}
		if step == "reset" && e.Row%2 == 0 {
			return answer(batch.ClassUser, batch.NoVerifiedContact)
		}
		return nil
	}), batch.Options{Workers: 8, Journal: journal})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range journal.settled {
		if !r.Outcome.Done() {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A run is cut off after any number of calls, and taken up again from what the
// journal has: nobody is reset twice, and everybody comes to the end.
func TestARunGoesOnAtTheStepThatItCameTo(t *testing.T) {
	for cut := range 8 {
		synctest.Test(t, func(t *testing.T) {
			calls, stopped := map[string]int{}, false
			ctx, stop := context.WithCancelCause(t.Context())
			work := response(func(step string, e batch.Entry) error {
				if calls[step+e.Username]++; len(calls) == cut && !stopped {
					stopped = true
					stop(errors.New("enough"))
				}
				if step == "reset" && e.Username == "u2" {
					return answer(batch.ClassUser, batch.NoVerifiedContact)
				}
				return nil
			})
			journal := newLedger()
			_, err := batch.Run(ctx, users(3), work, batch.Options{Workers: 1, Journal: journal, Grace: time.Minute})
			stop(nil)
			if err == nil == stopped {
				t.Errorf("cut off at call %d: %v", cut, err)
			}
			for name, r := range journal.settled {
				if n := calls["reset"+name]; r.Outcome == batch.NotAttempted && n > 0 && len(r.Steps) == 0 {
					t.Errorf("cut off at call %d: %s is not attempted after %d resets", cut, name, n)
				}
			}
			again := newLedger()
			_, err = batch.Run(t.Context(), func(yield func(batch.Entry, error) bool) {
				for e := range users(3) {
					if past, ok := journal.settled[e.Username]; ok {
						if past.Final() {
							continue
						}
						e.Steps = past.Steps
					}
					yield(e, nil)
				}
			}, work, batch.Options{Workers: 1, Journal: again})
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]map[string]int{
				"u1": {"reset": 1, "sign-out": 1}, "u2": {"reset": 1, "lock": 1, "sign-out": 1}, "u3": {"reset": 1, "sign-out": 1},
			} {
				for step, n := range want {
					if got := calls[step+name]; got != n {
						t.Errorf("cut off at call %d: %s of %s was called %d times", cut, step, name, got)
					}
				}
				last, ok := again.settled[name]
				if !ok {
					last = journal.settled[name]
				}
				if !last.Outcome.Done() || last.Steps[len(last.Steps)-1].Outcome != batch.SignedOut {
					t.Errorf("cut off at call %d: %s ended as %s by %v", cut, name, last.Outcome, steps(last))
				}
			}
		})
	}
}

func TestWhatIsInDoubtIsTheStepThatWasIntended(t *testing.T) {
	past := []batch.StepResult{{Step: "reset", Outcome: batch.Reset, Attempts: 1, StartedAt: time.Unix(1, 0), FinishedAt: time.Unix(2, 0), SettledBy: batch.ByAnswer}}
	var called []string
	var got batch.Result
	_, err := batch.Run(t.Context(), just(batch.Entry{Row: 1, Username: "u1", Steps: past, Intended: time.Unix(3, 0)}),
		response(func(step string, _ batch.Entry) error { called = append(called, step); return nil }),
		batch.Options{OnResult: func(r batch.Result) { got = r }})
	if err != nil || !slices.Equal(called, []string{"sign-out"}) || got.Outcome != batch.Reset || got.StartedAt != time.Unix(1, 0) || got.Attempts != 2 {
		t.Errorf("called %v: %+v, %v", called, got, err)
	}
}

// Three categories have a quota each. A pace of one never hurries, nor holds up,
// the other beyond what the order of steps asks for.
func TestEachStepKeepsItsOwnPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		left := map[string][]time.Time{}
		work := response(func(step string, e batch.Entry) error {
			mu.Lock()
			left[step] = append(left[step], time.Now())
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			if step == "reset" && e.Row%5 == 0 {
				return answer(batch.ClassUser, batch.NoVerifiedContact)
			}
			return nil
		})
		recovery, update := pace.New(30), pace.New(25)
		lock := work[0].Instead[batch.NoVerifiedContact]
		work[0].Pace, lock.Pace, work[1].Pace = recovery, recovery, update
		work[0].Instead[batch.NoVerifiedContact] = lock
		start := time.Now()
		if _, err := batch.Run(t.Context(), users(1000), work, batch.Options{Workers: 450}); err != nil {
			t.Fatal(err)
		}
		// 1,200 calls of the one and 1,000 of the other take 40 s each.
		if took := time.Since(start); took > 42*time.Second {
			t.Errorf("it took %v", took)
		}
		left["recovery"] = append(left["reset"], left["lock"]...)
		for name, most := range map[string]int{"recovery": 30, "sign-out": 25} {
			times := left[name]
			slices.SortFunc(times, time.Time.Compare)
			for i := most; i < len(times); i++ {
				if d := times[i].Sub(times[i-most]); d < time.Second-time.Millisecond {
					t.Fatalf("%s: %d calls within %v", name, most+1, d)
				}
			}
		}
	})
}

// Sign-outs are slower than resets: those who are reset and not signed out are few at
// every moment, and the run is as fast as its slowest step.
func TestTheStepsOfAUserStayCloseTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var between, most atomic.Int64
		call := func(then int64) batch.Action {
			return fake{do: func(context.Context, batch.Entry) error {
				time.Sleep(300 * time.Millisecond)
				now := between.Add(then)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				return nil
			}}
		}
		const people, rate = 5000, 16
		began := time.Now()
		counts, err := batch.Run(t.Context(), users(people), []batch.Step{
			{Name: "reset", Action: call(1), Pace: pace.New(20), Outcome: batch.Reset},
			{Name: "sign-out", Action: call(-1), Pace: pace.New(rate), Outcome: batch.SignedOut, Repeatable: true},
		}, batch.Options{Workers: 300, Journal: newLedger()})
		if err != nil || counts.Outcomes[batch.Reset] != people {
			t.Fatalf("%v, %v", err, counts.Outcomes)
		}
		if most.Load() > 50 {
			t.Errorf("%d users were reset and not signed out", most.Load())
		}
		if took, ideal := time.Since(began), time.Duration(people/rate)*time.Second; took > ideal+ideal/50 {
			t.Errorf("it took %v, and %v would do", took, ideal)
		}
	})
}
