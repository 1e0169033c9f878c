package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/sandbox/servertest"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// An endpoint is a user pool and a bucket at one address.
type endpoint struct {
	pool    *sandbox.Pool
	objects *s3mem.Backend
	s3      http.Handler
	url     string
}

const bucket = "bucket"

// serveS3 is an S3 with an empty bucket, and what is in it.
func serveS3(t testing.TB, bucket string) (*s3mem.Backend, http.Handler) {
	t.Helper()
	objects := s3mem.New()
	if err := objects.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	return objects, gofakes3.New(objects, gofakes3.WithTimeSkewLimit(0), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
}

func newEndpoint(t *testing.T, pool *sandbox.Pool) *endpoint {
	t.Helper()
	objects, s3 := serveS3(t, bucket)
	c := &endpoint{pool: pool, objects: objects, s3: s3}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/"+bucket) {
		c.s3.ServeHTTP(w, r)
	} else {
		c.pool.ServeHTTP(w, r)
	}
}

// has tells that an object is there.
func (c *endpoint) has(name string) bool {
	_, err := c.objects.HeadObject(bucket, name)
	return err == nil
}

// bytes are how many bytes the objects have whose names begin so.
func (c *endpoint) bytes(t testing.TB, prefix string) (bytes int64) {
	t.Helper()
	list, err := c.objects.ListBucket(bucket, &gofakes3.Prefix{HasPrefix: true, Prefix: prefix}, gofakes3.ListBucketPage{MaxKeys: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		bytes += o.Size
	}
	return bytes
}

// populate adds users to a pool, and returns the path of an input with them.
func populate(t *testing.T, pool *sandbox.Pool, users int) (input string) {
	t.Helper()
	var rows strings.Builder
	rows.WriteString("username\n")
	for i := range users {
		u := sandbox.NewUser(fmt.Sprintf("user-%04d", i))
		u.Created = time.Now().Add(-time.Hour) // whatever the clocks, nobody was touched in the meantime
		pool.Add(u)
		rows.WriteString(u.Username + "\n")
	}
	input = filepath.Join(t.TempDir(), "users.csv")
	if err := os.WriteFile(input, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return input
}

// checkOnce sees to it that each user of a pool was reset once.
func checkOnce(t testing.TB, pool *sandbox.Pool) {
	t.Helper()
	pool.EachUser(func(u sandbox.User, resets, messages int) {
		if resets != 1 || messages != 1 {
			t.Errorf("%s: %d resets, %d messages", u.Username, resets, messages)
		}
	})
}

// A run whose record is in S3, as in a container without a disk, is killed again
// and again; whoever goes on waits for the lease of the dead, and resets nobody
// twice.
func TestKilledWithItsRecordInS3NobodyIsMissedAndNobodyIsResetTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("killing takes a while")
	}
	const users, times = 400, 6
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", Latency: 5 * time.Millisecond, Faults: sandbox.EvenFaults(0.1)})
	input, at := populate(t, pool, users), newEndpoint(t, pool)
	t.Setenv("COGNITO_RESET_LEASE", "2s")
	t.Setenv("COGNITO_RESET_ENDPOINT_URL", at.url)
	t.Setenv("TMPDIR", t.TempDir())
	tool, run := linkTool(t, t.TempDir()), "s3://"+bucket+"/runs/night"
	out, err := killUnless(tool, run, times, func() bool { return at.has("runs/night/run.json") }, nil,
		"--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--rate", "100", "--settle-after", "200ms")
	if err != nil {
		t.Fatalf("the last resume: %v\n%s", err, out)
	}
	checkOnce(t, pool)
	for _, name := range []string{"report.csv", "report.html", "summary.json"} {
		if !at.has("runs/night/" + name) {
			t.Errorf("%s is not in S3", name)
		}
	}
}

