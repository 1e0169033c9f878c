package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var kills = flag.Int("kills", 20, "how often the kill tests kill the tool")

// The tool is killed again and again at random moments and resumed. In the end
// the server, in another process, has seen every user exactly once.
func TestKilledAtAnyMomentNobodyIsMissedAndNobodyIsResetTwice(t *testing.T) {
	t.Parallel()
	survive(t, "--latency", "5ms")
}

// The same while one call in five is throttled, fails or loses its answer,
// half of the lost ones after the work was done.
func TestKilledWhileTheServerLosesAnswersNobodyIsResetTwice(t *testing.T) {
	t.Parallel()
	survive(t, "--latency", "5ms", "--fault-rate", "0.2")
}

// buildTool makes the tool, to be started as a process of its own.
func buildTool(t testing.TB) string {
	tool := filepath.Join(t.TempDir(), "cognito-reset")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Skipf("the go command, to build the tool with, is not here: %v %s", err, out)
	}
	return tool
}

// kill runs the tool, kills and resumes it again and again, and lets the last
// resume end.
func kill(tool, run string, flags ...string) (output []byte, err error) {
	return killUnless(tool, run, *kills, func() bool {
		_, err := os.Stat(filepath.Join(run, "run.json"))
		return err == nil // or it was killed before the run began
	}, flags...)
}

// killUnless does so many times what kill does. A run that has not begun is begun
// once more.
func killUnless(tool, run string, times int, begun func() bool, flags ...string) (output []byte, err error) {
	command := func() *exec.Cmd {
		args := []string{"resume", run}
		if !begun() {
			args = append([]string{"run", "--run", run}, flags...)
		}
		cmd := exec.Command(tool, append(args, "--quiet")...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
		return cmd
	}
	for range times {
		cmd := command()
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		timer := time.AfterFunc(time.Duration(20+rand.IntN(230))*time.Millisecond, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
	}
	return command().CombinedOutput()
}

// readReport is the report of a run, with its header.
func readReport(t testing.TB, run string) [][]string {
	t.Helper()
	file, err := os.Open(filepath.Join(run, "report.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func survive(t *testing.T, sandboxFlags ...string) {
	if testing.Short() {
		t.Skip("killing takes a while")
	}
	dir := t.TempDir()
	tool := buildTool(t)
	const usersAKill, rate = 60, "400"
	users := *kills * usersAKill

	sandbox := exec.Command(tool, append([]string{"sandbox", "--listen", "127.0.0.1:0", "--quota", "0",
		"--users", fmt.Sprint(users), "--all-confirmed", "--seed", fmt.Sprint(rand.Uint64())}, sandboxFlags...)...)
	stdout, err := sandbox.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sandbox.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		sandbox.Process.Kill()
		sandbox.Wait()
	}()
	greeting, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := greeting[strings.Index(greeting, "http://") : len(greeting)-1]

	input := filepath.Join(dir, "users.csv")
	var rows strings.Builder
	rows.WriteString("username\n")
	for i := range users {
		fmt.Fprintf(&rows, "user-%07d\n", i+1)
	}
	if err := os.WriteFile(input, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}

	run := filepath.Join(dir, "run")
	if out, err := kill(tool, run, "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes",
		"--endpoint-url", url, "--rate", rate, "--settle-after", "200ms"); err != nil {
		t.Fatalf("the last resume: %v\n%s", err, out)
	}

	response, err := http.Get(url + "/sandbox/users")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	seen := 0
	for dec := json.NewDecoder(response.Body); dec.More(); seen++ {
		var u struct {
			Username         string
			Resets, Messages int
		}
		if err := dec.Decode(&u); err != nil {
			t.Fatal(err)
		}
		if u.Resets != 1 || u.Messages != 1 {
			t.Errorf("%s: %d resets, %d messages", u.Username, u.Resets, u.Messages)
		}
	}
	if seen != users {
		t.Errorf("the server has %d users of %d", seen, users)
	}
	lines := readReport(t, run)
	readBack := 0
	for i, line := range lines[1:] {
		if line[0] != fmt.Sprint(i+1) || line[1] != fmt.Sprintf("user-%07d", i+1) || line[2] != "reset" {
			t.Fatalf("report line %d: %q", i+2, line)
		}
		if line[11] == "read_back" {
			readBack++
		}
	}
	if len(lines) != users+1 {
		t.Errorf("the report has %d rows of %d", len(lines)-1, users)
	}
	t.Logf("%d kills, %d users, each reset once; %d settled by a read-back", *kills, users, readBack)
}
