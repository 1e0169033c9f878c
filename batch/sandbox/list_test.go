package sandbox_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
)

// list pages through a listing, and counts how often each user came.
func (c *client) list(params in) (times map[string]int, pages int) {
	c.t.Helper()
	return c.pages("ListUsers", "PaginationToken", params)
}

func (c *client) pages(op, tokenName string, params in) (times map[string]int, pages int) {
	c.t.Helper()
	times = make(map[string]int)
	for {
		reply := c.must(op, params)
		pages++
		for _, u := range reply["Users"].([]any) {
			times[u.(map[string]any)["Username"].(string)]++
		}
		token, more := reply[tokenName]
		if !more {
			return times, pages
		}
		params[tokenName] = token
	}
}

func onceEach(t *testing.T, pool *sandbox.Pool, times map[string]int) {
	t.Helper()
	pool.EachUser(func(u sandbox.User, _, _ int) {
		if times[u.Username] != 1 {
			t.Errorf("%s came %d times", u.Username, times[u.Username])
		}
	})
	if len(times) != pool.Len() {
		t.Errorf("%d of %d users", len(times), pool.Len())
	}
}

func TestAListingFindsEveryoneOnce(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.PopulateN(2000)
	c := connect(t, pool)

	times, pages := c.list(in{})
	onceEach(t, pool, times)
	if want := (pool.Len() + 59) / 60; pages != want {
		t.Errorf("%d pages, want %d", pages, want)
	}

	times, _ = c.list(in{"Limit": 7, "Filter": `username ^= ""`})
	onceEach(t, pool, times)
}

func TestPrefixesOfTheSubSplitAPoolIntoEvenParts(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.PopulateN(4000)
	c := connect(t, pool)
	all := make(map[string]int)
	for _, digit := range "0123456789abcdef" {
		part, _ := c.list(in{"Filter": fmt.Sprintf("sub ^= \"%c\"", digit)})
		if even := pool.Len() / 16; len(part) < even/2 || len(part) > even*3/2 {
			t.Errorf("%c: %d users, an even part is %d", digit, len(part), even)
		}
		for name, n := range part {
			all[name] += n
		}
	}
	onceEach(t, pool, all)
}

func TestUsersWhoComeAndGoMoveNobodyToAnotherPage(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.PopulateN(300)
	c := connect(t, pool)
	first := c.must("ListUsers", in{})
	for i := range 100 {
		pool.Add(sandbox.NewUser(fmt.Sprintf("late-%d", i)))
	}
	users := first["Users"].([]any)
	last := users[len(users)-1].(map[string]any)["Username"].(string)
	c.must("AdminDeleteUser", in{"Username": last})
	times, _ := c.list(in{"PaginationToken": first["PaginationToken"]})
	for _, u := range users {
		times[u.(map[string]any)["Username"].(string)]++
	}
	for i := 1; i <= 300; i++ {
		name := fmt.Sprintf("user-%07d", i)
		if _, there := pool.Get(name); there && times[name] != 1 {
			t.Errorf("%s came %d times", name, times[name])
		}
	}
}

// Case that counts at sign-in does not count in filters, unless the pool is told so.
func TestFiltersMindCaseWhereTheyAreToldTo(t *testing.T) {
	for _, mind := range []bool{false, true} {
		pool := sandbox.New(sandbox.Config{FiltersMindCase: mind})
		pool.Add(user("Ann", func(u *sandbox.User) {
			u.Email, u.Attributes = "Ann@x.example", map[string]string{"preferred_username": "Annie"}
		}))
		c := connect(t, pool)
		for _, filter := range []string{`username = "ann"`, `email = "ANN@x.example"`, `email ^= "aNN"`, `preferred_username = "annie"`} {
			if times, _ := c.list(in{"Filter": filter}); (len(times) == 0) != mind {
				t.Errorf("%s: found %v, where filters mind case: %t", filter, times, mind)
			}
		}
		if _, named := pool.Get("ann@x.example"); named {
			t.Error("Ann signs in by her address in another case, in a pool where case counts")
		}
	}
}

