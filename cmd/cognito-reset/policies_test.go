package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// What each policy of the examples is for.
var policies = map[string][]string{
	"audit": {
		"preflight --user-pool-id eu-west-1_AbCdEfGhI --all-users --rate auto",
		"run --user-pool-id eu-west-1_AbCdEfGhI --all-users --exclude-group service --dry-run --rate auto",
	},
	"reset": {
		"run --user-pool-id eu-west-1_AbCdEfGhI --all-users --exclude-group service --rate auto --yes",
	},
	"breach": {
		"run --user-pool-id eu-west-1_AbCdEfGhI --all-users --exclude-group service --rate auto --yes " +
			"--steps reset,sign-out --if-unresettable lock,temporary_password=invite,unconfirmed=disable",
	},
}

// The table beside the policies says of each action in which of them it is.
func TestPolicyTable(t *testing.T) {
	table, err := os.ReadFile("../../examples/aws/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string][]string) // actions, by policy
	for line := range strings.Lines(string(table)) {
		cells := strings.Split(line, " | ")
		action, ok := strings.CutPrefix(cells[0], "| `")
		if !ok {
			continue
		}
		for i, name := range []string{"audit", "reset", "breach"} {
			if cells[1+i] == "●" {
				rows[name] = append(rows[name], strings.TrimSuffix(action, "`"))
			}
		}
	}
	for name := range policies {
		actions := actionsOf(t, filepath.Join("../../examples/aws", name+"-policy.json"))
		if slices.Sort(actions); !slices.Equal(actions, slices.Sorted(slices.Values(rows[name]))) {
			t.Errorf("%s: the policy has %q, the table %q", name, actions, rows[name])
		}
	}
}

// With a policy of the examples all goes well, and nothing remains unknown.
// Without any one of its actions something does not, and it is said what to
// allow: so a policy holds all that is needed, and no more.
func TestPolicies(t *testing.T) {
	t.Parallel()
	for name, commands := range policies {
		actions := actionsOf(t, filepath.Join("../../examples/aws", name+"-policy.json"))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, well := withActions(t, actions, commands)
			if gaps := gapsIn(said, actions); !well || gaps != nil {
				t.Errorf("the policy is not enough, and %q are missed:\n%s", gaps, said)
			}
			for _, action := range actions {
				rest := slices.DeleteFunc(slices.Clone(actions), func(a string) bool { return a == action })
				said, _ := withActions(t, rest, commands)
				if gaps := gapsIn(said, actions); !slices.Equal(gaps, []string{action}) {
					t.Errorf("without %s, %q are missed:\n%s", action, gaps, said)
				}
			}
		})
	}
}

// The policy for a breach is one statement a step, so that whoever does not take a step
// leaves its statement out, and the others do all that theirs do.
func TestEachStepOfTheBreachPolicyStandsByItself(t *testing.T) {
	t.Parallel()
	const run = "run --user-pool-id eu-west-1_AbCdEfGhI --all-users --exclude-group service --rate auto --yes "
	steps := map[string]string{
		"SignOut": "--steps reset,sign-out",
		"Lock":    "--if-unresettable lock",
		"Disable": "--if-unresettable unconfirmed=disable",
		"Invite":  "--if-unresettable temporary_password=invite",
	}
	var common, looks []string
	own := make(map[string][]string)
	for _, s := range policyOf(t, "breach") {
		if strings.HasPrefix(s.Sid, "LookAt") {
			looks = append(looks, s.Action...)
		}
		if _, step := steps[s.Sid]; step {
			own[s.Sid] = s.Action
		} else {
			common = append(common, s.Action...)
		}
	}
	for step, asks := range steps {
		if len(own[step]) != 1 {
			t.Errorf("the statement %s has the actions %q", step, own[step])
			continue
		}
		for _, test := range []struct {
			actions []string
			missed  []string
		}{
			{common, own[step]},
			{slices.Concat(common, own[step]), nil},
		} {
			said, well := withActions(t, test.actions, []string{run + asks})
			if gaps := gapsIn(said, slices.Concat(slices.Collect(maps.Values(own))...)); !slices.Equal(gaps, test.missed) || test.missed == nil && !well {
				t.Errorf("%s with %q: %q are missed:\n%s", asks, test.actions, gaps, said)
			}
		}
	}
	const signOut = "run --user-pool-id eu-west-1_AbCdEfGhI --all-users --exclude-group service --yes --steps sign-out"
	said, well := withActions(t, slices.Concat(looks, own["SignOut"]), []string{signOut})
	if gaps := gapsIn(said, actionsOf(t, "../../examples/aws/breach-policy.json")); !well || gaps != nil || strings.Contains(said, "AdminGetUser") {
		t.Errorf("a sign-out alone needs a statement of another step, %q are missed:\n%s", gaps, said)
	}
	if said, well := withActions(t, common, []string{run}); !well {
		t.Errorf("a reset alone needs a step's statement:\n%s", said)
	}
}

