// Package rundir knows run directories wherever they are kept: it finds them at
// any depth of a folder, and keeps of each an index of whom it reset, so that a
// later run can leave them out long after the record itself is gone.
package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"cognito-reset/batch/journal"
)

// Find lists the run directories at path and at any depth below it, in the order of
// their names: shards and the runs of a fleet are found from the folder above them.
// Symbolic links are followed to a run directory, but not into other folders. A
// folder that cannot be read is an error: a run in it might be missed.
func Find(path string) (runs []*journal.Dir, err error) {
	err = walk(path, func(folder string) error {
		dir, err := journal.View(folder)
		if err == nil {
			runs = append(runs, dir)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	return runs, err
}

// Beside names the runs, and the folders of several, that stand in the working directory
// itself, as those that --run names often do.
func Beside() (names []string) {
	entries, err := os.ReadDir(".")
	if err != nil {
		return nil // they are a hint
	}
	for _, e := range entries {
		if _, err := journal.View(e.Name()); err == nil || e.Name() != RunsFolder && RunsBelow(e.Name()) != nil {
			names = append(names, e.Name())
		}
	}
	return names
}

// Folders lists the folders at path and at any depth below it that are no run
// directories.
func Folders(path string) (folders []string, err error) {
	err = walk(path, func(folder string) error {
		if _, err := journal.View(folder); errors.Is(err, fs.ErrNotExist) {
			folders = append(folders, folder)
		}
		return nil
	})
	return folders, err
}

// walk visits a folder and those below it. Names are taken as they are: nothing in a
// path is a pattern.
func walk(path string, visit func(folder string) error) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	if err := visit(path); err != nil {
		return err
	}
	for _, e := range entries {
		below := filepath.Join(path, e.Name())
		switch {
		case e.IsDir():
			err = walk(below, visit)
		case e.Type()&fs.ModeSymlink != 0:
			if _, viewed := journal.View(below); viewed == nil {
				err = visit(below)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // it was deleted just now
		}
		if err != nil {
			return err
		}
	}
	return nil
}
