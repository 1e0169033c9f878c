package pace_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go"
)

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
	throttles, errors float64 // shares
	calls, throttled  atomic.Int64
}

var (
	errFault     = &smithy.GenericAPIError{Code: "InternalErrorException", Message: "try again", Fault: smithy.FaultServer}
	errThrottled = &smithy.GenericAPIError{Code: "TooManyRequestsException", Message: "Rate exceeded"}
)

func (w *wire) call() error {
	time.Sleep(oneWay())
	accepted := rand.Float64() >= w.throttles && w.accept()
	time.Sleep(oneWay())
	w.calls.Add(1)
	if accepted && rand.Float64() < w.errors {
		return errFault
	}
	if !accepted {
		w.throttled.Add(1)
		return errThrottled
	}
	return nil
}

func oneWay() time.Duration { return 10*time.Millisecond + rand.N(190*time.Millisecond) }