// The same with moto's S3, which keeps objects and conditions in its own way. The
// pool is a sandbox beside it.
func TestKilledWithItsRecordInMotosS3NobodyIsResetTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("killing takes a while")
	}
	moto, err := url.Parse(servertest.Moto(t))
	if err != nil {
		t.Fatal(err)
	}
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", Latency: 5 * time.Millisecond})
	input, proxy := populate(t, pool, 150), httputil.NewSingleHostReverseProxy(moto)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/"+bucket) {
			proxy.ServeHTTP(w, r)
		} else {
			pool.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	there := func(method, path string) bool {
		req, _ := http.NewRequest(method, moto.String()+"/"+bucket+path, nil) // of parts that are good
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	if !there(http.MethodPut, "") {
		t.Fatal("moto makes no bucket")
	}
	t.Setenv("COGNITO_RESET_LEASE", "2s")
	t.Setenv("COGNITO_RESET_ENDPOINT_URL", server.URL)
	t.Setenv("TMPDIR", t.TempDir())
	tool, run := linkTool(t, t.TempDir()), "s3://"+bucket+"/night"
	out, err := killUnless(tool, run, 3, func() bool { return there(http.MethodHead, "/night/run.json") }, nil,
		"--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--rate", "50", "--settle-after", "200ms")
	if err != nil {
		t.Fatalf("the last resume: %v\n%s", err, out)
	}
	checkOnce(t, pool)
}

// Of processes that are started at once on one run in S3, as when a pod and its
// replacement are, one works and the others call nobody.
func TestOfProcessesOnOneRunInS3OneWorks(t *testing.T) {
	const users, processes = 100, 3
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input, at := populate(t, pool, users), newEndpoint(t, pool)
	t.Setenv("COGNITO_RESET_LEASE", "2s")
	t.Setenv("TMPDIR", t.TempDir())
	tool := linkTool(t, t.TempDir())
	var codes [processes]int
	var outputs [processes]string
	var working sync.WaitGroup
	for i := range processes {
		working.Go(func() {
			cmd := exec.Command(tool, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--rate", "100",
				"--run", "s3://"+bucket+"/night", "--endpoint-url", at.url)
			cmd.Env = noAccount()
			out, _ := cmd.CombinedOutput()
			codes[i], outputs[i] = cmd.ProcessState.ExitCode(), string(out)
		})
	}
	working.Wait()
	done := 0
	for i, code := range codes {
		switch {
		case code == exit.Done:
			done++
		case code != exit.Usage || !strings.Contains(outputs[i], "nothing was sent"):
			t.Errorf("one ended with %d: %s", code, outputs[i])
		}
	}
	if done != 1 {
		t.Errorf("%d of %d have done the run: %v", done, processes, outputs)
	}
	checkOnce(t, pool)
}

// The copy that a process works on is a run directory as any, and is steered as one,
// however long its path is.
func TestARunInS3IsSteeredAtItsCopy(t *testing.T) {
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input, at := populate(t, pool, 20), newEndpoint(t, pool)
	folder := filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 12))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", folder)
	tool := linkTool(t, t.TempDir())
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(tool, args...)
		cmd.Env = noAccount()
		return cmd
	}
	var out bytes.Buffer
	work := command("run", "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--rate", "0.2",
		"--run", "s3://"+bucket+"/night", "--endpoint-url", at.url)
	work.Stdout, work.Stderr = &out, &out
	if err := work.Start(); err != nil {
		t.Fatal(err)
	}
	var said []byte
	err := errors.New("there is no copy")
	for began := time.Now(); err != nil && time.Since(began) < 30*time.Second; time.Sleep(50 * time.Millisecond) {
		if copies, _ := filepath.Glob(filepath.Join(folder, "cognito-reset-*", "run")); len(copies) > 0 {
			// While it is prepared a run takes no rate, and a stop leaves no report.
			if said, err = command("ctl", copies[0], "rate", "0.2").CombinedOutput(); err == nil {
				said, err = command("ctl", copies[0], "stop").CombinedOutput()
			}
		}
	}
	if err != nil {
		work.Process.Kill()
	}
	work.Wait()
	if code := work.ProcessState.ExitCode(); err != nil || code != exit.Stopped || !strings.Contains(out.String(), "stopped by") {
		t.Errorf("steering said %v: %s\nthe run ended with %d: %s", err, said, code, out.String())
	}
	if !at.has("night/report.csv") || at.has("night/control.json") {
		t.Error("the report is not in S3, or the token is")
	}
}

