package userpool_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

var ann = batch.Entry{Row: 1, Username: "ann"}

// A call of which the answer is lost, and what has become of the user when it
// is read back a minute later.
func TestAReadBackTellsWhatBecameOfALostCall(t *testing.T) {
	for _, c := range []struct {
		name      string
		faults    sandbox.Faults
		meanwhile func(*sandbox.Pool)
		want      batch.Verdict
	}{
		{"the work was done", sandbox.Faults{LostAfter: 1}, nil, batch.Done},
		{"nothing was done", sandbox.Faults{LostBefore: 1}, nil, batch.NotDone},
		{"the user has chosen a new password since", sandbox.Faults{LostAfter: 1}, func(p *sandbox.Pool) {
			p.Update("ann", func(u *sandbox.User) { u.Status, u.Modified = sandbox.Confirmed, time.Now() })
		}, batch.Undecided},
		{"the user was changed otherwise", sandbox.Faults{LostBefore: 1}, func(p *sandbox.Pool) {
			p.Update("ann", func(u *sandbox.User) { u.Phone, u.Modified = "+15550100", time.Now() })
		}, batch.Undecided},
		{"somebody else reset the user", sandbox.Faults{LostBefore: 1}, func(p *sandbox.Pool) {
			p.Update("ann", func(u *sandbox.User) { u.Status = sandbox.ResetRequired })
		}, batch.Done},
	} {
		for _, moves := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, a reset moves the time of modification %t", c.name, moves), func(t *testing.T) {
				withoutAWS(t)
				synctest.Test(t, func(t *testing.T) {
					users := sandbox.New(sandbox.Config{Faults: c.faults, ResetMovesModified: moves})
					users.Add(sandbox.NewUser("ann"))
					pool := open(t, &http.Client{Transport: users})

					time.Sleep(time.Hour)
					called := time.Now()
					_, err := pool.Do(t.Context(), ann)
					if answer, ok := errors.AsType[*batch.Error](err); !ok || answer.Class != batch.ClassInDoubt {
						t.Fatalf("the call ended in %v", err)
					}
					time.Sleep(time.Minute)
					if c.meanwhile != nil {
						c.meanwhile(users)
					}
					if verdict, err := pool.Settle(t.Context(), ann, called); verdict != c.want || err != nil {
						t.Errorf("verdict %d, error %v; want %d", verdict, err, c.want)
					}
				})
			})
		}
	}
}

func TestAReadBackMindsTheServersClock(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		for _, c := range []struct {
			name     string
			modified time.Duration // after the call
			want     batch.Verdict
		}{
			{"modified before the call", -10 * time.Second, batch.NotDone},
			{"modified about when the call was made", 0, batch.Undecided},
			{"modified after the call", 10 * time.Second, batch.Undecided},
		} {
			t.Run(fmt.Sprintf("%s, clock ahead by %v", c.name, ahead), func(t *testing.T) {
				withoutAWS(t)
				synctest.Test(t, func(t *testing.T) {
					called := time.Now()
					pool := open(t, transport(func(*http.Request) (*http.Response, error) {
						modified := float64(called.Add(ahead+c.modified).UnixMilli()) / 1000
						res := jsonResponse(200, fmt.Sprintf(`{"Username":"ann","UserStatus":"CONFIRMED","UserLastModifiedDate":%f}`, modified))
						res.Header.Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
						return res, nil
					}))
					time.Sleep(30 * time.Second)
					if verdict, err := pool.Settle(t.Context(), ann, called); verdict != c.want || err != nil {
						t.Errorf("verdict %d, error %v; want %d", verdict, err, c.want)
					}
				})
			})
		}
	}
}

func TestAReadBackThatTellsNoTimeIsUndecided(t *testing.T) {
	pool := open(t, transport(func(*http.Request) (*http.Response, error) {
		return jsonResponse(200, `{"Username":"ann","UserStatus":"CONFIRMED"}`), nil
	}))
	if verdict, err := pool.Settle(t.Context(), ann, time.Now()); verdict != batch.Undecided || err != nil {
		t.Errorf("verdict %d, error %v", verdict, err)
	}
}

