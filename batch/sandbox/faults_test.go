package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
)

func TestFaultsComeAtTheirRateAndAreCounted(t *testing.T) {
	const calls = 8000
	pool := sandbox.New(sandbox.Config{Faults: sandbox.EvenFaults(0.4), AttemptLimit: -1})
	pool.Add(sandbox.NewUser("ann"))
	c := connect(t, pool)
	seen := map[string]int{}
	for range calls {
		got, err := c.try(request(t, "http://sandbox/", "AdminResetUserPassword", `{"UserPoolId":"`+poolID+`","Username":"ann"}`))
		switch {
		case errors.Is(err, syscall.ECONNRESET):
			seen["lost"]++
		case err != nil:
			t.Fatal(err)
		case got.code == "InternalErrorException" && got.status != 500:
			t.Errorf("status %d", got.status)
		default:
			seen[got.code]++
		}
	}
	counted := pool.Stats().Calls["AdminResetUserPassword"]
	for name, tc := range map[string]struct{ got, counted, percent int }{
		"success":  {seen[""], counted[sandbox.OK], 60},
		"lost":     {seen["lost"], counted[sandbox.LostBefore] + counted[sandbox.LostAfter], 20},
		"internal": {seen["InternalErrorException"], counted["InternalErrorException"], 10},
		"throttle": {seen["TooManyRequestsException"], counted["TooManyRequestsException"], 10},
	} {
		if want := calls * tc.percent / 100; tc.got != tc.counted || tc.got < want*3/4 || tc.got > want*5/4 {
			t.Errorf("%s: %d seen, %d counted, about %d meant", name, tc.got, tc.counted, want)
		}
	}
	if n := pool.Resets("ann"); n != counted[sandbox.OK]+counted[sandbox.LostAfter] {
		t.Errorf("%d resets, %d answered and %d lost after", n, counted[sandbox.OK], counted[sandbox.LostAfter])
	}
}

func TestNoReadIsLost(t *testing.T) {
	pool := sandbox.New(sandbox.Config{Faults: sandbox.EvenFaults(1)})
	pool.Add(sandbox.NewUser("ann"))
	c := connect(t, pool)
	for range 200 {
		c.call("AdminGetUser", in{"Username": "ann"})
		c.call("ListUsers", nil)
	}
	calls := pool.Stats().Calls
	for _, op := range []string{"AdminGetUser", "ListUsers"} {
		n := calls[op]
		if n[sandbox.OK] == 0 || n["InternalErrorException"] == 0 || n["TooManyRequestsException"] == 0 {
			t.Errorf("%s: %v", op, n)
		}
	}
	if got := c.call("DescribeUserPool", nil); got.code != "" {
		t.Error(got.says())
	}
}

func TestALostAnswerCutsTheConnectionOfARealServer(t *testing.T) {
	pool := sandbox.New(sandbox.Config{Faults: sandbox.Faults{LostAfter: 1}})
	pool.Add(sandbox.NewUser("ann"))
	srv := httptest.NewServer(pool)
	defer srv.Close()
	c := &client{t: t}
	_, err := c.try(request(t, srv.URL, "AdminResetUserPassword", `{"UserPoolId":"`+poolID+`","Username":"ann"}`))
	if err == nil {
		t.Error("the answer arrived")
	}
	if n := pool.Resets("ann"); n != 1 {
		t.Errorf("%d resets", n)
	}
}

func TestACallerWhoGivesUpBeforeTheWorkLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{Latency: 10 * time.Second})
		pool.Add(sandbox.NewUser("ann"))
		c := connect(t, pool)
		for patience, resets := range map[time.Duration]int{3 * time.Second: 0, 7 * time.Second: 1} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			before := pool.Resets("ann")
			req := request(t, "http://sandbox/", "AdminResetUserPassword", `{"UserPoolId":"`+poolID+`","Username":"ann"}`)
			_, err := c.try(req.WithContext(ctx))
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || pool.Resets("ann")-before != resets {
				t.Errorf("after %v: %v, %d resets", patience, err, pool.Resets("ann")-before)
			}
		}
	})
}

func TestTheSameSeedMeetsTheSameFate(t *testing.T) {
	fates := func() (list []string) {
		pool := sandbox.New(sandbox.Config{Faults: sandbox.EvenFaults(0.5), Seed: 7})
		pool.PopulateN(200)
		c := connect(t, pool)
		for i := 1; i <= 200; i++ {
			got, err := c.try(request(t, "http://sandbox/", "AdminResetUserPassword", fmt.Sprintf(`{"UserPoolId":"%s","Username":"user-%07d"}`, poolID, i)))
			list = append(list, fmt.Sprint(got.says(), got.id, err))
		}
		for _, m := range pool.Outbox() {
			list = append(list, m.Username+m.Code)
		}
		return list
	}
	if a, b := fmt.Sprint(fates()), fmt.Sprint(fates()); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestConcurrentCallersLoseNothing(t *testing.T) {
	const callers, each = 8, 250
	pool := sandbox.New(sandbox.Config{})
	for i := range callers * each {
		pool.Add(sandbox.NewUser(fmt.Sprintf("u%d", i)))
	}
	c := connect(t, pool)
	var wg sync.WaitGroup
	ids := make([][]string, callers)
	for n := range callers {
		wg.Go(func() {
			for i := range each {
				got := c.reset(fmt.Sprintf("u%d", n*each+i))
				ids[n] = append(ids[n], got.id)
				if i%50 == 0 {
					c.call("ListUsers", in{"Filter": `email ^= "u"`})
					pool.Add(sandbox.NewUser(fmt.Sprintf("late-%d-%d", n, i)))
					pool.Update(fmt.Sprintf("late-%d-%d", n, i), func(u *sandbox.User) { u.Email = "new@example.com" })
					pool.Stats()
				}
			}
		})
	}
	wg.Wait()
	unique := map[string]bool{}
	for _, list := range ids {
		for _, id := range list {
			unique[id] = true
		}
	}
	if len(unique) != callers*each {
		t.Errorf("%d request ids of %d calls", len(unique), callers*each)
	}
	if n := len(pool.Outbox()); n != callers*each {
		t.Errorf("%d messages", n)
	}
	pool.EachUser(func(u sandbox.User, resets, messages int) {
		if want := map[byte]int{'u': 1, 'l': 0}[u.Username[0]]; resets != want || messages != want {
			t.Errorf("%s: %d resets, %d messages", u.Username, resets, messages)
		}
	})
}