// A fleet has its runs in S3, too, where the same command goes on with them.
func TestAFleetInS3(t *testing.T) {
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input, at := populate(t, pool, 20), newEndpoint(t, pool)
	t.Setenv("TMPDIR", t.TempDir())
	job := filepath.Join(t.TempDir(), "job.yaml")
	if err := os.WriteFile(job, []byte("endpoint-url: "+at.url+"\ninput: "+input+"\ntargets:\n  - user-pool-id: us-east-1_Sandbox\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := linkTool(t, t.TempDir())
	for _, want := range []string{"20 users of 20 rows", "nobody of 20 rows is left"} {
		cmd := exec.Command(tool, "run", "--config", job, "--yes", "--rate", "0", "--run", "s3://"+bucket+"/job")
		cmd.Env = noAccount()
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "20  reset") {
			t.Errorf("%v, without %q: %s", err, want, out)
		}
	}
	checkOnce(t, pool)
	if !at.has("job/us-east-1_Sandbox/report.csv") {
		t.Error("the report is not in S3")
	}
	stopped := exec.Command(tool, "run", "--config", job, "--yes", "--rate", "0", "--max-resets", "8", "--run", "s3://"+bucket+"/again")
	stopped.Env = noAccount()
	if out, _ := stopped.CombinedOutput(); stopped.ProcessState.ExitCode() != exit.Stopped || !strings.Contains(string(out), "goes on") || strings.Contains(string(out), "Next") {
		t.Errorf("stopped, with no command that goes on, it ends with %v: %s", stopped.ProcessState, out)
	}
	bundle := filepath.Join(t.TempDir(), "night.zip")
	for _, args := range [][]string{
		{"status", "s3://" + bucket + "/job/us-east-1_Sandbox", "--endpoint-url", at.url},
		{"evidence", "s3://" + bucket + "/job/us-east-1_Sandbox", "--endpoint-url", at.url, "--output", bundle},
		{"evidence", "check", bundle},
	} {
		cmd := exec.Command(tool, args...)
		cmd.Env = noAccount()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
}

// Workbooks and documents come from S3 like lists of text, and so do excludes.
func TestInputsOfEveryShapeComeFromS3(t *testing.T) {
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	for _, name := range []string{"ann", "bob", "carl", "1002003", "=cmd", "fay1", "gina", "admin"} {
		pool.Add(sandbox.NewUser(name))
	}
	at := newEndpoint(t, pool)
	for _, name := range []string{"users.xlsx", "list-users-one-line.json"} {
		content, err := os.ReadFile(filepath.Join("testdata/cases", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := at.objects.PutObject(bucket, name, nil, bytes.NewReader(content), int64(len(content)), nil); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("cognito-reset", "run", "--user-pool-id", "us-east-1_Sandbox", "--endpoint-url", at.url, "--rate", "0", "--yes",
		"--input", "s3://"+bucket+"/users.xlsx", "--input", "s3://"+bucket+"/list-users-one-line.json",
		"--exclude", "s3://"+bucket+"/list-users-one-line.json", "--run", filepath.Join(t.TempDir(), "record"))
	cmd.Env = noAccount()
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "s3://"+bucket+`/users.xlsx: only sheet "Leaked" is read`) {
		t.Errorf("%v: %s", err, out)
	}
	pool.EachUser(func(u sandbox.User, resets, _ int) {
		if left := u.Username == "ann" || u.Username == "bob" || u.Username == "admin"; (resets == 0) != left {
			t.Errorf("%s: %d resets", u.Username, resets)
		}
	})
}

// A verify that watches a run in S3 sees what was journaled since it began.
func TestAWatchOfARunInS3SeesItGoOn(t *testing.T) {
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input, at := populate(t, pool, 20), newEndpoint(t, pool)
	t.Setenv("COGNITO_RESET_ENDPOINT_URL", at.url)
	t.Setenv("TMPDIR", t.TempDir())
	tool, night := linkTool(t, t.TempDir()), "s3://"+bucket+"/night"
	run := func(code int, args ...string) {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Env = noAccount()
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != code {
			t.Fatalf("%v: %v\n%s", args, cmd.ProcessState, out)
		}
	}
	run(exit.Stopped, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--rate", "0", "--max-resets", "5", "--run", night)
	watch := exec.Command(tool, "verify", night, "--watch", "100ms", "--json")
	watch.Env = noAccount()
	var complaints strings.Builder
	watch.Stderr = &complaints
	points, err := watch.StdoutPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(points)
	await := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("the watch ended without %s: %s", text, &complaints)
	}
	await(`"resets":5,`)
	run(exit.Done, "resume", night, "--yes", "--max-resets", "0")
	await(`"waiting":20,"completed":0,"locked":0,"disabled":0,"gone":0,"never_reset":0`)
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // whatever it still says
	}
	if _ = watch.Wait(); watch.ProcessState.ExitCode() != exit.Interrupted+2 {
		t.Errorf("it ended with %v: %s", watch.ProcessState, &complaints)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("copies are left: %v, %v", left, err)
	}
}
