package userpool_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// reads counts the AdminGetUser calls, each of which bills a user.
func reads(p *sandbox.Pool) (n int) {
	for _, times := range p.Stats().Calls["AdminGetUser"] {
		n += times
	}
	return n
}

// A reset whose answer was lost is read back free of charge. One that was not done is
// not believed from a listing, which may be older than the reset.
func TestAListingProvesAResetAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults sandbox.Faults
		ago    time.Duration // the call, when it is read back
		want   batch.Verdict
		reads  int
	}{
		{"done", sandbox.Faults{LostAfter: 1}, 15 * time.Second, batch.Done, 0},
		{"done a moment ago", sandbox.Faults{LostAfter: 1}, time.Second, batch.Done, 1},
		{"not done", sandbox.Faults{LostBefore: 1}, 15 * time.Second, batch.NotDone, 1},
	} {
		for _, config := range []sandbox.Config{{}, {CaseInsensitive: true}, {SignIn: "email"}, {Aliases: []string{"email"}}} {
			t.Run(fmt.Sprintf("%s, without case %t, signed in by %q or %q", c.name, config.CaseInsensitive, config.SignIn, config.Aliases), func(t *testing.T) {
				withoutAWS(t)
				synctest.Test(t, func(t *testing.T) {
					config.Faults = c.faults
					users := sandbox.New(config)
					users.Add(sandbox.NewUser("ann"))
					users.Add(sandbox.NewUser("anna"))
					pool := open(t, &http.Client{Transport: users})
					time.Sleep(time.Hour)
					e := ann
					if config.SignIn != "" || config.Aliases != nil {
						e.Username = "ann@example.com"
					}
					called := time.Now()
					if _, err := pool.Reset(t.Context(), e); err == nil {
						t.Fatal("the answer was not lost")
					}
					time.Sleep(c.ago)
					if verdict, err := pool.Settle(t.Context(), e, called); verdict != c.want || err != nil {
						t.Errorf("verdict %d, error %v; want %d", verdict, err, c.want)
					}
					if n := reads(users); n != c.reads {
						t.Errorf("%d billed reads, not %d", n, c.reads)
					}
				})
			})
		}
	}
}

// operations answer by their names, with what is made of the request; "" is no permission.
type operations map[string]func(body string) string

func (o operations) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	res := jsonResponse(400, `{"__type":"AccessDeniedException","message":"No."}`)
	if answer := o[operation](string(body)); answer != "" {
		res = jsonResponse(200, answer)
	}
	res.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return res, r.Context().Err()
}

