package userpool_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// foretold collects a forecast, one prospect a name.
func foretold(t *testing.T, prospects iter.Seq2[userpool.Prospect, error]) (all []userpool.Prospect) {
	t.Helper()
	for p, err := range prospects {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestAForecastTellsOutcomeStateAndChannel(t *testing.T) {
	users := sandbox.New(sandbox.Config{CaseInsensitive: true})
	for name, change := range map[string]func(*sandbox.User){
		"ann":   func(u *sandbox.User) {},
		"again": func(u *sandbox.User) { u.Status = sandbox.ResetRequired },
		"phone": func(u *sandbox.User) { u.Email, u.Phone, u.PhoneVerified = "", "+15550100", true },
		"mute":  func(u *sandbox.User) { u.EmailVerified = false },
		"off":   func(u *sandbox.User) { u.Enabled = false },
		"temp":  func(u *sandbox.User) { u.Status = sandbox.ForceChangePassword },
		"new":   func(u *sandbox.User) { u.Status, u.EmailVerified = sandbox.Unconfirmed, false },
		"saml":  func(u *sandbox.User) { u.Status = sandbox.ExternalProvider },
		"weird": func(u *sandbox.User) { u.Status = sandbox.Compromised },
		"spent": func(u *sandbox.User) { u.Status, u.Enabled = sandbox.ResetRequired, false },
	} {
		u := sandbox.NewUser(name)
		change(&u)
		users.Add(u)
	}
	names := []string{"ann", "again", "phone", "mute", "off", "temp", "new", "saml", "weird", "spent", "nobody"}
	want := []string{
		"ann would_reset  CONFIRMED email false", "again would_reset  RESET_REQUIRED email false", "phone would_reset  CONFIRMED sms false",
		"mute failed no_verified_contact CONFIRMED none true", "off failed disabled CONFIRMED email true",
		"temp failed temporary_password FORCE_CHANGE_PASSWORD email true", "new failed unconfirmed UNCONFIRMED none true",
		"saml failed external_provider EXTERNAL_PROVIDER email false", "weird failed wrong_state COMPROMISED email true",
		"spent failed disabled RESET_REQUIRED email false", "nobody failed user_not_found   false",
	}
	pool := open(t, &http.Client{Transport: users})
	for how, prospects := range map[string]iter.Seq2[userpool.Prospect, error]{
		"listed": pool.Forecast(t.Context(), rows(names...)), "read": pool.ForecastEach(t.Context(), rows(names...)),
	} {
		var got []string
		for i, p := range foretold(t, prospects) {
			got = append(got, fmt.Sprintf("%s %s %s %s %s %t", p.Username, p.Outcome, p.Reason, p.State, p.Channel, p.KeepsPassword()))
			if p.Row != int64(i+1) || p.SettledBy != batch.ByState {
				t.Errorf("%+v", p)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%s\nnot\n%s", how, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if n := calls(users, "AdminResetUserPassword"); n != 0 {
		t.Errorf("%d resets were asked for", n)
	}
}

// Whom a pool sends text messages first, it may not send e-mails at all.
func TestAForecastKnowsHowThePoolSendsCodes(t *testing.T) {
	for settings, want := range map[string]userpool.Channel{
		`{}`: userpool.SMS,
		`{"AccountRecoverySetting":{"RecoveryMechanisms":[{"Name":"verified_phone_number","Priority":2},{"Name":"verified_email","Priority":1}]}}`: userpool.Email,
		`{"AccountRecoverySetting":{"RecoveryMechanisms":[{"Name":"verified_phone_number","Priority":1}]}}`:                                        userpool.SMS,
	} {
		users := sandbox.New(sandbox.Config{})
		ann, mail := sandbox.NewUser("ann"), sandbox.NewUser("mail")
		ann.Phone, ann.PhoneVerified = "+15550100", true
		users.Add(ann, mail)
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".DescribeUserPool") {
				return jsonResponse(200, `{"UserPool":`+settings+`}`), nil
			}
			return users.RoundTrip(r)
		}))
		got := foretold(t, pool.Forecast(t.Context(), rows("ann", "mail")))
		if got[0].Channel != want {
			t.Errorf("%s: ann gets the code by %s", settings, got[0].Channel)
		}
		if refused := strings.Contains(settings, "Priority\":1}]") && want == userpool.SMS; refused != (got[1].Reason == batch.NoVerifiedContact) {
			t.Errorf("%s: mail is %s %s", settings, got[1].Outcome, got[1].Reason)
		}
	}
}

func TestAForecastOfAPoolWithoutRecovery(t *testing.T) {
	users := sandbox.New(sandbox.Config{AdminOnlyRecovery: true})
	users.Add(sandbox.NewUser("ann"))
	got := foretold(t, open(t, &http.Client{Transport: users}).Forecast(t.Context(), rows("ann", "nobody")))
	if got[0].Reason != batch.PoolConfiguration || got[1].Reason != batch.UserNotFound {
		t.Errorf("%+v", got)
	}
}

