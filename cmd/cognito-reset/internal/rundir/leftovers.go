package rundir

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/report"
)

// A Leftover is what was made of runs in a folder that is no run directory: the merged
// reports and the job of a fleet, a merging's output, the users of a run that never
// began.
type Leftover struct {
	Folder  string
	Files   []string // to delete
	summary bool     // there is one, to be left without texts
	Others  []string // files that this tool may not have written
	bytes   int64    // of the files, in S3
}

// Any reports whether there is something to delete.
func (l Leftover) Any() bool { return len(l.Files) > 0 }

// Doomed is how many files are to be deleted.
func Doomed(list []Leftover) (n int) {
	for _, l := range list {
		n += len(l.Files)
	}
	return n
}

// Paths name the files.
func (l Leftover) Paths() (paths []string) {
	for _, name := range l.Files {
		if s3run.Named(l.Folder) {
			paths = append(paths, l.Folder+"/"+name)
		} else {
			paths = append(paths, filepath.Join(l.Folder, name))
		}
	}
	return paths
}

// Leftovers finds what was made of the runs that are pruned, now or before, in and below
// a folder, or a prefix of S3.
func (s *Store) Leftovers(ctx context.Context, root string, runs, old []Run, before time.Time) ([]Leftover, error) {
	if s3run.Named(root) {
		return s.leftoversInS3(ctx, strings.TrimRight(root, "/"), runs, old)
	}
	return LeftoversIn(root, runs, old, before)
}

// LeftoversIn finds what was made of the runs that are pruned, now or before, in and
// below a folder.
func LeftoversIn(root string, runs, old []Run, before time.Time) (list []Leftover, err error) {
	folders, err := Folders(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, folder := range folders {
		gone, kept := 0, 0
		for _, run := range runs {
			switch {
			case !strings.HasPrefix(run.Path, strings.TrimSuffix(filepath.Clean(folder), "/")+"/") && filepath.Clean(folder) != ".":
			case run.State == Pruned || slices.ContainsFunc(old, func(o Run) bool { return o.Path == run.Path }):
				gone++
			default:
				kept++
			}
		}
		if gone == 0 && kept > 0 {
			continue
		}
		l, lookErr := leftoverOf(folder, gone, kept, before)
		err = errors.Join(err, lookErr)
		list = append(list, l)
	}
	return list, err
}

// leftoverOf looks at one folder, with so many runs below it that are pruned and that
// are kept. Without any, its files go by their own age.
func leftoverOf(folder string, gone, kept int, before time.Time) (l Leftover, err error) {
	l.Folder = folder
	names, err := filesIn(folder, gone == 0, before)
	if err != nil {
		return l, err
	}
	ours := func(name string) bool { return journal.IsOfLock(name) || journal.NeverBegan(name) }
	// A folder in which somebody keeps a job of their own is not that of a fleet, which
	// is locked, and has its runs right below it.
	fleet := slices.Contains(names, JobFile) && exists(filepath.Join(folder, journal.LockFile)) && len(RunsBelow(folder)) > 0
	_, summed := summaryIn(folder)
	reports := fleet || summed
	abandoned := !slices.ContainsFunc(names, func(name string) bool { return !ours(name) })
	for _, name := range names {
		switch {
		case journal.IsOfLock(name):
		case name == SummaryFile && summed:
			l.summary = true
		case fleet && kept == 0,
			reports && isReport(name), (reports || abandoned) && journal.NeverBegan(name):
			l.Files = append(l.Files, name)
		case name == JobFile && fleet: // with it, those that are kept can be resumed
		case gone > 0:
			l.Others = append(l.Others, name)
		}
	}
	return l, nil
}

// filesIn names the files of a folder, or only those that are older than a time.
func filesIn(folder string, old bool, before time.Time) (names []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && (!old || info.ModTime().Before(before)) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isReport reports whether rows are written into a file of that name.
func isReport(name string) bool {
	return strings.HasPrefix(name, "report.") || strings.HasPrefix(name, ConflictsFile) || strings.HasPrefix(name, VerifyFile) || strings.HasPrefix(name, report.RemainingFile) ||
		strings.HasPrefix(name, SummaryFile+".") // unfinished
}

func summaryIn(folder string) (s report.Summary, ok bool) {
	text, err := os.ReadFile(filepath.Join(folder, SummaryFile))
	return s, err == nil && json.Unmarshal(text, &s) == nil && s.Outcomes != nil
}

// PruneBeside deletes the files, and returns how many bytes they had.
func (s *Store) PruneBeside(ctx context.Context, l Leftover) (freed int64, err error) {
	if s3run.Named(l.Folder) {
		return l.bytes, s3run.Delete(ctx, l.Folder, s.S3, l.Files...)
	}
	if s, ok := summaryIn(l.Folder); l.summary && ok {
		if err := (&journal.Dir{Path: l.Folder}).WriteJSON(SummaryFile, unnamed(s)); err != nil {
			return 0, err
		}
	}
	for _, name := range l.Files {
		path := filepath.Join(l.Folder, name)
		if info, err := os.Stat(path); err == nil {
			freed += info.Size()
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return freed, err
		}
	}
	return freed, nil
}
