package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
)

// A front stands before a pool, and answers resets of some users itself.
type front struct {
	http.Handler
	refuse func(username string, try int) (status int, body string) // 0 lets the pool answer

	mu    sync.Mutex
	tries map[string]int
	calls map[string]int // by operation
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in struct{ Username string }
	json.Unmarshal(body, &in)
	f.mu.Lock()
	f.calls[operation]++
	f.tries[in.Username]++
	try := f.tries[in.Username]
	f.mu.Unlock()
	if operation == "AdminResetUserPassword" {
		if status, text := f.refuse(in.Username, try); status > 0 {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.Header().Set("X-Amzn-Requestid", "request-1")
			w.WriteHeader(status)
			io.WriteString(w, text)
			return
		}
	}
	f.Handler.ServeHTTP(w, r)
}

// Each answer is taken for what it is: the user's, the moment's, or the run's. What the
// screen says is what happened, to whom, and what helps.
func TestEachAnswerIsTakenForWhatItIs(t *testing.T) {
	t.Parallel()
	answer := func(code, message string) string { return fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message) }
	const sms = "Role does not have a trust relationship allowing Cognito to assume the role"
	const ses = "Email address is not verified. The following identities failed the check in region EU-WEST-1: user3@example.com"
	for name, c := range map[string]struct {
		args   []string
		refuse func(username string, try int) (int, string)
		code   int
		resets int
		report []string // in report.csv
		says   []string
		never  []string // on the screen
		calls  int      // of AdminResetUserPassword at most; 0 is any number
	}{
		"an SMS role fails one user, who stops nobody": {
			refuse: func(u string, _ int) (int, string) {
				if u == "user3" {
					return 400, answer("InvalidSmsRoleTrustRelationshipException", sms)
				}
				return 0, ""
			},
			code: 3, resets: 29, report: []string{"user3,failed,message_refused,"},
			says: []string{"message_refused", "fix SES identity or SMS role; --retry failed", "cognito-reset resume record --retry failed"},
		},
		"nobody is locked for a sender that SES keeps in its sandbox": {
			args: []string{"--if-unresettable", "lock", "--stop-on-failures", "off"},
			refuse: func(u string, _ int) (int, string) {
				return 400, answer("InvalidParameterException", ses)
			},
			code: 3, report: []string{"user3,failed,message_refused,"}, never: []string{"30  locked", "user3@example.com"},
		},
		"throttles have many names": {
			refuse: func(u string, try int) (int, string) {
				names := []string{"ThrottledException", "RequestThrottledException", "BandwidthLimitExceeded", "TransactionInProgressException", "EC2ThrottledException"}
				if try == 1 && strings.HasSuffix(u, "5") {
					return 400, answer(names[len(u)%len(names)], "slow down")
				}
				return 0, ""
			},
			code: 0, resets: 30,
		},
		"an account that is not subscribed ends the run at once": {
			refuse: func(string, int) (int, string) {
				return 403, answer("OptInRequired", "The AWS Access Key Id needs a subscription for the service")
			},
			code: 4, calls: 10, says: []string{"Next       cognito-reset resume record"}, never: []string{"--retry"},
		},
		"what cannot be read leaves a doubt, which the pool settles": {
			refuse: func(u string, try int) (int, string) {
				if u == "user3" && try == 1 {
					return 502, "<html>Bad gateway</html>"
				}
				return 0, ""
			},
			args: []string{"--settle-after", "100ms"}, code: 0, resets: 30,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI"})
			var input strings.Builder
			input.WriteString("username\n")
			for i := range 30 {
				fmt.Fprintf(&input, "user%d\n", i)
				u := sandbox.NewUser(fmt.Sprint("user", i))
				u.Created = time.Now().AddDate(-1, 0, 0)
				pool.Add(u)
			}
			f := &front{Handler: pool, refuse: c.refuse, tries: make(map[string]int), calls: make(map[string]int)}
			server := httptest.NewServer(f)
			defer server.Close()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(linkTool(t, t.TempDir()), append([]string{
				"run", "--user-pool-id", "eu-west-1_AbCdEfGhI", "--input", "users.csv", "--yes", "--run", "record", "--endpoint-url", server.URL, "--workers", "4",
			}, c.args...)...)
			cmd.Dir, cmd.Env = dir, noAccount()
			out, _ := cmd.CombinedOutput()
			screen := string(out)
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("it ended with %d, not %d:\n%s", got, c.code, screen)
			}
			if n := len(pool.Outbox()); n != c.resets {
				t.Errorf("%d were reset, not %d:\n%s", n, c.resets, screen)
			}
			for _, want := range c.says {
				if !strings.Contains(screen, want) {
					t.Errorf("it does not say %q:\n%s", want, screen)
				}
			}
			for _, never := range c.never {
				if strings.Contains(screen, never) {
					t.Errorf("it says %q:\n%s", never, screen)
				}
			}
			text, err := os.ReadFile(filepath.Join(dir, "record", "report.csv"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.report {
				if !strings.Contains(string(text), want) {
					t.Errorf("the report does not have %q:\n%s", want, text)
				}
			}
			if n := f.calls["AdminResetUserPassword"]; c.calls > 0 && n > c.calls {
				t.Errorf("it took %d calls", n)
			}
		})
	}
}

