package batch_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"cognito-reset/batch"
	"cognito-reset/batch/pace"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// users yields n entries, u1 and on.
func users(n int) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for i := range n {
			if !yield(batch.Entry{Row: int64(i + 1), Username: fmt.Sprint("u", i+1)}, nil) {
				return
			}
		}
	}
}

// fake is an action made of functions.
type fake struct {
	do     func(ctx context.Context, e batch.Entry) error
	settle func(e batch.Entry) (batch.Verdict, error)
}

func (f fake) Do(ctx context.Context, e batch.Entry) (batch.Answer, error) {
	return batch.Answer{RequestID: "id"}, f.do(ctx, e)
}

func (f fake) Settle(_ context.Context, e batch.Entry, _ time.Time) (batch.Verdict, error) {
	if f.settle == nil {
		return batch.Undecided, nil
	}
	return f.settle(e)
}

// a ledger is a journal that keeps all in memory.
type ledger struct {
	mu       sync.Mutex
	promised map[string]bool
	steps    map[string]string // that were promised last
	settled  map[string]batch.Result
	fail     error
}

func newLedger() *ledger {
	return &ledger{promised: make(map[string]bool), steps: make(map[string]string), settled: make(map[string]batch.Result)}
}

func (l *ledger) WriteIntent(users ...batch.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range users {
		l.promised[e.Username] = true
		l.steps[e.Username] = e.Step
	}
	return l.fail
}

// last is the step of a user that was promised last.
func (l *ledger) last(username string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.steps[username]
}

func (l *ledger) WriteResult(r batch.Result) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled[r.Username] = r
	return l.fail
}

func answer(class batch.Class, reason batch.Reason) error {
	return &batch.Error{Class: class, Reason: reason, Code: "Code", Message: "words"}
}

// one runs a single user and returns its result.
func one(t *testing.T, e batch.Entry, a batch.Action, o batch.Options) (batch.Result, error) {
	t.Helper()
	var results []batch.Result
	o.OnResult = func(r batch.Result) { results = append(results, r) }
	counts, err := batch.Run(t.Context(), func(yield func(batch.Entry, error) bool) { yield(e, nil) }, batch.ResetOnly(a, nil), o)
	if len(results) != 1 || counts.Rows != 1 {
		t.Fatalf("%d results, %+v", len(results), counts)
	}
	return results[0], err
}

func TestAThrottleNeverFailsAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r, err := one(t, batch.Entry{Row: 1, Username: "u"}, fake{do: func(context.Context, batch.Entry) error {
			if calls++; calls <= 500 {
				return answer(batch.ClassThrottle, batch.Throttled)
			}
			return nil
		}}, batch.Options{MaxAttempts: 2})
		if err != nil || r.Outcome != batch.Reset || r.Attempts != 501 || r.Throttled != 500 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestTheMomentsFailuresAreRetriedAsOftenAsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r, err := one(t, batch.Entry{Row: 1, Username: "u"}, fake{do: func(context.Context, batch.Entry) error {
			calls++
			return answer(batch.ClassMoment, batch.Network)
		}}, batch.Options{MaxAttempts: 5})
		if err != nil || r.Outcome != batch.Failed || r.Reason != batch.Network || calls != 5 {
			t.Errorf("%+v after %d calls, %v", r, calls, err)
		}
	})
}

func TestARefusalOfTheUserIsFinal(t *testing.T) {
	calls := 0
	r, err := one(t, batch.Entry{Row: 1, Username: "u"}, fake{do: func(context.Context, batch.Entry) error {
		calls++
		return answer(batch.ClassUser, batch.Disabled)
	}}, batch.Options{})
	if err != nil || r.Outcome != batch.Failed || r.Reason != batch.Disabled || calls != 1 || !r.Final() {
		t.Errorf("%+v after %d calls, %v", r, calls, err)
	}
}