// Only a user who is gone is settled by a refused read-back: other refusals say
// nothing of how the reset went.
func TestARefusedReadBackSettlesNobodyButAUserWhoIsGone(t *testing.T) {
	for _, c := range []struct {
		code, message string
		class         batch.Class
		reason        batch.Reason
	}{
		{"UserNotFoundException", "User does not exist.", batch.ClassUser, batch.UserNotFound},
		{"NotAuthorizedException", "No.", batch.ClassInDoubt, batch.WrongState},
		{"InvalidParameterException", "No.", batch.ClassInDoubt, batch.InvalidParameter},
		{"TooManyRequestsException", "Rate exceeded", batch.ClassThrottle, batch.Throttled},
		{"InternalErrorException", "No.", batch.ClassInDoubt, batch.ServerError},
		{"ExpiredTokenException", "No.", batch.ClassRun, batch.Credentials},
	} {
		t.Run(c.code, func(t *testing.T) {
			pool := open(t, transport(func(*http.Request) (*http.Response, error) {
				return jsonResponse(400, `{"__type":"`+c.code+`","message":"`+c.message+`"}`), nil
			}))
			verdict, err := pool.Settle(t.Context(), ann, time.Now())
			answer, ok := errors.AsType[*batch.Error](err)
			if !ok || verdict != batch.Undecided {
				t.Fatalf("verdict %d, error %v", verdict, err)
			}
			check(t, answer, c.class, c.reason)
		})
	}
}

func TestAMissingPermissionToReadIsSaidOnce(t *testing.T) {
	log, said := logged()
	pool := open(t, transport(func(*http.Request) (*http.Response, error) {
		return jsonResponse(400, `{"__type":"AccessDeniedException","message":"User: arn:aws:iam::1:user/u is not authorized to perform: cognito-idp:AdminGetUser"}`), nil
	}), func(o *userpool.Options) { o.Log = log })
	for range 3 {
		verdict, err := pool.Settle(t.Context(), ann, time.Now())
		answer, ok := errors.AsType[*batch.Error](err)
		if !ok || verdict != batch.Undecided {
			t.Fatalf("verdict %d, error %v", verdict, err)
		}
		check(t, answer, batch.ClassRun, batch.AccessDenied)
	}
	// What is told here is the product: the action to allow, and no usernames.
	if got := said.String(); strings.Count(got, "cognito-idp:AdminGetUser") != 1 || slices.Contains(strings.Fields(got), ann.Username) {
		t.Errorf("said %q", got)
	}
}

// The quota of reads is shared with the applications of the pool.
func TestReadBacksKeepUnderTheQuotaOfReads(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{Quotas: sandbox.DefaultQuotas(), SlidingSecond: true})
		users.Add(sandbox.NewUser("ann"))
		pool := open(t, &http.Client{Transport: users})
		for range 400 {
			if _, err := pool.Settle(t.Context(), ann, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if peak := users.Stats().Peak[sandbox.UserRead]; peak > 81 {
			t.Errorf("%d reads in one second", peak)
		}
	})
}

