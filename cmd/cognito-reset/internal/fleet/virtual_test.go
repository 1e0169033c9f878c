package fleet

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch/journal/disk"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/run"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A cloud is user pools in several accounts and Regions, each with the quotas of its own,
// within this process. It is an HTTP client that reaches nothing else.
type cloud map[string]*sandbox.Pool // by host

func (c cloud) Do(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	c[r.URL.Host].ServeHTTP(w, r)
	res := w.Result()
	res.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return res, r.Context().Err()
}

// elsewhere is the disk of this machine, on which nothing listens: who waits for a
// connection keeps virtual time from going on.
type elsewhere struct{ disk.Disk }

// A shape is how many pools a fleet has, in how many accounts and Regions, and users: a
// pool of the first group and one of any other.
type shape struct{ pools, groups, first, other int }

// busiest is how many users the first group has, which has the most.
func (s shape) busiest() int { return (s.pools + s.groups - 1) / s.groups * s.first }

// build makes the pools, the job that names them, and whose client they are.
func (s shape) build(tb testing.TB, folder string) (Job, cloud) {
	pools, job := make(cloud), Job{Folder: Folder{Path: filepath.Join(folder, "fleet")}, Keep: func(f io.Writer) error {
		_, err := f.Write([]byte("targets: []\n"))
		return err
	}}
	first := make([]*sandbox.Pool, s.groups)
	regions := []string{"us-east-1", "eu-west-1", "ap-south-1", "sa-east-1", "us-west-2"}
	for i := range s.pools {
		group, users := i%s.groups, s.other
		if group == 0 {
			users = s.first
		}
		region := regions[group%len(regions)]
		id, host := fmt.Sprintf("%s_Pool%d", region, i), fmt.Sprintf("pool-%d.test", i)
		pool := sandbox.New(sandbox.Config{
			PoolID: id, Account: fmt.Sprintf("%012d", 100+group), Beside: first[group], Quotas: sandbox.DefaultQuotas(), Latency: 50 * time.Millisecond,
		})
		if first[group] == nil {
			first[group] = pool
		}
		pool.PopulateN(users)
		pools[host] = pool
		input := filepath.Join(folder, id+".csv")
		if err := os.WriteFile(input, []byte("username\n"+strings.Join(names(users), "\n")+"\n"), 0o600); err != nil {
			tb.Fatal(err)
		}
		job.Targets = append(job.Targets, Target{
			At: fmt.Sprint("target ", i), PoolID: id, Region: region,
			Ask: func(roster.Shard) (spec.Spec, run.Options, error) { return asked(id, input, host), run.Options{}, nil },
		})
	}
	return job, pools
}

func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("user-%07d", i+1))
	}
	return all
}

func asked(id, input, host string) spec.Spec {
	return spec.Spec{
		CreatedAt: time.Now().UTC(), UserPoolID: id,
		Source:   spec.Source{Inputs: []string{input}, Reading: spec.Reading{Format: roster.Auto}},
		Response: spec.Response{Steps: []string{spec.StepReset}, IfResetRequired: "again"},
		Settings: spec.Settings{
			Rate: spec.DefaultRate, UpdateRate: spec.DefaultRate, MaxAttempts: 5, StopOnFailures: "off", OnMessageLimit: "stop",
			OnUnknown: "report", Grace: 15, EndpointURL: "https://" + host,
		},
	}
}

// env is where the fleet works, and says nothing.
func env(tb testing.TB, pools cloud) run.Env {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { null.Close() })
	return run.Env{
		Streams: term.Streams{In: null, Out: null, Err: null}, Quiet: true, Log: slog.New(slog.DiscardHandler),
		Store: &rundir.Store{Disk: elsewhere{disk.OS}}, Calls: func() func() { return func() {} }, HTTPClient: pools,
	}
}

// ownCredentials keep a test from whatever AWS configuration is around.
func ownCredentials(t testing.TB) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CA_BUNDLE": "", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
}

// A course is how a fleet went, in virtual time.
type course struct {
	code            int
	took            time.Duration
	most, last      int // goroutines at one time, in all and of the last third
	heap            int // bytes in use when the last third begins, the pools included
	resets, refused int // calls
}

// bound is the least that the busiest group can take at its rate.
func (s shape) bound() time.Duration {
	return time.Duration(float64(s.busiest()-1) / spec.DefaultRate * float64(time.Second))
}

// run has the fleet do its job, and looks at it ten times a second.
func (s shape) run(tb testing.TB, folder string) (c course) {
	job, pools := s.build(tb, folder)
	heap := inUse()
	before, began, done := runtime.NumGoroutine(), time.Now(), make(chan error, 1)
	go func() { done <- Run(tb.Context(), job, env(tb, pools)) }()
	for working := true; working; {
		select {
		case err := <-done:
			c.code, c.took, working = exit.Of(err), time.Since(began), false
		case <-time.After(100 * time.Millisecond):
			now := runtime.NumGoroutine() - before
			if c.most = max(c.most, now); time.Since(began) > s.bound()*2/3 {
				if c.last == 0 {
					c.heap = inUse() - heap
				}
				c.last = max(c.last, now)
			}
		}
	}
	for _, pool := range pools {
		for answer, n := range pool.Stats().Calls["AdminResetUserPassword"] {
			if c.resets += n; answer == "TooManyRequestsException" {
				c.refused += n
			}
		}
	}
	return c
}

// inUse is how many bytes of the heap are in use.
func inUse() int {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return int(now.HeapAlloc)
}

var poolCount = flag.Int("pools", 90, "user pools of a fleet in 60 accounts and Regions; 500 take half a minute")

// Pools in 60 accounts and Regions take as long as the busiest of these alone, call each
// user once, and have as many goroutines as there is work for at one time. A pool that is
// done keeps little memory.
func TestAFleetIsDoneWithItsBusiestQuota(t *testing.T) {
	if testing.Short() {
		t.Skip("a fleet takes a while, though not of its own time")
	}
	ownCredentials(t)
	synctest.Test(t, func(t *testing.T) {
		s := shape{pools: *poolCount, groups: 60, other: 25}
		s.first = 720 * s.groups / (s.pools + s.groups - 1)
		c := s.run(t, t.TempDir())
		t.Logf("%d pools: %v, %.3f of what the busiest group takes; %d goroutines at most, %d at the end; %d bytes a pool", s.pools, c.took, c.took.Seconds()/s.bound().Seconds(), c.most, c.last, c.heap/s.pools)
		users := s.busiest() + (s.pools-s.busiest()/s.first)*s.other
		if c.resets != users || c.refused > 0 || c.code != exit.Done && c.code != exit.SomeFailed {
			t.Errorf("%d calls for %d users, of which %d were refused for the quota; exit code %d", c.resets, users, c.refused, c.code)
		}
		if c.took < s.bound() || c.took > s.bound()*102/100 {
			t.Errorf("it took %v, and the busiest group takes %v", c.took, s.bound())
		}
		if most, last := 20*s.pools, 20*s.busiest()/s.first; c.most > most || c.last > last {
			t.Errorf("there were %d goroutines at one time, and %d at the end", c.most, c.last)
		}
		if most := 20<<20 + s.pools*100<<10; c.heap > most {
			t.Errorf("%d bytes are in use while only the busiest group works, and not %d at most", c.heap, most)
		}
	})
}
