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

// Open reads an object, however large. A connection that is cut is taken up where it
// broke off, as long as the object is still the same. It takes s3:GetObject alone, and
// its errors are explained.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	o := &object{ctx: ctx, bucket: b, key: key}
	if err := o.open(); err != nil {
		return nil, err
	}
	return o, nil
}

// An object is read by as many requests as it takes.
type object struct {
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

func (o *object) open() error {
	out, err := o.get(nil)
	if err != nil {
		return Explain(err, reading)
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
	in := &s3.GetObjectInput{Bucket: &o.bucket.name, Key: &o.key, Range: missing}
	if missing != nil {
		in.IfMatch = &o.etag
	}
	var out *s3.GetObjectOutput
	err := o.bucket.ask(func(there func(*s3.Options)) (err error) {
		out, err = o.bucket.client.GetObject(ctx, in, there)
		return err
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
		if err := o.mayResume(); err != nil {
			return err
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
		if code := Status(err); code != 0 && code < 500 {
			return Explain(err, reading)
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

// mayResume fails if it makes no sense to go on.
func (o *object) mayResume() error {
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
	return nil
}

// Close ends the current request.
func (o *object) Close() error {
	o.cancel()
	return o.body.Close()
}