// The user did what the call asked for and chose a new password. Whatever the
// clocks do meanwhile, nobody may take that for a call that did nothing.
func TestAUserWhoCameBackIsNotCalledAgainThoughAClockJumped(t *testing.T) {
	for _, jump := range []time.Duration{-10 * time.Second, -5 * time.Second, 5 * time.Second, 10 * time.Second} {
		t.Run(jump.String(), func(t *testing.T) {
			withoutAWS(t)
			synctest.Test(t, func(t *testing.T) {
				users := sandbox.New(sandbox.Config{Faults: sandbox.Faults{LostAfter: 1}})
				users.Add(sandbox.NewUser("ann"))
				var jumps []string
				pool := open(t, &http.Client{Transport: users}, func(o *userpool.Options) {
					o.ClockJumped = func(what string) { jumps = append(jumps, what) }
				})
				time.Sleep(time.Hour)
				if _, err := pool.Settings(t.Context()); err != nil {
					t.Fatal(err)
				}
				called := time.Now()
				_, _ = pool.Do(t.Context(), ann)
				time.Sleep(time.Second)
				now := users.Now()
				users.Update("ann", func(u *sandbox.User) { u.Status, u.Modified = sandbox.Confirmed, now })
				users.SetClock(jump)
				time.Sleep(time.Minute)
				if verdict, err := pool.Settle(t.Context(), ann, called); verdict != batch.Undecided || err != nil {
					t.Errorf("verdict %d, error %v", verdict, err)
				}
				if len(jumps) != 1 {
					t.Errorf("the jump was said %d times: %q", len(jumps), jumps)
				}
			})
		})
	}
}

// A call that an earlier session promised, by a clock of which that session knew
// how it stood.
func TestACallInDoubtOfAnEarlierSessionGoesByThatSessionsClock(t *testing.T) {
	for _, c := range []struct {
		name     string
		clock    batch.Clock
		promised time.Duration // by the earlier session's clock
		modified time.Duration // by the service's
		want     batch.Verdict
	}{
		{"its clock was 10 s ahead, the user came back", batch.Clock{Ahead: -10 * time.Second, Known: true}, 10 * time.Second, 3 * time.Second, batch.Undecided},
		{"its clock was 10 s behind, the user came back", batch.Clock{Ahead: 10 * time.Second, Known: true}, -10 * time.Second, 3 * time.Second, batch.Undecided},
		{"its clock was 10 s ahead, nothing was done", batch.Clock{Ahead: -10 * time.Second, Known: true}, 10 * time.Second, -5 * time.Second, batch.NotDone},
		{"its clock was 10 s behind, nothing was done", batch.Clock{Ahead: 10 * time.Second, Known: true}, -10 * time.Second, -5 * time.Second, batch.NotDone},
		{"nothing is known of its clock, the user changed within a day", batch.Clock{}, 0, -time.Hour, batch.Undecided},
		{"nothing is known of its clock, the user changed long before", batch.Clock{}, 0, -25 * time.Hour, batch.NotDone},
	} {
		t.Run(c.name, func(t *testing.T) {
			withoutAWS(t)
			synctest.Test(t, func(t *testing.T) {
				users := sandbox.New(sandbox.Config{})
				time.Sleep(48 * time.Hour)
				call := time.Now()
				u := sandbox.NewUser("ann")
				u.Created = call.Add(-30 * time.Hour)
				u.Modified = call.Add(c.modified)
				users.Add(u)
				pool := open(t, &http.Client{Transport: users})
				time.Sleep(time.Minute)
				e := batch.Entry{Row: 1, Username: "ann", Intended: call.Add(c.promised).Round(0), Clock: c.clock}
				if verdict, err := pool.Settle(t.Context(), e, e.Intended); verdict != c.want || err != nil {
					t.Errorf("verdict %d, error %v; want %d", verdict, err, c.want)
				}
			})
		})
	}
}

func TestAUserWhoWasInResetRequiredBeforeTheCallIsNotProvedByThat(t *testing.T) {
	users := sandbox.New(sandbox.Config{})
	u := sandbox.NewUser("ann")
	u.Status = sandbox.ResetRequired
	users.Add(u)
	pool := open(t, &http.Client{Transport: users})
	seen := ann
	seen.Before = &batch.Snapshot{Status: string(sandbox.ResetRequired)}
	if verdict, err := pool.Settle(t.Context(), seen, time.Now()); verdict != batch.Undecided || err != nil {
		t.Errorf("verdict %d, error %v", verdict, err)
	}
	seen.Before.Status = string(sandbox.Confirmed)
	if verdict, err := pool.Settle(t.Context(), seen, time.Now()); verdict != batch.Done || err != nil {
		t.Errorf("after CONFIRMED: verdict %d, error %v", verdict, err)
	}
}
