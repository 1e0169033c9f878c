package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
)

// An ownTarget is a target of a fleet that has flags of its own, with the calls that
// came to its endpoint.
type ownTarget struct {
	id, region, role, key string // how its calls must be signed
	rate                  float64
	pool                  *sandbox.Pool

	mu    sync.Mutex
	calls []time.Time // of resets, in this session
	alien []string    // calls that were signed otherwise
	some  chan struct{}
}

// killAfter is how many resets of a target a session makes before it is killed.
const killAfter = 12

var credential = regexp.MustCompile(`Credential=([^/]*)/[^/]*/([^/]*)/cognito-idp/`)

// ServeHTTP notes a call and hands it to the pool.
func (o *ownTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "AWSCognitoIdentityProviderService."); ok {
		o.mu.Lock()
		signed := credential.FindStringSubmatch(r.Header.Get("Authorization"))
		token := r.Header.Get("X-Amz-Security-Token")
		if signed == nil || signed[2] != o.region || o.key != "" && signed[1] != o.key || (o.role != "") != (token != "") || !strings.Contains(token, o.role) {
			o.alien = append(o.alien, fmt.Sprintf("%s signed by %v, role %q", op, signed, token))
		}
		if op == "AdminResetUserPassword" {
			if o.calls = append(o.calls, time.Now()); len(o.calls) == killAfter {
				close(o.some)
			}
		}
		o.mu.Unlock()
	}
	o.pool.ServeHTTP(w, r)
}

// again begins a session.
func (o *ownTarget) again() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls, o.some = nil, make(chan struct{})
}

// check sees to it that all calls of a session were signed as the target's flags say.
func (o *ownTarget) check(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, call := range o.alien {
		t.Errorf("%s: a call that its flags do not make: %s", o.id, call)
	}
	if len(o.calls) < killAfter {
		t.Errorf("%s: a session made %d calls", o.id, len(o.calls))
	}
}

// checkRate sees to it that the calls of a session did not come at the job's rate, a
// hundred times the target's. A busy machine bunches calls, so it asks for no more than
// a quarter of the time that they take at the target's.
func (o *ownTarget) checkRate(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	took := o.calls[len(o.calls)-1].Sub(o.calls[0])
	if least := time.Duration(float64(len(o.calls)-1) / o.rate * float64(time.Second)); took < least/4 {
		t.Errorf("%s: %d calls took %v, and at its rate of %g take %v", o.id, len(o.calls), took, o.rate, least)
	}
}

// Three targets have a rate, an endpoint and a Region, a role or a profile of their
// own, and the job has others. However the fleet is started again after it was
// killed, every call of each target goes where and as fast as its own flags say.
func TestAFleetStartedAgainKeepsTheFlagsOfEachTarget(t *testing.T) {
	t.Parallel()
	tool := linkTool(t, t.TempDir())
	for _, c := range []struct {
		name         string
		begin, again []string
	}{
		{"by the same command",
			[]string{"run", "--config", "job.yaml", "--yes", "--run", "night", "--shard", "auto", "--shards", "1", "--settle-after", "100ms"},
			[]string{"run", "--config", "job.yaml", "--yes", "--run", "night", "--shard", "auto", "--shards", "1", "--settle-after", "100ms"}},
		{"by resume",
			[]string{"run", "--config", "job.yaml", "--yes", "--run", "night/shard-1-of-1", "--settle-after", "100ms"},
			[]string{"resume", "night/shard-1-of-1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, targets := ownFleet(t)
			start := func(args []string) *exec.Cmd {
				cmd := exec.Command(tool, args...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+filepath.Join(dir, "config"),
					"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_PROFILE=", "JOB_COMPLETION_INDEX=0")
				return cmd
			}
			first := start(c.begin)
			var output strings.Builder
			first.Stderr = &output
			if err := first.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				first.Wait()
				close(ended)
			}()
			for _, o := range targets {
				select {
				case <-o.some:
				case <-ended:
					t.Fatalf("it ended before it was killed: %s", &output)
				}
			}
			first.Process.Kill()
			<-ended
			for _, o := range targets {
				o.check(t)
				o.again()
			}
			if out, err := start(c.again).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, o := range targets {
				o.check(t)
				o.checkRate(t)
				for user := range ownUsers {
					if n := o.pool.Resets(fmt.Sprint("user", user)); n != 1 {
						t.Errorf("%s: user%d was reset %d times", o.id, user, n)
					}
				}
			}
		})
	}
}

// ownUsers is how many users each pool of ownFleet has.
const ownUsers = 60

// ownFleet makes three pools, each behind an endpoint that notes its calls, and a job
// on them, in a folder.
func ownFleet(t *testing.T) (dir string, targets []*ownTarget) {
	dir = t.TempDir()
	nowhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the job's endpoint was called: %s", r.Header.Get("X-Amz-Target"))
		http.Error(w, "", http.StatusForbidden)
	}))
	t.Cleanup(nowhere.Close)
	targets = []*ownTarget{
		{id: "eu-west-1_Rate", region: "eu-west-1", role: "first", rate: 20},
		{id: "eu-west-1_Region", region: "eu-central-1", role: "second", rate: 30},
		{id: "us-east-1_Profile", region: "us-east-1", key: "AKIATHIRD", rate: 25},
	}
	own := []string{
		"    role-arn: arn:aws:iam::000000000001:role/first\n    region: eu-west-1\n",
		"    role-arn: arn:aws:iam::000000000002:role/second\n    region: eu-central-1\n",
		"    role-arn: ''\n    region: us-east-1\n    profile: third\n",
	}
	var job strings.Builder
	fmt.Fprintf(&job, "rate: 4000\nregion: ap-south-1\nrole-arn: arn:aws:iam::000000000009:role/job\nprofile: job\nendpoint-url: %s\ntargets:\n", nowhere.URL)
	for i, o := range targets {
		o.pool, o.some = sandbox.New(sandbox.Config{PoolID: o.id, Account: fmt.Sprintf("%012d", i+1)}), make(chan struct{})
		for user := range ownUsers {
			u := sandbox.NewUser(fmt.Sprint("user", user))
			u.Created = time.Now().Add(-time.Hour)
			o.pool.Add(u)
		}
		server := httptest.NewServer(o)
		t.Cleanup(server.Close)
		fmt.Fprintf(&job, "  - user-pool-id: %s\n    input: users.csv\n    endpoint-url: %s\n    rate: %g\n%s", o.id, server.URL, o.rate, own[i])
	}
	var input strings.Builder
	input.WriteString("username\n")
	for user := range ownUsers {
		fmt.Fprintf(&input, "user%d\n", user)
	}
	profiles := "[profile job]\naws_access_key_id = AKIAJOB\naws_secret_access_key = x\n[profile third]\naws_access_key_id = AKIATHIRD\naws_secret_access_key = x\n"
	for name, text := range map[string]string{"job.yaml": job.String(), "users.csv": input.String(), "config": profiles} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, targets
}
