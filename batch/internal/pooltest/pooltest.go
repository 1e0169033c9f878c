// Package pooltest puts a user pool behind an HTTP client of a test.
package pooltest

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"cognito-reset/batch/userpool"
)

// A Transport is an HTTP client within the process.
type Transport func(*http.Request) (*http.Response, error)

func (f Transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

// WithoutAWS hides the AWS configuration of whoever runs the tests.
func WithoutAWS(t testing.TB) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// AnyCredentials are some.
var AnyCredentials = credentials.NewStaticCredentialsProvider("id", "secret", "")

// PoolID is that of the pool that [Open] opens.
const PoolID = "us-east-1_Sandbox01"

// Open returns a pool behind client.
func Open(t testing.TB, client aws.HTTPClient, options ...func(*userpool.Options)) *userpool.Pool {
	t.Helper()
	WithoutAWS(t)
	o := userpool.Options{PoolID: PoolID, HTTPClient: client, Credentials: AnyCredentials}
	for _, set := range options {
		set(&o)
	}
	pool, err := userpool.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// Response is an answer as it comes over the wire.
func Response(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {contentType}, "X-Amzn-Requestid": {"request-1"}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}
}

// JSON is an answer of Cognito.
func JSON(status int, body string) *http.Response {
	return Response(status, "application/x-amz-json-1.1", body)
}
