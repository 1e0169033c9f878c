package objects

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cognito-reset/batch/internal/s3test"
	"cognito-reset/batch/sandbox/mototest"
)

// A server that is not ours is read too, with its own ETags and checksums.
func TestAgainstMoto(t *testing.T) {
	url := mototest.Start(t)
	s3test.OwnCredentials(t)
	content, bucket, key := bytes.Repeat([]byte("user\n"), 10_000), "people", "exports/users 1.csv"
	client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
	reached, err := New(Options{EndpointURL: url})
	if err != nil {
		t.Fatal(err)
	}
	body, err := reached.Bucket(bucket).Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()

	// Half of it is read, then the connection is cut from this side.
	half := make([]byte, len(content)/2)
	if _, err := io.ReadFull(body, half); err != nil {
		t.Fatal(err)
	}
	obj := body.(*object)
	obj.Close()
	obj.body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	rest, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(append(half, rest...), content) {
		t.Errorf("%d bytes, %v", len(half)+len(rest), err)
	}
	if _, err := reached.Bucket(bucket).Open(t.Context(), "absent"); err == nil || !strings.Contains(err.Error(), "no such object") {
		t.Errorf("%v", err)
	}
	if _, err := reached.Bucket("nobody").Open(t.Context(), "absent"); err == nil || !strings.Contains(err.Error(), "no such bucket") {
		t.Errorf("%v", err)
	}
}