// A service whose clock is 20 minutes ahead refuses what is signed by this machine's: it
// is asked again by its own, and nobody is missed.
func TestAServiceWhoseClockIsAheadIsAskedByItsOwn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		helps bool
		code  int
	}{"and agrees": {true, 0}, "and agrees never": {false, 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI"})
			var input strings.Builder
			input.WriteString("username\n")
			for i := range 20 {
				fmt.Fprintf(&input, "user%d\n", i)
				pool.Add(sandbox.NewUser(fmt.Sprint("user", i)))
			}
			var mu sync.Mutex
			count := 0
			ahead := func() time.Time { return time.Now().Add(20 * time.Minute) }
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminResetUserPassword") {
					count++
				}
				if count < 5 { // it is set ahead in the middle of the run
					pool.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Date", ahead().UTC().Format(http.TimeFormat))
				signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
				if off := ahead().Sub(signed); r.Header.Get("X-Amz-Target") != "" && (err != nil || off > 5*time.Minute || !c.helps) {
					w.Header().Set("Content-Type", "application/x-amz-json-1.1")
					w.WriteHeader(http.StatusBadRequest)
					io.WriteString(w, `{"__type":"InvalidSignatureException","message":"Signature expired: 20261127T000000Z is now earlier than 20261127T001500Z (20261127T002000Z - 5 min.)"}`)
					return
				}
				recorded := httptest.NewRecorder()
				pool.ServeHTTP(recorded, r)
				date := w.Header()["Date"]
				maps.Copy(w.Header(), recorded.Header())
				w.Header()["Date"] = date
				w.WriteHeader(recorded.Code)
				recorded.Body.WriteTo(w)
			}))
			defer server.Close()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(linkTool(t, t.TempDir()), "run", "--user-pool-id", "eu-west-1_AbCdEfGhI", "--input", "users.csv", "--yes", "--run", "record", "--endpoint-url", server.URL, "--workers", "2", "--max-attempts", "3")
			cmd.Dir, cmd.Env = dir, noAccount()
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("it ended with %d, not %d:\n%s", got, c.code, out)
			}
			if want := regexp.MustCompile(`the service's clock is (19m59s|20m0s|20m1s) ahead of this machine's \(set this machine's clock, then resume\)`); !c.helps && !want.Match(out) {
				t.Errorf("it does not say %q:\n%s", want, out)
			}
			if c.helps && len(pool.Outbox()) != 20 {
				t.Errorf("%d were reset:\n%s", len(pool.Outbox()), out)
			}
		})
	}
}
