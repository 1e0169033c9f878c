package pace_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"golang.org/x/time/rate"

	"cognito-reset/batch"
	"cognito-reset/batch/pace"
)

// quota is UserAccountRecovery's, in calls a second.
const quota = 30

// A scenario is what a client meets.
type scenario struct {
	name    string
	ceiling float64                                       // what the client was told
	live    float64                                       // calls a second of live users
	quota   func(since time.Duration) (perSecond float64) // the server's
}

func steadily(perSecond float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return perSecond }
}

var scenarios = []scenario{
	{"quota-known", quota, 0, steadily(quota)},
	{"ceiling-100", 100, 0, steadily(quota)},
	{"no-limit", 0, 0, steadily(quota)},
	{"quota-halves-then-doubles", quota, 0, func(since time.Duration) float64 {
		if since > 10*time.Minute && since < 30*time.Minute {
			return quota / 2
		}
		return quota
	}},
	{"live-takes-half", quota, quota / 2, steadily(quota)},
}

// models of how a server counts. Both hold at most a second's worth.
var models = []struct {
	name string
	new  func(quota func(time.Duration) float64) server
}{
	{"token-bucket", func(q func(time.Duration) float64) server {
		return &tokenBucket{quota: q, start: time.Now(), last: time.Now(), tokens: q(0)}
	}},
	{"sliding-second", func(q func(time.Duration) float64) server { return &slidingSecond{quota: q, start: time.Now()} }},
}

// A server accepts calls or throttles them.
type server interface{ accept() bool }

type tokenBucket struct {
	mu          sync.Mutex
	quota       func(time.Duration) float64
	start, last time.Time
	tokens      float64
}

func (s *tokenBucket) accept() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	q := s.quota(now.Sub(s.start))
	s.tokens = min(q, s.tokens+q*now.Sub(s.last).Seconds())
	s.last = now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

type slidingSecond struct {
	mu       sync.Mutex
	quota    func(time.Duration) float64
	start    time.Time
	accepted []time.Time
}

func (s *slidingSecond) accept() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for len(s.accepted) > 0 && now.Sub(s.accepted[0]) >= time.Second {
		s.accepted = s.accepted[1:]
	}
	if float64(len(s.accepted)) >= s.quota(now.Sub(s.start)) {
		return false
	}
	s.accepted = append(s.accepted, now)
	return true
}

// A wire carries calls to a server and back, each way in 10 to 200 ms.
type wire struct {
	server
	calls, throttled atomic.Int64
}

var errThrottled = &smithy.GenericAPIError{Code: "TooManyRequestsException", Message: "Rate exceeded"}

func (w *wire) call() error {
	time.Sleep(oneWay())
	accepted := w.accept()
	time.Sleep(oneWay())
	w.calls.Add(1)
	if !accepted {
		w.throttled.Add(1)
		return errThrottled
	}
	return nil
}

func oneWay() time.Duration { return 10*time.Millisecond + rand.N(190*time.Millisecond) }

// A client resets so many users and says how many it gave up.
type client func(w *wire, s scenario, users int) (lost int64)

var clients = []struct {
	name string
	run  client
}{
	{"pace", overPace},
	{"fixed-limiter", overFixedLimiter},
	{"backoff-alone", overBackoff},
	{"sdk-standard", func(w *wire, _ scenario, users int) int64 { return overSDK(w, users, retry.NewStandard()) }},
	{"sdk-adaptive", func(w *wire, _ scenario, users int) int64 {
		// Its own wait can be rounded to nothing, and would then never end
		// where time stands still meanwhile.
		return overSDK(w, users, retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) { o.FailOnNoAttemptTokens = true }))
	}},
}

// overPace is a run of this tool.
func overPace(w *wire, s scenario, users int) int64 {
	counts, err := batch.Run(context.Background(), entries(users), batch.ResetOnly(action(w.call), pace.New(s.ceiling)), batch.Options{Workers: 1000})
	if err != nil {
		panic(err)
	}
	return int64(users) - counts.Outcomes[batch.Reset]
}

func entries(users int) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for row := range int64(users) {
			if !yield(batch.Entry{Row: row + 1, Username: "user"}, nil) {
				return
			}
		}
	}
}

type action func() error

func (do action) Do(context.Context, batch.Entry) (batch.Answer, error) {
	if err := do(); err != nil {
		return batch.Answer{}, &batch.Error{Class: batch.ClassThrottle, Reason: batch.Throttled, Err: err}
	}
	return batch.Answer{}, nil
}

const (
	baselineWorkers  = 64
	baselineAttempts = 8
)

