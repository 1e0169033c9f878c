package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
)

// A leftover is what was made of runs in a folder that is no run directory: the merged
// reports and the job of a fleet, a merging's output, the users of a run that never
// began.
type leftover struct {
	folder  string
	files   []string // to delete
	summary bool     // there is one, to be left without texts
	others  []string // files that this tool may not have written
}

func (l leftover) any() bool { return len(l.files) > 0 }

func doomed(list []leftover) (n int) {
	for _, l := range list {
		n += len(l.files)
	}
	return n
}

// leftoversIn finds what was made of the runs that are pruned, now or before, in and
// below a folder.
func leftoversIn(root string, runs, old []pastRun, before time.Time) (list []leftover, err error) {
	folders, err := rundir.Folders(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, folder := range folders {
		gone, kept := 0, 0
		for _, run := range runs {
			switch {
			case !strings.HasPrefix(run.Path, strings.TrimSuffix(filepath.Clean(folder), "/")+"/") && filepath.Clean(folder) != ".":
			case run.State == runPruned || slices.ContainsFunc(old, func(o pastRun) bool { return o.Path == run.Path }):
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
func leftoverOf(folder string, gone, kept int, before time.Time) (l leftover, err error) {
	l.folder = folder
	entries, err := os.ReadDir(folder)
	if err != nil {
		return l, err
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || gone == 0 && !info.ModTime().Before(before) {
			continue
		}
		names = append(names, e.Name())
	}
	ours := func(name string) bool { return name == journal.LockFile || journal.NeverBegan(name) }
	// A folder in which somebody keeps a job of their own is not that of a fleet, which
	// is locked, and has its runs right below it.
	fleet := slices.Contains(names, jobFile) && exists(filepath.Join(folder, journal.LockFile)) && len(runsBelow(folder)) > 0
	_, summed := summaryIn(folder)
	reports := fleet || summed
	abandoned := !slices.ContainsFunc(names, func(name string) bool { return !ours(name) })
	for _, name := range names {
		switch {
		case name == journal.LockFile:
		case name == summaryFile && summed:
			l.summary = true
		case fleet && kept == 0,
			reports && isReport(name), (reports || abandoned) && journal.NeverBegan(name):
			l.files = append(l.files, name)
		case name == jobFile && fleet: // with it, those that are kept can be resumed
		case gone > 0:
			l.others = append(l.others, name)
		}
	}
	return l, nil
}

// isReport reports whether rows are written into a file of that name.
func isReport(name string) bool {
	return strings.HasPrefix(name, "report.") || strings.HasPrefix(name, conflictsFile) || strings.HasPrefix(name, verifyFile) ||
		strings.HasPrefix(name, summaryFile+".") // unfinished
}

func summaryIn(folder string) (s report.Summary, ok bool) {
	text, err := os.ReadFile(filepath.Join(folder, summaryFile))
	return s, err == nil && json.Unmarshal(text, &s) == nil && s.Outcomes != nil
}

// prune deletes the files, and returns how many bytes they had.
func (l leftover) prune() (freed int64, err error) {
	if s, ok := summaryIn(l.folder); l.summary && ok {
		if err := (&journal.Dir{Path: l.folder}).WriteJSON(summaryFile, unnamed(s)); err != nil {
			return 0, err
		}
	}
	for _, name := range l.files {
		path := filepath.Join(l.folder, name)
		if info, err := os.Stat(path); err == nil {
			freed += info.Size()
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return freed, err
		}
	}
	return freed, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// someOf lists the first of names.
func someOf(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
