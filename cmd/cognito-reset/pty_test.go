//go:build linux || darwin

package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// A terminal is a pseudo-terminal with a cognito-reset on it.
type terminal struct {
	*testing.T
	keys *os.File
	cmd  *exec.Cmd
	wait sync.WaitGroup

	mu     sync.Mutex
	screen strings.Builder
}

// onTerminal runs a command on a terminal of so many columns against a sandbox
// of n users that can be reset.
func onTerminal(t *testing.T, n int, columns uint16, args ...string) (*terminal, *sandbox.Pool) {
	t.Helper()
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input := "username\n"
	for username := range numbered(n) {
		u := sandbox.NewUser(username)
		u.Created = time.Now().AddDate(-1, 0, 0)
		pool.Add(u)
		input += username + "\n"
	}
	server := httptest.NewServer(pool)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	linkTool(t, dir)
	env := append(noAccount(), "HOME="+dir, "COGNITO_RESET_ENDPOINT_URL="+server.URL)
	return newTerminal(t, dir, env, columns, args...), pool
}

// newTerminal runs the tool that is in a folder there, on a terminal.
func newTerminal(t *testing.T, dir string, env []string, columns uint16, args ...string) *terminal {
	t.Helper()
	return startTerminal(t, dir, env, columns, filepath.Join(dir, "cognito-reset"), args...)
}

