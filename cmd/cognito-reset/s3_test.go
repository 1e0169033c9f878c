package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"cognito-reset/batch/sandbox"
)

// A run whose record is in S3, as in a container without a disk, is killed again
// and again; whoever goes on waits for the lease of the dead, and resets nobody
// twice.
func TestKilledWithItsRecordInS3NobodyIsMissedAndNobodyIsResetTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("killing takes a while")
	}
	const users, times = 400, 6
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox", Latency: 5 * time.Millisecond, Faults: sandbox.EvenFaults(0.1)})
	var rows strings.Builder
	rows.WriteString("username\n")
	for i := range users {
		u := sandbox.NewUser(fmt.Sprintf("user-%04d", i))
		u.Created = time.Now().Add(-time.Hour) // whatever the clocks, nobody was touched in the meantime
		pool.Add(u)
		rows.WriteString(u.Username + "\n")
	}
	const bucket = "bucket"
	objects := s3mem.New()
	if err := objects.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	there := func(name string) bool {
		_, err := objects.HeadObject(bucket, "runs/night/"+name)
		return err == nil
	}
	s3 := gofakes3.New(objects, gofakes3.WithTimeSkewLimit(0), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/"+bucket) {
			s3.ServeHTTP(w, r)
		} else {
			pool.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	input := filepath.Join(dir, "users.csv")
	if err := os.WriteFile(input, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("COGNITO_RESET_LEASE", "2s")
	t.Setenv("COGNITO_RESET_ENDPOINT_URL", server.URL)
	t.Setenv("TMPDIR", dir)
	tool, run := buildTool(t), "s3://"+bucket+"/runs/night"
	out, err := killUnless(tool, run, times, func() bool { return there("run.json") },
		"--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--rate", "100", "--settle-after", "200ms")
	if err != nil {
		t.Fatalf("the last resume: %v\n%s", err, out)
	}
	pool.EachUser(func(u sandbox.User, resets, messages int) {
		if resets != 1 || messages != 1 {
			t.Errorf("%s: %d resets, %d messages", u.Username, resets, messages)
		}
	})
	for _, name := range []string{"report.csv", "report.html", "summary.json"} {
		if !there(name) {
			t.Errorf("%s is not in S3", name)
		}
	}
}
