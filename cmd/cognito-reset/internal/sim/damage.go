package sim

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"

	"cognito-reset/batch/journal"
)

// damage does to the record what somebody does to it between two processes, if the
// run has begun. The returned function, not nil if there is something to undo, puts
// the record back as it was.
func (w *world) damage(faults []fault) (undo func()) {
	for _, f := range faults {
		switch f.Kind {
		case recordCut, recordEmptied, recordGone, recordExpired, recordCopied:
		default:
			continue
		}
		if f.Kind == recordCut && w.markBehind {
			return nil
		}
		if w.plan.InS3 {
			undo = w.store.damage(f)
		} else {
			undo = w.disk.damage(f)
		}
		if undo != nil {
			w.tell("%s", f)
		}
		return undo
	}
	return nil
}

func (d *hardDisk) damage(f fault) (undo func()) {
	if f.Kind == recordCopied {
		return d.restore()
	}
	name := journal.JournalFile
	if f.Kind == recordExpired {
		name = journal.RunFile
	}
	path := filepath.Join(runPath, name)
	d.mu.Lock()
	begun, _, _ := d.find(filepath.Join(runPath, journal.RunFile))
	there, _, _ := d.find(path)
	d.mu.Unlock()
	if begun == nil || there == nil || len(there.data) == 0 {
		return nil
	}
	was := d.change(path, func(text []byte) []byte {
		switch f.Kind {
		case recordCut:
			for range f.N {
				text = text[:bytes.LastIndexByte(text[:max(0, len(text)-1)], '\n')+1]
			}
			return append([]byte{}, text...)
		case recordEmptied:
			return []byte{}
		}
		return nil
	})
	d.mu.Lock()
	left, _, _ := d.find(path)
	d.mu.Unlock()
	var cut []byte
	if left != nil {
		cut = slices.Clone(left.data)
	}
	return func() {
		d.change(path, func(now []byte) []byte {
			if !bytes.Equal(now, cut) { // somebody has gone on with it
				return now
			}
			return was
		})
	}
}

// restore replaces the run directory by a copy. There is nothing to undo: whoever
// restored it says so.
func (d *hardDisk) restore() (undo func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, folder, name := d.find(runPath)
	if n == nil {
		return nil
	}
	folder.entries[name] = d.copyOf(n)
	folder.synced[name] = folder.entries[name]
	return func() {}
}

func (s *store) damage(f fault) (undo func()) {
	const prefix = "runs/monday/"
	if len(s.keys(prefix+journal.RunFile)) == 0 {
		return nil
	}
	segments := s.keys(prefix + "journal/")
	if len(segments) == 0 {
		return nil
	}
	last := segments[max(0, len(segments)-f.N)]
	was := s.remove(func(key string) bool {
		switch f.Kind {
		case recordCut:
			return strings.HasPrefix(key, prefix+"journal/") && key >= last
		case recordEmptied:
			return strings.HasPrefix(key, prefix+"journal/")
		case recordGone:
			return key != prefix+journal.RunFile && key != prefix+"lease.json"
		}
		return key != prefix+"lease.json"
	})
	return func() { s.restore(was) }
}
