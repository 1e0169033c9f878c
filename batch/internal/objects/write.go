package objects

import (
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A Condition is one under which an object is written; the zero value is none.
type Condition struct{ noneMatch, match *string }

// IfNew writes an object that is not there yet.
var IfNew = Condition{noneMatch: aws.String("*")}

// IfStill writes an object in place of that with the ETag.
func IfStill(etag string) Condition { return Condition{match: &etag} }

// Put writes an object.
func (b *Bucket) Put(ctx context.Context, key string, body io.ReadSeeker, when Condition) (etag string, err error) {
	in := &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: body, IfNoneMatch: when.noneMatch, IfMatch: when.match}
	in.ServerSideEncryption, in.SSEKMSKeyId = b.encryption()
	err = b.ask(func(there func(*s3.Options)) error {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		out, err := b.client.PutObject(ctx, in, there)
		if err == nil {
			etag = aws.ToString(out.ETag)
		}
		return err
	})
	return etag, err
}

// encryption is how what is written is encrypted, where that is not left to the bucket.
func (b *Bucket) encryption() (how types.ServerSideEncryption, key *string) {
	if b.kmsKey == "" {
		return "", nil
	}
	return types.ServerSideEncryptionAwsKms, &b.kmsKey
}

// PartSize is how many bytes of an [Upload] are in memory. S3 takes 10,000 parts, so
// that an object has 78 GiB at most.
const PartSize = 8 << 20

// partTimeout is how long a part may take to be sent, or an upload to be begun or ended.
const partTimeout = 2 * time.Minute

// An Upload is an object that is written while its content is made, however large.
// Nothing of it is there before [Upload.Commit], nor after [Upload.Abort]. One that is
// larger than a part is sent in parts.
type Upload struct {
	bucket *Bucket
	key    string
	part   []byte // what was not sent yet
	id     string // of the upload in parts; "" as long as there is none
	sent   []types.CompletedPart
	sum    hash.Hash
}

// Upload begins an object. Nothing is asked yet.
func (b *Bucket) Upload(key string) *Upload {
	return &Upload{bucket: b, key: key, sum: sha256.New()}
}

// Write implements [io.Writer].
func (u *Upload) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if len(u.part) == PartSize {
			if err := u.send(); err != nil {
				return n, err
			}
		}
		took := p[:min(len(p), PartSize-len(u.part))]
		u.part = append(u.part, took...)
		u.sum.Write(took)
		n, p = n+len(took), p[len(took):]
	}
	return n, nil
}

// Sum is the SHA-256 of what was written so far.
func (u *Upload) Sum() []byte { return u.sum.Sum(nil) }

// send sends a part.
func (u *Upload) send() error {
	ctx, cancel := context.WithTimeout(context.Background(), partTimeout)
	defer cancel()
	b := u.bucket
	if u.id == "" {
		in := &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &u.key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32}
		in.ServerSideEncryption, in.SSEKMSKeyId = b.encryption()
		if err := b.ask(func(there func(*s3.Options)) error {
			out, err := b.client.CreateMultipartUpload(ctx, in, there)
			if err == nil {
				u.id = aws.ToString(out.UploadId)
			}
			return err
		}); err != nil {
			return err
		}
	}
	number := aws.Int32(int32(len(u.sent) + 1))
	err := b.ask(func(there func(*s3.Options)) error {
		out, err := b.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: &u.key, UploadId: &u.id, PartNumber: number, Body: bytes.NewReader(u.part), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32}, there)
		if err == nil {
			u.sent = append(u.sent, types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
			u.part = u.part[:0]
		}
		return err
	})
	return err
}

// Commit makes the object of what was written. After an error it can be tried again.
func (u *Upload) Commit(when Condition) (etag string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), partTimeout)
	defer cancel()
	b := u.bucket
	if u.id == "" {
		return b.Put(ctx, u.key, bytes.NewReader(u.part), when)
	}
	if len(u.part) > 0 {
		if err := u.send(); err != nil {
			return "", err
		}
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &b.name, Key: &u.key, UploadId: &u.id, IfNoneMatch: when.noneMatch, IfMatch: when.match,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.sent},
	}
	err = b.ask(func(there func(*s3.Options)) error {
		out, err := b.client.CompleteMultipartUpload(ctx, in, there)
		if err == nil {
			etag = aws.ToString(out.ETag)
		}
		return err
	})
	return etag, err
}

// Abort has S3 drop the parts that were sent, of an object that is not to be. Where that
// is not allowed, or cannot be asked, they are billed, and in nobody's way, until a rule
// of the bucket clears them.
func (u *Upload) Abort() {
	if u.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), partTimeout)
	defer cancel()
	b := u.bucket
	_ = b.ask(func(there func(*s3.Options)) error {
		_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: &u.key, UploadId: &u.id}, there)
		return err
	})
}
