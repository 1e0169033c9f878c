package objects

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cognito-reset/batch/internal/s3test"
	"cognito-reset/batch/sandbox/servertest"
)

// A server that is not ours is read too, with its own ETags and checksums.
func TestAgainstMoto(t *testing.T) {
	url := servertest.Moto(t)
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
	body, err := reached.Bucket(bucket).Open(t.Context(), key, "")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()

	// Half of it is read, then the connection is cut from this side.
	half := make([]byte, len(content)/2)
	if _, err := io.ReadFull(body, half); err != nil {
		t.Fatal(err)
	}
	body.Close()
	body.body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	rest, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(append(half, rest...), content) {
		t.Errorf("%d bytes, %v", len(half)+len(rest), err)
	}
	if _, err := reached.Bucket(bucket).Open(t.Context(), "absent", ""); err == nil || !strings.Contains(err.Error(), "no such object") {
		t.Errorf("%v", err)
	}
	if _, err := reached.Bucket("nobody").Open(t.Context(), "absent", ""); err == nil || !strings.Contains(err.Error(), "no such bucket") {
		t.Errorf("%v", err)
	}
}

// A key of KMS goes with what is written, and neither it nor the name of an owner is in
// the way of a condition.
func TestAgainstMotoWithAKeyAndAnOwner(t *testing.T) {
	url := servertest.Moto(t)
	s3test.OwnCredentials(t)
	bucket, key := "records", "alias/records"
	client := s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")})
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	reached, err := New(Options{EndpointURL: url, KMSKey: key, ExpectedBucketOwner: "123456789012"})
	if err != nil {
		t.Fatal(err)
	}
	b, name := reached.Bucket(bucket), "run.json"
	etag, err := b.Put(t.Context(), name, strings.NewReader("one"), IfNew)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), name, strings.NewReader("two"), IfNew); !Unmet(err) {
		t.Errorf("it is written twice: %v", err)
	}
	if _, err := b.Put(t.Context(), name, strings.NewReader("two"), IfStill(etag)); err != nil {
		t.Errorf("it is not replaced: %v", err)
	}
	if o, err := b.Get(t.Context(), name, 3); err != nil || string(o.Body) != "two" {
		t.Errorf("%q, %v", o.Body, err)
	}
	if _, err := b.Get(t.Context(), name, 2); !errors.Is(err, ErrLarge) {
		t.Errorf("an object larger than it can be: %v", err)
	}
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &name})
	if err != nil || head.ServerSideEncryption != types.ServerSideEncryptionAwsKms || head.SSEKMSKeyId == nil || !strings.HasSuffix(*head.SSEKMSKeyId, key) {
		t.Errorf("%+v, %v", head, err)
	}
}
