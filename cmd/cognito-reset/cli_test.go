package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/cli"
	"cognito-reset/cmd/cognito-reset/internal/term"

	"github.com/rogpeppe/go-internal/testscript"

	"cognito-reset/batch/sandbox"
)

func TestMain(m *testing.M) {
	// Most of the tests wait for processes that wait for a server.
	if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"cognito-reset": main})
}

// linkTool puts the tool into a folder, to be started as a process of its own: this
// test's program is the tool if it is called by its name.
func linkTool(t testing.TB, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(dir, "cognito-reset")
	if err := os.Symlink(self, tool); err != nil {
		t.Fatal(err)
	}
	return tool
}

// The scripts are the tests: each tells one thing that people rely on.
func TestScripts(t *testing.T) {
	golden, err := filepath.Abs("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			cases, err := filepath.Abs("testdata/cases")
			if err != nil {
				return err
			}
			for key, value := range map[string]string{
				"CASES":             cases, // inputs that people really have
				"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
				"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "HOME": env.WorkDir,
				"POOL": "us-east-1_Sandbox", "COGNITO_RESET_RATE": "0", "GOLDEN": golden,
			} {
				env.Setenv(key, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit": exitCommand, "sandbox": sandboxCommand, "resets": resetsCommand, "signouts": signOutsCommand, "stopafter": stopCommand, "soon": soonCommand, "completes": completesCommand,
		},
	})
}

// exit CODE COMMAND… runs a command that must end with exactly that code.
func exitCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND [ARG...]")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s ended with %d, not %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// pools are the sandboxes of the scripts, by their work directory.
var pools sync.Map

// sandbox serves a pool at $ENDPOINT: USER makes one that can be reset,
// STATE:USER one in that state, USER/GROUP a member; options come first: messages=N a day,
// trigger=EXCEPTION for every reset, denied=ACTION,ACTION for want of permission,
// recovery=admin, factors=FACTOR,FACTOR beside a password, ses=paused, signin=email for usernames that are UUIDs, case=insensitive,
// aliases=none where nobody signs in by e-mail, filters=exact for a ListUsers that minds case, users=FILE that ListUsers answered,
// others=N users beside, for whom it is cheaper to look users up than to list the pool.
func sandboxCommand(ts *testscript.TestScript, _ bool, args []string) {
	config := sandbox.Config{PoolID: ts.Getenv("POOL")}
	users, others := "", 0
	for ; len(args) > 0; args = args[1:] {
		option, value, found := strings.Cut(args[0], "=")
		if !found {
			break
		}
		switch option {
		case "messages":
			config.DailyMessages, _ = strconv.Atoi(value)
		case "trigger":
			config.Trigger = value
		case "recovery":
			config.AdminOnlyRecovery = value == "admin"
		case "factors":
			config.FirstFactors = strings.Split(value, ",")
		case "ses":
			config.SES.Paused = value == "paused"
		case "denied":
			config.Denied = strings.Split(value, ",")
		case "signin":
			config.SignIn = value
		case "case":
			config.CaseInsensitive = value == "insensitive"
		case "filters":
			config.FiltersMindCase = value == "exact"
		case "aliases":
			config.Aliases = []string{} // none
		case "users":
			users = value
		case "others":
			others, _ = strconv.Atoi(value)
		default:
			ts.Fatalf("no option %s", option)
		}
	}
	pool := sandbox.New(config)
	pool.PopulateN(others)
	if users != "" {
		file, err := os.Open(ts.MkAbs(users))
		ts.Check(err)
		_, err = pool.Load(file)
		ts.Check(errors.Join(err, file.Close()))
	}
	for _, arg := range args {
		state, name, found := strings.Cut(arg, ":")
		if !found {
			state, name = "", arg
		}
		name, group, _ := strings.Cut(name, "/")
		u := sandbox.NewUser(name)
		if group != "" {
			u.Groups = []string{group}
		}
		u.Created = time.Now().AddDate(-1, 0, 0)
		if !putInto(&u, state) {
			ts.Fatalf("no state %s", state)
		}
		pool.Add(u)
	}
	server := httptest.NewServer(pool)
	ts.Defer(server.Close)
	ts.Setenv("COGNITO_RESET_ENDPOINT_URL", server.URL)
	pools.Store(ts.Getenv("WORK"), pool)
}

