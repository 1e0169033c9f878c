package pace_test

import (
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/pace"
)

// A smaller BenchmarkPace with bounds that chance does not reach.
func TestThePaceFindsTheQuotaAndLeavesOthersTheirs(t *testing.T) {
	const users = 20_000
	for _, s := range scenarios {
		if s.users > 0 || s.throttles > 0 || s.quota(0) == none {
			continue // tests of their own
		}
		for _, m := range models {
			t.Run(s.name+"/"+m.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := s.play(m.new, overPace, users)
					least, most := 0.80, 0.04
					switch {
					case m.name == "token-bucket":
						least, most = 0.85, 0.03
					case s.live > 0:
						least, most = 0.30, 0.25 // a model in which random callers alone are throttled
					}
					if a.efficiency < least || a.throttled > most || a.liveThrottled > most || a.lost > 0 {
						t.Errorf("%+v", a)
					}
				})
			})
		}
	}
}

func TestWithoutACeilingThrottlesAreTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := pace.New(0), time.Now()
		for range 1000 {
			p.Wait(t.Context())
			p.Answered(false)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("1000 calls without a limit took %v", took)
		}
		time.Sleep(3 * time.Second) // throttles of the beginning would have come by now
		p.Answered(true)
		s := p.State()
		if s.Ceiling != 0 || s.Rate <= 0 || !s.Throttled() {
			t.Errorf("after a throttle the state is %+v", s)
		}
		time.Sleep(time.Hour)
		if later := p.State(); later.Rate <= s.Rate {
			t.Errorf("an hour after a throttle the rate is %v, after %v", later.Rate, s.Rate)
		}
	})
}

// A rate that is too high, or none at all, costs live users few throttles: the pace begins
// with hardly more than every account has, and finds out where there is no quota.
func TestATooHighRateBeginsAtTheQuota(t *testing.T) {
	for _, ceiling := range []float64{100, 0} {
		for _, m := range models {
			for users, most := range map[int]float64{750: 0.04, 3000: 0.02} {
				synctest.Test(t, func(t *testing.T) {
					s, least := scenario{ceiling: ceiling, quota: steadily(quota)}, 0.95
					if m.name == "sliding-second" {
						least, most = 0.4, most+0.02 // once in hundreds of runs a trial is made
					}
					a := s.play(m.new, overPace, users)
					if a.throttled > most || a.efficiency < least || a.lost > 0 {
						t.Errorf("ceiling %g, %s, %d users: %.1f %% throttled, efficiency %.2f, %d lost", ceiling, m.name, users, 100*a.throttled, a.efficiency, a.lost)
					}
				})
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		p, start := pace.New(0), time.Now()
		for range 30 {
			p.Wait(t.Context())
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("as many calls as every account may make in a second took %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p, start := pace.New(100).Known(), time.Now()
		for range 101 {
			p.Wait(t.Context())
			p.Answered(false)
		}
		if took := time.Since(start); took > 1100*time.Millisecond {
			t.Errorf("at a rate of 100 that is known 101 calls took %v", took)
		}
	})
}

func TestThrottlesOfOneWindowDoNotStopAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(20)
		for range 40 {
			p.Wait(t.Context())
			p.Answered(false)
		}
		for range 500 { // as many workers had calls on their way
			p.Answered(true)
		}
		if r := p.State().Rate; r < 15 || r >= 20 {
			t.Errorf("one window of throttles made the rate %v of 20", r)
		}
		for range 100 {
			time.Sleep(time.Second)
			p.Answered(true)
		}
		if r := p.State().Rate; r < 2 || r > 3 { // a tenth of what was taken
			t.Errorf("a hundred seconds of nothing but throttles left a rate of %v", r)
		}
	})
}

// Throttles that come at any rate are not the quota's, and slow a pace down for a moment
// alone, at a high rate and at one that nobody bounds.
func TestFaultsAreNotAQuota(t *testing.T) {
	for _, c := range []struct {
		ceiling, quota float64
		users          int
		least          float64 // users a second
	}{
		{400, none, 40_000, 60}, // usually 375; 43 if they were taken for a quota's
		{0, none, 60_000, 900},  // usually 3,600, and 700
	} {
		synctest.Test(t, func(t *testing.T) {
			s := scenario{ceiling: c.ceiling, quota: steadily(c.quota), throttles: 0.02}
			if a := s.play(models[0].new, overPace, c.users); a.perSecond < c.least || a.throttled > 0.05 || a.lost > 0 {
				t.Errorf("ceiling %g, quota %g: %+v", c.ceiling, c.quota, a)
			}
		})
	}
}

// Faults are told from a quota by going slower, and are excused only as long as they are
// no more than they were.
func TestAQuotaAmongFaultsIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, n, limited := pace.New(200), 0, false
		second := func() (throttled, calls int) {
			for start := time.Now(); time.Since(start) < time.Second; calls++ {
				p.Wait(t.Context())
				n++
				refused := n%50 == 0 || limited && calls >= 100
				p.Answered(refused)
				if refused {
					throttled++
				}
			}
			return throttled, calls
		}
		for range 60 {
			second()
		}
		if throttled, calls := second(); calls < 190 || throttled > 5 {
			t.Errorf("beside faults the pace made %d calls of 200 in a second, %d of them throttled", calls, throttled)
		}
		limited = true
		for range 30 {
			second()
		}
		throttled, calls := 0, 0
		for range 30 {
			refused, all := second()
			throttled, calls = throttled+refused, calls+all
		}
		if calls < 30*60 || calls > 30*105 || throttled > calls/10 {
			t.Errorf("beside a quota of 100 the pace made %d calls in half a minute, %d of them throttled", calls, throttled)
		}
	})
}

// Without a quota a pace without a limit is at full speed within two seconds.
func TestWhereThereIsNoQuotaThePaceIsSoonAtFullSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{server: models[0].new(steadily(none))}
		var at2, at3 int64
		go func() {
			time.Sleep(2 * time.Second)
			at2 = w.calls.Load()
			time.Sleep(time.Second)
			at3 = w.calls.Load()
		}()
		overPace(w, scenario{}, 20_000)
		if perSecond := at3 - at2; perSecond < 4000 { // 1,000 callers bound it at 4,800
			t.Errorf("in its third second the pace made %d calls", perSecond)
		}
	})
}
