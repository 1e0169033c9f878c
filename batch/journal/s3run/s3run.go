// Package s3run keeps run directories in Amazon S3, for machines whose disk does
// not outlive them.
//
// A prefix holds the same files as a directory, but for the journal, which S3
// cannot append to: it is in segments, journal/00000000000000000001.jsonl and so
// on, that make up journal.jsonl byte for byte. A process works on a copy of its
// own of what it needs at hand, the roster, the journal and documents in JSON, which is
// deleted when it releases the run; one that is killed leaves it in the folder for
// temporary files, private to its owner. Reports and the like go to S3 while they are
// written, and are read there.
//
// An intent is in S3 before [journal.Journal.WriteIntent] returns. Segments are
// written on condition that there is none of that number, so of two processes
// one finds that it has lost. An object lease.json keeps apart those that hold a
// run one after the other: whoever finds its lease taken over, or could not
// renew it, calls nobody any more. What cannot be prevented is that a machine
// stands still between that look and the call itself, for longer than the TTL.
package s3run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
)

// Options say how S3 is reached, and how long a silent holder is believed in.
type Options struct {
	objects.Options

	// TTL is how long a lease lasts that is not renewed. Half of it must be
	// longer than a call may take. Default a minute.
	TTL time.Duration

	// Disk is where the copy of a run is. Default the machine's.
	Disk disk.Disk

	// OnWait, if set, is told that the run may be held by a dead process, and
	// that this one waits so long to see.
	OnWait func(holder string, wait time.Duration)

	// OnSilence, if set, is told that S3 has not answered for half of the TTL,
	// why, and for how long at most no call leaves until it does.
	OnSilence func(why error, wait time.Duration)
}

const defaultTTL = time.Minute

// ErrBegun is why a prefix cannot be made into a run directory: it is one. It is
// a [journal.ErrExists].
var ErrBegun = fmt.Errorf("%w: a run", journal.ErrExists)

// ErrCut is why a prefix cannot be made into a run directory: there was a run in
// it. It is a [journal.ErrExists].
var ErrCut = fmt.Errorf("%w, or were", journal.ErrExists)

// ErrLost is why a process may not write to a run any more: another holds it.
var ErrLost = errors.New("the run was taken over")

// Named reports whether a run directory's name is one in S3: s3://bucket/prefix.
func Named(name string) bool { return strings.HasPrefix(name, objects.Scheme+"://") }

// Create makes a run directory of a prefix, and holds it. Below the prefix there
// must be nothing, or a run that never began. Errors are those of
// [journal.Create].
func Create(ctx context.Context, name string, o Options) (*journal.Dir, error) {
	h, err := newRemote(ctx, name, o)
	if err != nil {
		return nil, err
	}
	if err := h.vacant(ctx); err != nil {
		return nil, err
	}
	if err := h.take(ctx, o); err != nil {
		return nil, err
	}
	err = h.vacant(ctx) // whoever held it may have begun
	if err == nil {
		err = h.makeFolder()
	}
	return h.dir(err)
}

// Open holds a run in S3, to go on with it. Errors are those of [journal.Open].
func Open(ctx context.Context, name string, o Options) (*journal.Dir, error) {
	h, err := newRemote(ctx, name, o)
	if err != nil {
		return nil, err
	}
	if err := h.begun(ctx); err != nil {
		return nil, err
	}
	if err := h.take(ctx, o); err != nil {
		return nil, err
	}
	return h.dir(h.download(ctx))
}

// Folders are the names of the folders directly below a prefix, which need not hold
// any: runs, or what processes left that died before their runs began.
func Folders(ctx context.Context, name string, o Options) (names []string, err error) {
	s, err := reach(ctx, name, o.Options)
	if err != nil {
		return nil, err
	}
	for name, err := range s.list(ctx, "") {
		if err != nil {
			return nil, err
		}
		if folder, ok := strings.CutSuffix(name, "/"); ok {
			names = append(names, folder)
		}
	}
	return names, nil
}

// View copies a run in S3 for reading, as it is now. Errors are those of
// [journal.View].
func View(ctx context.Context, name string, o Options) (*journal.Dir, error) {
	h, err := newRemote(ctx, name, o)
	if err != nil {
		return nil, err
	}
	if err := h.begun(ctx); err != nil {
		return nil, err
	}
	switch now, _, _, err := h.claim(ctx); { // before the journal, which may go on
	case err == nil:
		h.marked = now.Mark
	case !objects.Missing(err):
		return nil, h.explain(err)
	}
	return h.dir(h.download(ctx))
}

// ReadRunFile reads run.json of a run, which needs not be copied for it; nil if there
// is none.
func ReadRunFile(ctx context.Context, name string, o Options) ([]byte, error) {
	s, err := reach(ctx, name, o.Options)
	if err != nil {
		return nil, err
	}
	file, err := s.bucket.Get(ctx, s.key(journal.RunFile), disk.MostRead)
	if err != nil && !objects.Missing(err) {
		return nil, s.why(ctx, err)
	}
	return file.Body, nil
}

// Find lists the runs at a prefix and at any depth below it, by their names. A run
// never began, and is not listed, where there is no run.json.
func Find(ctx context.Context, name string, o Options) (runs []string, err error) {
	s, err := reach(ctx, name, o.Options)
	if err != nil {
		return nil, err
	}
	for object, err := range s.below(ctx, "") {
		if err != nil {
			return nil, err
		}
		if run, ok := strings.CutSuffix(object.Key, "/"+journal.RunFile); ok {
			runs = append(runs, objects.Name(s.bucket.Name(), run))
		}
	}
	return runs, nil
}

// Glance copies a few files of a run for reading, those of them that are there, and
// tells how many bytes its journal has.
func Glance(ctx context.Context, name string, o Options, files ...string) (d *journal.Dir, journalBytes int64, err error) {
	h, err := newRemote(ctx, name, o)
	if err != nil {
		return nil, 0, err
	}
	if err := h.makeFolder(); err != nil {
		return nil, 0, err
	}
	glance := func() error {
		for name, err := range h.list(ctx, "") {
			if err == nil && slices.Contains(files, name) {
				err = h.file(name, func(w io.Writer) error { return h.copyTo(ctx, w, name) })
			}
			if err != nil {
				return err
			}
		}
		for object, err := range h.below(ctx, segments) {
			if err != nil {
				return err
			}
			journalBytes += object.Size
		}
		return nil
	}
	d, err = h.dir(glance())
	return d, journalBytes, err
}
