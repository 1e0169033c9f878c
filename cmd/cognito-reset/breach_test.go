package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch/sandbox"
)

// A thief has every password and the sessions that were begun with them.
type thief struct {
	client  *cognito.Client
	refresh sync.Map // token, by username
}

func newThief(pool *sandbox.Pool) *thief {
	return &thief{client: cognito.New(cognito.Options{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: pool}, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = 30, 10*time.Millisecond, ratelimit.None
		}),
	})}
}

// signIn tries the old password. A challenge to choose another is as good.
func (th *thief) signIn(ctx context.Context, username string) bool {
	out, err := th.client.InitiateAuth(ctx, &cognito.InitiateAuthInput{
		ClientId: aws.String("app"), AuthFlow: types.AuthFlowTypeUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": username, "PASSWORD": sandbox.DefaultPassword},
	})
	if err == nil && out.AuthenticationResult != nil {
		th.refresh.Store(username, *out.AuthenticationResult.RefreshToken)
	}
	return err == nil
}

// goOn tries to go on with a session begun before.
func (th *thief) goOn(ctx context.Context, username string) bool {
	token, ok := th.refresh.Load(username)
	if !ok {
		return false
	}
	_, err := th.client.InitiateAuth(ctx, &cognito.InitiateAuthInput{
		ClientId: aws.String("app"), AuthFlow: types.AuthFlowTypeRefreshTokenAuth,
		AuthParameters: map[string]string{"REFRESH_TOKEN": token.(string)},
	})
	return err == nil
}

