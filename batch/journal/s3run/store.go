package s3run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"sync"

	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/journal/disk"
)

// A store is the objects of a bucket whose keys begin with a prefix.
type store struct {
	bucket   *objects.Bucket
	prefix   string   // without a slash at its end
	versions sync.Map // ETags that were seen last, by name
}

// String is the prefix as people write it.
func (s *store) String() string { return objects.Name(s.bucket.Name(), s.prefix) }

// attempts are those of a request: a run of hours meets more failures than a
// command that reads a file.
const attempts = 8

// reach finds out where the bucket is, and whether it may be used.
func reach(ctx context.Context, name string, o objects.Options) (*store, error) {
	bucket, prefix := objects.Split(name)
	prefix = strings.Trim(prefix, "/")
	if bucket == "" || prefix == "" {
		return nil, fmt.Errorf("%s: name a bucket and a prefix in it, as in s3://bucket/runs/monday", name)
	}
	o.Attempts = attempts
	client, err := objects.New(o)
	if err != nil {
		return nil, err
	}
	s := &store{bucket: client.Bucket(bucket), prefix: prefix}
	return s, s.explain(s.bucket.MayList(ctx, s.key("")))
}

func (s *store) key(name string) string { return s.prefix + "/" + name }

// list yields the names below a folder, "" for all, in their order. Folders in
// it are one name each, with a slash at its end.
func (s *store) list(ctx context.Context, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range s.bucket.ListFolder(ctx, s.key(folder)) {
			name := strings.TrimPrefix(o.Key, s.key(""))
			if o.ETag != "" {
				s.versions.Store(name, o.ETag)
			}
			if !yield(name, s.explain(err)) {
				return
			}
		}
	}
}

// below yields every object below the prefix, at any depth, in the order of keys.
func (s *store) below(ctx context.Context, folder string) iter.Seq2[objects.Listed, error] {
	return func(yield func(objects.Listed, error) bool) {
		for o, err := range s.bucket.List(ctx, s.key(folder)) {
			if !yield(o, s.explain(err)) {
				return
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
		size += o.Size
	}
	return size, nil
}

// copyTo writes an object to w.
func (s *store) copyTo(ctx context.Context, w io.Writer, name string) error {
	body, err := s.bucket.Open(ctx, s.key(name), "")
	if err == nil {
		_, err = io.Copy(w, body)
		body.Close()
	}
	if err != nil {
		return fmt.Errorf("%s/%s: %w", s, name, err)
	}
	return nil
}

// read reads an object of about so many bytes.
func (s *store) read(ctx context.Context, name string, size int64) ([]byte, error) {
	body := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	err := s.copyTo(ctx, body, name)
	return body.Bytes(), err
}

func (s *store) put(ctx context.Context, name string, body io.ReadSeeker, when objects.Condition) (etag string, err error) {
	return s.bucket.Put(ctx, s.key(name), body, when)
}

// upload copies a file, as [store.write] does.
func (s *store) upload(from disk.Disk, name, path string) error {
	f, err := from.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.write(name, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// write makes an object of what fill writes, while fill does, in place of the object as it
// was seen last: so a write whose answer was lost cannot arrive after a later one and undo
// it. An object that is another by now is an [objects.Unmet]. If fill fails, the object
// stays as it was.
func (s *store) write(name string, fill func(io.Writer) error) error {
	u := s.bucket.Upload(s.key(name))
	etag := ""
	err := fill(writerFunc(func(p []byte) (int, error) {
		n, err := u.Write(p)
		return n, s.explain(err)
	}))
	if err == nil {
		etag, err = s.commit(name, u)
	}
	if err != nil {
		u.Abort()
		return err
	}
	s.versions.Store(name, etag)
	return nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// commit makes the object of an upload.
func (s *store) commit(name string, u *objects.Upload) (etag string, err error) {
	when := objects.IfNew
	if seen, ok := s.versions.Load(name); ok {
		when = objects.IfStill(seen.(string))
	}
	etag, err = u.Commit(when)
	if objects.Missing(err) { // it was deleted
		etag, err = u.Commit(objects.IfNew)
	}
	if objects.Unmet(err) || objects.Missing(err) { // of an upload in parts, whose answer was lost
		etag, err = s.sameAs(name, u.Sum(), err)
	}
	return etag, s.explain(err)
}

// sameAs is the ETag of an object whose content has that SHA-256, as after a write
// whose answer was lost; else it fails with unmet.
func (s *store) sameAs(name string, sum []byte, unmet error) (etag string, err error) {
	there, err := s.bucket.Open(context.Background(), s.key(name), "")
	if objects.Missing(err) {
		return "", unmet
	} else if err != nil {
		return "", err
	}
	defer there.Close()
	its := sha256.New()
	if _, err := io.Copy(its, there); err != nil {
		return "", err
	}
	if !bytes.Equal(its.Sum(nil), sum) {
		return "", unmet
	}
	return there.ETag(), nil
}

var keeping = objects.Words{
	Denied: "allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on what is below the prefix, and kms:Decrypt and kms:GenerateDataKey if a key of your own encrypts it",
	Unmet:  "another process has written it in the meantime",
	Lacks:  "the store does not know conditional writes, so two processes could both own a run in it: keep the run in Amazon S3, or on a disk",
}

// explain says what the usual errors mean for whoever named the bucket.
func (s *store) explain(err error) error {
	if err == nil {
		return nil
	}
	return &Error{s.String() + ": " + objects.Explain(err, keeping).Error(), err}
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
