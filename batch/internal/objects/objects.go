// Package objects is Amazon S3 as far as a roster and a record need it: one way to
// be configured, to find the Region of a bucket, to read, write on a condition, list
// and delete, and one wording of what goes wrong.
//
// An object that is written is there whole or not at all. A write that failed may
// have been done nevertheless, if only its answer was lost.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"cognito-reset/batch/internal/login"
)

// Scheme is what names of objects begin with, before ://.
const Scheme = "s3"

// stallTimeout is how long a connection may bring no byte before it counts as cut.
const stallTimeout = time.Minute

// Connections are kept open between requests: whoever makes more at a time pays for a
// handshake each.
const Connections = 128

// Options say how S3 is reached. Credentials are found as with every AWS tool.
type Options struct {
	Profile     string // of the shared AWS configuration; "" as usual
	Region      string // to ask first; "" as usual. A bucket elsewhere is followed there
	EndpointURL string // of another server that speaks S3; "" as usual
	Attempts    int    // to make a request, at most; 0 is 3

	// ExpectedBucketOwner is the account to which every bucket must belong: S3 refuses
	// what is asked of another's. "" is any.
	ExpectedBucketOwner string

	// KMSKey is the key of AWS KMS, by id, ARN or alias, that encrypts what is written.
	// "" leaves it to the bucket.
	KMSKey string

	// HTTPClient replaces the transport, for tests within one process.
	HTTPClient aws.HTTPClient
}

// Split takes a name such as s3://bucket/key apart. Either part may be "".
func Split(name string) (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(name, Scheme+"://"), "/")
	return bucket, key
}

// Name is what [Split] takes apart.
func Name(bucket, key string) string { return Scheme + "://" + bucket + "/" + key }

// A Client reaches S3.
type Client struct {
	s3    *s3.Client
	owner string // that every bucket must have; "" is any
	key   string // of KMS; "" is the bucket's
}

// New reads the AWS configuration.
func New(o Options) (*Client, error) {
	httpClient := o.HTTPClient
	if httpClient == nil {
		httpClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = stallTimeout
			t.MaxIdleConns, t.MaxIdleConnsPerHost = Connections, Connections
		})
	}
	cfg, err := login.Load(context.Background(), login.Options{Profile: o.Profile, Region: o.Region, HTTPClient: httpClient})
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1" // which tells where any bucket is
	}
	if o.EndpointURL != "" {
		cfg.BaseEndpoint = aws.String(o.EndpointURL)
	}
	client := s3.NewFromConfig(cfg, func(s *s3.Options) {
		if o.ExpectedBucketOwner != "" { // of every request, whatever it asks
			s.APIOptions = append(s.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Expected-Bucket-Owner", o.ExpectedBucketOwner))
		}
		s.UsePathStyle = s.BaseEndpoint != nil
		s.RetryMaxAttempts = o.Attempts
		s.DisableLogOutputChecksumValidationSkipped = true
	})
	return &Client{client, o.ExpectedBucketOwner, o.KMSKey}, nil
}

// Bucket is a bucket by its name, wherever it is. Nothing is asked yet.
func (c *Client) Bucket(name string) *Bucket {
	return &Bucket{client: c.s3, owner: c.owner, kmsKey: c.key, name: name}
}

// A Bucket holds objects by their keys. Its methods may be called from many
// goroutines. But for [Bucket.Open], they fail as the SDK does: see [Status] and its
// like, and [Explain].
type Bucket struct {
	client *s3.Client
	owner  string
	kmsKey string
	name   string
	region atomic.Pointer[string] // where it is, if not where the client asks first
}

// Name is that of the bucket.
func (b *Bucket) Name() string { return b.name }

