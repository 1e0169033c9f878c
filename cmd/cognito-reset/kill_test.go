package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

var kills = flag.Int("kills", 12, "how often the kill tests kill the tool")

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

// The worst night: the tool is killed again and again, answers are lost (6 %), calls
// fail (3 %) or are throttled, users who were reset choose new passwords at once,
// and in each session the clocks of tool and server stand up to 10 s otherwise. With
// few kills it is the server's that jumps, once a session has seen how it stood;
// with many the tool's own (see buildToolOff). In the end nobody
// is missed, nobody was called twice, and no row says what is not so. Some rows are
// unknown: the answer was lost, and what the user did since hides what became of
// the call.
func TestKilledWhileClocksJumpAndUsersComeBackNobodyIsResetTwice(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("killing takes a while")
	}
	const usersAKill = 20
	c := newServedPool(t, *kills*usersAKill, sandbox.Config{
		Latency: 20 * time.Millisecond, Faults: sandbox.EvenFaults(0.12), Seed: rand.Uint64(), ResetMovesModified: rand.IntN(2) == 0,
	}, nil)
	done := make(chan struct{})
	var back sync.WaitGroup
	back.Go(func() {
		for tick := time.Tick(50 * time.Millisecond); ; {
			select {
			case <-done:
				return
			case <-tick:
				c.comeBack(0.1)
			}
		}
	})
	run := filepath.Join(t.TempDir(), "run")
	begun := func() bool {
		_, err := os.Stat(filepath.Join(run, "run.json"))
		return err == nil
	}
	seen, tool := -1, ""
	jump := func() {
		journal, _ := os.ReadFile(filepath.Join(run, "journal.jsonl")) // which may not be there yet
		if n := bytes.Count(journal, []byte(`{"event":"session"`)); n > seen {
			seen = n
			c.SetClock(time.Duration(rand.IntN(21)-10) * time.Second)
		}
	}
	var environment func() []string
	if *kills > fewKills {
		tool, jump = buildToolOff(t), func() {}
		environment = func() []string { return []string{fmt.Sprintf("%s=%d", clockOff, rand.IntN(21)-10)} }
	} else {
		tool = linkTool(t, t.TempDir())
	}
	out, err := killUnless(tool, run, *kills, func() bool {
		jump()
		return begun()
	}, environment, "--user-pool-id", "us-east-1_Sandbox", "--input", c.input, "--yes", "--endpoint-url", c.url, "--rate", "400", "--settle-after", "200ms", "--stop-on-failures", "off")
	close(done)
	back.Wait()
	if failed, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || failed.ExitCode() != exit.SomeFailed) {
		t.Fatalf("the last resume: %v\n%s", err, out)
	}
	c.judge(t, run)
}

// judge compares what a report says with what the server did.
func (c *servedPool) judge(t *testing.T, run string) {
	t.Helper()
	resets, back, twice := make(map[string]int), make(map[string]bool), 0
	c.EachUser(func(u sandbox.User, n, messages int) {
		back[u.Username] = n > 0 && u.Status == sandbox.Confirmed
		if resets[u.Username] = n; n > 1 || messages > 1 {
			twice++
		}
	})
	rows := readReport(t, run)[1:]
	counts, missed, misreported, readBack := make(map[string]int), c.users-len(rows), 0, 0
	for i, row := range rows {
		name, outcome := row[1], row[2]
		counts[outcome]++
		if row[11] == "read_back" {
			readBack++
		}
		switch n := resets[name]; {
		case row[0] != fmt.Sprint(i+1):
			missed++
		case n == 0 && outcome != "unknown" && outcome != "failed": // nobody called, or it is said to be done
			misreported++
		case n > 0 && outcome == "failed", outcome == "unknown" && !back[name]: // which could have been told
			misreported++
		case outcome != "reset" && outcome != "unknown" && outcome != "failed":
			missed++
		}
	}
	t.Logf("%d kills, %d users: %d missed, %d twice, %d misreported; rows %v, %d settled by a read-back", *kills, c.users, missed, twice, misreported, counts, readBack)
	if missed > 0 || twice > 0 || misreported > 0 || counts["failed"] > 0 {
		t.Errorf("%d missed, %d twice, %d misreported, %d failed", missed, twice, misreported, counts["failed"])
	}
}

// fewKills are as many as take no tool with a clock of its own.
const fewKills = 100

// clockOff is the environment variable by which the clock of a tool made by
// buildToolOff is off, in seconds.
const clockOff = "CLOCK_OFF"

// buildToolOff makes the tool with a clock that can be off by as much as it is told,
// as a machine's may be. The tool is not changed for that, but the standard library's
// time.Now, for this build alone. It takes minutes the first time.
func buildToolOff(t testing.TB) string {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("the tool cannot be built: %v", err)
	}
	std, dir := filepath.Join(strings.TrimSpace(string(root)), "src", "time"), t.TempDir()
	text, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "sec, nsec, mono := runtimeNow()\n"
	if bytes.Count(text, []byte(now)) != 1 {
		t.Skip("time.Now is not what it was; see how a clock can be off now")
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(std, "time.go"): write("time.go", strings.Replace(string(text), now, now+"sec += clockOff\n", 1)),
		filepath.Join(std, "clockoff.go"): write("clockoff.go", `package time

import "syscall"

var clockOff = func() int64 {
	text, _ := syscall.Getenv("`+clockOff+`")
	off, err := atoi(text)
	if err != nil {
		return 0
	}
	return int64(off)
}()
`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(dir, "cognito-reset")
	if out, err := exec.Command("go", "build", "-overlay", write("overlay.json", string(overlay)), "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return tool
}

// kill runs the tool, kills and resumes it again and again, and lets the last
// resume end.
func kill(tool, run string, flags ...string) (output []byte, err error) {
	return killUnless(tool, run, *kills, func() bool {
		_, err := os.Stat(filepath.Join(run, "run.json"))
		return err == nil // or it was killed before the run began
	}, nil, flags...)
}

// killUnless does so many times what kill does. A run that has not begun is begun
// once more. environment, if not nil, is more of it for each process.
func killUnless(tool, run string, times int, begun func() bool, environment func() []string, flags ...string) (output []byte, err error) {
	command := func() *exec.Cmd {
		args := []string{"resume", run}
		if !begun() {
			args = append([]string{"run", "--run", run}, flags...)
		}
		cmd := exec.Command(tool, append(args, "--quiet")...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
		if environment != nil {
			cmd.Env = append(cmd.Env, environment()...)
		}
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
	tool := linkTool(t, t.TempDir())
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
