package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors are the rooms of the application. Each may know those before it, and the
// libraries; none knows one behind it.
var floors = []string{
	"exit", "term", "spec", "rundir", "pool", "render", "users", "guards", "plan", "control", "status", "preflight", "observe", "verify",
	"run", "seal", "fleet", "flags", "manual", "awscli", "config", "cli",
}

func TestRoomsKnowOnlyTheFloorsBelow(t *testing.T) {
	const room = "cognito-reset/cmd/cognito-reset/internal/"
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./internal/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		name := strings.TrimPrefix(imports[0], room)
		floor := slices.Index(floors, name)
		if floor < 0 {
			if name != "sim" && name != "recordtest" { // which are tests
				t.Errorf("%s is on no floor", name)
			}
			continue
		}
		for _, other := range imports[1:] {
			if below, ok := strings.CutPrefix(other, room); ok && slices.Index(floors, below) >= floor {
				t.Errorf("%s knows %s, which is not below it", name, below)
			}
			if other == "github.com/urfave/cli/v2" && floor < slices.Index(floors, "flags") {
				t.Errorf("%s knows the command line", name)
			}
		}
	}
}
