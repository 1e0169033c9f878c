package term

import (
	"testing"
	"time"
	"unicode/utf8"
)

// At any width the line says how many of how many are done and what the run waits for;
// nothing is cut inside a word.
func TestALineOfTheBarFitsItsTerminal(t *testing.T) {
	v := View{Done: 1200, State: "1,180 reset, 12 locked, 8 failed, 3 throttled", Why: "rate, 20/s", Ahead: "wave 2 of 23, done ≈ Thu 21:15 UTC"}
	for columns, want := range map[int]string{
		59:  "1,200/40,000   3%  1,180 reset, 12 locked, … [rate, 20/s]",
		79:  "1,200/40,000   3%  1,180 reset, 12 locked, 8 failed, 3 throttled [rate, 20/s]",
		119: "1,200/40,000   3%  1,180 reset, 12 locked, 8 failed, 3 throttled, wave 2 of 23, done ≈ Thu 21:15 UTC [rate, 20/s]",
		159: "1,200/40,000   3%  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  1,180 reset, 12 locked, 8 failed, 3 throttled, wave 2 of 23, done ≈ Thu 21:15 UTC, 20.0/s [rate, 20/s]",
	} {
		got := v.drawn(40000, time.Minute, columns)
		if got != want {
			t.Errorf("at %d columns:\n%s", columns, got)
		}
		if n := utf8.RuneCountInString(got); n > columns {
			t.Errorf("%d characters in %d columns", n, columns)
		}
	}
}

func TestALineThatIsTooLongIsBrokenBetweenWords(t *testing.T) {
	const finding, below = "ok       caller       user/sandbox, account 123456789012", "ok       caller       user/sandbox, account\n                      123456789012"
	if got := broken(finding, 50); got != below {
		t.Errorf("a table's line is broken into\n%s", got)
	}
	for line, want := range map[string]string{
		"cognito-reset: cognito-reset run has no flag --x; is --y meant? See cognito-reset run --help": "cognito-reset: cognito-reset run has no\nflag --x; is --y meant? See\ncognito-reset run --help",
		"To go on: cognito-reset resume cognito-reset-runs/20260102T030405Z":                           "To go on:\ncognito-reset resume cognito-reset-runs/20260102T030405Z",
		"cognito-reset: there is no terminal to ask on, so say --yes":                                  "cognito-reset: there is no terminal to\nask on, so say --yes",
		"Type eu-west-1_AbCdEfGhI to reset 3 users of it: ":                                            "Type eu-west-1_AbCdEfGhI to reset 3\nusers of it: ",
	} {
		if got := broken(line, 40); got != want {
			t.Errorf("%q is broken into\n%s", line, got)
		}
	}
}

// A bar stands from the beginning, also of a run of nobody.
func TestABarBeginsAtNothing(t *testing.T) {
	for _, c := range []struct {
		done, users    int64
		percent, drawn string
	}{{0, 1200, "0%", "░░░░░░░░"}, {0, 0, "0%", "░░░░░░░░"}, {600, 1200, "50%", "████░░░░"}, {1200, 1200, "100%", "████████"}} {
		if percent, drawn := bar(c.done, c.users, 8); percent != c.percent || drawn != c.drawn {
			t.Errorf("%d of %d: %q %q", c.done, c.users, percent, drawn)
		}
	}
}
