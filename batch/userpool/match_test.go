package userpool_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// rows are the entries of an input that names these, numbered from 1.
func rows(values ...string) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for i, v := range values {
			if !yield(batch.Entry{Row: int64(i + 1), Username: v}, nil) {
				return
			}
		}
	}
}

// lines shows entries as "row < input row: username", and what is not to be called.
func lines(t *testing.T, entries iter.Seq2[batch.Entry, error]) (all []string) {
	t.Helper()
	for e, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%d < %d: %s", e.Row, e.InputRow, e.Username)
		if e.Outcome != "" {
			line += fmt.Sprintf(", %s %s", e.Outcome, e.Reason)
		}
		all = append(all, line)
	}
	return all
}

// Of 10,000 addresses 7,000 are those of users, 100 of two users each; 50 are
// written otherwise than the users wrote them.
func TestManyAddressesAreMatchedByOneListing(t *testing.T) {
	withoutAWS(t)
	for _, insensitive := range []bool{true, false} {
		t.Run(fmt.Sprintf("case does not count %t", insensitive), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				users := sandbox.New(sandbox.Config{
					CaseInsensitive: insensitive, Quotas: sandbox.DefaultQuotas(), SlidingSecond: true, Faults: sandbox.Faults{EmptyPage: 0.01},
				})
				users.PopulateN(13_000)
				var values, want []string
				expect := func(format string, of ...any) {
					want = append(want, fmt.Sprintf("%d < %d: ", len(want)+1, len(values))+fmt.Sprintf(format, of...))
				}
				for i := range 10_000 {
					address := fmt.Sprintf("person-%d@example.org", i)
					values = append(values, address)
					if i >= 7000 {
						expect("%s, failed user_not_found", address)
						continue
					}
					u := sandbox.NewUser(fmt.Sprintf("id-%05d-a", i))
					u.Email = address
					if i < 50 {
						u.Email = "P" + address[1:]
					}
					users.Add(u)
					expect("%s", u.Username)
					if i >= 100 && i < 200 {
						u.Username, u.Sub = fmt.Sprintf("id-%05d-b", i), ""
						users.Add(u)
						expect("%s", u.Username)
					}
				}
				got := lines(t, open(t, &http.Client{Transport: users}).Match(t.Context(), "email", userpool.Selection{}, rows(values...)))
				if len(got) != len(want) {
					t.Errorf("%d rows, want %d", len(got), len(want))
				}
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Fatalf("row %q, want %q", got[i], want[i])
					}
				}
				if n, best := calls(users, "ListUsers"), (users.Len()+59)/60; n > best*11/10 {
					t.Errorf("%d calls, where a listing needs %d", n, best)
				}
			})
		})
	}
}

func TestFewValuesAreLookedUpOneByOne(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{CaseInsensitive: true, Faults: sandbox.Faults{Internal: 0.05, Throttle: 0.05, EmptyPage: 0.05}})
		users.PopulateN(6000)
		users.Add(
			sandbox.User{Username: "ann", Enabled: true, Email: "Shared@example.org", Phone: "+15550100", Attributes: map[string]string{"preferred_username": "Ännchen"}},
			sandbox.User{Username: "bob", Enabled: true, Email: "shared@example.org", Status: sandbox.ExternalProvider},
			sandbox.User{Username: "cat", Email: "cat@example.org"},
			sandbox.User{Username: `d"a\n`, Enabled: true, Email: "dan@example.org"},
		)
		pool := open(t, &http.Client{Transport: users})
		ann, _ := users.Get("ann")
		for _, c := range []struct {
			attribute string
			values    []string
			want      []string
		}{
			{"email", []string{"shared@EXAMPLE.org", "nobody@example.org", "cat@example.org", "SHARED@example.org"}, []string{
				"1 < 1: ann", "2 < 1: bob, skipped external_provider", "3 < 2: nobody@example.org, failed user_not_found",
				"4 < 3: cat, skipped disabled", "5 < 4: ann", "6 < 4: bob, skipped external_provider"}},
			{"username", []string{`d"a\n`, "ANN"}, []string{`1 < 1: d"a\n`, "2 < 2: ann"}},
			{"phone_number", []string{"+15550100", "+1 555-0100", "001 555 0100"}, []string{"1 < 1: ann", "2 < 2: ann", "3 < 3: ann"}},
			{"sub", []string{ann.Sub}, []string{"1 < 1: ann"}},
			{"preferred_username", []string{"Ännchen"}, []string{"1 < 1: ann"}},
			{"preferred_username", nil, nil},
		} {
			before := calls(users, "ListUsers")
			got := lines(t, pool.Match(t.Context(), c.attribute, userpool.Selection{}, rows(c.values...)))
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s %q: %q, want %q", c.attribute, c.values, got, c.want)
			}
			// Two calls for a value with capitals, and the odd one tried again.
			if n := calls(users, "ListUsers") - before; n > 2*len(c.values)+4 {
				t.Errorf("%s %q: %d calls", c.attribute, c.values, n)
			}
		}
	})
}