// putInto puts a user into a state, "" for one who can be reset. It reports whether there
// is such a state.
func putInto(u *sandbox.User, state string) bool {
	switch state {
	case "":
	case "disabled":
		u.Enabled = false
	case "nocontact":
		u.EmailVerified = false
	case "temporary":
		u.Status = sandbox.ForceChangePassword
	case "federated":
		u.Status = sandbox.ExternalProvider
	case "new":
		u.Status = sandbox.Unconfirmed
	case "again":
		u.Status = sandbox.ResetRequired
	case "compromised":
		u.Status = sandbox.Compromised
	default:
		return false
	}
	return true
}

// resets USER=N… says how often the sandbox has reset users; all=N everyone.
func resetsCommand(ts *testscript.TestScript, _ bool, args []string) {
	found, _ := pools.Load(ts.Getenv("WORK"))
	pool := found.(*sandbox.Pool)
	for _, arg := range args {
		name, want, _ := strings.Cut(arg, "=")
		got := pool.Resets(name)
		if name == "all" {
			got = len(pool.Outbox())
		}
		if strconv.Itoa(got) != want {
			ts.Fatalf("%s: %d resets, not %s", name, got, want)
		}
	}
}

// signouts USER=N… says how often the sandbox has signed users out.
func signOutsCommand(ts *testscript.TestScript, _ bool, args []string) {
	found, _ := pools.Load(ts.Getenv("WORK"))
	for _, arg := range args {
		name, want, _ := strings.Cut(arg, "=")
		if got := found.(*sandbox.Pool).SignOuts(name); strconv.Itoa(got) != want {
			ts.Fatalf("%s: %d sign-outs, not %s", name, got, want)
		}
	}
}

// stopafter N SIGNAL CODE COMMAND… starts a command, sends it the signal once the
// sandbox has sent N messages, and expects the exit code.
func stopCommand(ts *testscript.TestScript, _ bool, args []string) {
	found, _ := pools.Load(ts.Getenv("WORK"))
	pool := found.(*sandbox.Pool)
	messages, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[3], args[4:]...)
	cmd.Dir, cmd.Env = ts.Getenv("WORK"), environ(ts)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	messages += len(pool.Outbox())
	ts.Check(cmd.Start())
	for len(pool.Outbox()) < messages && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	ts.Check(cmd.Process.Signal(map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "QUIT": syscall.SIGQUIT, "ABRT": syscall.SIGABRT}[args[1]]))
	cmd.Wait()
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != args[2] {
		ts.Fatalf("ended with %s, not %s: %s", got, args[2], stderr.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), []byte(stderr.String()), 0o600))
}

// completes USER… chooses new passwords for users who were reset.
func completesCommand(ts *testscript.TestScript, _ bool, args []string) {
	found, _ := pools.Load(ts.Getenv("WORK"))
	pool := found.(*sandbox.Pool)
	for _, name := range args {
		u, ok := pool.Get(name)
		if !ok || u.Status != sandbox.ResetRequired {
			ts.Fatalf("%s is %s", name, u.Status)
		}
		u.Status, u.Modified = sandbox.Confirmed, time.Now()
		pool.Add(u)
	}
}

// soon COMMAND… runs a command again and again until it ends well.
func soonCommand(ts *testscript.TestScript, _ bool, args []string) {
	var err error
	for range 1000 {
		if err = ts.Exec(args[0], args[1:]...); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Check(err)
}

func environ(ts *testscript.TestScript) []string {
	env := os.Environ()
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE",
		"AWS_SHARED_CREDENTIALS_FILE", "HOME", "COGNITO_RESET_ENDPOINT_URL"} {
		env = append(env, key+"="+ts.Getenv(key))
	}
	return env
}

// mainOf runs a command line in this process, and returns its exit code.
func mainOf(t *testing.T, in, out, err *os.File, args ...string) int {
	return cli.Main(t.Context(), append([]string{"cognito-reset"}, args...), cli.Process{
		Streams: term.Streams{In: in, Out: out, Err: err}, Calls: func() func() { return func() {} },
	})
}

// numbered yields n usernames, user-0000001 and on.
func numbered(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("user-%07d", i+1)) {
				return
			}
		}
	}
}
