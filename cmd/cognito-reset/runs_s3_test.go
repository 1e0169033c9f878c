package main

import (
	"io"
	"os/exec"
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
