//go:build linux || darwin

package main

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

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
