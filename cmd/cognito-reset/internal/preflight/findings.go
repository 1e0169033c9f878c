package preflight

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// checks are those of a preflight by their names, which never change,
// in the order in which they are shown.
var checks = []struct {
	name string
	find func(*facts) (rundir.Level, string)
}{
	{"caller", (*facts).callerCheck},
	{"endpoint", (*facts).endpointCheck},
	{"pool", (*facts).poolCheck},
	{"recovery", (*facts).recoveryCheck},
	{"sender", (*facts).senderCheck},
	{"sms", (*facts).smsCheck},
	{"triggers", (*facts).triggersCheck},
	{"mfa", (*facts).mfaCheck},
	{"factors", (*facts).factorsCheck},
	{"deletion", (*facts).deletionCheck},
	{"permissions", (*facts).permissionsCheck},
	{"rate", (*facts).rateCheck},
	{"steps", (*facts).stepsCheck},
	{"bill", (*facts).billCheck},
	{"time", (*facts).timeCheck},
	{"messages", (*facts).messagesCheck},
	{"earlier", (*facts).earlierCheck},
	{"match", (*facts).matchCheck},
	{"names", (*facts).namesCheck},
	{"exclude", (*facts).excludeCheck},
}

// ofResets are the checks that a sign-out alone does without: it sends no message and
// replaces no password.
var ofResets = []string{"recovery", "sender", "sms", "triggers", "mfa", "messages"}

// ParseForce are the names of blockers to overrule.
func ParseForce(names []string) ([]string, error) {
	known := Names()
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, exit.Usagef("--force: there is no check %q; they are %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}

// Names are the names of all checks.
func Names() (names []string) {
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}

// findings are those of all checks. One that has nothing to say is left out.
func (f *facts) findings(force []string) (found []rundir.Finding) {
	for _, c := range checks {
		if f.spec.SignOutAlone() && slices.Contains(ofResets, c.name) {
			continue
		}
		if level, text := c.find(f); text != "" {
			found = append(found, rundir.Finding{Name: c.name, Level: level, Text: text, Forced: level == rundir.Blocker && slices.Contains(force, c.name)})
		}
	}
	return found
}

// Write prints findings, as wide as the stream, where the words allow.
func Write(w io.Writer, findings []rundir.Finding) error {
	width := term.Columns(w) - len("blocker  permissions  ")
	var b strings.Builder
	for _, c := range findings {
		level, name := string(c.Level), c.Name
		if c.Forced {
			level = "forced"
		}
		level = fmt.Sprintf("%-7s", level)
		if colour := colours[c.Level]; colour != "" {
			level = term.Painted(w, colour, level)
		}
		for _, line := range term.Wrap(term.Visible(c.Text), width) {
			fmt.Fprintf(&b, "%s  %-11s  %s\n", level, name, line)
			level, name = "       ", ""
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// colours are those of the levels that a person must not overlook.
var colours = map[rundir.Level]string{rundir.Warning: term.Yellow, rundir.Blocker: term.Red}

// Blocked is the error of the blockers that nobody overruled.
func Blocked(findings []rundir.Finding) error {
	var why, force []string
	for _, c := range findings {
		if c.Level == rundir.Blocker && !c.Forced {
			why = append(why, c.Name+": "+c.Text)
			force = append(force, "--force "+c.Name)
		}
	}
	if why == nil {
		return nil
	}
	return exit.Usagef("%s; nothing was sent. Fix it, or go on regardless with %s", strings.Join(why, "; "), strings.Join(force, " "))
}

// gap says that something is not known, and what to allow where it was denied.
func gap(err error, permission string) string {
	answer, found := errors.AsType[*batch.Error](err)
	switch {
	case found && answer.Reason == batch.AccessDenied:
		return "not known: allow " + permission
	case found && answer.Reason == batch.UnsupportedOperation:
		return "not a call of this server, which is not Cognito: check --endpoint-url"
	case found:
		return fmt.Sprintf("not known (%s)", cmp.Or(answer.Code, string(answer.Reason)))
	}
	return fmt.Sprintf("not known (%v)", err)
}
