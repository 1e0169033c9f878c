package s3run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"cognito-reset/batch/journal/disk"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/roster/s3input"
)

// A store is the objects of a bucket whose keys begin with a prefix.
type store struct {
	client         *s3.Client
	open           roster.Opener
	bucket, prefix string // the prefix without a slash at its end
}

// String is the prefix as people write it.
func (s *store) String() string { return s3input.Scheme + "://" + s.bucket + "/" + s.prefix }

// attempts are those of a request: a run of hours meets more failures than a
// command that reads a file.
const attempts = 8

// reach finds out where the bucket is, and whether it may be used.
func reach(ctx context.Context, name string, o s3input.Options) (*store, error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(name, s3input.Scheme+"://"), "/")
	s := &store{bucket: bucket, prefix: strings.Trim(prefix, "/")}
	if s.bucket == "" || s.prefix == "" {
		return nil, fmt.Errorf("%s: name a bucket and a prefix in it, as in s3://bucket/runs/monday", name)
	}
	o.Attempts = attempts
	for followed := false; ; followed = true {
		var err error
		if s.client, err = o.Client(); err != nil {
			return nil, err
		}
		_, err = s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.key("")), MaxKeys: aws.Int32(1)})
		if region := s3input.RegionOf(err); region != "" && !followed {
			o.Region = region
			continue
		}
		s.open = s3input.Opener(o)
		return s, s.explain(err)
	}
}

func (s *store) key(name string) string { return s.prefix + "/" + name }

// list yields the names below a folder, "" for all, in their order. Folders in
// it are one name each, with a slash at its end.
func (s *store) list(ctx context.Context, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
			Bucket: &s.bucket, Prefix: aws.String(s.key(folder)), Delimiter: aws.String("/"),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield("", s.explain(err))
				return
			}
			for _, o := range page.Contents {
				if !yield(strings.TrimPrefix(*o.Key, s.key("")), nil) {
					return
				}
			}
			for _, p := range page.CommonPrefixes {
				if !yield(strings.TrimPrefix(*p.Prefix, s.key("")), nil) {
					return
				}
			}
		}
	}
}

// below yields every object below the prefix, at any depth, in the order of keys.
func (s *store) below(ctx context.Context, folder string) iter.Seq2[types.Object, error] {
	return func(yield func(types.Object, error) bool) {
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.key(folder))})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(types.Object{}, s.explain(err))
				return
			}
			for _, o := range page.Contents {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// size is how many bytes the objects in a folder have.
func (s *store) size(ctx context.Context, folder string) (size int64, err error) {
	for o, err := range s.below(ctx, folder) {
		if err != nil {
			return 0, err
		}
		size += aws.ToInt64(o.Size)
	}
	return size, nil
}

// copyTo writes an object to w.
func (s *store) copyTo(ctx context.Context, w io.Writer, name string) error {
	body, err := s.open(ctx, s.String()+"/"+name)
	if err == nil {
		_, err = io.Copy(w, body)
		body.Close()
	}
	if err != nil {
		return fmt.Errorf("%s/%s: %w", s, name, err)
	}
	return nil
}

func (s *store) read(ctx context.Context, name string) ([]byte, error) {
	var body bytes.Buffer
	err := s.copyTo(ctx, &body, name)
	return body.Bytes(), err
}

// A condition is one under which an object is written.
type condition func(*s3.PutObjectInput)

// ifNew writes an object that is not there yet.
func ifNew(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

// ifStill writes an object in place of that with the ETag.
func ifStill(etag string) condition {
	return func(in *s3.PutObjectInput) { in.IfMatch = &etag }
}

// always writes an object.
func always(*s3.PutObjectInput) {}

// put writes an object, whole or not at all. A failed one may be there
// nevertheless, if only its answer was lost.
func (s *store) put(ctx context.Context, name string, body io.ReadSeeker, when condition) (etag string, err error) {
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String(s.key(name)), Body: body}
	when(in)
	out, err := s.client.PutObject(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// slowest is the least that an upload brings, in bytes a second, before it is
// given up.
const slowest = 256 << 10

// upload copies a file, however large, in place of the object.
func (s *store) upload(from disk.Disk, name, path string) error {
	f, err := from.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+time.Duration(info.Size()/slowest)*time.Second)
	defer cancel()
	_, err = s.put(ctx, name, f, always)
	return s.explain(err)
}

// empty deletes all objects.
func (s *store) empty(ctx context.Context) error {
	for _, folder := range []string{"", segments} {
		for name, err := range s.list(ctx, folder) {
			if err != nil {
				return err
			}
			if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.key(name))}); err != nil {
				return s.explain(err)
			}
		}
	}
	return nil
}

// status is what HTTP says of an error; 0 if there was no answer.
func status(err error) int {
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

// unmet tells that the condition of a put did not hold.
func unmet(err error) bool { return status(err) == http.StatusPreconditionFailed }

func missing(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && status(err) == http.StatusNotFound && api.ErrorCode() != "NoSuchBucket"
}

// refused tells that to ask again would not help.
func refused(err error) bool {
	switch code := status(err); code {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusPreconditionFailed, http.StatusTooManyRequests:
		return false
	default:
		return code >= 400 && code < 500
	}
}

// explain says what the usual errors mean for whoever named the bucket.
func (s *store) explain(err error) error {
	if err == nil {
		return nil
	}
	what := err.Error()
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "NoSuchBucket":
			what = "there is no such bucket"
		case "AccessDenied", "Forbidden":
			what = "access is denied: allow s3:ListBucket on the bucket, s3:GetObject, s3:PutObject and s3:DeleteObject on what is below the prefix, and kms:Decrypt and kms:GenerateDataKey if a key of your own encrypts it"
		case "NotImplemented":
			what = "the store does not know conditional writes, so two processes could both own a run in it: keep the run in Amazon S3, or on a disk"
		}
	}
	return &Error{s.String() + ": " + what, err}
}

// why is what ended a request: that ctx is done, or else err.
func (s *store) why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.explain(err)
}

// An Error is what S3, or the way there, failed with.
type Error struct {
	text string
	err  error
}

func (e *Error) Error() string { return e.text }

func (e *Error) Unwrap() error { return e.err }
