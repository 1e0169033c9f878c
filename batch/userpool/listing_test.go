package userpool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// collect counts how often each user came, to the end or to the error.
func collect(users iter.Seq2[userpool.User, error]) (times map[string]int, err error) {
	times = make(map[string]int)
	for u, err := range users {
		if err != nil {
			return times, err
		}
		times[u.Username]++
	}
	return times, nil
}

// onceEach fails unless each user of the sandbox who passes came exactly once,
// and nobody else.
func onceEach(t testing.TB, users *sandbox.Pool, times map[string]int, passes func(sandbox.User) bool) {
	t.Helper()
	want, wrong := 0, ""
	users.EachUser(func(u sandbox.User, _, _ int) {
		if !passes(u) {
			return
		}
		want++
		if n := times[u.Username]; n != 1 {
			wrong = fmt.Sprintf(", %s %d times", u.Username, n)
		}
	})
	if len(times) != want || wrong != "" {
		t.Errorf("%d users came%s; there are %d", len(times), wrong, want)
	}
}

func everyone(sandbox.User) bool { return true }

// calls is how many calls of an operation the sandbox saw, however it answered.
func calls(users *sandbox.Pool, operation string) (n int) {
	for _, count := range users.Stats().Calls[operation] {
		n += count
	}
	return n
}

// losing cuts the connection of every n-th call once the answer is on its way.
func losing(n int64, next http.RoundTripper) transport {
	var count atomic.Int64
	return func(r *http.Request) (*http.Response, error) {
		res, err := next.RoundTrip(r)
		if count.Add(1)%n == 0 {
			return nil, syscall.ECONNRESET
		}
		return res, err
	}
}

func TestAPoolIsListedOnceEachWhateverGoesWrong(t *testing.T) {
	withoutAWS(t)
	for _, c := range []struct {
		name   string
		users  int
		faults sandbox.Faults
	}{
		{"nobody", 0, sandbox.Faults{}},
		{"few", 100, sandbox.Faults{}},
		{"many", 20_000, sandbox.Faults{}},
		{"many, and pages fail", 20_000, sandbox.Faults{Internal: 0.025, Throttle: 0.025, EmptyPage: 0.05, DeadToken: 0.01}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := sandbox.New(sandbox.Config{
					Quotas: sandbox.DefaultQuotas(), SlidingSecond: true, Latency: 100 * time.Millisecond, Faults: c.faults,
				})
				users.PopulateN(c.users)
				lose := int64(1 << 62)
				if c.faults != (sandbox.Faults{}) {
					lose = 50
				}
				start := time.Now()
				times, err := collect(open(t, losing(lose, users)).Users(t.Context(), userpool.Filter{}))
				if err != nil {
					t.Fatal(err)
				}
				onceEach(t, users, times, everyone)
				t.Logf("%d calls in %v", calls(users, "ListUsers"), time.Since(start))
				if c.faults == (sandbox.Faults{}) {
					if throttled := users.Stats().Calls["ListUsers"]["TooManyRequestsException"]; throttled > 0 {
						t.Errorf("%d calls over the quota", throttled)
					}
					if n, most := calls(users, "ListUsers"), users.Len()/60*11/10+20; n > most {
						t.Errorf("%d calls, and %d should do", n, most)
					}
				}
			})
		})
	}
}

func TestAListingByAFilterFindsWhomItNames(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{Faults: sandbox.Faults{Internal: 0.05, Throttle: 0.05, DeadToken: 0.002}})
		users.PopulateN(20_000)
		pool := open(t, &http.Client{Transport: users})
		for _, c := range []struct {
			filter userpool.Filter
			passes func(sandbox.User) bool
		}{
			{userpool.Filter{Attribute: "cognito:user_status", Value: "CONFIRMED"}, func(u sandbox.User) bool { return u.Status == sandbox.Confirmed }},
			{userpool.Filter{Attribute: "status", Value: "Disabled"}, func(u sandbox.User) bool { return !u.Enabled }},
			{userpool.Filter{Attribute: "email", Prefix: true, Value: "user-000"}, func(u sandbox.User) bool { return strings.HasPrefix(u.Email, "user-000") }},
			{userpool.Filter{Attribute: "name", Value: "nobody"}, func(sandbox.User) bool { return false }},
		} {
			times, err := collect(pool.Users(t.Context(), c.filter))
			if err != nil {
				t.Errorf("%s: %v", c.filter, err)
			}
			onceEach(t, users, times, c.passes)
		}
	})
}

func TestAGroupIsListedByItsMembers(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{Faults: sandbox.Faults{Internal: 0.05, Throttle: 0.05, EmptyPage: 0.05, DeadToken: 0.05}})
		users.PopulateN(5000)
		pool := open(t, &http.Client{Transport: users})
		times, err := collect(pool.Group(t.Context(), "staff"))
		if err != nil {
			t.Fatal(err)
		}
		onceEach(t, users, times, func(u sandbox.User) bool { return slices.Contains(u.Groups, "staff") })

		if _, err := collect(pool.Group(t.Context(), "stuff")); err == nil || !strings.Contains(err.Error(), `there is no group "stuff"`) {
			t.Errorf("a group that is not there: %v", err)
		}
	})
}

