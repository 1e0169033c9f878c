package sandbox_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/sandbox"
)

// list pages through a listing, and counts how often each user came.
func (c *client) list(params in) (times map[string]int, pages int) {
	c.t.Helper()
	times = make(map[string]int)
	for {
		reply := c.must("ListUsers", params)
		pages++
		for _, u := range reply["Users"].([]any) {
			times[u.(map[string]any)["Username"].(string)]++
		}
		token, more := reply["PaginationToken"]
		if !more {
			return times, pages
		}
		params["PaginationToken"] = token
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

func TestFiltersFindWhomTheyName(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	pool.Add(
		user("ann", func(u *sandbox.User) { u.Email = "shared@x.example" }),
		user("bob", func(u *sandbox.User) { u.Email, u.Status = "shared@x.example", sandbox.ResetRequired }),
		user(`c"d`, func(u *sandbox.User) { u.Enabled = false }),
		user("anton", func(u *sandbox.User) { u.Phone = "+15550100" }),
	)
	ann, _ := pool.Get("ann")
	c := connect(t, pool)
	for filter, want := range map[string][]string{
		`username = "ann"`:                      {"ann"},
		`username ^= "an"`:                      {"ann", "anton"},
		`username="ANN"`:                        {},
		`username = "c\"d"`:                     {`c"d`},
		`email = "shared@x.example"`:            {"ann", "bob"},
		`email^="anton@"`:                       {"anton"},
		`phone_number ^= "+1555"`:               {"anton"},
		`sub = "` + ann.Sub + `"`:               {"ann"},
		`cognito:user_status = "confirmed"`:     {"ann", "anton", `c"d`},
		`cognito:user_status ^= "RESET"`:        {"bob"},
		`status = "Disabled"`:                   {`c"d`},
		`status = "disabled"`:                   {},
		`preferred_username = "ann"`:            {},
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