func TestFiltersFindWhomTheyName(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.Add(
		user("ann", func(u *sandbox.User) { u.Email = "shared@x.example" }),
		user("bob", func(u *sandbox.User) { u.Email, u.Status = "shared@x.example", sandbox.ResetRequired }),
		user(`c"d`, func(u *sandbox.User) { u.Enabled = false }),
		user("anton", func(u *sandbox.User) {
			u.Phone = "+15550100"
			u.Attributes = map[string]string{"name": "Anton B.", "given_name": "Anton", "family_name": "", "preferred_username": "toni"}
		}),
	)
	ann, _ := pool.Get("ann")
	c := connect(t, pool)
	for filter, want := range map[string][]string{
		`username = "ann"`:                      {"ann"},
		`username ^= "an"`:                      {"ann", "anton"},
		`username="ANN"`:                        {"ann"},
		`username = "c\"d"`:                     {`c"d`},
		`email = "shared@x.example"`:            {"ann", "bob"},
		`email^="anton@"`:                       {"anton"},
		`phone_number ^= "+1555"`:               {"anton"},
		`sub = "` + ann.Sub + `"`:               {"ann"},
		`cognito:user_status = "confirmed"`:     {"ann", "anton", `c"d`},
		`cognito:user_status ^= "RESET"`:        {"bob"},
		`status = "Disabled"`:                   {`c"d`},
		`status = "disabled"`:                   {},
		`preferred_username = "toni"`:           {"anton"},
		`preferred_username = "ann"`:            {},
		`name ^= "Anton"`:                       {"anton"},
		`given_name = "anton"`:                  {"anton"},
		`family_name = ""`:                      {"anton"},
		`  cognito:user_status   =  "UNKNOWN" `: {},
	} {
		times, _ := c.list(in{"Filter": filter})
		for _, name := range want {
			if times[name] != 1 {
				t.Errorf("%s: %s came %d times", filter, name, times[name])
			}
		}
		if len(times) != len(want) {
			t.Errorf("%s: found %v", filter, times)
		}
	}
	for _, filter := range []string{`username`, `username = ann`, `username = "ann`, `username = "ann" `[:15] + `x`,
		`username = "a"b"`, `username = "a\"`, `custom:x = "a"`, `username == "a"`, `= "a"`, `username = "a" and sub = "b"`} {
		if got := c.call("ListUsers", in{"Filter": filter}); got.code != "InvalidParameterException" {
			t.Errorf("%s: %s", filter, got.says())
		}
	}
}

func TestAScanCanGiveAnEmptyPageThatIsNotTheLast(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	var last sandbox.User
	pool.PopulateN(12_000)
	pool.EachUser(func(u sandbox.User, _, _ int) { last = u })
	pool.Update(last.Username, func(u *sandbox.User) { u.Status = sandbox.Compromised })
	times, pages := connect(t, pool).list(in{"Filter": `cognito:user_status = "COMPROMISED"`})
	if times[last.Username] != 1 || len(times) != 1 || pages != 3 {
		t.Errorf("found %v on %d pages", times, pages)
	}
}

func TestAPageTokenServesItsOwnFilterForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{})
		pool.PopulateN(100)
		c := connect(t, pool)
		token := c.must("ListUsers", in{"Limit": 1})["PaginationToken"]
		for _, params := range []in{
			{"PaginationToken": token, "Filter": `sub ^= "0"`},
			{"PaginationToken": "nonsense"},
			{"Limit": 61},
			{"Limit": -1},
			{"AttributesToGet": []string{"phone_number"}},
		} {
			if got := c.call("ListUsers", params); got.code != "InvalidParameterException" {
				t.Errorf("%v: %s", params, got.says())
			}
		}
		time.Sleep(time.Hour)
		c.must("ListUsers", in{"PaginationToken": token})
		time.Sleep(time.Second)
		if got := c.call("ListUsers", in{"PaginationToken": token}); got.code != "InvalidParameterException" {
			t.Error(got.says())
		}
	})
}

func TestAGroupIsListedByItsMembers(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.PopulateN(2000)
	pool.Add(user("ann", func(u *sandbox.User) { u.Groups = []string{"admins"} }))
	c := connect(t, pool)
	times, pages := c.pages("ListUsersInGroup", "NextToken", in{"GroupName": "staff"})
	pool.EachUser(func(u sandbox.User, _, _ int) {
		want := 0
		if slices.Contains(u.Groups, "staff") {
			want = 1
		}
		if times[u.Username] != want {
			t.Errorf("%s came %d times, want %d", u.Username, times[u.Username], want)
		}
	})
	if len(times) < 150 || len(times) > 250 || pages != (len(times)+59)/60 {
		t.Errorf("one of ten is %d of 2000, on %d pages", len(times), pages)
	}

	pool.Update("ann", func(u *sandbox.User) { u.Groups = []string{"owners"} })
	for group, want := range map[string]int{"admins": 0, "owners": 1} {
		if times, _ := c.pages("ListUsersInGroup", "NextToken", in{"GroupName": group}); times["ann"] != want {
			t.Errorf("%s: %v", group, times)
		}
	}
	if got := c.call("ListUsersInGroup", in{"GroupName": "nobody"}); got.code != "ResourceNotFoundException" {
		t.Error(got.says())
	}
	token := c.must("ListUsersInGroup", in{"GroupName": "staff"})["NextToken"]
	if got := c.call("ListUsersInGroup", in{"GroupName": "owners", "NextToken": token}); got.code != "InvalidParameterException" {
		t.Error(got.says())
	}
}

func TestPagesCanBeEmptyAndTokensDieEarly(t *testing.T) {
	empty := sandbox.New(sandbox.Config{Faults: sandbox.Faults{EmptyPage: 0.5}})
	empty.PopulateN(1000)
	times, pages := connect(t, empty).list(in{})
	onceEach(t, empty, times)
	if full := (empty.Len() + 59) / 60; pages <= full {
		t.Errorf("%d pages, and %d would hold everyone", pages, full)
	}

	dead := sandbox.New(sandbox.Config{Faults: sandbox.Faults{DeadToken: 1}})
	dead.PopulateN(100)
	c := connect(t, dead)
	token := c.must("ListUsers", in{})["PaginationToken"]
	if got := c.call("ListUsers", in{"PaginationToken": token}); got.says() != "InvalidParameterException: Invalid pagination token" {
		t.Error(got.says())
	}
}
