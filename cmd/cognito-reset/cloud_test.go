package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// What the examples are on.
const (
	examplePool   = "eu-west-1_AbCdEfGhI"
	exampleARN    = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/" + examplePool
	exampleBucket = "example-bucket"
)

// A statement is one of an IAM policy.
type statement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  string
	Condition struct {
		StringLike map[string]string
	}
}

// allows tells whether a request to S3 is allowed by the statement.
func (s statement) allows(action, resource string, r *http.Request) bool {
	for key, pattern := range s.Condition.StringLike {
		if key != "s3:prefix" || !like(pattern, r.URL.Query().Get("prefix")) {
			return false
		}
	}
	return slices.Contains(s.Action, action) && like(s.Resource, resource)
}

// like tells whether a text is as a pattern of IAM that may end in a *.
func like(pattern, text string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return text == pattern || open && strings.HasPrefix(text, prefix)
}

// policyOf are the statements of policies of the examples.
func policyOf(t *testing.T, names ...string) (policy []statement) {
	t.Helper()
	for _, name := range names {
		var document struct{ Statement []statement }
		text, err := os.ReadFile(filepath.Join("../../examples/aws", name+"-policy.json"))
		if err == nil {
			err = json.Unmarshal(text, &document)
		}
		if err != nil {
			t.Fatal(err)
		}
		policy = append(policy, document.Statement...)
	}
	return policy
}

// A cloud is a user pool of twelve users and a bucket with a list of them. It
// allows what a policy does, and nothing else.
type cloud struct {
	*testing.T
	pool   *sandbox.Pool
	server *httptest.Server
	dir    string // where commands run
}

func newCloud(t *testing.T, policy []statement) *cloud {
	t.Helper()
	var actions []string
	for _, s := range policy {
		actions = append(actions, s.Action...)
	}
	c := &cloud{T: t, pool: sandbox.New(sandbox.Config{PoolID: examplePool, Allowed: actions}), dir: t.TempDir()}
	users := "username\n" + strings.Join(grown(c.pool, 6), "\n") + "\n"
	_, s3 := serveS3(t, exampleBucket)
	put := httptest.NewRequest(http.MethodPut, "/"+exampleBucket+"/input/users.csv", strings.NewReader(users))
	put.Header.Set("Content-Length", strconv.Itoa(len(users)))
	s3.ServeHTTP(httptest.NewRecorder(), put)
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/"+exampleBucket) {
			c.pool.ServeHTTP(w, r)
			return
		}
		action := map[string]string{
			http.MethodGet: "s3:GetObject", http.MethodHead: "s3:GetObject", http.MethodPut: "s3:PutObject", http.MethodDelete: "s3:DeleteObject",
		}[r.Method]
		if path.Dir(path.Clean(r.URL.Path)) == "/" {
			action = "s3:ListBucket"
		}
		resource := "arn:aws:s3:::" + strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if !slices.ContainsFunc(policy, func(s statement) bool { return s.allows(action, resource, r) }) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>AccessDenied</Code></Error>")
			return
		}
		s3.ServeHTTP(w, r)
	}))
	t.Cleanup(c.server.Close)
	return c
}

// run runs a command line that an example starts, in such an environment.
func (c *cloud) run(command, env []string) (said string, code int) {
	c.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(append(noAccount(), "COGNITO_RESET_ENDPOINT_URL="+c.server.URL), env...)
	cmd.Env = append(cmd.Env, "TMPDIR="+c.TempDir())
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// checkReset checks that whoever can be reset was, once, but for those of the
// group service if they are left out.
func (c *cloud) checkReset(service bool) {
	c.Helper()
	c.pool.EachUser(func(u sandbox.User, resets, _ int) {
		want := 0
		if u.Enabled && u.EmailVerified && (u.Status == sandbox.Confirmed || u.Status == sandbox.ResetRequired) && (service || len(u.Groups) == 0) {
			want = 1
		}
		if resets != want {
			c.Errorf("%s was reset %d times, not %d", u.Username, resets, want)
		}
	})
}

// The policy for a record in S3 is enough for one that is made, gone on with and
// given up again, and without any one of its permissions something is missing.
func TestRecordPolicy(t *testing.T) {
	t.Parallel()
	record, reset := policyOf(t, "record"), policyOf(t, "reset")
	works := func(policy []statement) (said string, well bool) {
		c := newCloud(t, policy)
		const record = "s3://" + exampleBucket + "/runs/night"
		run := []string{"cognito-reset", "run", "--user-pool-id", examplePool, "--input", "s3://" + exampleBucket + "/input/users.csv", "--run", record, "--rate", "0", "--yes"}
		well = true
		for _, command := range []struct {
			line []string
			code int
		}{
			{append(slices.Clone(run), "--require-approval"), exit.Usage}, // and leaves nothing that is in the way
			{run, exit.SomeFailed},
			{[]string{"cognito-reset", "resume", record}, exit.SomeFailed},
		} {
			text, code := c.run(command.line, nil)
			said += text
			well = well && code == command.code && !strings.Contains(text, "access is denied")
		}
		return said, well
	}
	if said, well := works(slices.Concat(record, reset)); !well {
		t.Errorf("the policy is not enough:\n%s", said)
	}
	for i, s := range record {
		for _, action := range s.Action {
			rest := slices.Concat(record, reset)
			rest[i].Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return a == action })
			if said, well := works(rest); well || !strings.Contains(said, action) {
				t.Errorf("%s: without %s all is well, or it is not said:\n%s", s.Sid, action, said)
			}
		}
	}
}
