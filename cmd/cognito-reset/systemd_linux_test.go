package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/exit"
)

const systemdUnits = "../../examples/systemd/"

// unitOf are the settings of a unit, each as it stands there.
func unitOf(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(systemdUnits + name)
	if err != nil {
		t.Fatal(err)
	}
	settings := make(map[string]string)
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			settings[name] = value
		}
	}
	return settings
}

// The service is started again where that goes on with a run, and nowhere else.
func TestServiceOfSystemd(t *testing.T) {
	unit := unitOf(t, "cognito-reset.service")
	for name, want := range map[string]string{
		"Type": "oneshot", "Restart": "on-failure", "KillSignal": "SIGTERM",
		"RestartPreventExitStatus": "2 3 4", "SuccessExitStatus": "130 143",
		"DynamicUser": "yes", "StateDirectory": "cognito-reset", "StateDirectoryMode": "0700", "UMask": "0077",
		"ProtectSystem": "strict", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "",
	} {
		if got, ok := unit[name]; !ok || got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if stop, err := time.ParseDuration(unit["TimeoutStopSec"]); err != nil || stop < graceOf(t)+10*time.Second {
		t.Errorf("%s are too short for calls to finish", unit["TimeoutStopSec"])
	}
}

// The first start resets each user, and the next finds that done.
func TestServiceOfSystemdRuns(t *testing.T) {
	t.Parallel()
	c := newCloud(t, policyOf(t, "reset"))
	state := t.TempDir()
	if err := os.Mkdir(filepath.Join(state, "cognito-reset"), 0o700); err != nil {
		t.Fatal(err)
	}
	shell, script, _ := strings.Cut(unitOf(t, "cognito-reset.service")["ExecStart"], " '")
	script = strings.NewReplacer("%S", state, "%%", "%", "$$", "$").Replace(strings.TrimSuffix(script, "'"))
	command := append(strings.Fields(shell), script)
	if !slices.Equal(command[:2], []string{"/bin/sh", "-c"}) {
		t.Fatalf("%q is started by no shell", command)
	}
	for again := range 2 {
		said, code := c.run(command, nil)
		if code != exit.SomeFailed || again == 1 && !strings.Contains(said, "This run is finished") {
			t.Errorf("a start ended with %d:\n%s", code, said)
		}
	}
	c.checkReset(false)
	if runs, _ := filepath.Glob(filepath.Join(state, "cognito-reset", "2???-q[1-4]", "report.csv")); len(runs) == 0 {
		t.Error("there is no run of this quarter")
	}
}

// Systemd finds nothing in the units that it does not know.
func TestSystemdTakesTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("There is no systemd-analyze here.")
	}
	dir := t.TempDir() // a folder for units must not be writable by others
	for _, name := range []string{"cognito-reset.service", "cognito-reset.timer"} {
		text, err := os.ReadFile(systemdUnits + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", filepath.Join(dir, name)).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := exec.Command(analyze, "calendar", unitOf(t, "cognito-reset.timer")["OnCalendar"]).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