func TestRowsThatNeedNoCallComeThroughAForecast(t *testing.T) {
	users := sandbox.New(sandbox.Config{})
	users.Add(sandbox.NewUser("ann"))
	entries := func(yield func(batch.Entry, error) bool) {
		_ = yield(batch.Entry{Row: 1, Username: "ann"}, nil) &&
			yield(batch.Entry{Row: 2, Username: "ann", Outcome: batch.Skipped, Reason: batch.Duplicate, Detail: "as row 1"}, nil)
	}
	pool := open(t, &http.Client{Transport: users})
	want := userpool.Prospect{Result: batch.Result{Row: 2, Username: "ann", Outcome: batch.Skipped, Reason: batch.Duplicate, ErrorMessage: "as row 1"}}
	for _, prospects := range []iter.Seq2[userpool.Prospect, error]{pool.Forecast(t.Context(), entries), pool.ForecastEach(t.Context(), entries)} {
		if got := foretold(t, prospects); len(got) != 2 || !reflect.DeepEqual(got[1], want) {
			t.Errorf("%+v", got)
		}
	}
}

func TestAForecastThatCannotBeWholeIsAnError(t *testing.T) {
	for operation, forecast := range map[string]func(*userpool.Pool) iter.Seq2[userpool.Prospect, error]{
		"ListUsers": func(p *userpool.Pool) iter.Seq2[userpool.Prospect, error] {
			return p.Forecast(t.Context(), rows("ann"))
		},
		"AdminGetUser": func(p *userpool.Pool) iter.Seq2[userpool.Prospect, error] {
			return p.ForecastEach(t.Context(), rows("ann"))
		},
	} {
		users := sandbox.New(sandbox.Config{Denied: []string{"cognito-idp:" + operation}})
		users.Add(sandbox.NewUser("ann"))
		var last error
		for _, err := range forecast(open(t, &http.Client{Transport: users})) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), "allow cognito-idp:"+operation) {
			t.Errorf("%s: %v", operation, last)
		}
	}
}

// Inside the bubble of synctest a goroutine left behind fails the test.
func TestAForecastCanBeLeft(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{Latency: time.Second})
		users.PopulateN(200)
		pool := open(t, &http.Client{Transport: users})
		for range pool.ForecastEach(t.Context(), named(200)) {
			break
		}
		if n := calls(users, "AdminGetUser"); n == 0 || n == 200 {
			t.Errorf("%d of 200 users were read", n)
		}
	})
}

// named are the users that [sandbox.Pool.PopulateN] makes, or does not.
func named(n int) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for i := range n {
			if !yield(batch.Entry{Row: int64(i + 1), Username: fmt.Sprintf("user-%07d", i+1)}, nil) {
				return
			}
		}
	}
}

// A forecast of few users asks for them alone, one of many for everyone.
func TestAForecastTakesTheFewerCalls(t *testing.T) {
	withoutAWS(t)
	for n, most := range map[int]int{10: 10, 12_000: 12_000/60 + 16} {
		synctest.Test(t, func(t *testing.T) {
			users := sandbox.New(sandbox.Config{CaseInsensitive: true, Quotas: sandbox.DefaultQuotas(), SlidingSecond: true, Latency: 50 * time.Millisecond})
			users.PopulateN(12_000)
			start := time.Now()
			got := foretold(t, open(t, &http.Client{Transport: users}).Forecast(t.Context(), named(n)))
			if made := calls(users, "ListUsers"); len(got) != n || made > most {
				t.Errorf("%d prospects of %d by %d calls", len(got), n, made)
			}
			// A read each could not be faster than the quota of 120 a second.
			if took, each := time.Since(start), time.Duration(n)*time.Second/120; n > 1000 && 10*took > each {
				t.Errorf("%v, where a read each takes %v", took, each)
			}
		})
	}
}

// BenchmarkForecast foretells 200,000 users of a pool of 200,000 in virtual
// time, under Cognito's quotas and with 50 ms a call.
func BenchmarkForecast(b *testing.B) {
	n := 200_000
	if testing.Short() {
		n = 20_000
	}
	withoutAWS(b)
	for how, forecast := range map[string]func(context.Context, *userpool.Pool) iter.Seq2[userpool.Prospect, error]{
		"Listed": func(ctx context.Context, p *userpool.Pool) iter.Seq2[userpool.Prospect, error] {
			return p.Forecast(ctx, named(n))
		},
		"ReadEach": func(ctx context.Context, p *userpool.Pool) iter.Seq2[userpool.Prospect, error] {
			return p.ForecastEach(ctx, named(n))
		},
	} {
		b.Run(how, func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				inBubble(func(t *testing.T) {
					users := sandbox.New(sandbox.Config{CaseInsensitive: true, Quotas: sandbox.DefaultQuotas(), Latency: 50 * time.Millisecond})
					users.PopulateN(n)
					pool := open(t, &http.Client{Transport: users})
					start := time.Now()
					if got := foretold(t, forecast(t.Context(), pool)); len(got) != n {
						t.Errorf("%d prospects", len(got))
					}
					took = time.Since(start)
				})
			}
			b.ReportMetric(took.Seconds(), "virtual-s")
		})
	}
}

// inBubble runs f in virtual time, which a benchmark does not have.
func inBubble(f func(*testing.T)) {
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "bubble", F: func(t *testing.T) { synctest.Test(t, f) },
	}})
}
