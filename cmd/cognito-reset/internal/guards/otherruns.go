package guards

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// NewMessages is the budget of --max-resets of a run; nil without it.
func NewMessages(r *rundir.Record) (batch.Budget, error) {
	if r.Spec.MaxResets == 0 {
		return nil, nil
	}
	own := journal.NewSent(r.Dir.Path, sendsMessage)
	others := &otherRuns{own: r.Dir.Path, like: r.Spec}
	return newMessages(r.Spec.MaxResets, time.Now, own.Since, others.since)
}

// sendsMessage reports whether a step sends the user a message; "" is the first.
func sendsMessage(step string) bool {
	return step == "" || step == spec.StepReset || step == spec.DoInvite
}

// otherRuns finds the records of other runs on a pool: beside the run's own,
// and where runs are recorded unless they are told where, two folders deep. It
// is for one goroutine at a time.
type otherRuns struct {
	own  string
	like spec.Spec

	folders map[string]*folder
	runs    map[string]*journal.Sent // nil for those that do not count
}

// folder is one that was listed when it was last changed.
type folder struct {
	changed time.Time
	names   []string
}

// since counts the messages that they sent since a time.
func (o *otherRuns) since(at time.Time) (messages int, err error) {
	if o.runs == nil {
		o.folders, o.runs = make(map[string]*folder), make(map[string]*journal.Sent)
	}
	seen := make(map[string]bool)
	for _, root := range []string{filepath.Dir(o.own), rundir.RunsFolder} {
		root, err := filepath.Abs(root)
		if err != nil {
			return 0, err
		}
		if err := o.look(root, 2, seen); err != nil {
			return 0, err
		}
	}
	for path := range seen {
		if run := o.runs[path]; run != nil {
			n, err := run.Since(at)
			if err != nil {
				return 0, err
			}
			messages += n
		}
	}
	return messages, nil
}

// look finds the runs in a folder, and in those that are in it.
func (o *otherRuns) look(path string, deep int, seen map[string]bool) error {
	names, err := o.list(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil // what is not there, or not ours to read, has no records for us
	} else if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(path, name)
		if seen[path] {
			continue
		}
		if _, known := o.runs[path]; !known {
			counts, begun, err := o.counts(path)
			switch {
			case err != nil:
				return err
			case !begun && deep > 1:
				if err := o.look(path, deep-1, seen); err != nil {
					return err
				}
				continue
			case !begun:
				continue
			case counts:
				o.runs[path] = journal.NewSent(path, sendsMessage)
			default:
				o.runs[path] = nil
			}
		}
		seen[path] = true
	}
	return nil
}

// list names the folders in a folder. One that changed just now may change again
// without a sign of it, and is read anew.
func (o *otherRuns) list(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if f := o.folders[path]; f != nil && f.changed.Equal(info.ModTime()) && time.Since(f.changed).Abs() > time.Second {
		return f.names, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	f := &folder{changed: info.ModTime()}
	for _, e := range entries {
		if e.IsDir() {
			f.names = append(f.names, e.Name())
		}
	}
	o.folders[path] = f
	return f.names, nil
}

// counts reports whether a folder is the record of another run on the pool, and
// whether it is a record at all.
func (o *otherRuns) counts(path string) (counts, begun bool, err error) {
	own, err := os.Stat(o.own)
	if err != nil {
		return false, false, err
	}
	if info, err := os.Stat(path); err == nil && os.SameFile(own, info) {
		return false, true, nil
	}
	text, err := disk.ReadFile(disk.OS, filepath.Join(path, journal.RunFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return false, false, nil
	} else if err != nil {
		return false, false, err
	}
	var r spec.Spec
	if json.Unmarshal(text, &r) != nil {
		return false, false, nil // not whole yet, or no run's
	}
	mine := o.like
	sharded := r.Shard.Count > 0 && mine.Shard.Count > 0 // which have their own parts of one budget
	return r.UserPoolID == mine.UserPoolID && r.EndpointURL == mine.EndpointURL && r.ForReal() && !r.SignOutAlone() && !sharded, true, nil
}
