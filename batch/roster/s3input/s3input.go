// Package s3input opens the objects of Amazon S3 as inputs of a roster.
package s3input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"cognito-reset/batch/roster"
)

// Scheme is what names of objects begin with, before ://.
const Scheme = "s3"

const (
	maxResumes   = 6                // in a row that bring not one byte
	maxBackoff   = 10 * time.Second // between these
	stallTimeout = time.Minute      // without a byte, a connection counts as cut
)

// Options say how S3 is reached. Credentials are found as with every AWS tool.
type Options struct {
	Profile     string // of the shared AWS configuration; "" as usual
	Region      string // to ask first; "" as usual. A bucket elsewhere is followed there
	EndpointURL string // of another server that speaks S3; "" as usual
	Attempts    int    // to make a request, at most; 0 is 3

	// HTTPClient replaces the transport, for tests within one process.
	HTTPClient aws.HTTPClient
}

// Opener opens objects by names such as s3://bucket/key. A connection that is
// cut while an object is read is taken up where it broke off, as long as the
// object is still the same. It needs s3:GetObject alone, and reads the AWS
// configuration when it is first called.
func Opener(o Options) roster.Opener {
	client := sync.OnceValues(o.Client)
	return func(ctx context.Context, name string) (io.ReadCloser, error) {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(name, Scheme+"://"), "/")
		if bucket == "" || key == "" {
			return nil, errors.New("name an object, as in s3://bucket/key")
		}
		c, err := client()
		if err != nil {
			return nil, err
		}
		obj := &object{ctx: ctx, client: c, bucket: bucket, key: key}
		if err := obj.open(); err != nil {
			return nil, err
		}
		return obj, nil
	}
}

// Client is how S3 is reached, by whoever does more there than to read.
func (o Options) Client() (*s3.Client, error) {
	httpClient := o.HTTPClient
	if httpClient == nil {
		httpClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = stallTimeout
		})
	}
	cfg, err := config.LoadDefaultConfig(context.Background(),
		config.WithHTTPClient(httpClient),
		config.WithRegion(o.Region),
		config.WithSharedConfigProfile(o.Profile),
	)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1" // which tells where any bucket is
	}
	if o.EndpointURL != "" {
		cfg.BaseEndpoint = aws.String(o.EndpointURL)
	}
	return s3.NewFromConfig(cfg, func(s *s3.Options) {
		s.UsePathStyle = s.BaseEndpoint != nil
		s.RetryMaxAttempts = o.Attempts
		s.DisableLogOutputChecksumValidationSkipped = true
	}), nil
}

// An object is read by as many requests as it takes.
type object struct {
	ctx         context.Context
	client      *s3.Client
	region      string // of the bucket, if not the client's
	bucket, key string

	etag     string
	size, at int64 // in bytes

	body    io.ReadCloser
	stalled *time.Timer // ends the current request
	cancel  context.CancelFunc
	broken  error // what ended the current body before its end
	resumes int   // since the last byte
}

func (o *object) open() error {
	out, err := o.get(nil)
	if region := RegionOf(err); region != "" {
		o.region = region
		out, err = o.get(nil)
	}
	if err != nil {
		return explain(err)
	}
	if out.ContentLength == nil {
		o.Close()
		return errors.New("the server does not say how long the object is, so a cut would not show")
	}
	o.etag, o.size = aws.ToString(out.ETag), *out.ContentLength
	return nil
}

// get asks for the object, or for the part of it that is missing, and makes
// the answer the current body.
func (o *object) get(missing *string) (*s3.GetObjectOutput, error) {
	ctx, cancel := context.WithCancel(o.ctx)
	in := &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key, Range: missing}
	if missing != nil {
		in.IfMatch = &o.etag
	}
	out, err := o.client.GetObject(ctx, in, func(s *s3.Options) {
		if o.region != "" {
			s.Region = o.region
		}
	})
	if err != nil {
		cancel()
		if o.ctx.Err() != nil {
			err = context.Cause(o.ctx)
		}
		return nil, err
	}
	o.body, o.cancel, o.broken = out.Body, cancel, nil
	o.stalled = time.AfterFunc(stallTimeout, cancel)
	o.stalled.Stop()
	return out, nil
}

// Read ends with io.EOF only after the last byte of the object.
func (o *object) Read(p []byte) (n int, err error) {
	for n == 0 && len(p) > 0 {
		if o.broken != nil {
			if err := o.resume(); err != nil {
				return 0, err
			}
		}
		o.stalled.Reset(stallTimeout)
		n, err = o.body.Read(p)
		o.stalled.Stop()
		o.at += int64(n)
		if n > 0 {
			o.resumes = 0
		}
		if err == io.EOF && o.at == o.size {
			return n, io.EOF
		}
		o.broken = err
	}
	return n, nil
}

// resume goes on where the body broke off: at once, and the longer it brings
// nothing, the later.
func (o *object) resume() error {
	backoff := retry.NewExponentialJitterBackoff(maxBackoff)
	for {
		switch {
		case o.ctx.Err() != nil:
			return context.Cause(o.ctx)
		case o.at >= o.size: // it is whole, but not what it should be
			return fmt.Errorf("after the last byte: %w", o.broken)
		case o.etag == "":
			return fmt.Errorf("the connection was cut after %d of %d bytes, and without an ETag it is not known whether the object is still the same: start again", o.at, o.size)
		case o.resumes == maxResumes:
			return fmt.Errorf("the connection was cut after %d of %d bytes, and %d times again: %w", o.at, o.size, o.resumes, o.broken)
		}
		if o.resumes > 0 {
			delay, err := backoff.BackoffDelay(o.resumes, o.broken)
			if err != nil {
				return err
			}
			select {
			case <-time.After(delay):
			case <-o.ctx.Done():
				continue
			}
		}
		o.resumes++
		o.Close()
		out, err := o.get(aws.String(fmt.Sprintf("bytes=%d-", o.at)))
		if e, ok := errors.AsType[*awshttp.ResponseError](err); ok && e.HTTPStatusCode() < 500 {
			return explain(err)
		}
		if err != nil {
			o.broken = err
			continue
		}
		if !strings.HasPrefix(aws.ToString(out.ContentRange), fmt.Sprintf("bytes %d-", o.at)) {
			return fmt.Errorf("the connection was cut after %d of %d bytes, and the server does not go on from there: start again", o.at, o.size)
		}
		return nil
	}
}

// Close ends the current request.
func (o *object) Close() error {
	o.cancel()
	return o.body.Close()
}

// RegionOf is where a bucket is, if that is what an error says.
func RegionOf(err error) string {
	e, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || e.HTTPStatusCode() != http.StatusMovedPermanently && e.HTTPStatusCode() != http.StatusBadRequest {
		return ""
	}
	return e.Response.Header.Get("X-Amz-Bucket-Region")
}

// explain says what the usual errors mean for whoever named the object.
func explain(err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err
	}
	what := ""
	switch api.ErrorCode() {
	case "NoSuchKey", "NotFound":
		what = "there is no such object"
	case "NoSuchBucket":
		what = "there is no such bucket"
	case "AccessDenied", "Forbidden":
		what = "access is denied: s3:GetObject must be allowed on it, and kms:Decrypt if it is encrypted with a key of your own; a missing object looks the same"
	case "PreconditionFailed":
		what = "the object was changed while it was read: start again"
	case "InvalidObjectState":
		what = "the object is archived: restore it first"
	default:
		return err
	}
	return fmt.Errorf("%s (%s)", what, api.ErrorCode())
}