func TestAnAnswerThatEveryoneWouldGetStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, journal := 0, newLedger()
		counts, err := batch.Run(t.Context(), users(100), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			calls++
			return answer(batch.ClassRun, batch.Credentials)
		}}, nil), batch.Options{Workers: 1, Journal: journal})
		stop, ok := errors.AsType[*batch.Stop](err)
		if !ok || stop.Reason != batch.Credentials {
			t.Errorf("%v", err)
		}
		if calls != 1 || counts.Rows != 100 || counts.Outcomes[batch.NotAttempted] != 99 {
			t.Errorf("%d calls, %+v", calls, counts)
		}
		for name, r := range journal.settled {
			if r.Final() {
				t.Errorf("%s would not be attempted again: %+v", name, r)
			}
		}
	})
}

// What a service says of a user reaches no log, summary or notification by way of what
// stops the run: a stop has the code alone, and the report has the words.
func TestAStopDoesNotRepeatWhatTheServiceSaysOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := newLedger()
		_, err := batch.Run(t.Context(), users(3), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			return &batch.Error{Class: batch.ClassRun, Reason: batch.PoolConfiguration, Code: "InvalidLambdaResponseException", Message: "ann@example.com is not welcome"}
		}}, nil), batch.Options{Workers: 1, Journal: journal})
		stop, ok := errors.AsType[*batch.Stop](err)
		if !ok || strings.Contains(stop.Message, "ann@") || !strings.Contains(stop.Message, "InvalidLambdaResponseException") {
			t.Fatalf("%v", err)
		}
		if text := stop.Error(); strings.Contains(text, "ann@") {
			t.Errorf("the error is %q", text)
		}
		told := false
		for _, r := range journal.settled {
			told = told || strings.Contains(r.ErrorMessage, "ann@example.com is not welcome")
		}
		if !told {
			t.Error("the report has not the words")
		}
	})
}

func TestALostAnswerIsReadBackAndNeverJustRepeated(t *testing.T) {
	for _, test := range []struct {
		name    string
		verdict batch.Verdict
		err     error
		retry   bool
		calls   int
		want    batch.Outcome
		by      batch.Evidence
	}{
		{"done", batch.Done, nil, false, 1, batch.Reset, batch.ByReadBack},
		{"not done", batch.NotDone, nil, false, 2, batch.Reset, batch.ByAnswer},
		{"undecided", batch.Undecided, nil, false, 1, batch.Unknown, ""},
		{"undecided, and a second message is risked", batch.Undecided, nil, true, 2, batch.Reset, batch.ByAnswer},
		{"the user is gone", batch.Undecided, answer(batch.ClassUser, batch.UserNotFound), false, 1, batch.Failed, batch.ByReadBack},
		{"it may not be read", batch.Undecided, answer(batch.ClassRun, batch.AccessDenied), false, 1, batch.Unknown, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				r, err := one(t, batch.Entry{Row: 1, Username: "u"}, fake{
					do: func(context.Context, batch.Entry) error {
						if calls++; calls == 1 {
							return answer(batch.ClassInDoubt, batch.Network)
						}
						return nil
					},
					settle: func(batch.Entry) (batch.Verdict, error) { return test.verdict, test.err },
				}, batch.Options{Linger: time.Second, RetryUnknown: test.retry})
				if err != nil || calls != test.calls || r.Outcome != test.want || r.SettledBy != test.by {
					t.Errorf("%d calls, %+v, %v", calls, r, err)
				}
			})
		})
	}
}

func TestACallThatIsStillAtWorkIsNotTakenForOneThatWasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, worked := 0, time.Time{}
		r, _ := one(t, batch.Entry{Row: 1, Username: "u"}, fake{
			do: func(context.Context, batch.Entry) error {
				calls++
				worked = time.Now().Add(45 * time.Second) // the service finishes when nobody waits any more
				return answer(batch.ClassInDoubt, batch.Network)
			},
			settle: func(batch.Entry) (batch.Verdict, error) {
				if time.Now().Before(worked) {
					return batch.NotDone, nil
				}
				return batch.Done, nil
			},
		}, batch.Options{Linger: userpool.Linger})
		if calls != 1 || r.Outcome != batch.Reset {
			t.Errorf("%d calls, %+v", calls, r)
		}
	})
}

