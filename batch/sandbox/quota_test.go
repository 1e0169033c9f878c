package sandbox_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
)

// offer resets a fresh user every interval for the given time, and counts how
// many were not throttled.
func offer(c *client, prefix string, interval, during time.Duration) (accepted int) {
	for i := range int(during / interval) {
		if c.reset(fmt.Sprintf("%s%d", prefix, i)).code != "TooManyRequestsException" {
			accepted++
		}
		time.Sleep(interval)
	}
	return accepted
}

func TestACallerWhoKeepsToTheQuotaIsNeverThrottled(t *testing.T) {
	for _, sliding := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			pool := sandbox.New(sandbox.Config{Quotas: sandbox.DefaultQuotas(), SlidingSecond: sliding})
			interval := time.Second/30 + 1 // rounded up
			if n := offer(connect(t, pool), "u", interval, 1000*interval); n != 1000 {
				t.Errorf("sliding %v: %d of 1000 accepted", sliding, n)
			}
			if peak := pool.Stats().Peak[sandbox.UserAccountRecovery]; peak != 30 {
				t.Errorf("peak %d", peak)
			}
		})
	}
}

func TestCallsOverTheQuotaAreThrottled(t *testing.T) {
	for _, tc := range []struct {
		sliding bool
		want    int
	}{
		{false, 30 + 30*10 - 1}, // a full bucket, and what flows in until the last call
		{true, 30 * 10},
	} {
		synctest.Test(t, func(t *testing.T) {
			pool := sandbox.New(sandbox.Config{Quotas: sandbox.DefaultQuotas(), SlidingSecond: tc.sliding})
			c := connect(t, pool)
			if n := offer(c, "u", 10*time.Millisecond, 10*time.Second); n != tc.want {
				t.Errorf("sliding %v: %d accepted, want %d", tc.sliding, n, tc.want)
			}
			if peak := pool.Stats().Peak[sandbox.UserAccountRecovery]; peak != 100 {
				t.Errorf("peak %d", peak)
			}
			for range 30 {
				c.reset("more")
			}
			if got := c.reset("one-too-many"); got.says() != "TooManyRequestsException: Rate exceeded" || got.status != 400 {
				t.Error(got.status, got.says())
			}
		})
	}
}

func TestUsersOwnRecoverySharesTheResetsQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{Quotas: sandbox.DefaultQuotas(), AttemptLimit: -1})
		pool.Add(sandbox.NewUser("ann"))
		c := connect(t, pool)
		for range 30 {
			c.must("AdminResetUserPassword", in{"Username": "ann"})
		}
		for _, op := range []string{"ForgotPassword", "ConfirmForgotPassword", "AdminSetUserPassword"} {
			if got := c.call(op, in{"Username": "ann"}); got.code != "TooManyRequestsException" {
				t.Errorf("%s: %s", op, got.says())
			}
		}
		c.must("AdminUserGlobalSignOut", in{"Username": "ann"}) // another category
		if n := pool.Stats().Calls["ForgotPassword"]["TooManyRequestsException"]; n != 1 {
			t.Errorf("%d throttled calls counted", n)
		}
	})
}

func TestTheWorkIsDoneHalfWayThroughTheLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{Latency: time.Second})
		pool.Add(sandbox.NewUser("ann"))
		began := time.Now()
		connect(t, pool).must("AdminResetUserPassword", in{"Username": "ann"})
		took, worked := time.Since(began), pool.Outbox()[0].At.Sub(began)
		if took < 750*time.Millisecond || took > 1250*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if off := worked - took/2; off < -time.Microsecond || off > time.Microsecond {
			t.Errorf("worked after %v of %v", worked, took)
		}
	})
}

func TestPoolsBesideEachOtherShareTheirQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := sandbox.New(sandbox.Config{Account: "210987654321", Quotas: map[sandbox.Category]float64{sandbox.UserRead: 10}})
		other := sandbox.New(sandbox.Config{Beside: one})
		answers := make(map[string]int)
		for _, pool := range []*sandbox.Pool{one, other} {
			pool.Add(sandbox.NewUser("ann"))
			for range 8 {
				answers[connect(t, pool).call("AdminGetUser", in{"Username": "ann"}).code]++
			}
		}
		if answers[""] != 10 || answers["TooManyRequestsException"] != 6 {
			t.Errorf("of 16 calls on two pools with one quota of 10: %v", answers)
		}
		if peak := other.Stats().Peak[sandbox.UserRead]; peak != 16 {
			t.Errorf("%d calls arrived at once", peak)
		}
	})
}
