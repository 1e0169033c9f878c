package userpool_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
)

// everyState fills a pool with a user of each state, enabled and not, with each
// kind of contact, and names them in each way there is. One name is nobody's.
func everyState(users *sandbox.Pool) (names []string) {
	for _, status := range []sandbox.Status{sandbox.Unconfirmed, sandbox.Confirmed, sandbox.ResetRequired, sandbox.ForceChangePassword,
		sandbox.ExternalProvider, sandbox.Archived, sandbox.Compromised, sandbox.UnknownStatus} {
		for _, enabled := range []bool{true, false} {
			for _, contact := range []string{"none", "unverified", "email", "phone", "both"} {
				u := sandbox.NewUser(fmt.Sprintf("%s-%t-%s", status, enabled, contact))
				u.Status, u.Enabled = status, enabled
				u.EmailVerified = contact == "email" || contact == "both"
				u.Phone, u.PhoneVerified = fmt.Sprintf("+1555%07d", len(names)), contact == "phone" || contact == "both"
				if contact == "none" {
					u.Email, u.Phone = "", ""
				}
				users.Add(u)
				u, _ = users.Get(u.Username)
				switch len(names) % 3 {
				case 0:
					names = append(names, u.Username)
				case 1:
					names = append(names, u.Sub)
				case 2:
					if u.EmailVerified {
						names = append(names, u.Email)
					} else {
						names = append(names, strings.ToUpper(u.Username))
					}
				}
			}
		}
	}
	return append(names, "nobody", "nobody@example.com", "+15550100")
}

// What a forecast says of a user is what a run then does, in the same words.
func TestForecastAndRunAgreeOnEveryUser(t *testing.T) {
	withoutAWS(t)
	for _, cfg := range []sandbox.Config{{CaseInsensitive: true, Aliases: []string{"email", "phone_number"}}, {}, {AdminOnlyRecovery: true}} {
		synctest.Test(t, func(t *testing.T) {
			users := sandbox.New(cfg)
			names := everyState(users)
			pool := open(t, &http.Client{Transport: users})
			listed, read := foretold(t, pool.Forecast(t.Context(), rows(names...))), foretold(t, pool.ForecastEach(t.Context(), rows(names...)))
			table := make(map[[2]string]int)
			for i, name := range names {
				actual := "would_reset"
				if _, err := pool.Do(t.Context(), batch.Entry{Username: name}); err != nil {
					answer, _ := errors.AsType[*batch.Error](err)
					actual = string(answer.Reason)
				}
				forecast := string(cmp.Or(listed[i].Reason, batch.Reason(listed[i].Outcome)))
				if table[[2]string{forecast, actual}]++; forecast != actual || !reflect.DeepEqual(read[i], listed[i]) {
					t.Errorf("%s: forecast %s, by a read %+v, actual %s", name, forecast, read[i].Result, actual)
				}
			}
			for cell, n := range table {
				t.Logf("forecast %-20s actual %-20s %3d users", cell[0], cell[1], n)
			}
			if want := 8; !cfg.AdminOnlyRecovery && len(table) != want {
				t.Errorf("%d cells, not %d: %v", len(table), want, table)
			}
		})
	}
}

// The run reads only whom it must, and an answer stays what it is if it cannot.
func TestARefusalForTheStateIsNamed(t *testing.T) {
	refusals := func(users aws.HTTPClient, names ...string) (reasons []batch.Reason) {
		pool := open(t, users)
		for _, name := range names {
			_, err := pool.Do(t.Context(), batch.Entry{Username: name})
			answer, _ := errors.AsType[*batch.Error](err)
			if answer.Code != "NotAuthorizedException" || answer.Class != batch.ClassUser {
				t.Errorf("%s: %+v", name, answer)
			}
			reasons = append(reasons, answer.Reason)
		}
		return reasons
	}
	fill := func(users *sandbox.Pool) *sandbox.Pool {
		for name, status := range map[string]sandbox.Status{"tom": sandbox.ForceChangePassword, "uma": sandbox.Unconfirmed, "fred": sandbox.ExternalProvider} {
			u := sandbox.NewUser(name)
			u.Status = status
			users.Add(u)
		}
		off := sandbox.NewUser("off")
		off.Enabled = false
		users.Add(off)
		return users
	}

	users := fill(sandbox.New(sandbox.Config{}))
	got := refusals(&http.Client{Transport: users}, "tom", "uma", "fred", "off")
	if want := []batch.Reason{batch.TemporaryPassword, batch.Unconfirmed, batch.ExternalProvider, batch.Disabled}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if n := calls(users, "ListUsers"); n != 3 {
		t.Errorf("%d calls for 3 users", n)
	}

	for _, denied := range []string{"ListUsers", "DescribeUserPool"} {
		users := fill(sandbox.New(sandbox.Config{Denied: []string{"cognito-idp:" + denied}}))
		if got := refusals(&http.Client{Transport: users}, "tom", "uma"); !slices.Equal(got, []batch.Reason{batch.WrongState, batch.WrongState}) {
			t.Errorf("without %s: %v", denied, got)
		}
		if n := calls(users, denied); n != 1 {
			t.Errorf("%d calls of %s, which is not allowed", n, denied)
		}
	}

	// Whose state has changed meanwhile fits no name.
	for _, now := range []sandbox.Status{sandbox.Confirmed, sandbox.Archived} {
		users := fill(sandbox.New(sandbox.Config{}))
		got := refusals(transport(func(r *http.Request) (*http.Response, error) {
			response, err := users.RoundTrip(r)
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminResetUserPassword") {
				users.Update("tom", func(u *sandbox.User) { u.Status = now })
			}
			return response, err
		}), "tom")
		if !slices.Equal(got, []batch.Reason{batch.WrongState}) {
			t.Errorf("%v", got)
		}
	}
}

// A listing that does not answer holds nobody up for long.
func TestNamingAStateIsGivenUp(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{})
		u := sandbox.NewUser("tom")
		u.Status = sandbox.ForceChangePassword
		users.Add(u)
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListUsers") {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return users.RoundTrip(r)
		}))
		start := time.Now()
		_, err := pool.Do(t.Context(), batch.Entry{Username: "tom"})
		if answer, _ := errors.AsType[*batch.Error](err); answer.Reason != batch.WrongState || time.Since(start) > 6*time.Second {
			t.Errorf("%+v after %v", answer, time.Since(start))
		}
	})
}