// overFixedLimiter is what one writes with x/time/rate: the quota, a second's
// burst, and a few attempts with exponential backoff.
func overFixedLimiter(w *wire, s scenario, users int) int64 {
	limiter := rate.NewLimiter(rate.Limit(s.ceiling), int(s.ceiling))
	if s.ceiling == 0 {
		limiter = rate.NewLimiter(rate.Inf, 0)
	}
	return inParallel(users, func() error {
		return withBackoff(func() error {
			if err := limiter.Wait(context.Background()); err != nil {
				return err
			}
			return w.call()
		})
	})
}

// overBackoff is the same without the limiter.
func overBackoff(w *wire, _ scenario, users int) int64 {
	return inParallel(users, func() error { return withBackoff(w.call) })
}

func withBackoff(call func() error) (err error) {
	for n := range baselineAttempts {
		if err = call(); err == nil {
			return nil
		}
		time.Sleep(rand.N(min(20*time.Second, 100*time.Millisecond<<n)))
	}
	return err
}

// overSDK goes about a call as the SDK's client does with a retryer.
func overSDK(w *wire, users int, r aws.RetryerV2) int64 {
	ctx := context.Background()
	return inParallel(users, func() error {
		released := func(error) error { return nil }
		for n := 1; ; n++ {
			done, err := r.GetAttemptToken(ctx)
			for ; err != nil; done, err = r.GetAttemptToken(ctx) {
				time.Sleep(100 * time.Millisecond)
			}
			err = w.call()
			done(err)
			released(err)
			if err == nil || !r.IsErrorRetryable(err) || n == r.MaxAttempts() {
				return err
			}
			var refused error
			if released, refused = r.GetRetryToken(ctx, err); refused != nil {
				return err
			}
			delay, refused := r.RetryDelay(n, err)
			if refused != nil {
				return err
			}
			time.Sleep(delay)
		}
	})
}

func inParallel(users int, reset func() error) (lost int64) {
	var next, failed atomic.Int64
	var workers sync.WaitGroup
	for range baselineWorkers {
		workers.Go(func() {
			for next.Add(1) <= int64(users) {
				if reset() != nil {
					failed.Add(1)
				}
			}
		})
	}
	workers.Wait()
	return failed.Load()
}

// An account is how a client fared.
type account struct {
	efficiency    float64 // users reset, of those that the quota left room for
	throttled     float64 // of its calls
	liveThrottled float64 // of live users' calls
	lost          int64
}

func (s scenario) play(newServer func(func(time.Duration) float64) server, run client, users int) account {
	w := &wire{server: newServer(s.quota)}
	start := time.Now()
	ctx, stop := context.WithCancel(context.Background())
	var live sync.WaitGroup
	var calls, throttled int64
	if s.live > 0 {
		live.Go(func() { calls, throttled = liveTraffic(ctx, w.server, s.live) })
	}
	a := account{lost: run(w, s, users)}
	elapsed := time.Since(start)
	stop()
	live.Wait()
	room := 0.0
	for t := time.Duration(0); t < elapsed; t += time.Second {
		room += (s.quota(t) - s.live) * min(1, (elapsed-t).Seconds())
	}
	a.efficiency = float64(int64(users)-a.lost) / room
	a.throttled = float64(w.throttled.Load()) / float64(w.calls.Load())
	a.liveThrottled = float64(throttled) / float64(max(1, calls))
	return a
}

// liveTraffic calls at random moments until ctx is done.
func liveTraffic(ctx context.Context, s server, perSecond float64) (calls, throttled int64) {
	for ctx.Err() == nil {
		time.Sleep(time.Duration(rand.ExpFloat64() / perSecond * float64(time.Second)))
		calls++
		if !s.accept() {
			throttled++
		}
	}
	return calls, throttled
}

// BenchmarkPace sets the pace beside what one would otherwise use, in virtual
// time: efficiency is the users reset of those that the quota left room for.
func BenchmarkPace(b *testing.B) {
	users := 100_000
	if testing.Short() {
		users = 5_000
	}
	for _, s := range scenarios {
		for _, m := range models {
			for _, c := range clients {
				b.Run(fmt.Sprintf("%s/%s/%s", s.name, m.name, c.name), func(b *testing.B) {
					var a account
					for b.Loop() {
						inBubble(func() { a = s.play(m.new, c.run, users) })
					}
					b.ReportMetric(0, "ns/op") // time is virtual
					b.ReportMetric(a.efficiency, "efficiency")
					b.ReportMetric(100*a.throttled, "%throttled")
					b.ReportMetric(float64(a.lost), "lost")
					if s.live > 0 {
						b.ReportMetric(100*a.liveThrottled, "%live-throttled")
					}
				})
			}
		}
	}
}

// inBubble runs f in virtual time, which a benchmark does not have.
func inBubble(f func()) {
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "bubble", F: func(t *testing.T) { synctest.Test(t, func(*testing.T) { f() }) },
	}})
}
