//go:build linux || darwin

package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// widths are those of the terminals that people have.
var widths = []uint16{60, 80, 120}

// colour is what colours a text on a terminal.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*[mK]")

// fits finds lines that a terminal would break, and words that the tool broke. A single
// word that is wider than the terminal, such as a path to be copied, is nobody's fault.
func (x *terminal) fits(columns uint16) {
	x.Helper()
	for line := range strings.Lines(colour.ReplaceAllString(x.text(), "")) {
		line = strings.TrimRight(line, "\r\n")
		if i := strings.LastIndex(line, "\r"); i >= 0 {
			line = line[i+1:] // what was there before is written over
		}
		if utf8.RuneCountInString(line) > int(columns) && strings.Contains(strings.TrimSpace(line), " ") {
			x.Errorf("at %d columns: %q", columns, line)
		}
	}
}

func TestTheListOfRunsFitsTheTerminal(t *testing.T) {
	x, _ := onTerminal(t, 3, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--quiet")
	x.ends(exit.Done)
	for _, columns := range widths {
		list := newTerminal(t, x.cmd.Dir, x.cmd.Env, columns, "runs")
		list.ends(exit.Done)
		list.sees("3 reset")
		list.sees("machines.")
		list.fits(columns)
		if table := strings.Contains(list.text(), "OUTCOMES"); table != (columns == 120) {
			t.Errorf("at %d columns:\n%s", columns, list.text())
		}
	}
}

// A watcher draws in place on a terminal, and leaves the run alone when it goes.
func TestASecondTerminalWatches(t *testing.T) {
	x, _ := onTerminal(t, 1000, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--run", "record", "--rate", "2")
	x.sees("[rate, 2/s]")
	for _, columns := range widths {
		watcher := newTerminal(t, x.cmd.Dir, x.cmd.Env, columns, "status", "record", "--watch")
		watcher.sees("record: running")
		watcher.sees("\x1b[J")
		watcher.types("\x03")
		watcher.ends(exit.Interrupted + 2)
		watcher.sees("the run goes on")
		watcher.fits(columns)
	}
	watcher := newTerminal(t, x.cmd.Dir, x.cmd.Env, 80, "status", "record", "--watch")
	watcher.sees("record: running")
	x.types("q")
	watcher.ends(exit.Done)
	watcher.sees("cognito-reset resume record")
	watcher.fits(80)
	x.ends(exit.Stopped)
}

// Whatever a run and its reading commands show fits the terminal, with colours and
// without, and says how the run is steered.
func TestScreensFitTheTerminal(t *testing.T) {
	for _, columns := range widths {
		for _, noColour := range []string{"", "1"} {
			t.Setenv("NO_COLOR", noColour)
			x, _ := onTerminal(t, 1200, columns, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--run", "record",
				"--rate", "3", "--steps", "reset,sign-out", "--canary", "2")
			x.sees("Type us-east-1_Sandbox to reset")
			x.types("us-east-1_Sandbox\n")
			x.sees("Keys: p pause · + − rate · q stop · ? help")
			x.sees("Go on with the others? (y/n) ")
			x.types("y")
			x.sees("/1,200")
			x.types("?")
			x.sees("calls under way finish")
			x.types("p")
			x.sees("[paused]")
			x.types("q")
			x.ends(exit.Stopped)
			x.sees("Next  ")
			x.fits(columns)
			if bars := regexp.MustCompile(`(?m)/1,200 +\d+%[^\r]*\r?\n`).FindAllString(x.text(), -1); len(bars) != 1 {
				t.Errorf("at %d columns %d bars are left: %q", columns, len(bars), bars)
			}
			for _, args := range [][]string{{"status", "record"}, {"report", "record", "--format", "text"}, {"help"}, {"help", "exit-codes"}, {"run", "--help"}, {"ctl", "--help"}, {"--help"}, {"resum"}, {"run", "--inptu", "x"}} {
				show := newTerminal(t, x.cmd.Dir, append(x.cmd.Env, "PAGER=cat"), columns, args...)
				_ = show.cmd.Wait()
				show.keys.Sync()
				show.fits(columns)
			}
		}
	}
}

// Whoever starts a run over ssh is told, once, how it outlives the connection, unless
// something keeps it alive already.
func TestARunOverSSHSaysHowToKeepItAlive(t *testing.T) {
	x, _ := onTerminal(t, 2, 80, "version")
	x.ends(exit.Done)
	const advice = "If this connection breaks, the run stops"
	run := "run --user-pool-id us-east-1_Sandbox --input users.csv --yes --run "
	for name, c := range map[string]struct {
		env, before, after string
		told               int
	}{
		"ssh": {env: "SSH_CONNECTION=1", told: 1}, "here": {env: "SSH_CONNECTION="}, "tmux": {env: "TMUX=1"}, "screen": {env: "STY=1"}, "systemd": {env: "INVOCATION_ID=1"},
		"nohup": {env: "SSH_CONNECTION=1", before: "trap '' HUP; "}, "quiet": {env: "SSH_CONNECTION=1", after: " --quiet"},
	} {
		env := append(x.cmd.Env, "TMUX=", "STY=", "ZELLIJ=", "INVOCATION_ID=", "SSH_CONNECTION=1", c.env)
		y := startTerminal(t, x.cmd.Dir, env, 80, "/bin/sh", "-c", c.before+"exec ./cognito-reset "+run+name+c.after)
		y.sees("Next       cognito-reset verify " + name)
		y.ends(exit.Done)
		if told := strings.Count(y.text(), advice); told != c.told {
			t.Errorf("%s: told %d times:\n%s", name, told, y.text())
		}
	}
}

// The second Ctrl-C ends a run whose calls hang, and says that nothing is lost.
func TestTheSecondCtrlCSaysWhatHolds(t *testing.T) {
	x, _ := onTerminal(t, 3, 60, "version")
	x.ends(exit.Done)
	slow := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	slow.PopulateN(1)
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminResetUserPassword") {
			<-hang
		}
		slow.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(hang) })
	y := newTerminal(t, x.cmd.Dir, append(x.cmd.Env, "COGNITO_RESET_ENDPOINT_URL="+server.URL), 60,
		"run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--run", "record")
	y.sees("0/3")
	y.types("\x03")
	y.sees("second signal")
	for range 200 { // until it counts as a second one
		if strings.Contains(y.text(), "Ended at once.") {
			break
		}
		y.types("\x03")
		time.Sleep(50 * time.Millisecond)
	}
	y.sees("Ended at once.")
	y.ends(exit.Interrupted + 2)
	y.fits(60)
}

// A terminal that does not say how wide it is counts as one of 80 columns.
func TestATerminalOfUnknownSize(t *testing.T) {
	x, _ := onTerminal(t, 3, 0, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--run", "record")
	x.sees("3/3 100%")
	x.sees("3  reset  password reset, message requested")
	x.ends(exit.Done)
}

// Warnings and blockers are coloured, and say by a word what they are as well.
func TestFindingsAreColouredUnlessSomebodyMinds(t *testing.T) {
	for noColour, warning := range map[string]string{"": "\x1b[33mwarning\x1b[0m  sms ", "1": "\nwarning  sms "} {
		t.Setenv("NO_COLOR", noColour)
		t.Setenv("TERM", "xterm")
		x, _ := onTerminal(t, 2, 80, "preflight", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv")
		x.sees(warning)
		x.ends(exit.Done)
		if coloured := strings.Contains(x.text(), "\x1b["); coloured != (noColour == "") {
			t.Errorf("NO_COLOR=%q: %q", noColour, x.text())
		}
	}
}
