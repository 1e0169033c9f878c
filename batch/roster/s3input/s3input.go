// Package s3input opens the objects of Amazon S3 as inputs of a roster.
package s3input

import (
	"context"
	"errors"
	"io"
	"sync"

	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/roster"
)

// Scheme is what names of objects begin with, before ://.
const Scheme = objects.Scheme

// Options say how S3 is reached. Credentials are found as with every AWS tool.
type Options = objects.Options

// Opener opens objects by names such as s3://bucket/key. A connection that is
// cut while an object is read is taken up where it broke off, as long as the
// object is still the same. It needs s3:GetObject alone, and reads the AWS
// configuration when it is first called.
func Opener(o Options) roster.Opener {
	client := sync.OnceValues(func() (*objects.Client, error) { return objects.New(o) })
	return func(ctx context.Context, name string) (io.ReadCloser, error) {
		bucket, key := objects.Split(name)
		if bucket == "" || key == "" {
			return nil, errors.New("name an object, as in s3://bucket/key")
		}
		c, err := client()
		if err != nil {
			return nil, err
		}
		body, err := c.Bucket(bucket).Open(ctx, key, "")
		if err != nil {
			return nil, err
		}
		return body, nil
	}
}