// What a listing may say without being proof: AdminGetUser is asked then.
func TestAListingThatIsNoProofIsAskedAfter(t *testing.T) {
	const (
		settings = `{"UserPool":{"Name":"people","AliasAttributes":["preferred_username"]}}`
		required = `{"Username":"ann","UserStatus":"RESET_REQUIRED","UserLastModifiedDate":1000,"Attributes":[{"Name":"sub","Value":"the-sub"}]}`
		other    = `{"Username":"bob","UserStatus":"RESET_REQUIRED","Attributes":[{"Name":"preferred_username","Value":"ann"}]}`
	)
	known := batch.Clock{Known: true}
	for _, c := range []struct {
		name     string
		entry    func(e *batch.Entry, called time.Time)
		settings string
		listed   string
		proof    bool
	}{
		{"who was reset", nil, settings, `{"Users":[` + required + `]}`, true},
		{"who was reset, and is the one who is meant", func(e *batch.Entry, _ time.Time) { e.Sub = "the-sub" }, settings, `{"Users":[` + required + `]}`, true},
		{"another of that name", func(e *batch.Entry, _ time.Time) { e.Sub = "another" }, settings, `{"Users":[` + required + `]}`, false},
		{"nobody", nil, settings, `{"Users":[]}`, false},
		{"nobody yet", nil, settings, `{"Users":[],"PaginationToken":"more"}`, false},
		{"one, and there may be others", nil, settings, `{"Users":[` + required + `],"PaginationToken":"more"}`, false},
		{"whoever the filter does not name", nil, settings, `{"Users":[{"Username":"anna","UserStatus":"RESET_REQUIRED"}]}`, false},
		{"two who go by the name", nil, settings, "both", false},
		{"a user as before the reset", nil, settings, `{"Users":[{"Username":"ann","UserStatus":"CONFIRMED"}]}`, false},
		{"a user as before the look", func(e *batch.Entry, _ time.Time) {
			e.Before = &batch.Snapshot{Status: "CONFIRMED", ModifiedAt: time.Unix(2000, 0)}
		}, settings, `{"Users":[` + required + `]}`, false},
		{"a user as after the look", func(e *batch.Entry, _ time.Time) {
			e.Before = &batch.Snapshot{Status: "CONFIRMED", ModifiedAt: time.Unix(1000, 0)}
		}, settings, `{"Users":[` + required + `]}`, true},
		{"who had to reset before", func(e *batch.Entry, _ time.Time) { e.Before = &batch.Snapshot{Status: "RESET_REQUIRED"} }, settings, `{"Users":[` + required + `]}`, false},
		{"whom an earlier session reset", func(e *batch.Entry, called time.Time) { e.Intended, e.Clock = called.Round(0), known }, settings, `{"Users":[` + required + `]}`, true},
		{"whom an earlier session reset a moment ago, by a clock ahead of the service's", func(e *batch.Entry, called time.Time) {
			e.Intended, e.Clock = called.Round(0), batch.Clock{Known: true, Ahead: 10 * time.Second}
		}, settings, `{"Users":[` + required + `]}`, false},
		{"whom an earlier session reset, by a clock that it did not know", func(e *batch.Entry, called time.Time) { e.Intended = called.Round(0) }, settings, `{"Users":[` + required + `]}`, false},
		{"who was reset, in a pool that does not tell its names", nil, "", `{"Users":[` + required + `]}`, false},
		{"what may not be listed", nil, settings, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			withoutAWS(t)
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				pool := open(t, operations{
					"DescribeUserPool": func(string) string { return c.settings },
					"ListUsers": func(body string) string {
						if c.listed == "both" {
							return map[bool]string{true: `{"Users":[` + required + `]}`, false: `{"Users":[` + other + `]}`}[!strings.Contains(body, `"preferred_username =`)]
						}
						return c.listed
					},
					"AdminGetUser": func(string) string {
						asked++
						return `{"Username":"ann","UserStatus":"CONFIRMED"}`
					},
				})
				pool.LearnClock(t.Context(), time.Now())
				called := time.Now()
				time.Sleep(15 * time.Second)
				e := ann
				if c.entry != nil {
					c.entry(&e, called)
				}
				verdict, err := pool.Settle(t.Context(), e, called)
				if err != nil || (verdict == batch.Done) != c.proof || (asked == 0) != c.proof {
					t.Errorf("verdict %d, error %v, after %d billed reads", verdict, err, asked)
				}
			})
		})
	}
}

// A pool that does not answer about itself keeps nobody waiting twice.
func TestSettingsThatAreNotToldAreNotWaitedForAgainAtOnce(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		described := 0
		pool := open(t, operations{
			"DescribeUserPool": func(string) string { described++; time.Sleep(userpool.AsideTimeout); return "" },
			"AdminGetUser":     func(string) string { return `{"Username":"ann","UserStatus":"RESET_REQUIRED"}` },
		})
		called := time.Now()
		time.Sleep(15 * time.Second)
		began := time.Now()
		for range 100 {
			if verdict, err := pool.Settle(t.Context(), ann, called); verdict != batch.Done || err != nil {
				t.Fatalf("verdict %d, error %v", verdict, err)
			}
		}
		if took := time.Since(began); described != 1 || took > userpool.AsideTimeout+2*time.Second {
			t.Errorf("asked %d times, in %v", described, took)
		}
	})
}