// A read-back says how a user was when it was made. Its answer may come much
// later, as when the process is stopped meanwhile.
func TestAReadBackIsAsOldAsItsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, asked, worked := 0, 0, time.Time{}
		r, _ := one(t, batch.Entry{Row: 1, Username: "u"}, fake{
			do: func(context.Context, batch.Entry) error {
				calls++
				worked = time.Now().Add(15 * time.Second)
				return answer(batch.ClassInDoubt, batch.Network)
			},
			settle: func(batch.Entry) (batch.Verdict, error) {
				was := batch.NotDone
				if !time.Now().Before(worked) {
					was = batch.Done
				}
				if asked++; asked == 1 {
					time.Sleep(time.Minute)
				}
				return was, nil
			},
		}, batch.Options{Linger: 20 * time.Second})
		if calls != 1 || r.Outcome != batch.Reset {
			t.Errorf("%d calls, %+v", calls, r)
		}
	})
}

func TestARefusalOfALaterCallDoesNotSettleACallInDoubt(t *testing.T) {
	for _, class := range []batch.Class{batch.ClassUser, batch.ClassRun} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			r, _ := one(t, batch.Entry{Row: 1, Username: "u"}, fake{
				do: func(context.Context, batch.Entry) error {
					if calls++; calls == 1 {
						return answer(batch.ClassInDoubt, batch.Network)
					}
					return answer(class, batch.MessageLimit)
				},
				settle: func(batch.Entry) (batch.Verdict, error) { return batch.Undecided, nil },
			}, batch.Options{RetryUnknown: true})
			if calls != 2 || r.Outcome != batch.Unknown {
				t.Errorf("class %d: %d calls, %+v", class, calls, r)
			}
		})
	}
}

func TestACallInDoubtOfAnEarlierSessionIsReadBackBeforeAnyCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := one(t, batch.Entry{Row: 1, Username: "u", Intended: time.Now().Add(-time.Hour)}, fake{
			do:     func(context.Context, batch.Entry) error { t.Error("called"); return nil },
			settle: func(batch.Entry) (batch.Verdict, error) { return batch.Done, nil },
		}, batch.Options{Journal: newLedger(), Linger: time.Second})
		if err != nil || r.Outcome != batch.Reset || r.SettledBy != batch.ByReadBack || r.Attempts != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestNoIntentNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := newLedger()
		journal.fail = errors.New("disk full")
		counts, err := batch.Run(t.Context(), users(10), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			t.Error("called")
			return nil
		}}, nil), batch.Options{Journal: journal})
		if !errors.Is(err, journal.fail) || counts.Outcomes[batch.NotAttempted] != 10 {
			t.Errorf("%+v, %v", counts, err)
		}
	})
}

func TestAStopLetsCallsInFlightFinishAndWithdrawsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		journal := newLedger()
		time.AfterFunc(2500*time.Millisecond, func() { cancel(&batch.Stop{Reason: batch.Interrupted, Message: "SIGTERM"}) })
		counts, err := batch.Run(ctx, users(100), batch.ResetOnly(fake{do: func(ctx context.Context, e batch.Entry) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}, nil), batch.Options{Workers: 5, Journal: journal, Grace: 10 * time.Second})
		if err == nil || counts.Outcomes[batch.Reset] != 15 || counts.Outcomes[batch.NotAttempted] != 85 || counts.Reasons[batch.Interrupted] != 85 {
			t.Errorf("%+v, %v", counts, err)
		}
		for name := range journal.promised {
			if _, ok := journal.settled[name]; !ok {
				t.Errorf("the intent to %s is left open", name)
			}
		}
	})
}