// People write an address in any case and either Unicode form. It is the same
// address in every pool, whatever the filters of the service make of it.
func TestAnAddressIsOneHoweverItIsWritten(t *testing.T) {
	withoutAWS(t)
	for _, others := range []int{0, 6000} { // listed, looked up
		for _, cfg := range []sandbox.Config{{CaseInsensitive: true}, {}, {FiltersMindCase: true}} {
			synctest.Test(t, func(t *testing.T) {
				users := sandbox.New(cfg)
				users.PopulateN(others)
				for username, email := range map[string]string{
					"u4": "Ann@Example.com", "u5": "ann@example.com", "u7": "jose\u0301@example.com", "u8": "käthe@müller.example", "u9": "zoé@example.com",
				} {
					u := sandbox.NewUser(username)
					u.Email = email
					users.Add(u)
				}
				before := calls(users, "ListUsers")
				got := lines(t, open(t, &http.Client{Transport: users}).Match(t.Context(), "email", userpool.Selection{},
					rows("ANN@EXAMPLE.COM", "josé@example.com", "ka\u0308the@mu\u0308ller.example", "Zoe\u0301@example.com", "annie@example.com")))
				want := []string{"1 < 1: u4", "2 < 1: u5", "3 < 2: u7", "4 < 3: u8", "5 < 4: u9", "6 < 5: annie@example.com, failed user_not_found"}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%d others, %+v: %q, want %q", others, cfg, got, want)
				}
				if n := calls(users, "ListUsers") - before; others > 0 && !cfg.FiltersMindCase && n > 20 {
					t.Errorf("%+v: %d calls to look up 5 addresses", cfg, n)
				}
			})
		}
	}
}

// Whether the service minds case is not known where the pool does not; and a
// value can be too long for a filter.
func TestALookupAsksForEverySpelling(t *testing.T) {
	withoutAWS(t)
	long := strings.Repeat(`"`, 128)
	for _, c := range []struct {
		insensitive bool
		value       string
		want        []any
	}{
		{true, "Ann", []any{`username = "Ann"`, `username = "ann"`}},
		{true, "ann", []any{`username = "ann"`}},
		{false, "Ann", []any{`username = "Ann"`}},
		{true, long, []any{nil}},
	} {
		synctest.Test(t, func(t *testing.T) {
			users := sandbox.New(sandbox.Config{CaseInsensitive: c.insensitive})
			users.PopulateN(100)
			users.Add(sandbox.NewUser(c.value))
			var mu sync.Mutex
			var asked []any
			got := lines(t, open(t, transport(func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ListUsers") {
					var in map[string]any
					if err := json.Unmarshal(body, &in); err != nil {
						return nil, err
					}
					mu.Lock()
					defer mu.Unlock()
					asked = append(asked, in["Filter"])
				}
				return users.RoundTrip(r)
			})).Match(t.Context(), "username", userpool.Selection{}, rows(c.value)))
			slices.SortFunc(asked, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			if !reflect.DeepEqual(slices.Compact(asked), c.want) || !reflect.DeepEqual(got, []string{"1 < 1: " + c.value}) {
				t.Errorf("%s: %q by %q", c.value, got, asked)
			}
		})
	}
}

