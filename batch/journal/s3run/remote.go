package s3run

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
)

// A remote is a [journal.Remote] in S3.
type remote struct {
	*store
	disk   disk.Disk
	lease  *lease        // nil for one who only reads
	folder string        // with the copy
	drop   func() error  // deletes it; nil before it is made
	last   int64         // segment
	ours   bool          // run.json is this process's
	roster string        // path of a roster that goes with the next run.json; "" if none
	marked *journal.Mark // that one who only reads found; nil if there was none
}

func newRemote(ctx context.Context, name string, o Options) (*remote, error) {
	s, err := reach(ctx, name, o.Options)
	return &remote{store: s, disk: cmp.Or(o.Disk, disk.OS)}, err
}

func (h *remote) take(ctx context.Context, o Options) (err error) {
	if o.TTL <= 0 {
		o.TTL = defaultTTL
	}
	h.lease, err = take(ctx, h.store, o)
	return err
}

// dir is the copy, if nothing went wrong before.
func (h *remote) dir(err error) (*journal.Dir, error) {
	if err == nil {
		var d *journal.Dir
		if d, err = journal.Copy(h.disk, h.path(), h, h.lease != nil); err == nil {
			return d, nil
		}
	}
	return nil, errors.Join(err, h.Close())
}

// vacant fails if there is anything but what a run leaves that never began.
func (h *remote) vacant(ctx context.Context) error {
	var names []string
	held := false
	if now, _, _, err := h.claim(ctx); err == nil && now.Mark != nil && now.Mark.Lines > 0 && h.begun(ctx) != nil {
		return fmt.Errorf("%s: %w: a run began here and journaled %d lines, and its %s is gone, as when a lifecycle rule deletes what is old; restore it, or its versions, or name another prefix for a new run",
			h, ErrCut, now.Mark.Lines, journal.RunFile)
	} else if err != nil && !objects.Missing(err) {
		return h.explain(err)
	}
	for name, err := range h.list(ctx, "") {
		if err != nil {
			return err
		}
		if name == journal.RunFile {
			if holder := h.Holder(); holder != "" {
				return &journal.HeldError{Path: h.String(), Holder: holder}
			}
			return fmt.Errorf("%s: %w", h, ErrBegun)
		}
		held = held || name == leaseFile
		names = append(names, name)
	}
	if len(names) > 0 && !held {
		return fmt.Errorf("%s: %w", h, journal.ErrExists)
	}
	return nil
}

func (h *remote) begun(ctx context.Context) error {
	for name, err := range h.list(ctx, journal.RunFile) {
		if err != nil || name == journal.RunFile {
			return err
		}
	}
	return fmt.Errorf("%s is not a run directory, or its run never began: it has no %s: %w", h, journal.RunFile, fs.ErrNotExist)
}

// makeFolder makes a folder for the copy.
func (h *remote) makeFolder() (err error) {
	if h.folder, h.drop, err = disk.TempDir(h.disk); err != nil {
		return err
	}
	return h.disk.Mkdir(h.path(), 0o700)
}

func (h *remote) path() string { return filepath.Join(h.folder, "run") }

// download makes the copy. The journal comes last, so that it is not behind any
// report of it. Reports and the like are read where they are, as they were seen here.
func (h *remote) download(ctx context.Context) error {
	if err := h.makeFolder(); err != nil {
		return err
	}
	for name, err := range h.list(ctx, "") {
		if err != nil {
			return err
		}
		if name != journal.RosterFile && (name == leaseFile || filepath.Ext(name) != ".json") {
			continue // folders, too: segments come below
		}
		if err := h.file(name, func(w io.Writer) error { return h.copyTo(ctx, w, name) }); err != nil {
			return err
		}
	}
	return h.file(journal.JournalFile, func(w io.Writer) (err error) {
		h.last, err = h.copyJournal(ctx, w)
		return err
	})
}

