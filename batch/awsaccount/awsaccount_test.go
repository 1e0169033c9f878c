package awsaccount_test

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// transport is an HTTP client within the process.
type transport func(*http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

// withoutAWS hides the AWS configuration of whoever runs the tests.
func withoutAWS(t testing.TB) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

var anyCredentials = credentials.NewStaticCredentialsProvider("id", "secret", "")

const poolID = "us-east-1_Sandbox01"

// open returns a pool behind client.
func open(t testing.TB, client aws.HTTPClient, options ...func(*userpool.Options)) *userpool.Pool {
	t.Helper()
	withoutAWS(t)
	o := userpool.Options{PoolID: poolID, HTTPClient: client, Credentials: anyCredentials}
	for _, set := range options {
		set(&o)
	}
	pool, err := userpool.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// response is an answer as it comes over the wire.
func response(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {contentType}, "X-Amzn-Requestid": {"request-1"}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}
}

func jsonResponse(status int, body string) *http.Response {
	return response(status, "application/x-amz-json-1.1", body)
}

func of(t testing.TB, client aws.HTTPClient) *awsaccount.Account {
	t.Helper()
	return awsaccount.Of(open(t, client))
}

func inProcess(cfg sandbox.Config) aws.HTTPClient {
	return &http.Client{Transport: sandbox.New(cfg)}
}
