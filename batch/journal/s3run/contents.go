package s3run

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
)

// An Object is one of those that make up a run: a file, or a segment of its journal.
type Object struct {
	Name  string // below the prefix of the run
	Bytes int64
}

// Contents lists the objects of a run, but for the lease, which names nobody.
func Contents(ctx context.Context, name string, o Options) (list []Object, err error) {
	s, err := reach(ctx, name, o.Options)
	if err != nil {
		return nil, err
	}
	for object, err := range s.below(ctx, "") {
		if err != nil {
			return nil, err
		}
		if below := strings.TrimPrefix(object.Key, s.key("")); below != leaseFile {
			list = append(list, Object{below, object.Size})
		}
	}
	return list, nil
}

// Upload writes the files of a folder on this machine below a prefix, in place of those
// that are there. One that another process writes meanwhile is an error.
func Upload(ctx context.Context, name string, o Options, folder string) error {
	s, err := reach(ctx, name, o.Options)
	if err != nil {
		return err
	}
	for _, err := range s.list(ctx, "") { // notes what is replaced
		if err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if err == nil && e.Type().IsRegular() {
			err = s.upload(disk.OS, e.Name(), filepath.Join(folder, e.Name()))
		}
	}
	return err
}

// Delete deletes objects of a run for good, those of them that are there. Its run.json
// must say already that nobody may go on with it: another process may have begun to
// look at the run since this one did. A bucket with versions keeps those.
func Delete(ctx context.Context, name string, o Options, objects ...string) error {
	s, err := reach(ctx, name, o.Options)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if object == journal.RunFile || object == leaseFile {
			continue
		}
		within, cancel := context.WithTimeout(ctx, time.Minute)
		err := s.bucket.Delete(within, s.key(object))
		cancel()
		if err != nil {
			return s.why(ctx, err)
		}
	}
	return nil
}
