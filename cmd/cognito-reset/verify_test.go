package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
)

// Of a thousand resets verify finds just the seven that were undone behind the
// run's back, and the thirty users who have a new password.
func TestVerifyProvesARun(t *testing.T) {
	t.Parallel()
	const n = 1000
	name := func(i int) string { return fmt.Sprintf("user-%04d", i) }
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", CaseInsensitive: true})
	var input strings.Builder
	for i := range n {
		u := sandbox.NewUser(name(i))
		u.Created = time.Now().AddDate(-1, 0, 0)
		pool.Add(u)
		fmt.Fprintln(&input, u.Username)
	}
	server := httptest.NewServer(pool)
	defer server.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command("cognito-reset", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "COGNITO_RESET_ENDPOINT_URL="+server.URL, "COGNITO_RESET_RATE=0")
		return cmd
	}
	exits := func(code int, args ...string) string {
		t.Helper()
		cmd := command(args...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
			t.Fatalf("%q ended with %v, not %d:\n%s", args, cmd.ProcessState, code, out)
		}
		return string(out)
	}
	exits(0, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--no-header", "--yes", "--run", "record")

	want := make(map[string]string)
	for i := range n {
		want[name(i)] = "waiting"
	}
	for i := range 7 {
		pool.Update(name(100*i+3), func(u *sandbox.User) { u.Status, u.Password = sandbox.Confirmed, sandbox.DefaultPassword })
		want[name(100*i+3)] = "not_in_force"
	}
	for i := range 30 {
		pool.Update(name(30*i+50), func(u *sandbox.User) { u.Status, u.Modified = sandbox.Confirmed, time.Now() })
		want[name(30*i+50)] = "completed"
	}
	out := exits(3, "verify", "record")
	for _, says := range []string{"1,000 resets, 3% with a new password", "       7  not_in_force", "     963  waiting", "      30  completed", `     604  "user-0603", CONFIRMED, `} {
		if !strings.Contains(out, says) {
			t.Errorf("it does not say %q:\n%s", says, out)
		}
	}
	file, err := os.Open(filepath.Join(dir, "record", rundir.VerifyFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, row := range rows[1:] {
		got[row[1]] = row[2]
	}
	if len(rows) != n+1 || !reflect.DeepEqual(got, want) {
		t.Errorf("%d rows, %v", len(rows), got)
	}

	// Watching draws the curve until the last has come.
	watch := command("verify", "record", "--watch", "10ms")
	stdout, err := watch.StdoutPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	if first := lines.Text(); !strings.HasSuffix(first, "  3%  963 waiting, 7 NOT IN FORCE") {
		t.Errorf("the curve begins with %q", first)
	}
	for i := range n {
		pool.Update(name(i), func(u *sandbox.User) { u.Status, u.Modified = sandbox.Confirmed, time.Now() })
	}
	last := ""
	for lines.Scan() {
		last += lines.Text() + "\n"
	}
	if err := watch.Wait(); err != nil || !strings.Contains(last, "1,000 resets, 100% with a new password") {
		t.Errorf("%v:\n%s", err, last)
	}
}