// Nobody needs to delete anything in S3, so whoever runs the tool cannot take a
// finished run out of it.
func TestNoExampleMayDeleteFromS3(t *testing.T) {
	t.Parallel()
	examples, allows := 0, 0
	if err := fs.WalkDir(os.DirFS("../../examples"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(filepath.Join("../../examples", path))
		examples++
		allows += bytes.Count(text, []byte("s3:PutObject"))
		if found := regexp.MustCompile(`"?\bs3:(\*|Delete\w*\*?|Put(\w*Lifecycle\w*|\w*Retention|\w*Versioning|\*)|Bypass\w*)`).Find(text); found != nil && path != "aws/README.md" {
			t.Errorf("%s allows %s", path, found)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if examples < 10 || allows < 3 {
		t.Errorf("%d examples were looked at, and %d allow to write", examples, allows)
	}
}

// gapsIn are the actions that somebody is told to allow.
func gapsIn(said string, actions []string) (gaps []string) {
	said = strings.Join(strings.Fields(said), " ") // lines are wrapped
	for _, action := range actions {
		if regexp.MustCompile(`(allow|not authorized to perform:) ` + action + `\b`).MatchString(said) {
			gaps = append(gaps, action)
		}
	}
	return gaps
}

// actionsOf are the actions of a policy, which must be of this form: on one pool,
// and on what no pool owns.
func actionsOf(t *testing.T, path string) (actions []string) {
	t.Helper()
	var policy struct {
		Version   string
		Statement []struct {
			Sid, Effect, Resource string
			Action                []string
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&policy); err != nil || policy.Version != "2012-10-17" {
		t.Fatalf("%s is no policy: version %q, %v", path, policy.Version, err)
	}
	for _, s := range policy.Statement {
		for _, action := range s.Action {
			want := "*"
			if strings.HasPrefix(action, "cognito-idp:") {
				want = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEfGhI"
			}
			if s.Effect != "Allow" || s.Resource != want || strings.Contains(action, "*") || slices.Contains(actions, action) {
				t.Errorf("%s: %s %s on %s", path, s.Effect, action, s.Resource)
			}
			actions = append(actions, action)
		}
	}
	return actions
}

// withActions runs commands as one who is allowed the actions and no more, on a
// pool of whose users a reset reaches some. It is well if all are done.
func withActions(t *testing.T, actions, commands []string) (said string, well bool) {
	t.Helper()
	pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI", Allowed: actions})
	grown(pool, 1)
	server := httptest.NewServer(pool)
	defer server.Close()
	well = true
	for _, line := range commands {
		cmd := exec.Command("cognito-reset", strings.Fields(line)...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(noAccount(), "COGNITO_RESET_ENDPOINT_URL="+server.URL)
		out, _ := cmd.CombinedOutput()
		code := cmd.ProcessState.ExitCode()
		said += fmt.Sprintf("%s\nexit %d\n", out, code)
		well = well && (code == exit.Done || code == exit.SomeFailed)
	}
	return said, well
}
