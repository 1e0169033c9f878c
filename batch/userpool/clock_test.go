package userpool

import (
	"strings"
	"testing"
	"time"
)

// An answer, in seconds since the clock began: when its call left and it came,
// by the monotonic clock; how far this machine's clock was set since; its date.
type heard struct{ sent, received, set, date float64 }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func TestAClockThatJumpsIsNoticedAndWhatLeftBeforeIsDatedByTheEarlier(t *testing.T) {
	for _, c := range []struct {
		name     string
		answers  []heard
		called   float64 // when the call in question left
		earliest float64 // of the service's, no later than
		says     string
	}{
		{"clocks agree", []heard{{0, .1, 0, 0}, {60, 60.1, 0, 60}}, 30, 30, ""},
		{"the service is ahead", []heard{{0, .1, 0, 10}, {60, 60.1, 0, 70}}, 30, 40, ""},
		{"this machine's clock is set back between call and read-back", []heard{{0, .1, 0, 0}, {60, 60.1, -5, 60}}, 30, 30, "this machine's clock was set back by 5s"},
		{"and ahead", []heard{{0, .1, 0, 0}, {60, 60.1, 5, 60}}, 30, 30, "this machine's clock was set ahead by 5s"},
		{"the service's clock is set ahead", []heard{{0, .1, 0, 0}, {60, 60.1, 0, 70}}, 30, 30, "the service's clock jumped ahead by 10s"},
		{"and back", []heard{{0, .1, 0, 0}, {60, 60.1, 0, 50}}, 30, 20, "the service's clock jumped back by 10s"},
		{"ahead and back again", []heard{{0, .1, 0, 0}, {60, 60.1, 0, 70}, {90, 90.1, 0, 90}}, 70, 70, "jumped"},
		{"the machine slept", []heard{{0, .1, 0, 0}, {60, 60.1, 3600, 3660}}, 30, 30, "this machine slept, or stood still, for 1h0m"},
		{"nothing was heard before the call", []heard{{60, 60.1, 0, 70}}, 30, 40, ""},
		{"a slow answer", []heard{{0, .1, 0, 0}, {50, 70, 0, 70}}, 30, 30, ""},
		{"hosts that differ a little", []heard{{0, .1, 0, 0}, {1, 1.1, 0, 3}, {2, 2.1, 0, 2}}, 1.5, 3, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock, says := newClock(nil), ""
			for _, a := range c.answers {
				says += clock.learn(seconds(a.sent), seconds(a.received), seconds(a.received+a.set), seconds(a.date))
			}
			at, ok := clock.earliest(clock.began.Add(seconds(c.called)))
			if got := at.Sub(clock.began.Round(0)); !ok || got > seconds(c.earliest) || got < seconds(c.earliest-2) {
				t.Errorf("the call left at %v at the earliest, %t; want about %vs", got, ok, c.earliest)
			}
			if (says == "") != (c.says == "") || !strings.Contains(says, c.says) {
				t.Errorf("said %q, want %q", says, c.says)
			}
		})
	}
}

func TestAClockThatNeverAgreesTakesNoMoreMemory(t *testing.T) {
	clock := newClock(nil)
	for i := range 1000 {
		at := time.Duration(i) * time.Second
		clock.learn(at, at, at, at+time.Duration(i%2)*time.Minute)
	}
	if n := len(clock.spans); n > maxSpans {
		t.Errorf("%d spans", n)
	}
	if at, ok := clock.earliest(clock.began); !ok || at.After(clock.began) {
		t.Errorf("the earliest reading is lost: %v, %t", at.Sub(clock.began), ok)
	}
}
