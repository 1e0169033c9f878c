package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
)

// Who is meant, by whatever name: each cell is what becomes of ann where she is named
// by her username, sub, e-mail address and phone number, in that order.
//
//	R  reset
//	X  left out: excluded, reset recently, or to choose a new password already
//	N  nobody is found by a call of that name
//	C  in the pool, and named by the input
//	!  refused: exit 2, and nobody is reset
//
// Where the settings cannot be read, an input is sent as it stands, and whatever has
// to compare names is refused.
var meant = []struct{ use, plain, email, sensitive, unreadable string }{
	{"input", "RR!!", "RRR!", "RRRR", "RRRR"},
	{"exclude", "XXXX", "XXXX", "XXXX", "!!!!"},
	{"exclude-group", "XX!!", "XXX!", "XXXX", "!!!!"},
	{"history", "XX!!", "XXX!", "XXXX", "!!!!"}, // where the run before found nobody, ann is still to be reset
	{"match", "RRRR", "RRRR", "RRRR", "!!!!"},
	{"reconcile", "CC!!", "CCC!", "CCCC", "!!!!"},
	{"skip", "XX!!", "XXX!", "XXXX", "!!!!"},
}

// ways are how a user is named, in the order of the cells.
var ways = []string{"username", "sub", "email", "phone_number"}

// A cast is a pool with ann, who is an administrator, and bob.
type cast struct {
	pool     *sandbox.Pool
	ann, bob sandbox.User
}

func newCast(t *testing.T, config sandbox.Config, annIs sandbox.Status) *cast {
	t.Helper()
	config.PoolID = "us-east-1_Sandbox"
	c := &cast{pool: sandbox.New(config)}
	add := func(name, phone string, groups ...string) sandbox.User {
		u := sandbox.NewUser(name)
		u.Phone, u.PhoneVerified, u.Groups, u.Created = phone, true, groups, time.Now().AddDate(-1, 0, 0)
		if u.Email = name + "@example.com"; config.SignIn == "email" {
			u.Username = u.Email
		}
		if name == "ann" {
			u.Status = annIs
		}
		c.pool.Add(u)
		var kept sandbox.User
		c.pool.EachUser(func(have sandbox.User, _, _ int) {
			if have.Email == u.Email {
				kept = have
			}
		})
		return kept
	}
	c.ann, c.bob = add("ann", "+491701234567", "admins"), add("bob", "+491701234568")
	server := httptest.NewServer(c.pool)
	t.Cleanup(server.Close)
	t.Setenv("COGNITO_RESET_ENDPOINT_URL", server.URL)
	return c
}

func named(u sandbox.User, way string) string {
	return map[string]string{"username": u.Username, "sub": u.Sub, "email": u.Email, "phone_number": u.Phone}[way]
}

// inProcess runs the command in this process.
func inProcess(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	code = mainOf(t, null, out, out, args...)
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, string(text)
}

// withoutAccount is an environment in which nothing but the endpoint is reached.
func withoutAccount(t *testing.T) {
	for key, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "COGNITO_RESET_RATE": "0",
	} {
		t.Setenv(key, value)
	}
}

func TestWhoIsMeantByWhateverName(t *testing.T) {
	withoutAccount(t)
	aliases := []string{"email", "phone_number"}
	pools := []struct {
		name   string
		config sandbox.Config
	}{
		{"plain", sandbox.Config{CaseInsensitive: true, Aliases: []string{}}},
		{"email", sandbox.Config{CaseInsensitive: true, SignIn: "email"}},
		{"sensitive", sandbox.Config{Aliases: aliases}},
		{"unreadable", sandbox.Config{Aliases: aliases, Denied: []string{"cognito-idp:DescribeUserPool"}}},
	}
	calls := meant[0]
	for _, m := range meant {
		for i, p := range pools {
			cells := []string{m.plain, m.email, m.sensitive, m.unreadable}[i]
			finds := []string{calls.plain, calls.email, calls.sensitive, calls.unreadable}[i]
			for j, way := range ways {
				t.Run(m.use+"/"+p.name+"/"+way, func(t *testing.T) {
					annIs := sandbox.Confirmed
					if m.use == "skip" {
						annIs = sandbox.ResetRequired
					}
					c := newCast(t, p.config, annIs)
					got, bob := c.play(t, m.use, way)
					wantBob := "R"
					switch {
					case cells[j] == '!':
						wantBob = "!"
					case slices.Contains([]string{"input", "exclude-group", "reconcile", "skip"}, m.use):
						wantBob = finds[j : j+1]
					}
					if got != cells[j:j+1] || bob != wantBob {
						t.Errorf("ann %s and bob %s, not %s and %s", got, bob, cells[j:j+1], wantBob)
					}
				})
			}
		}
	}
}

