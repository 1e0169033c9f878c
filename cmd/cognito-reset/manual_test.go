package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"cognito-reset/cmd/cognito-reset/internal/manual"
)

// Every flag that a person may see is explained by some topic.
func TestEveryFlagIsExplained(t *testing.T) {
	t.Parallel()
	tool := linkTool(t, t.TempDir())
	var text strings.Builder
	for _, name := range manual.Topics {
		topic, _ := manual.Topic(name)
		text.WriteString(topic)
	}
	seen := 0
	for _, command := range []string{"run", "preflight", "resume", "status", "ctl", "report", "verify", "evidence", "runs", "sandbox"} {
		help, err := exec.Command(tool, command, "--help-all").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^ +(--[a-z0-9-]+)`).FindAllStringSubmatch(string(help), -1) {
			seen++
			if !regexp.MustCompile(found[1]+`\b[^-]`).MatchString(text.String()) && found[1] != "--help" {
				t.Errorf("no topic explains %s of %s", found[1], command)
			}
		}
	}
	if seen < 150 {
		t.Errorf("only %d flags were seen", seen)
	}
}

// The help of run fits a screen of 80 columns and 40 lines.
func TestTheHelpOfRunFitsAScreen(t *testing.T) {
	t.Parallel()
	help, err := exec.Command(linkTool(t, t.TempDir()), "run", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(help), "\n"), "\n")
	if len(lines) > 40 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len([]rune(line)) > 80 {
			t.Errorf("too wide: %s", line)
		}
	}
	if !strings.Contains(string(help), "--input") || !strings.Contains(string(help), "--help-all") {
		t.Errorf("%s", help)
	}
}
