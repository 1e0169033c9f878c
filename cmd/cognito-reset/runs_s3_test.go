package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"

	"github.com/johannesboyne/gofakes3"
)

// contents are the objects of the bucket, by their names.
func (c *endpoint) contents(t *testing.T) map[string]string {
	t.Helper()
	list, err := c.objects.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, o := range list.Contents {
		object, err := c.objects.GetObject(bucket, o.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(object.Contents)
		if err != nil {
			t.Fatal(err)
		}
		object.Contents.Close()
		all[o.Key] = string(text)
	}
	return all
}

// Runs in S3 are listed and pruned as those on a disk are: afterwards no object names a
// user, and a later run still knows whom they reset.
func TestRunsInS3AreListedAndPruned(t *testing.T) {
	t.Parallel()
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input, at := populate(t, pool, 6), newEndpoint(t, pool)
	tool := linkTool(t, t.TempDir())
	run := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Env = append(noAccount(), "COGNITO_RESET_ENDPOINT_URL="+at.url, "TMPDIR="+t.TempDir(), "COGNITO_RESET_LEASE=2s", "AWS_REGION=us-east-1")
		cmd.Dir = t.TempDir()
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Fatalf("%v ended with %d, not %d\n%s", args, got, want, out)
		}
		return string(out)
	}
	const runs = "s3://" + bucket + "/runs"
	again := func(name string, more ...string) []string {
		return append([]string{"run", "--user-pool-id", "us-east-1_Sandbox", "--yes", "--if-reset-required", "again", "--input", input, "--run", name}, more...)
	}
	run(exit.Done, again(runs+"/2026/done")...)
	run(exit.Stopped, again(runs+"/stopped", "--max-resets", "2")...)
	list := run(exit.Done, "runs", runs)
	for _, want := range []string{"finished", "6 reset", runs + "/2026/done", "open", "4 not_attempted", runs + "/stopped", "other prefixes"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	if err := deleteObject(at, "runs/2026/done/summary.json"); err != nil {
		t.Fatal(err)
	}
	if one := run(exit.Done, "runs", runs+"/2026/done", "--json"); !strings.Contains(one, `"reset": 6`) || strings.Contains(one, "stopped") {
		t.Errorf("without its summary a run is: %s", one)
	}

	if out := run(exit.Done, "runs", "prune", runs, "--older-than", "0d", "--dry-run"); !strings.Contains(out, "1 run would be pruned") || !strings.Contains(out, "/stopped is kept: it is open") {
		t.Errorf("what prune would do: %s", out)
	}
	run(exit.Done, "runs", "prune", runs, "--older-than", "0d", "--include-open", "--yes")
	var left []string
	for name, text := range at.contents(t) {
		left = append(left, name)
		if strings.Contains(text, "user-00") || strings.Contains(text, input) {
			t.Errorf("%s names a user or the input: %s", name, text)
		}
	}
	slices.Sort(left)
	want := []string{"runs/2026/done/history.idx", "runs/2026/done/lease.json", "runs/2026/done/run.json", "runs/2026/done/summary.json",
		"runs/stopped/history.idx", "runs/stopped/lease.json", "runs/stopped/run.json", "runs/stopped/summary.json"}
	if !slices.Equal(left, want) {
		t.Errorf("%q are left", left)
	}
	if out := run(exit.Done, "runs", runs); strings.Count(out, "pruned") != 2 || !strings.Contains(out, "6 reset") {
		t.Errorf("the pruned runs: %s", out)
	}
	if out := run(exit.Usage, "resume", runs+"/stopped", "--yes"); !strings.Contains(out, "was pruned on") {
		t.Errorf("a pruned run is gone on with: %s", out)
	}
	if out := run(exit.Done, again("look", "--dry-run", "--not-reset-within", "1h", "--history", runs)...); !strings.Contains(out, "6  recently_reset") {
		t.Errorf("whom a pruned run reset is not known: %s", out)
	}
	if out := run(exit.Done, "runs", "prune", runs, "--older-than", "0d", "--yes"); !strings.Contains(out, "Nothing to delete") {
		t.Errorf("pruning once more: %s", out)
	}
}

func deleteObject(at *endpoint, name string) error {
	_, err := at.objects.DeleteObject(bucket, name)
	return err
}

// A fleet in S3 has the report of all beside its runs, replaced when the fleet goes on,
// and deleted with what is personal of them.
func TestAFleetInS3HasItsReportThere(t *testing.T) {
	t.Parallel()
	pools := map[string]*sandbox.Pool{}
	at := newEndpoint(t, sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"}))
	var job strings.Builder
	job.WriteString("targets:\n")
	for _, id := range []string{"us-east-1_One", "us-east-1_Two"} {
		pools[id] = sandbox.New(sandbox.Config{PoolID: id})
		input := populate(t, pools[id], 3)
		job.WriteString("  - user-pool-id: " + id + "\n    input: " + input + "\n")
	}
	c := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch {
		case strings.HasPrefix(r.URL.Path, "/"+bucket):
			at.s3.ServeHTTP(w, r)
		case bytes.Contains(body, []byte("us-east-1_Two")):
			pools["us-east-1_Two"].ServeHTTP(w, r)
		default:
			pools["us-east-1_One"].ServeHTTP(w, r)
		}
	}))
	defer c.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "job.yaml"), []byte(job.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := linkTool(t, t.TempDir())
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Env = append(noAccount(), "COGNITO_RESET_ENDPOINT_URL="+c.URL, "TMPDIR="+t.TempDir(), "COGNITO_RESET_LEASE=2s", "AWS_REGION=us-east-1")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	const fleet = "s3://" + bucket + "/fleets/july"
	for range 2 { // the second finds everything done
		run("run", "--config", "job.yaml", "--yes", "--run", fleet)
		all := at.contents(t)
		if rows := strings.Count(all["fleets/july/report.csv"], "user-000"); rows != 6 {
			t.Errorf("the report of all has %d rows: %s", rows, all["fleets/july/report.csv"])
		}
		if sum := all["fleets/july/summary.json"]; !strings.Contains(sum, `"reset": 6`) || !strings.Contains(sum, `"`+fleet+`"`) {
			t.Errorf("the summary of all: %s", sum)
		}
	}
	for _, pool := range pools {
		checkOnce(t, pool)
	}
	if out := run("runs", "prune", fleet, "--older-than", "0d", "--dry-run"); !strings.Contains(out, fleet+"/report.csv") {
		t.Errorf("what prune would do: %s", out)
	}
	run("runs", "prune", fleet, "--older-than", "0d", "--yes")
	for name, text := range at.contents(t) {
		if strings.Contains(text, "user-00") {
			t.Errorf("%s names a user", name)
		}
	}
	if at.has("fleets/july/report.csv") || at.has("fleets/july/remaining.csv") {
		t.Error("the report of all is still there")
	}
}