// file makes a file of the copy.
func (h *remote) file(name string, fill func(io.Writer) error) error {
	f, err := h.disk.OpenFile(filepath.Join(h.path(), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

func (h *remote) Holder() string {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	return h.holder(ctx)
}

func (h *remote) Fence() int64 { return h.lease.fence }

func (h *remote) MayCall() error { return h.lease.wait() }

func (h *remote) Marked() (m journal.Mark, ok bool) {
	mark := h.marked
	if h.lease != nil {
		h.lease.mu.Lock()
		defer h.lease.mu.Unlock()
		mark = h.lease.mark
	}
	if mark == nil {
		return m, false
	}
	return *mark, true
}

// Mark implements [journal.Remote]: the next renewal of the lease carries the mark.
func (h *remote) Mark(m journal.Mark, now bool) error {
	h.lease.mu.Lock()
	first := h.lease.mark == nil || h.lease.mark.Lines == 0
	h.lease.mark = &m
	h.lease.mu.Unlock()
	for now || first {
		err := h.lease.renew(context.Background(), h.lease.holder)
		if err == nil {
			return nil
		}
		if gone := h.lease.check(&h.lease.sure); gone != nil || objects.Refused(err) {
			return cmp.Or(gone, h.explain(err))
		}
		time.Sleep(pause)
	}
	return nil
}

// Size implements [journal.Remote].
func (h *remote) Size() (size int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return h.size(ctx, segments)
}

// lookTimeout bounds a single request, and appendTimeout one that is tried again.
const (
	lookTimeout   = 5 * time.Second
	appendTimeout = 10 * time.Second
)

// Append implements [journal.Remote]. It goes on trying for as long as the lease
// lasts.
func (h *remote) Append(lines []byte) error {
	name := segment(h.last + 1)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if err := h.lease.check(&h.lease.sure); err != nil {
			return err
		}
		err := h.add(name, lines)
		switch {
		case err == nil:
			h.last++
			return nil
		case errors.Is(err, ErrLost):
			return err
		case objects.Refused(err) && !objects.Missing(err): // as what is deleted after it was found is
			return h.explain(err)
		}
		time.Sleep(wait)
	}
}

// add writes a segment, and looks whose it is if there is one already: ours, if
// an answer was lost.
func (h *remote) add(name string, lines []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	_, err := h.put(ctx, name, bytes.NewReader(lines), objects.IfNew)
	if !objects.Unmet(err) {
		return err
	}
	there, err := h.read(ctx, name, int64(len(lines)))
	if err == nil && !bytes.Equal(there, lines) {
		return h.lease.lose(fmt.Sprintf("another process has written %s/%s", h, name))
	}
	return err
}

// Put implements [journal.Remote]. A roster may be written more than once before its run
// begins, and goes once, right before run.json: nobody reads it without that.
func (h *remote) Put(name, path string) error {
	if name == journal.RosterFile {
		h.roster = path
		return nil
	}
	if err := h.mayWrite(); err != nil {
		return err
	}
	if name != journal.RunFile {
		return h.upload(h.disk, name, path)
	}
	if h.roster != "" {
		if err := h.upload(h.disk, journal.RosterFile, h.roster); err != nil {
			return err
		}
		h.roster = ""
	}
	err := h.upload(h.disk, name, path)
	h.ours = h.ours || err == nil
	return err
}

// mayWrite fails once another process may hold the run. One who only reads it is held
// back by nothing but what was seen.
func (h *remote) mayWrite() error {
	if h.lease == nil {
		return nil
	}
	return h.lease.ensure()
}

// Write implements [journal.Remote].
func (h *remote) Write(name string, fill func(io.Writer) error) error {
	if err := h.mayWrite(); err != nil {
		return err
	}
	return h.write(name, func(w io.Writer) error {
		if err := fill(w); err != nil {
			return err
		}
		return h.mayWrite() // what was asked when it began may be an hour ago
	})
}

// Has implements [journal.Remote].
func (h *remote) Has(name string) bool {
	_, ok := h.versions.Load(name)
	return ok
}

// Open implements [journal.Remote].
func (h *remote) Open(name string) (io.ReadCloser, error) {
	seen, ok := h.versions.Load(name)
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: h.String() + "/" + name, Err: fs.ErrNotExist}
	}
	body, err := h.bucket.Open(context.Background(), h.key(name), seen.(string))
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", h, name, err)
	}
	return body, nil
}

// Remove gives up a run that made no call. It deletes run.json, if this process has
// written it: while that is there, no other process begins. It deletes nothing else:
// this process may stand still before a deletion, and another one may have begun by
// then, whose record the deletion would take. What is left is replaced by the next
// run of the prefix.
func (h *remote) Remove() error {
	if err := h.lease.ensure(); err != nil || !h.ours {
		return err
	}
	if err := h.bucket.Delete(context.Background(), h.key(journal.RunFile)); err != nil {
		return h.explain(err)
	}
	return nil
}

func (h *remote) Close() error {
	if h.lease != nil {
		h.lease.release()
	}
	if h.drop == nil {
		return nil
	}
	return h.drop()
}
