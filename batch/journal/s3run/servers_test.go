package s3run

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	"cognito-reset/batch/sandbox/servertest"
)

// Servers that are not ours take a run as Amazon S3 does.
func TestAPrefixIsARunDirectoryOnOtherServers(t *testing.T) {
	if testing.Short() {
		t.Skip("servers are started, and one is built")
	}
	for name, start := range map[string]func(*testing.T) (url string){"moto": servertest.Moto, "versitygw": startVersity} {
		t.Run(name, func(t *testing.T) {
			s3test.OwnCredentials(t)
			url := start(t)
			key := credentials.NewStaticCredentialsProvider("test", "test", "")
			client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true, Credentials: key})
			if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(s3test.Bucket)}); err != nil {
				t.Fatal(err)
			}
			signed := &signedNow{now: time.Now(), key: key}
			var runs atomic.Int64
			journaltest.Test(t, func(t *testing.T) journaltest.Place {
				prefix := fmt.Sprintf("s3://%s/%s/%d", s3test.Bucket, name, runs.Add(1))
				return place(t, prefix, Options{Options: objects.Options{EndpointURL: url, Region: "us-east-1", HTTPClient: signed}})
			})
		})
	}
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

// startVersity starts the S3 gateway of Versity over a folder. Its source comes through
// the module proxy, as a module of its own.
func startVersity(t *testing.T) (url string) {
	t.Helper()
	const module = "testdata/versitygw"
	if out, err := exec.Command("go", "mod", "download", "-C", module).CombinedOutput(); err != nil {
		t.Skipf("the source of versitygw cannot be had here, so nothing is tried against it: %s", out)
	}
	gateway := filepath.Join(t.TempDir(), "versitygw")
	if out, err := exec.Command("go", "build", "-C", module, "-o", gateway, "github.com/versity/versitygw/cmd/versitygw").CombinedOutput(); err != nil {
		t.Skipf("versitygw cannot be built here, so nothing is tried against it: %s", out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(gateway, "--access", "test", "--secret", "test", "--region", "us-east-1", "--port", address, "posix", t.TempDir())
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		server.Process.Kill()
		<-ended
		log.Close()
	})
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address
		}
		select {
		case err := <-ended:
			ended <- err
			text, _ := os.ReadFile(log.Name())
			t.Skipf("versitygw does not serve a folder here, so nothing is tried against it: %v: %s", err, text)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