// play runs the tool where ann is named in one way, and says what became of her and
// of bob.
func (c *cast) play(t *testing.T, use, way string) (ann, bob string) {
	t.Helper()
	dir := t.TempDir()
	list := func(name string, names ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("username\n"+strings.Join(names, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := filepath.Join(dir, "run")
	args := []string{"run", "--user-pool-id", "us-east-1_Sandbox", "--yes", "--run", run}
	sameWay := list("users.csv", named(c.ann, way), named(c.bob, way))
	usernames := list("usernames.csv", c.ann.Username, c.bob.Username)
	before := 0
	switch use {
	case "input":
		args = append(args, "--input", sameWay)
	case "exclude":
		args = append(args, "--input", usernames, "--exclude", list("out.csv", named(c.ann, way)))
	case "exclude-group":
		args = append(args, "--input", sameWay, "--exclude-group", "admins")
	case "history":
		earlier := filepath.Join(dir, "earlier")
		inProcess(t, "run", "--user-pool-id", "us-east-1_Sandbox", "--yes", "--run", earlier, "--input", list("earlier.csv", named(c.ann, way)))
		before = c.pool.Resets(c.ann.Sub)
		args = append(args, "--input", usernames, "--history", earlier, "--not-reset-within", "1d")
	case "match":
		args = append(args, "--input", sameWay, "--match", way)
	case "reconcile":
		args = append(args, "--input", sameWay, "--reconcile")
	case "skip":
		args = append(args, "--input", sameWay, "--if-reset-required", "skip")
	default:
		t.Fatalf("no use %s", use)
	}
	code, said := inProcess(t, args...)
	resets := []int{c.pool.Resets(c.ann.Sub) - before, c.pool.Resets(c.bob.Sub)}
	for _, name := range []string{c.ann.Username, c.ann.Sub, c.ann.Email, c.ann.Phone} {
		if strings.Contains(said, name) && name != "ann" {
			t.Errorf("a name is told: %s", said)
		}
	}
	if code == exit.Usage {
		if resets[0]+resets[1] > 0 || !strings.Contains(said, "nothing was sent") {
			t.Errorf("%v resets, and it says %s", resets, said)
		}
		return "!", "!"
	}
	fates := readReport(t, run)[1:]
	if use == "reconcile" {
		text, err := os.ReadFile(filepath.Join(run, rundir.UncoveredFile))
		if err != nil {
			t.Fatal(err)
		}
		ann = "not covered"
		if !strings.Contains(string(text), c.ann.Username+",") {
			ann = "C"
		}
		return ann, fateOf(t, fates[1], resets[1])
	}
	return fateOf(t, fates[0], resets[0]), fateOf(t, fates[1], resets[1])
}

// fateOf is the letter of a row of a report, which must agree with what the pool
// counted.
func fateOf(t *testing.T, row []string, resets int) string {
	t.Helper()
	letter, want := map[string]string{
		"reset/": "R", "skipped/excluded": "X", "skipped/recently_reset": "X", "skipped/already_reset_required": "X", "failed/user_not_found": "N",
	}[row[2]+"/"+row[3]], 0
	if letter == "R" {
		want = 1
	}
	if resets != want || letter == "" {
		t.Errorf("%s %s, and %d resets", row[2], row[3], resets)
	}
	return fmt.Sprint(letter)
}

// Whether letter case counts is asked again where it could not be told at first, and a
// list of plain usernames that nothing is compared with costs no listing at all.
func TestWhatFailsOnceIsAskedAgain(t *testing.T) {
	withoutAccount(t)
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", CaseInsensitive: true})
	pool.Add(sandbox.NewUser("ann"), sandbox.NewUser("ben"))
	var failures atomic.Int32
	var listings atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch operation := r.Header.Get("X-Amz-Target"); {
		case strings.HasSuffix(operation, ".DescribeUserPool") && failures.Add(-1) >= 0:
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"__type":"InternalErrorException","message":"for now"}`)
			return
		case strings.HasSuffix(operation, ".ListUsers"):
			listings.Add(1)
		}
		pool.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("COGNITO_RESET_ENDPOINT_URL", server.URL)
	dir := t.TempDir()
	for _, c := range []struct {
		rows     string
		failures int32
		want     string
	}{
		{"ann\nAnn", 1, "1  duplicate"},
		{"ann\nben", 0, "2  would_reset"},
	} {
		failures.Store(c.failures)
		listings.Store(0)
		input := filepath.Join(dir, "users.csv")
		if err := os.WriteFile(input, []byte("username\n"+c.rows+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run := filepath.Join(dir, fmt.Sprint("run", c.failures))
		args := []string{"run", "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--run", run, "--dry-run"}
		if code, said := inProcess(t, args...); code != exit.Done || !strings.Contains(said, c.want) {
			t.Errorf("%q: exit %d, and it says %s", c.rows, code, said)
		}
	}
	listings.Store(0)
	code, said := inProcess(t, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", filepath.Join(dir, "users.csv"), "--run", filepath.Join(dir, "plain"), "--yes")
	if n := listings.Load(); code != exit.Done || n > 1 { // one that asks whether it may
		t.Errorf("exit %d, %d listings, and it says %s", code, n, said)
	}
}