func TestAListingTellsWhatIsKnownOfAUser(t *testing.T) {
	born := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	users := sandbox.New(sandbox.Config{})
	users.Add(sandbox.User{
		Username: "ann", Sub: "0f9c1b2a-0000-4000-8000-000000000000", Email: "ann@example.com", EmailVerified: true, Phone: "+15550100",
		Attributes: map[string]string{"preferred_username": "Ännchen", "custom:tier": "gold"},
		Status:     sandbox.ForceChangePassword, Created: born, Modified: born.Add(time.Hour),
	})
	want := userpool.User{
		Username: "ann", Sub: "0f9c1b2a-0000-4000-8000-000000000000", Email: "ann@example.com", EmailVerified: true, Phone: "+15550100",
		PreferredUsername: "Ännchen", Status: "FORCE_CHANGE_PASSWORD", Created: born, Modified: born.Add(time.Hour),
	}
	for u, err := range open(t, &http.Client{Transport: users}).Users(t.Context(), userpool.Filter{}) {
		if err != nil || u != want {
			t.Errorf("%+v, %v", u, err)
		}
	}
}

// A token idle for an hour is dead; whoever takes that long over a page still
// gets everyone once, however often.
func TestAListingOutlivesPauses(t *testing.T) {
	withoutAWS(t)
	for _, f := range []userpool.Filter{{}, {Attribute: "username", Prefix: true, Value: "user-"}} {
		synctest.Test(t, func(t *testing.T) {
			users := sandbox.New(sandbox.Config{})
			users.PopulateN(8000)
			times := make(map[string]int)
			for u, err := range open(t, &http.Client{Transport: users}).Users(t.Context(), f) {
				if err != nil {
					t.Fatal(err)
				}
				if times[u.Username]++; len(times)%500 == 0 {
					time.Sleep(2 * time.Hour)
				}
			}
			onceEach(t, users, times, everyone)
			if died := users.Stats().Calls["ListUsers"]["InvalidParameterException"]; died < 12 {
				t.Errorf("%d tokens died", died)
			}
		})
	}
}

func TestAListingThatCannotBeWholeIsAnError(t *testing.T) {
	withoutAWS(t)
	after := func(n int64, then transport) func(http.RoundTripper) transport {
		return func(next http.RoundTripper) transport {
			var count atomic.Int64
			return func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListUsers") && count.Add(1) > n {
					return then(r)
				}
				return next.RoundTrip(r)
			}
		}
	}
	answering := func(status int, body string) transport {
		return func(*http.Request) (*http.Response, error) { return jsonResponse(status, body), nil }
	}
	for _, c := range []struct {
		name string
		wrap func(http.RoundTripper) transport
		says string
	}{
		{"the service breaks down", after(100, answering(500, `{"__type":"InternalErrorException"}`)), "InternalErrorException"},
		{"the network does", after(100, func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNRESET }), "connection reset"},
		{"no permission", after(0, answering(400, `{"__type":"AccessDeniedException","message":"no"}`)), "allow cognito-idp:ListUsers"},
		{"the credentials expire", after(100, answering(400, `{"__type":"ExpiredTokenException","message":"no"}`)), "ExpiredTokenException"},
		{"tokens are never taken", func(next http.RoundTripper) transport {
			return func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				if err == nil && strings.Contains(string(body), "PaginationToken") {
					return jsonResponse(400, `{"__type":"InvalidParameterException","message":"Paging marker is invalid"}`), nil
				}
				r.Body = io.NopCloser(strings.NewReader(string(body)))
				return next.RoundTrip(r)
			}
		}, "Paging marker"},
		{"a page leads to itself", after(0, answering(200, `{"Users":[],"PaginationToken":"again"}`)), "names itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := sandbox.New(sandbox.Config{})
				users.PopulateN(10_000)
				times, err := collect(open(t, c.wrap(users)).Users(t.Context(), userpool.Filter{}))
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%d users of %d, error %v", len(times), users.Len(), err)
				}
			})
		})
	}
}