// startTerminal runs a program on a terminal.
func startTerminal(t *testing.T, dir string, env []string, columns uint16, program string, args ...string) *terminal {
	t.Helper()
	x := &terminal{T: t, cmd: exec.Command(program, args...)}
	x.cmd.Dir, x.cmd.Env = dir, env
	var err error
	if x.keys, err = pty.StartWithSize(x.cmd, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		t.Skipf("there is no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		x.keys.Close()
		x.wait.Wait()
	})
	x.wait.Go(func() {
		text := make([]byte, 4096)
		for {
			n, err := x.keys.Read(text)
			x.mu.Lock()
			x.screen.Write(text[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	return x
}

// sees waits until the terminal shows a text.
func (x *terminal) sees(text string) {
	x.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(x.text(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			x.Fatalf("the terminal does not show %q, but\n%s", text, x.text())
		}
	}
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen.String()
}

func (x *terminal) types(keys string) {
	x.Helper()
	if _, err := x.keys.WriteString(keys); err != nil {
		x.Fatal(err)
	}
}

// ends waits for the command to end with a code.
func (x *terminal) ends(code int) {
	x.Helper()
	err := x.cmd.Wait()
	if failed, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		x.Fatal(err)
	} else if got := x.cmd.ProcessState.ExitCode(); got != code {
		x.Fatalf("it ended with %d, not %d: %v\n%s", got, code, failed, x.text())
	}
}

func TestAPersonTypesThePoolIDOrNothingIsSent(t *testing.T) {
	x, pool := onTerminal(t, 3, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv")
	x.sees("Type us-east-1_Sandbox to reset 3 users of ")
	x.types("yes\n")
	x.ends(exit.Usage)
	x.sees("that is not the pool id; nothing was sent")
	if n := len(pool.Outbox()); n > 0 {
		t.Errorf("%d were mailed", n)
	}

	x, pool = onTerminal(t, 1200, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--rate", "0")
	x.sees(`Type us-east-1_Sandbox to reset 1,200 users of "sandbox" in account`)
	x.sees("123456789012: ")
	x.types("us-east-1_Sandbox\n")
	x.ends(exit.Done)
	if n := len(pool.Outbox()); n != 1200 {
		t.Errorf("%d were mailed", n)
	}
}

// Where a profile's role takes the code of a device, the person is asked for it, and the
// run goes on with it.
func TestAPersonIsAskedForTheCodeOfADevice(t *testing.T) {
	const device, code = "arn:aws:iam::123456789012:mfa/ann", "123456"
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	pool.Add(sandbox.NewUser("ann"))
	var refused atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") == "AssumeRole" && (form.Get("TokenCode") != code || form.Get("SerialNumber") != device) {
			refused.Add(1)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		pool.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"users.csv": "username\nann\n",
		"config": "[profile ops]\nrole_arn = arn:aws:iam::123456789012:role/ops\nsource_profile = keys\nmfa_serial = " + device + "\n" +
			"[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	linkTool(t, dir)
	env := append(noAccount(), "HOME="+dir, "AWS_CONFIG_FILE="+filepath.Join(dir, "config"), "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_ENDPOINT_URL="+server.URL, "AWS_ENDPOINT_URL_STS="+server.URL)
	x := newTerminal(t, dir, env, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--profile", "ops", "--run", "record")
	x.sees(device)
	x.types(code + "\n")
	x.sees("Type us-east-1_Sandbox to reset 1 user of ")
	x.types("us-east-1_Sandbox\n")
	x.ends(exit.Done)
	if n := len(pool.Outbox()); n != 1 || refused.Load() > 0 {
		t.Errorf("%d were mailed, and %d roles refused", n, refused.Load())
	}
}

func TestKeysSteerARun(t *testing.T) {
	x, pool := onTerminal(t, 1000, 60, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--run", "record", "--rate", "2")
	x.sees("[rate, 2/s]")
	x.types("p")
	x.sees("[paused]")
	x.types("p")
	x.sees("Going on.")
	x.types("+")
	x.sees("At most 3 calls a second from now on.")
	x.types("-")
	x.sees("At most 2 calls a second from now on.")
	x.types("q")
	x.ends(exit.Stopped)
	x.sees("at the terminal")
	x.sees("Next       cognito-reset resume record")
	if n := strings.Count(x.text(), "cognito-reset resume"); n != 1 {
		t.Errorf("it says %d times how to go on", n)
	}
	if n := len(pool.Outbox()); n == 0 || n > 500 {
		t.Errorf("%d were mailed", n)
	}
}

func TestAPersonJudgesTheCanary(t *testing.T) {
	for _, c := range []struct {
		key            string
		exit, messages int
	}{{"y", exit.Done, 10}, {"n", exit.Stopped, 2}} {
		x, pool := onTerminal(t, 10, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--canary", "2")
		x.sees("Type us-east-1_Sandbox to reset 10 users of ")
		x.types("us-east-1_Sandbox\n")
		x.sees("The canary, 2 users: 2 reset.")
		x.sees("Go on with the others? (y/n) ")
		x.types(c.key)
		x.ends(c.exit)
		if n := len(pool.Outbox()); n != c.messages {
			t.Errorf("%d were mailed after %s", n, c.key)
		}
	}
}

func TestTheSummaryIsColouredOnATerminalUnlessSomebodyMinds(t *testing.T) {
	for _, c := range []struct {
		term, noColour string
		coloured       bool
	}{{"xterm", "", true}, {"xterm", "1", false}, {"dumb", "", false}} {
		t.Setenv("TERM", c.term)
		t.Setenv("NO_COLOR", c.noColour)
		x, _ := onTerminal(t, 2, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--quiet", "--run", "record")
		x.sees("2  reset  password reset, message requested")
		x.sees("Next       cognito-reset verify record")
		x.ends(exit.Done)
		if got := strings.Contains(x.text(), "\x1b["); got != c.coloured {
			t.Errorf("TERM=%s NO_COLOR=%s: coloured is %t in\n%q", c.term, c.noColour, got, x.text())
		}
	}
}

// Whoever resumes at a terminal sees what is at stake, and may say no; elsewhere, and
// with --yes, a run goes on.
func TestAPersonAgreesToAResume(t *testing.T) {
	x, pool := onTerminal(t, 10, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--run", "record", "--canary", "2")
	x.types("us-east-1_Sandbox\n")
	x.sees("Go on with the others? (y/n) ")
	x.types("n")
	x.ends(exit.Stopped)
	resume := func(args ...string) *terminal {
		return newTerminal(t, x.cmd.Dir, x.cmd.Env, 80, append([]string{"resume", "record"}, args...)...)
	}
	y := resume()
	y.sees("Going on with record: 8 of 10 users are left.")
	y.sees(`Type us-east-1_Sandbox to reset 8 users of "sandbox" in account 123456789012: `)
	y.types("no\n")
	y.ends(exit.Usage)
	if n := len(pool.Outbox()); n != 2 {
		t.Errorf("%d were mailed", n)
	}
	resume("--yes").ends(exit.Done)
	if n := len(pool.Outbox()); n != 10 {
		t.Errorf("%d were mailed", n)
	}
}

// Of a fleet that is done nobody is asked about nobody.
func TestAFleetThatIsDoneAsksNothing(t *testing.T) {
	x, pool := onTerminal(t, 3, 80, "version")
	x.ends(exit.Done)
	job := "targets:\n  - user-pool-id: us-east-1_Sandbox\n    input: users.csv\n"
	if err := os.WriteFile(filepath.Join(x.cmd.Dir, "job.yaml"), []byte(job), 0o600); err != nil {
		t.Fatal(err)
	}
	newTerminal(t, x.cmd.Dir, x.cmd.Env, 80, "run", "--config", "job.yaml", "--yes", "--run", "night").ends(exit.Done)
	newTerminal(t, x.cmd.Dir, x.cmd.Env, 80, "resume", "night").ends(exit.Done)
	if n := len(pool.Outbox()); n != 3 {
		t.Errorf("%d were mailed", n)
	}
}