// A username, an alias and a sub of one person are one person.
func TestWhateverNamesAUserIsThatUser(t *testing.T) {
	withoutAWS(t)
	for _, others := range []int{0, 20_000} { // listed, looked up
		synctest.Test(t, func(t *testing.T) {
			users := sandbox.New(sandbox.Config{CaseInsensitive: true})
			users.PopulateN(others)
			users.Add(sandbox.NewUser("ann"), sandbox.NewUser("bob"))
			users.Update("bob", func(u *sandbox.User) { u.Email, u.EmailVerified = "ann@example.com", false })
			ann, _ := users.Get("ann")
			pool := open(t, &http.Client{Transport: users})
			got := lines(t, roster.Unique(pool.Match(t.Context(), userpool.AnyName, userpool.Selection{},
				rows("Ann@example.com", "ann", ann.Sub, "BOB", "eve")), nil))
			want := []string{"1 < 1: ann", "2 < 2: ann, skipped duplicate", "3 < 3: ann, skipped duplicate", "4 < 4: bob", "5 < 5: eve, failed user_not_found"}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// Whoever has a value keeps all that a listing tells of them, however odd that is, and
// comes in the order of the usernames.
func TestAMatchTellsOfUsersWhatAListingTells(t *testing.T) {
	const shared = `,{"Name":"email","Value":"All@example.com"},{"Name":"email_verified","Value":"true"}]`
	long := strings.Repeat("ü", 100_000)
	listed := []string{
		`{"Username":"d","Attributes":[{"Name":"sub","Value":"d"}` + shared + `,"Enabled":true,"UserStatus":"CONFIRMED","UserLastModifiedDate":1767323045.678}`,
		`{"Username":"` + long + `","Attributes":[{"Name":"sub","Value":"` + long + `-"}` + shared + `,"Enabled":true,"UserStatus":"CONFIRMED","UserLastModifiedDate":-62135596800}`,
		`{"Username":"a","Attributes":[{"Name":"phone_number","Value":"+15550100"},{"Name":"phone_number_verified","Value":"true"}` + shared + `,"UserStatus":"SOMETHING_NEW"}`,
		`{"Username":"c\u0000c","Attributes":[{"Name":"sub","Value":""}` + shared + `,"Enabled":true,"UserStatus":"RESET_REQUIRED"}`,
		`{"Username":"b","Attributes":[{"Name":"sub","Value":"1"}` + shared + `}`,
	}
	pool := open(t, operations{
		"DescribeUserPool": func(string) string { return `{"UserPool":{"Id":"us-east-1_Sandbox","EstimatedNumberOfUsers":5}}` },
		"ListUsers":        func(string) string { return `{"Users":[` + strings.Join(listed, ",") + `]}` },
	})
	said := make(map[string]batch.Entry)
	for e, err := range (userpool.Selection{}).Entries(pool.Users(t.Context(), userpool.Filter{})) {
		if err != nil {
			t.Fatal(err)
		}
		said[e.Username] = e
	}
	var order []string
	for e, err := range pool.Match(t.Context(), "email", userpool.Selection{}, rows("nobody@example.com", "all@example.com")) {
		if err != nil {
			t.Fatal(err)
		}
		if e.InputRow != 2 {
			continue
		}
		order = append(order, e.Username)
		want := said[e.Username]
		want.Row, want.InputRow = int64(len(order))+1, 2
		if !reflect.DeepEqual(e, want) {
			t.Errorf("%.20q is %+v, and a listing tells %+v", e.Username, e, want)
		}
	}
	if want := []string{"a", "b", "c\x00c", "d", long}; !slices.Equal(order, want) {
		t.Errorf("the users come as %.200q", order)
	}
}

func TestRowsThatNeedNoCallComeThroughAMatch(t *testing.T) {
	users := sandbox.New(sandbox.Config{})
	users.Add(sandbox.NewUser("ann"))
	entries := []batch.Entry{
		{Row: 1, Outcome: batch.Invalid, Reason: batch.EmptyUsername, Detail: "line 1: the username is empty"},
		{Row: 2, Username: "ann", ClientMetadata: map[string]string{"why": "breach"}},
	}
	var got []batch.Entry
	for e, err := range open(t, &http.Client{Transport: users}).Match(t.Context(), "username", userpool.Selection{}, func(yield func(batch.Entry, error) bool) {
		_ = yield(entries[0], nil) && yield(entries[1], nil)
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	entries[0].InputRow, entries[1].InputRow = 1, 2
	if before := got[1].Before; before == nil || before.Status != "CONFIRMED" || !before.Enabled || !before.EmailVerified {
		t.Errorf("ann was %+v", before)
	}
	if ann, _ := users.Get("ann"); got[1].Sub != ann.Sub {
		t.Errorf("ann's sub is %q", got[1].Sub)
	}
	got[1].Before, got[1].Sub = nil, ""
	if !reflect.DeepEqual(got, entries) {
		t.Errorf("%+v", got)
	}
}

func TestAMatchThatCannotBeWholeIsAnError(t *testing.T) {
	withoutAWS(t)
	once := func(values ...string) iter.Seq2[batch.Entry, error] {
		spent := false
		return func(yield func(batch.Entry, error) bool) {
			if !spent {
				spent = true
				rows(values...)(yield)
			}
		}
	}
	denying := func(operation string, next http.RoundTripper) transport {
		return func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+operation) {
				return jsonResponse(400, `{"__type":"AccessDeniedException","message":"no"}`), nil
			}
			return next.RoundTrip(r)
		}
	}
	for _, c := range []struct {
		name      string
		attribute string
		values    iter.Seq2[batch.Entry, error]
		deny      string
		says      string
	}{
		{"an attribute that is none", "mail", rows("ann"), "", "they can by username, email,"},
		{"values that can be read once", "email", once("a@example.com", "b@example.com"), "", "not the same"},
		{"no permission to list", "email", rows("a@example.com"), "ListUsers", "allow cognito-idp:ListUsers"},
		{"no permission to read the settings", "email", rows("a@example.com"), "DescribeUserPool", "allow cognito-idp:DescribeUserPool"},
	} {
		synctest.Test(t, func(t *testing.T) {
			users := sandbox.New(sandbox.Config{})
			users.PopulateN(100)
			var last error
			for _, err := range open(t, denying(c.deny, users)).Match(t.Context(), c.attribute, userpool.Selection{}, c.values) {
				last = err
			}
			if last == nil || !strings.Contains(last.Error(), c.says) {
				t.Errorf("%s: %v", c.name, last)
			}
		})
	}
}

// A great many users may have one address, for whoever signs up may choose it; and each
// is met by either spelling of it.
func TestUsersOfOneAddressAreEachMetOnce(t *testing.T) {
	withoutAWS(t)
	synctest.Test(t, func(t *testing.T) {
		users := sandbox.New(sandbox.Config{CaseInsensitive: true})
		users.PopulateN(6000)
		var want []string
		for i := range 300 {
			u := sandbox.NewUser(fmt.Sprintf("id-%03d", i))
			u.Email = "Everybody@example.com"
			users.Add(u)
			want = append(want, fmt.Sprintf("%d < 1: %s", i+1, u.Username))
		}
		got := lines(t, open(t, &http.Client{Transport: users}).Match(t.Context(), "email", userpool.Selection{}, rows("EveryBody@example.com")))
		if !slices.Equal(got, want) {
			t.Errorf("%d rows, %.300q", len(got), got)
		}
	})
}