// The service's index can be older than a user: one who no longer has the value that
// was asked for is not meant, and stops nothing.
func TestAUserOfAnOldIndexEntryIsLeftOut(t *testing.T) {
	withoutAWS(t)
	for filter, want := range map[userpool.Filter]string{
		{Attribute: "email", Value: "ann@x.example"}:               "ann ",
		{Attribute: "email", Value: "ann@x", Prefix: true}:         "cannot be relied on",
		{Attribute: "username", Value: "nobody"}:                   "",
		{Attribute: "cognito:user_status", Value: "confirmed"}:     "ann ben ",
		{Attribute: "email", Value: "JOSE\u0301@x.example"}:        "",
		{Attribute: "preferred_username", Value: "ANN@X.EXAMPLE."}: "",
	} {
		var got strings.Builder
		for u, err := range open(t, transport(func(*http.Request) (*http.Response, error) {
			return jsonResponse(200, `{"Users":[
				{"Username":"ann","UserStatus":"CONFIRMED","Attributes":[{"Name":"email","Value":"Ann@X.example"}]},
				{"Username":"ben","UserStatus":"CONFIRMED","Attributes":[{"Name":"email","Value":"ben@x.example"}]}]}`), nil
		})).Users(t.Context(), filter) {
			if err != nil {
				got.Reset()
				got.WriteString(err.Error())
				break
			}
			got.WriteString(u.Username + " ")
		}
		if want == "" && got.String() != "" || !strings.Contains(got.String(), want) {
			t.Errorf("%s: %s, want %q", filter, got.String(), want)
		}
	}
}

func TestAThrottledListingWaits(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{})
		users.PopulateN(100)
		var count atomic.Int64
		times, err := collect(open(t, transport(func(r *http.Request) (*http.Response, error) {
			if count.Add(1) < 50 {
				return jsonResponse(400, `{"__type":"TooManyRequestsException","message":"Rate exceeded"}`), nil
			}
			return users.RoundTrip(r)
		})).Users(t.Context(), userpool.Filter{Attribute: "username", Prefix: true}))
		if err != nil {
			t.Fatal(err)
		}
		onceEach(t, users, times, everyone)
	})
}

// Inside the bubble of synctest a goroutine left behind fails the test.
func TestAListingCanBeLeft(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{Latency: 100 * time.Millisecond})
		users.PopulateN(10_000)
		pool := open(t, &http.Client{Transport: users})
		for _, err := range pool.Users(t.Context(), userpool.Filter{}) {
			if err != nil {
				t.Error(err)
			}
			break
		}

		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Second, func() { cancel(enough) })
		if times, err := collect(pool.Users(ctx, userpool.Filter{})); !errors.Is(err, enough) || len(times) == 0 {
			t.Errorf("%d users, error %v", len(times), err)
		}
	})
}

// BenchmarkListing lists a pool of 200,000 with 100 ms a page, the whole of it
// side by side, and the beginning of it page after page. Quotas are lifted, for
// 30 calls a second are what a listing side by side soon meets.
func BenchmarkListing(b *testing.B) {
	all, some := 200_000, 6_000
	if testing.Short() {
		all, some = 20_000, 600
	}
	for _, faults := range []sandbox.Faults{{}, {Internal: 0.025, Throttle: 0.025}} {
		users := sandbox.New(sandbox.Config{Latency: 100 * time.Millisecond, Faults: faults})
		users.PopulateN(all)
		list := func(f userpool.Filter, most int) func(*testing.B) {
			return func(b *testing.B) {
				pool := open(b, &http.Client{Transport: users}, func(o *userpool.Options) { o.ListRate = 1e6 })
				listed := 0
				for b.Loop() {
					times := make(map[string]int)
					for u, err := range pool.Users(b.Context(), f) {
						if err != nil {
							b.Fatal(err)
						}
						if times[u.Username]++; len(times) == most {
							break
						}
					}
					if most == users.Len() {
						onceEach(b, users, times, everyone)
					}
					listed += len(times)
				}
				b.ReportMetric(float64(listed)/b.Elapsed().Seconds(), "users/s")
			}
		}
		share := 100 * (faults.Internal + faults.Throttle)
		b.Run(fmt.Sprintf("SideBySide/faults=%g%%", share), list(userpool.Filter{}, users.Len()))
		b.Run(fmt.Sprintf("PageAfterPage/faults=%g%%", share), list(userpool.Filter{Attribute: "username", Prefix: true, Value: "user-"}, some))
	}
}

// Where a filter by a prefix of the sub finds nobody, or whoever comes first, the pool is
// listed plainly.
func TestAListingByPartsIsBelievedOnlyIfAPlainPageAgrees(t *testing.T) {
	withoutAWS(t)
	for name, answer := range map[string]string{
		"nobody":          `{"Users":[]}`,
		"somebody else":   `{"Users":[{"Username":"x","Attributes":[{"Name":"sub","Value":"00000000-0000-4000-8000-000000000000"}]}]}`,
		"without any sub": `{"Users":[{"Username":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := sandbox.New(sandbox.Config{})
				users.PopulateN(10_000)
				client := transport(func(r *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(r.Body)
					if err == nil && strings.Contains(string(body), "sub ^=") {
						return jsonResponse(200, answer), nil
					}
					r.Body = io.NopCloser(strings.NewReader(string(body)))
					return users.RoundTrip(r)
				})
				times, err := collect(open(t, client).Users(t.Context(), userpool.Filter{}))
				if err != nil {
					t.Fatal(err)
				}
				onceEach(t, users, times, everyone)
			})
		})
	}
}
