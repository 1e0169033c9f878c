package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	maxResumes = 6                // in a row that bring not one byte
	maxBackoff = 10 * time.Second // between these
)

var reading = Words{
	Denied: "s3:GetObject must be allowed on it, and kms:Decrypt if it is encrypted with a key of your own; a missing object looks the same",
	Unmet:  "the object was changed while it was read: start again",
}

// Open reads an object, however large: the one with that ETag, if that is not "". A
// connection that is cut is taken up where it broke off, as long as the object is still
// the same. It takes s3:GetObject alone, and its errors are explained.
func (b *Bucket) Open(ctx context.Context, key, etag string) (*Reader, error) {
	r := &Reader{ctx: ctx, bucket: b, key: key, etag: etag}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// A Reader reads an object by as many requests as it takes.
type Reader struct {
	ctx    context.Context
	bucket *Bucket
	key    string

	etag     string
	size, at int64 // in bytes

	body    io.ReadCloser
	stalled *time.Timer // ends the current request
	cancel  context.CancelFunc
	broken  error // what ended the current body before its end
	resumes int   // since the last byte
}

func (r *Reader) open() error {
	out, err := r.get(nil)
	if err != nil {
		return Explain(err, reading)
	}
	if out.ContentLength == nil {
		r.Close()
		return errors.New("the server does not say how long the object is, so a cut would not show")
	}
	r.etag, r.size = aws.ToString(out.ETag), *out.ContentLength
	return nil
}

// get asks for the object, or for the part of it that is missing, and makes
// the answer the current body.
func (r *Reader) get(missing *string) (*s3.GetObjectOutput, error) {
	ctx, cancel := context.WithCancel(r.ctx)
	in := &s3.GetObjectInput{Bucket: &r.bucket.name, Key: &r.key, Range: missing}
	if r.etag != "" {
		in.IfMatch = &r.etag
	}
	var out *s3.GetObjectOutput
	err := r.bucket.ask(func(there func(*s3.Options)) (err error) {
		out, err = r.bucket.client.GetObject(ctx, in, there)
		return err
	})
	if err != nil {
		cancel()
		if r.ctx.Err() != nil {
			err = context.Cause(r.ctx)
		}
		return nil, err
	}
	r.body, r.cancel, r.broken = out.Body, cancel, nil
	r.stalled = time.AfterFunc(stallTimeout, cancel)
	r.stalled.Stop()
	return out, nil
}

// ETag is that of the object.
func (r *Reader) ETag() string { return r.etag }

// Read ends with io.EOF only after the last byte of the object.
func (r *Reader) Read(p []byte) (n int, err error) {
	for n == 0 && len(p) > 0 {
		if r.broken != nil {
			if err := r.resume(); err != nil {
				return 0, err
			}
		}
		r.stalled.Reset(stallTimeout)
		n, err = r.body.Read(p)
		r.stalled.Stop()
		r.at += int64(n)
		if n > 0 {
			r.resumes = 0
		}
		if err == io.EOF && r.at == r.size {
			return n, io.EOF
		}
		r.broken = err
	}
	return n, nil
}

// resume goes on where the body broke off: at once, and the longer it brings
// nothing, the later.
func (r *Reader) resume() error {
	backoff := retry.NewExponentialJitterBackoff(maxBackoff)
	for {
		if err := r.mayResume(); err != nil {
			return err
		}
		if r.resumes > 0 {
			delay, err := backoff.BackoffDelay(r.resumes, r.broken)
			if err != nil {
				return err
			}
			select {
			case <-time.After(delay):
			case <-r.ctx.Done():
				continue
			}
		}
		r.resumes++
		r.Close()
		out, err := r.get(aws.String(fmt.Sprintf("bytes=%d-", r.at)))
		if code := Status(err); code != 0 && code < 500 {
			return Explain(err, reading)
		}
		if err != nil {
			r.broken = err
			continue
		}
		if !strings.HasPrefix(aws.ToString(out.ContentRange), fmt.Sprintf("bytes %d-", r.at)) {
			return fmt.Errorf("the connection was cut after %d of %d bytes, and the server does not go on from there: start again", r.at, r.size)
		}
		return nil
	}
}

// mayResume fails if it makes no sense to go on.
func (r *Reader) mayResume() error {
	switch {
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	case r.at >= r.size: // it is whole, but not what it should be
		return fmt.Errorf("after the last byte: %w", r.broken)
	case r.etag == "":
		return fmt.Errorf("the connection was cut after %d of %d bytes, and without an ETag it is not known whether the object is still the same: start again", r.at, r.size)
	case r.resumes == maxResumes:
		return fmt.Errorf("the connection was cut after %d of %d bytes, and %d times again: %w", r.at, r.size, r.resumes, r.broken)
	}
	return nil
}

// Close ends the current request.
func (r *Reader) Close() error {
	r.cancel()
	return r.body.Close()
}
