package s3run

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cognito-reset/batch/internal/journaltest"
	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/internal/s3test"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/sandbox/servertest"
)

// Servers that are not ours take a run as Amazon S3 does, and one that ignores the
// conditions of a write, on which everything rests, keeps none.
func TestAPrefixIsARunDirectoryOnOtherServers(t *testing.T) {
	if testing.Short() {
		t.Skip("servers are started, and one is built")
	}
	s3test.OwnCredentials(t)
	gateway := buildVersity(t.TempDir())
	for name, start := range map[string]func(*testing.T) (url string){
		"moto": servertest.Moto, "versitygw": func(t *testing.T) string { return gateway.start(t, t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			server := newOther(t, start(t))
			var runs atomic.Int64
			journaltest.Test(t, func(t *testing.T) journaltest.Place {
				return place(t, fmt.Sprintf("s3://%s/%s/%d", s3test.Bucket, name, runs.Add(1)), server)
			})
		})
	}
	t.Run("versitygw that ignores conditions", func(t *testing.T) {
		folder := t.TempDir()
		before := place(t, "s3://"+s3test.Bucket+"/before", newOther(t, gateway.start(t, folder)))
		begun, err := before.Create()
		if err == nil {
			_, err = begun.Spool(aliceAndBob)
		}
		if err == nil {
			err = errors.Join(begun.WriteJSON(journal.RunFile, struct{}{}), begun.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		careless := gateway.start(t, folder, "--nometa")
		for _, name := range []string{"new", "before"} {
			there := place(t, "s3://"+s3test.Bucket+"/"+name, other(careless))
			open := map[string]func() (*journal.Dir, error){"new": there.Create, "before": there.Open}[name]
			dir, err := open()
			if err == nil {
				dir.Close()
				t.Fatalf("%s: a run is kept there", name)
			}
			if !strings.Contains(err.Error(), "ignores the conditions of a write") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// serverKey is what the servers know callers by.
var serverKey = credentials.NewStaticCredentialsProvider("test", "test", "")

// newOther reaches a server in which there is nothing yet, and makes the bucket.
func newOther(t *testing.T, url string) Options {
	t.Helper()
	client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true, Credentials: serverKey})
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(s3test.Bucket)}); err != nil {
		t.Fatal(err)
	}
	return other(url)
}

// other reaches a server.
func other(url string) Options {
	return Options{Options: objects.Options{EndpointURL: url, Region: "us-east-1", HTTPClient: &signedNow{now: time.Now(), key: serverKey}}}
}

// A signedNow signs requests with the time of the real clock, which the tests that
// make them have not: servers refuse a date that is far from their own. Each request
// has a connection of its own, so that none outlives its test.
type signedNow struct {
	now time.Time
	key aws.CredentialsProvider
}

func (c *signedNow) Do(r *http.Request) (*http.Response, error) {
	key, err := c.key.Retrieve(r.Context())
	if err != nil {
		return nil, err
	}
	r.Header.Del("Authorization")
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(r.Context(), key, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", c.now); err != nil {
		return nil, err
	}
	return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
}

// A versity is the S3 gateway of Versity, over a folder. Its source comes through the
// module proxy, as a module of its own.
type versity struct{ path, missing string }

// buildVersity builds it in a folder.
func buildVersity(folder string) versity {
	const module = "testdata/versitygw"
	if out, err := exec.Command("go", "mod", "download", "-C", module).CombinedOutput(); err != nil {
		return versity{missing: fmt.Sprintf("the source of versitygw cannot be had here: %s", out)}
	}
	path := filepath.Join(folder, "versitygw")
	if out, err := exec.Command("go", "build", "-C", module, "-o", path, "github.com/versity/versitygw/cmd/versitygw").CombinedOutput(); err != nil {
		return versity{missing: fmt.Sprintf("versitygw cannot be built here: %s", out)}
	}
	return versity{path: path}
}

// start serves a folder. The test is skipped where that cannot be.
func (v versity) start(t *testing.T, folder string, flags ...string) (url string) {
	t.Helper()
	if v.missing != "" {
		t.Skip(v.missing + ", so nothing is tried against it")
	}
	address := servertest.FreeAddress(t)
	server := exec.Command(v.path, append(append([]string{"--access", "test", "--secret", "test", "--region", "us-east-1", "--port", address, "posix"}, flags...), folder)...)
	return servertest.Serve(t, address, server)
}
