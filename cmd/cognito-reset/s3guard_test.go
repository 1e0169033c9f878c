package main

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// A guarded is a user pool and a bucket of one account that notes what is asked of the
// bucket, and refuses who expects another owner of it.
type guarded struct {
	*endpoint
	url string

	mu    sync.Mutex
	asked []*http.Request // of the bucket, in their order
}

const ownerOfBucket = "111122223333"

func newGuarded(t *testing.T, pool *sandbox.Pool) *guarded {
	t.Helper()
	objects, s3 := serveS3(t, bucket)
	g := &guarded{endpoint: &endpoint{pool: pool, objects: objects}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/"+bucket) {
			pool.ServeHTTP(w, r)
			return
		}
		g.mu.Lock()
		g.asked = append(g.asked, r.Clone(t.Context()))
		g.mu.Unlock()
		if owner := r.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != ownerOfBucket {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code></Error>"))
			return
		}
		s3.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// run runs a command, and returns what it said and what it asked of the bucket.
func (g *guarded) run(t *testing.T, code int, args ...string) (said string, asked []*http.Request) {
	t.Helper()
	g.mu.Lock()
	g.asked = nil
	g.mu.Unlock()
	cmd := exec.Command("cognito-reset", args...)
	cmd.Env = append(noAccount(), "COGNITO_RESET_ENDPOINT_URL="+g.url, "COGNITO_RESET_LEASE=2s", "TMPDIR="+t.TempDir())
	cmd.Dir = t.TempDir()
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%q ended with %d, not %d: %s", args, got, code, out)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(strings.Fields(string(out)), " "), g.asked
}

// fromFirstWrite are the requests from the first that writes on.
func fromFirstWrite(t *testing.T, asked []*http.Request) []*http.Request {
	t.Helper()
	for i, r := range asked {
		if r.Method == http.MethodPut {
			return asked[i:]
		}
	}
	t.Fatal("nothing was written")
	return nil
}

// half is a run with its list of five users and its record in the bucket, which stops
// after two of them.
func half(t *testing.T) (g *guarded, run []string, record string) {
	t.Helper()
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	populate(t, pool, 5)
	g = newGuarded(t, pool)
	list := "username\nuser-0000\nuser-0001\nuser-0002\nuser-0003\nuser-0004\n"
	if _, err := g.objects.PutObject(bucket, "input/users.csv", nil, strings.NewReader(list), int64(len(list)), nil); err != nil {
		t.Fatal(err)
	}
	record = "s3://" + bucket + "/runs/night"
	return g, []string{"run", "--user-pool-id", "us-east-1_Sandbox", "--input", "s3://" + bucket + "/input/users.csv", "--run", record,
		"--rate", "0", "--max-resets", "2", "--yes"}, record
}

// Whatever is asked of S3 names the owner who was asked for, also by a resume, which
// has the name from run.json.
func TestEveryRequestToS3NamesTheExpectedOwner(t *testing.T) {
	t.Parallel()
	g, run, record := half(t)
	_, asked := g.run(t, exit.Stopped, append(run, "--expected-bucket-owner", ownerOfBucket)...)
	input := false
	for _, r := range asked {
		input = input || r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/users.csv")
		if r.Header.Get("X-Amz-Expected-Bucket-Owner") != ownerOfBucket {
			t.Errorf("run: %s %s does not name the owner", r.Method, r.URL)
		}
	}
	if !input {
		t.Error("the input was not read")
	}
	_, asked = g.run(t, exit.Done, "resume", record, "--max-resets", "0")
	for _, r := range fromFirstWrite(t, asked) {
		if r.Header.Get("X-Amz-Expected-Bucket-Owner") != ownerOfBucket {
			t.Errorf("resume: %s %s does not name the owner", r.Method, r.URL)
		}
	}
}

// Whatever is written to S3 is encrypted by the key that was asked for, also by a
// resume and by other commands, which have its name from run.json.
func TestEveryWriteToS3NamesTheKeyThatEncryptsIt(t *testing.T) {
	t.Parallel()
	const key = "arn:aws:kms:eu-west-1:111122223333:alias/records"
	g, run, record := half(t)
	writes := func(want string, code int, args ...string) (paths []string) {
		_, asked := g.run(t, code, args...)
		encryption := map[bool]string{true: "aws:kms"}[want != ""]
		for _, r := range asked {
			if r.Method != http.MethodPut && r.Method != http.MethodPost {
				continue
			}
			paths = append(paths, r.URL.Path)
			if got := r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); got != want || r.Header.Get("X-Amz-Server-Side-Encryption") != encryption {
				t.Errorf("%s: %s is encrypted by %q, not %q", args[0], r.URL.Path, got, want)
			}
		}
		return paths
	}
	all := strings.Join(writes(key, exit.Stopped, append(run, "--s3-kms-key", key)...), " ")
	for _, name := range []string{"lease.json", "run.json", "roster.jsonl", "journal/00000000000000000001.jsonl", "report.csv"} {
		if !strings.Contains(all, "/"+name) {
			t.Errorf("%s is not written: %s", name, all)
		}
	}
	if len(writes(key, exit.Done, "resume", record, "--max-resets", "0")) == 0 || len(writes(key, exit.Done, "report", record)) == 0 {
		t.Error("nothing is written")
	}
	g, run, _ = half(t)
	if len(writes("", exit.Stopped, run...)) == 0 {
		t.Error("nothing is written without a key")
	}
}

// A bucket of somebody else is neither read nor written, and it is said why.
func TestABucketOfAnotherOwnerIsRefused(t *testing.T) {
	t.Parallel()
	const other, says = "999988887777", "either the bucket does not belong to account 999988887777"
	g, run, record := half(t)
	for what, args := range map[string][]string{
		"record": append(run, "--expected-bucket-owner", other),
		"input":  append(run, "--expected-bucket-owner", other, "--run", filepath.Join(t.TempDir(), "run")),
		"status": {"status", record, "--expected-bucket-owner", other},
		"resume": {"resume", record, "--expected-bucket-owner", other},
		"report": {"report", record, "--expected-bucket-owner", other},
		"verify": {"verify", record, "--expected-bucket-owner", other},
		"seal":   {"evidence", record, "--expected-bucket-owner", other, "--output", "bundle.zip"},
	} {
		if said, _ := g.run(t, exit.Usage, args...); !strings.Contains(said, says) {
			t.Errorf("%s: %s", what, said)
		}
	}
	if said, _ := g.run(t, exit.Usage, append(run, "--expected-bucket-owner", "example")...); !strings.Contains(said, "twelve digits") {
		t.Errorf("no account: %s", said)
	}
	g.pool.EachUser(func(u sandbox.User, resets, _ int) {
		if resets > 0 {
			t.Errorf("%s was reset", u.Username)
		}
	})
}