// ask makes a request, and once more where the bucket is if that is elsewhere.
func (b *Bucket) ask(request func(there func(*s3.Options)) error) error {
	there := func(o *s3.Options) {
		if region := b.region.Load(); region != nil {
			o.Region = *region
		}
	}
	err := request(there)
	region := regionOf(err)
	if known := b.region.Load(); region != "" && (known == nil || *known != region) {
		b.region.Store(&region)
		err = request(there)
	}
	if b.owner != "" && Status(err) == http.StatusForbidden {
		err = &notOwnedError{b.owner, err}
	}
	return err
}

// regionOf is where a bucket is, if that is what an error says.
func regionOf(err error) string {
	e, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || e.HTTPStatusCode() != http.StatusMovedPermanently && e.HTTPStatusCode() != http.StatusBadRequest {
		return ""
	}
	return e.Response.Header.Get("X-Amz-Bucket-Region")
}

// An Object is the content of one, and how it stands.
type Object struct {
	Body []byte
	ETag string
	Age  time.Duration // since it was written, by the clock of S3 alone; 0 if it does not tell
}

// Get reads an object of some bytes at most.
func (b *Bucket) Get(ctx context.Context, key string, most int64) (o Object, err error) {
	var out *s3.GetObjectOutput
	err = b.ask(func(there func(*s3.Options)) error {
		out, err = b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &key}, there)
		return err
	})
	if err != nil {
		return o, err
	}
	defer out.Body.Close()
	if o.Body, err = io.ReadAll(io.LimitReader(out.Body, most+1)); err != nil {
		return o, err
	}
	if int64(len(o.Body)) > most {
		return Object{}, fmt.Errorf("%s: %w: more than %d bytes", Name(b.name, key), ErrLarge, most)
	}
	o.ETag = aws.ToString(out.ETag)
	if now, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok {
		o.Age = now.Sub(aws.ToTime(out.LastModified))
	}
	return o, nil
}

// ErrLarge is that of an object that has more bytes than it can have.
var ErrLarge = errors.New("the object is larger than any of its kind")

// Delete deletes an object. One that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	return b.ask(func(there func(*s3.Options)) error {
		_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &key}, there)
		return err
	})
}

// MayList fails if keys with a prefix cannot be listed.
func (b *Bucket) MayList(ctx context.Context, prefix string) error {
	return b.ask(func(there func(*s3.Options)) error {
		_, err := b.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, MaxKeys: aws.Int32(1)}, there)
		return err
	})
}

// A Listed is an object, or a folder of them, as a listing shows it.
type Listed struct {
	Key  string
	Size int64  // of an object
	ETag string // of an object
}

// List yields the objects whose keys have a prefix, in the order of keys.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Listed, error] {
	return b.list(ctx, &s3.ListObjectsV2Input{Prefix: &prefix})
}

// ListFolder is [Bucket.List], but of all objects in a folder below the prefix, it
// yields the folder alone, behind the objects of its page. Its key ends in a slash.
func (b *Bucket) ListFolder(ctx context.Context, prefix string) iter.Seq2[Listed, error] {
	return b.list(ctx, &s3.ListObjectsV2Input{Prefix: &prefix, Delimiter: aws.String("/")})
}

func (b *Bucket) list(ctx context.Context, in *s3.ListObjectsV2Input) iter.Seq2[Listed, error] {
	in.Bucket = &b.name
	return func(yield func(Listed, error) bool) {
		for pages := s3.NewListObjectsV2Paginator(b.client, in); pages.HasMorePages(); {
			var page *s3.ListObjectsV2Output
			err := b.ask(func(there func(*s3.Options)) (err error) {
				page, err = pages.NextPage(ctx, there)
				return err
			})
			if err != nil {
				yield(Listed{}, err)
				return
			}
			for _, o := range page.Contents {
				if !yield(Listed{aws.ToString(o.Key), aws.ToInt64(o.Size), aws.ToString(o.ETag)}, nil) {
					return
				}
			}
			for _, p := range page.CommonPrefixes {
				if !yield(Listed{Key: aws.ToString(p.Prefix)}, nil) {
					return
				}
			}
		}
	}
}
