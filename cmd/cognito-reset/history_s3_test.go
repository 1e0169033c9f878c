package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
)

// A history in S3 is read at any depth, with or without an index.
func TestHistoryIsReadFromS3(t *testing.T) {
	t.Parallel()
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input, at := populate(t, pool, 6), newEndpoint(t, pool)
	tool := linkTool(t, t.TempDir())
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(tool, append([]string{"run", "--user-pool-id", "us-east-1_Sandbox", "--yes"}, args...)...)
		cmd.Env = append(os.Environ(), "COGNITO_RESET_ENDPOINT_URL="+at.url, "TMPDIR="+t.TempDir(), "COGNITO_RESET_LEASE=2s", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true")
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	rotation := func(name string) []string {
		return []string{"--input", input, "--rotate-every", "quarter", "--history", "s3://" + bucket + "/runs", "--if-reset-required", "again", "--run", name}
	}
	if out := run(rotation("s3://" + bucket + "/runs/2026/q1")...); !strings.Contains(out, "first rotation") || !strings.Contains(out, "6  reset") {
		t.Errorf("the first rotation:\n%s", out)
	}
	for _, indexed := range []bool{true, false} {
		if !indexed {
			if _, err := at.objects.DeleteObject(bucket, "runs/2026/q1/history.idx"); err != nil {
				t.Fatal(err)
			}
		}
		if out := run(append(rotation("look"), "--dry-run")...); !strings.Contains(out, "6  recently_reset") {
			t.Errorf("index %v:\n%s", indexed, out)
		}
		if !at.has("runs/2026/q1/history.idx") {
			t.Error("the index is not in S3")
		}
	}
}