func TestWhatTheGraceCutsOffStaysOpenForAResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		journal := newLedger()
		time.AfterFunc(time.Second, func() { cancel(&batch.Stop{Reason: batch.Interrupted}) })
		counts, _ := batch.Run(ctx, users(3), batch.ResetOnly(fake{do: func(ctx context.Context, e batch.Entry) error {
			<-ctx.Done()
			return ctx.Err()
		}}, nil), batch.Options{Workers: 2, Journal: journal, Grace: time.Second})
		if counts.Outcomes[batch.Unknown] != 2 || counts.Outcomes[batch.NotAttempted] != 1 {
			t.Errorf("%+v", counts)
		}
		for name, r := range journal.settled {
			if r.Outcome == batch.Unknown {
				t.Errorf("%s was settled as unknown, so no resume would read it back", name)
			}
		}
	})
}

func TestRowsThatNeedNoCallAreCountedAndAnErrorAmongThemStops(t *testing.T) {
	broken := errors.New("the file is gone")
	counts, err := batch.Run(t.Context(), func(yield func(batch.Entry, error) bool) {
		_ = yield(batch.Entry{Row: 1, Outcome: batch.Invalid, Reason: batch.EmptyUsername}, nil) &&
			yield(batch.Entry{Row: 2, Username: "u", Outcome: batch.Skipped, Reason: batch.Duplicate}, nil) &&
			yield(batch.Entry{}, broken)
	}, batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error { t.Error("called"); return nil }}, nil), batch.Options{})
	if !errors.Is(err, broken) || counts.Rows != 2 || counts.Outcomes[batch.Invalid] != 1 || counts.Outcomes[batch.Skipped] != 1 {
		t.Errorf("%+v, %v", counts, err)
	}
}

func TestNeverMoreUsersAtATimeThanWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		batch.Run(t.Context(), users(200), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		}}, nil), batch.Options{Workers: 7, Journal: newLedger()})
		if most != 7 {
			t.Errorf("%d at a time", most)
		}
	})
}

func TestFewIntentsAreWrittenAheadWhileThePaceLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		journal, calls := newLedger(), 0
		time.AfterFunc(10*time.Second, cancel)
		batch.Run(ctx, users(1000), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error { calls++; return nil }}, pace.New(1)),
			batch.Options{Journal: journal, Workers: 100})
		if waiting := len(journal.promised) - calls; waiting > 5 {
			t.Errorf("%d were promised and not called", waiting)
		}
	})
}

// A pool that does its work or not, and answers or not, as the dice fall.
func TestWhateverThePoolAnswersNobodyIsDoneTwiceAndEverybodyIsAccountedFor(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			dice := rand.New(rand.NewPCG(seed, 0))
			done, journal := make(map[string]int), newLedger()
			counts, err := batch.Run(t.Context(), users(100), batch.ResetOnly(fake{
				do: func(_ context.Context, e batch.Entry) error {
					mu.Lock()
					defer mu.Unlock()
					switch dice.IntN(8) {
					case 0:
						return answer(batch.ClassThrottle, batch.Throttled)
					case 1:
						return answer(batch.ClassMoment, batch.Network)
					case 2:
						return answer(batch.ClassInDoubt, batch.ServerError)
					case 3:
						done[e.Username]++
						return answer(batch.ClassInDoubt, batch.Network)
					case 4:
						return answer(batch.ClassUser, batch.Disabled)
					}
					done[e.Username]++
					return nil
				},
				settle: func(e batch.Entry) (batch.Verdict, error) {
					mu.Lock()
					defer mu.Unlock()
					switch {
					case dice.IntN(5) == 0:
						return batch.Undecided, nil
					case dice.IntN(5) == 0:
						return batch.Undecided, answer(batch.ClassThrottle, batch.Throttled)
					case done[e.Username] > 0:
						return batch.Done, nil
					}
					return batch.NotDone, nil
				},
			}, pace.New(50)), batch.Options{Workers: 8, Journal: journal, Linger: time.Second})
			total := int64(0)
			for _, n := range counts.Outcomes {
				total += n
			}
			if err != nil || total != 100 || counts.Rows != 100 || len(journal.settled) != 100 {
				t.Errorf("seed %d: %+v, %v", seed, counts, err)
			}
			for name, r := range journal.settled {
				if n := done[name]; n > 1 || r.Outcome == batch.Reset && n != 1 || r.Outcome == batch.Failed && n != 0 {
					t.Errorf("seed %d: %s is %s and was done %d times", seed, name, r.Outcome, n)
				}
			}
		})
	}
}