// After a breach response that was killed again and again, while calls failed
// and answers were lost, nobody gets in with what was leaked, nobody was sent two
// messages, and every row says what was done and how.
func TestAfterABreachResponseNobodyGetsInWithWhatWasLeaked(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("killing takes a while")
	}
	const users = 1500
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", Latency: 5 * time.Millisecond, Faults: sandbox.EvenFaults(0.1)})
	pool.PopulateN(users)
	th := newThief(pool)
	before := make(map[string]sandbox.User)
	pool.EachUser(func(u sandbox.User, _, _ int) { before[u.Username] = u })
	var names []string
	for i := range users {
		names = append(names, fmt.Sprintf("user-%07d", i+1))
	}
	each := func(do func(name string)) {
		var group sync.WaitGroup
		for part := range slices.Chunk(names, users/50) {
			group.Go(func() {
				for _, name := range part {
					do(name)
				}
			})
		}
		group.Wait()
	}
	each(func(name string) {
		u := before[name]
		if open := u.Enabled && u.Password != "" && u.Status != sandbox.Unconfirmed; th.signIn(t.Context(), name) != open {
			t.Errorf("%s, %s: the leaked password lets in: %v", name, u.Status, !open)
		}
	})

	server := httptest.NewServer(pool)
	defer server.Close()
	dir := t.TempDir()
	run, input := filepath.Join(dir, "run"), filepath.Join(dir, "users.csv")
	if err := os.WriteFile(input, []byte("username\n"+strings.Join(names, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := kill(linkTool(t, t.TempDir()), run, "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--endpoint-url", server.URL,
		"--steps", "reset,sign-out", "--if-unresettable", "no_verified_contact=lock,wrong_state=disable",
		"--rate", "1000", "--update-rate", "1000", "--settle-after", "200ms")
	if err == nil || !strings.Contains(err.Error(), "exit status 3") { // some are not in the pool
		t.Fatalf("the last resume: %v\n%s", err, out)
	}

	each(func(name string) {
		if th.signIn(t.Context(), name) {
			t.Errorf("%s, %s: the leaked password still lets in", name, before[name].Status)
		}
		if th.goOn(t.Context(), name) {
			t.Errorf("%s, %s: the session goes on", name, before[name].Status)
		}
	})
	pool.EachUser(func(u sandbox.User, resets, messages int) {
		if resets > 1 || messages > 1 {
			t.Errorf("%s: %d resets, %d messages", u.Username, resets, messages)
		}
	})
	done := make(map[string]int)
	lines := readReport(t, run)
	cell := func(line []string, column string) string { return line[slices.Index(lines[0], column)] }
	for _, line := range lines[1:] {
		name := cell(line, "username")
		var said []string
		for _, column := range []string{"outcome", "reason", "steps", "step_reset", "step_lock", "step_disable", "step_invite", "step_sign_out"} {
			said = append(said, cell(line, column))
		}
		if got, want := strings.Join(said, " "), fate(before[name]); got != want {
			t.Errorf("%s, %s: the report says %q, not %q", name, before[name].Status, got, want)
		}
		if how := cell(line, "settled_by"); how != "answer" && how != "read_back" {
			t.Errorf("%s: settled by %q", name, how)
		}
		done[said[0]]++
	}
	if len(lines) != users+1 {
		t.Errorf("the report has %d rows of %d", len(lines)-1, users)
	}
	t.Logf("%d kills: %v", *kills, done)
}

// The password that locks a user goes to the pool and nowhere else, though the
// pool quotes it in a refusal, answers get lost and everything is logged.
func TestThePasswordOfALockedUserIsNowhere(t *testing.T) {
	t.Parallel()
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", Faults: sandbox.EvenFaults(0.15)})
	input := "username\n"
	for i := range 40 {
		u := sandbox.NewUser(fmt.Sprintf("user-%d", i))
		u.EmailVerified = false
		pool.Add(u)
		input += u.Username + "\n"
	}
	tool, dir := linkTool(t, t.TempDir()), t.TempDir()
	var outputs strings.Builder
	var mu sync.Mutex
	var passwords []string
	var refused string
	cmd := exec.Command(tool, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--run", "run", "--yes", "--rate", "0",
		"--steps", "reset,sign-out", "--if-unresettable", "lock", "--snapshot", "--log-level", "debug", "--settle-after", "1s")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminSetUserPassword") {
			pool.ServeHTTP(w, r)
			return
		}
		var in struct{ Username, Password string }
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, json.Unmarshal(body, &in)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		passwords = append(passwords, in.Password)
		for _, told := range []string{"cmdline", "environ"} { // Linux alone has them
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, told))
			outputs.Write(text)
		}
		if refused == "" && strings.HasPrefix(in.Username, "user-") {
			refused = in.Username
			w.Header().Set("X-Amzn-ErrorType", "InvalidParameterException")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"message": "Value '%s' at 'password' failed to satisfy constraint"}`, in.Password)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		pool.ServeHTTP(w, r)
	}))
	defer server.Close()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "COGNITO_RESET_ENDPOINT_URL="+server.URL)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	mu.Lock()
	err := cmd.Start()
	mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 { // one is refused
		t.Fatalf("ended with %d:\n%s", code, &out)
	}
	outputs.Write(out.Bytes())
	if err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, path))
		outputs.Write(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	told := outputs.String()
	if len(passwords) < 30 || !strings.Contains(told, "(hidden)") || !strings.Contains(told, "user-39") {
		t.Fatalf("%d passwords were set, and %d bytes looked at", len(passwords), len(told))
	}
	for _, password := range passwords { // 64 characters, and 56 of that which the preflight tries on nobody
		if len(password) < 56 || strings.Contains(told, password) || strings.Contains(told, password[:16]) {
			t.Errorf("a password of %d characters is told", len(password))
		}
	}
}

// fate is what the report says of a user in the test above.
func fate(u sandbox.User) string {
	switch {
	case u.Username == "":
		return "failed user_not_found reset failed    "
	case !u.Enabled:
		return "failed disabled reset failed    "
	case u.Status == sandbox.ExternalProvider:
		return "failed external_provider reset failed    "
	case u.Status == sandbox.ForceChangePassword:
		return "disabled temporary_password reset+disable+sign-out failed  disabled  signed_out"
	case u.Status == sandbox.Unconfirmed:
		return "disabled unconfirmed reset+disable+sign-out failed  disabled  signed_out"
	case !u.EmailVerified && !u.PhoneVerified:
		return "locked no_verified_contact reset+lock+sign-out failed locked   signed_out"
	}
	return "reset  reset+sign-out reset    signed_out"
}
