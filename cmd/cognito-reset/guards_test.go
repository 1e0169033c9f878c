package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
)

// An hour that comes twice comes the second time, too, and one that is left out
// is no reason to go on for another day.
func TestUntilIsTheFirstThatIsStillToCome(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	lordHowe, err := time.LoadLocation("Australia/Lord_Howe") // which sets its clocks by half an hour
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, now, until, want string
		in                     *time.Location
	}{
		{"later today", "2026-06-01T10:00:00Z", "18:00", "2026-06-01T16:00:00Z", berlin},
		{"tomorrow", "2026-06-01T20:00:00Z", "06:00", "2026-06-02T04:00:00Z", berlin},
		{"at this very minute", "2026-06-01T04:00:00Z", "06:00", "2026-06-02T04:00:00Z", berlin},
		{"before the hour that comes twice", "2026-10-24T23:00:00Z", "02:30", "2026-10-25T00:30:00Z", berlin},
		{"after it came once", "2026-10-25T00:40:00Z", "02:30", "2026-10-25T01:30:00Z", berlin},
		{"after it came twice", "2026-10-25T01:40:00Z", "02:30", "2026-10-26T01:30:00Z", berlin},
		{"within it, for later", "2026-10-25T00:40:00Z", "06:00", "2026-10-25T05:00:00Z", berlin},
		{"half an hour that comes twice", "2026-04-04T14:45:00Z", "01:40", "2026-04-04T15:10:00Z", lordHowe},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, _ := time.Parse(time.RFC3339, c.now)
			at, _, err := (&settings{Until: c.until}).end(now.In(c.in))
			if err != nil || at.UTC().Format(time.RFC3339) != c.want {
				t.Errorf("until %s, %v; want %s", at.UTC().Format(time.RFC3339), err, c.want)
			}
		})
	}
	left := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC).In(berlin) // 01:30, before 02:00 becomes 03:00
	if at, _, _ := (&settings{Until: "02:30"}).end(left); at.Sub(left) > 2*time.Hour {
		t.Errorf("an hour that is left out ends the session at %s", at)
	}
}

// A machine that slept wakes up to a deadline that is over.
func TestDeadlinesCountTheTimeAsleep(t *testing.T) {
	for _, c := range []struct {
		name   string
		slept  time.Duration
		over   bool
		awaken time.Duration
	}{
		{"awake, before the deadline", 0, false, 5*time.Hour + 59*time.Minute},
		{"awake, after it", 0, true, 6*time.Hour + time.Second},
		{"asleep meanwhile", 5 * time.Hour, true, time.Hour + 2*time.Second},
		{"the clock on the wall was set back", -5 * time.Hour, true, 6*time.Hour + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &settings{Deadline: seconds(6 * 3600)}
				ctx, cancel := s.within(t.Context(), func(since time.Time) (awake, onTheWall time.Duration) {
					awake = time.Since(since)
					if awake > 10*time.Second {
						return awake, awake + c.slept
					}
					return awake, awake
				})
				defer cancel()
				time.Sleep(c.awaken)
				synctest.Wait()
				if over := ctx.Err() != nil; over != c.over {
					t.Errorf("it is over: %t", over)
				}
				if stop, ok := errors.AsType[*batch.Stop](context.Cause(ctx)); c.over && (!ok || stop.Message != "--deadline 6h0m0s is over") {
					t.Errorf("for %v", context.Cause(ctx))
				}
			})
		})
	}
}

// A notification that hangs is over within the grace, counted from the signal if
// there was one.
func TestANotificationThatHangsEndsWithinTheGrace(t *testing.T) {
	const grace = 25 * time.Second
	for _, c := range []struct {
		name          string
		signal, begin time.Duration // -1: no signal
		end           time.Duration
	}{
		{"no signal", -1, 10 * time.Second, 35 * time.Second},
		{"after a signal", 0, 10 * time.Second, 25 * time.Second},
		{"a signal while it hangs", 12 * time.Second, 10 * time.Second, 35 * time.Second},
		{"calls took the whole grace", 0, 25 * time.Second, 26 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, signal := context.WithCancel(t.Context())
				defer signal()
				p, began := newPatience(ctx, time.Minute), time.Now()
				(&observer{patience: p}).allow(grace)
				if c.signal >= 0 {
					time.AfterFunc(c.signal, signal)
				}
				time.Sleep(c.begin)
				synctest.Wait()
				notification, cancel := p.within()
				defer cancel()
				<-notification.Done()
				if took := time.Since(began); took != c.end {
					t.Errorf("it ended after %v, not %v", took, c.end)
				}
			})
		})
	}
}