// The whole stack below the command line, the SDK included, against a sandbox
// that throttles, fails and loses answers.
func TestAgainstAFaultyPoolEveryUserIsResetAndMailedOnce(t *testing.T) {
	for _, key := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(key, os.DevNull)
	}
	t.Setenv("AWS_CA_BUNDLE", "") // it asks for a transport that is not a pool
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{
			PoolID: "us-east-1_Sandbox", Quotas: sandbox.DefaultQuotas(), Latency: 100 * time.Millisecond, Faults: sandbox.EvenFaults(0.2), Seed: 7,
		})
		const n = 1000
		for e := range users(n) {
			u := sandbox.NewUser(e.Username)
			u.Created = time.Now().Add(-time.Hour)
			pool.Add(u)
		}
		action, err := userpool.Open(t.Context(), userpool.Options{
			PoolID: "us-east-1_Sandbox", EndpointURL: "http://sandbox", HTTPClient: &http.Client{Transport: pool},
			Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		counts, err := batch.Run(t.Context(), users(n), batch.ResetOnly(action, pace.New(25)), batch.Options{
			Journal: newLedger(), Linger: userpool.Linger, Workers: 400,
		})
		if err != nil || counts.Outcomes[batch.Reset] != n {
			t.Errorf("%+v, %v", counts, err)
		}
		pool.EachUser(func(u sandbox.User, resets, messages int) {
			if resets != 1 || messages != 1 {
				t.Errorf("%s: %d resets, %d messages", u.Username, resets, messages)
			}
		})
		if peak := pool.Stats().Peak[sandbox.UserAccountRecovery]; peak > 30 {
			t.Errorf("%d calls arrived within one second", peak)
		}
		t.Logf("%d calls in %v", counts.Calls, time.Since(start))
	})
}

// Users whose answers were lost wait a minute for their read-back to be believed.
// That holds up nobody, and when they all come back no more than the workers call.
func TestWhoWaitsForAReadBackTakesNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, lost, n = 3, 50, 200
		var mu sync.Mutex
		now, most, calls, first := 0, 0, make(map[string]int), time.Duration(0)
		start := time.Now()
		counts, err := batch.Run(t.Context(), users(n), batch.ResetOnly(fake{
			do: func(_ context.Context, e batch.Entry) error {
				mu.Lock()
				now++
				most = max(most, now)
				calls[e.Username]++
				again := calls[e.Username] > 1
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				now--
				if len(calls) == n && first == 0 {
					first = time.Since(start)
				}
				if !again && len(calls) <= lost {
					return answer(batch.ClassInDoubt, batch.Network)
				}
				return nil
			},
			settle: func(batch.Entry) (batch.Verdict, error) { return batch.NotDone, nil },
		}, nil), batch.Options{Workers: workers, Journal: newLedger(), Linger: time.Minute})
		if err != nil || counts.Outcomes[batch.Reset] != n {
			t.Errorf("%+v, %v", counts, err)
		}
		if most != workers {
			t.Errorf("%d calls at a time", most)
		}
		// Each call takes a second, and those who waited come back among the others.
		if limit := (n+lost)/workers*time.Second + 10*time.Second; first > limit {
			t.Errorf("all were called once after %v, though nobody had to wait longer than %v", first, limit)
		}
	})
}

// A budget of messages, as simple as can be.
type allowance struct {
	mu                 sync.Mutex
	left, spent, given int
}

func (a *allowance) Take(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == 0 {
		return &batch.Stop{Reason: batch.Stopped, Message: "spent"}
	}
	a.left--
	return nil
}

func (a *allowance) Spend() { a.mu.Lock(); a.spent++; a.mu.Unlock() }

func (a *allowance) Return() { a.mu.Lock(); a.left++; a.given++; a.mu.Unlock() }

func (a *allowance) Inherit(time.Time) bool { return true }

func TestABudgetHearsOfEachCallOnceWhatBecameOfIt(t *testing.T) {
	doubt, refusal := answer(batch.ClassInDoubt, batch.Network), answer(batch.ClassUser, batch.Disabled)
	throttle := answer(batch.ClassThrottle, batch.Throttled)
	for _, c := range []struct {
		name         string
		promised     bool
		answers      []error
		verdict      batch.Verdict
		retry        bool
		sent         int
		spent, given int
	}{
		{"done", false, []error{nil}, 0, false, 1, 1, 0},
		{"refused", false, []error{refusal}, 0, false, 0, 0, 1},
		{"throttled, then done", false, []error{throttle, nil}, 0, false, 1, 1, 1},
		{"lost, and done", false, []error{doubt}, batch.Done, false, 1, 1, 0},
		{"lost, and not done", false, []error{doubt, nil}, batch.NotDone, false, 1, 1, 1},
		{"lost, and nobody knows", false, []error{doubt}, batch.Undecided, false, 1, 1, 0},
		{"lost twice, and called again", false, []error{doubt, doubt, nil}, batch.Undecided, true, 3, 3, 0},
		{"an earlier session's, and not done", true, []error{nil}, batch.NotDone, false, 1, 1, 1},
		{"an earlier session's, and done", true, nil, batch.Done, false, 1, 1, 0},
		{"an earlier session's, called again", true, []error{nil}, batch.Undecided, true, 2, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				budget, calls := &allowance{left: 10}, 0
				e := batch.Entry{Row: 1, Username: "u"}
				if c.promised {
					e.Intended = time.Now().Add(-time.Hour)
				}
				r, _ := one(t, e, fake{
					do:     func(context.Context, batch.Entry) error { calls++; return c.answers[calls-1] },
					settle: func(batch.Entry) (batch.Verdict, error) { return c.verdict, nil },
				}, batch.Options{RetryUnknown: c.retry, Messages: budget})
				if r.Sent != c.sent || budget.spent != c.spent || budget.given != c.given || calls != len(c.answers) {
					t.Errorf("%d calls, %d sent; the budget heard of %d spent and %d not: %+v", calls, r.Sent, budget.spent, budget.given, r)
				}
			})
		})
	}
}

// A fault of the program on the way of one user stops the run, and loses no row.
func TestAPanicStopsTheRunAndLosesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		action := fake{do: func(_ context.Context, e batch.Entry) error {
			if e.Row == 3 {
				var nobody *batch.Entry
				_ = nobody.Username
			}
			return nil
		}}
		counts, err := batch.Run(t.Context(), users(10), []batch.Step{{Name: "reset", Action: action, Outcome: batch.Reset}}, batch.Options{Workers: 1})
		if fault, ok := errors.AsType[*batch.PanicError](err); !ok || len(fault.Stack) == 0 {
			t.Errorf("the run ended with %v", err)
		}
		if counts.Rows != 10 || counts.Outcomes[batch.Unknown] != 1 || counts.Outcomes[batch.Reset]+counts.Outcomes[batch.NotAttempted] != 9 {
			t.Errorf("%d rows: %v", counts.Rows, counts.Outcomes)
		}
	})
}
