package fleet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A Folder is where the runs of a fleet are. In S3 it holds the runs and the report of
// all, but no job and no lock.
type Folder struct {
	Path   string
	GoesOn bool // runs that are there are resumed
}

// Place finds the folder of a new fleet, at path or where runs are recorded, and
// whether its job is there: then it is to be resumed. again says that an engine may
// start the same process again. It is an error if runs are there that no job tells of.
func Place(path string, shard roster.Shard, again, dry bool) (f Folder, begun bool, err error) {
	switch {
	case path == "" && shard.Count > 0:
		return f, false, exit.Usagef("the record of a shard stands beside those of the others: give --run DIR")
	case path == "":
		path = rundir.NewPath(time.Now().UTC(), "fleet")
	case shard.Count > 0:
		path = rundir.ShardPath(path, shard)
	}
	f = Folder{path, again || s3run.Named(path)}
	if s3run.Named(path) {
		return f, false, nil
	}
	_, err = os.Stat(filepath.Join(path, rundir.JobFile))
	runs := rundir.RunsBelow(path)
	switch begun = err == nil; {
	case !begun && !errors.Is(err, fs.ErrNotExist):
		return f, false, exit.Refusef("--run: %w", err)
	case !begun && runs == nil && !dry:
		return f, false, spec.Lost(path, shard, again && shard.Count > 0)
	case f.GoesOn:
		return f, begun, nil
	case begun:
		return f, true, exit.Refusef("--run: %s holds a fleet: name a new folder, or go on with that one by cognito-reset resume %s", path, term.Quote(path))
	case runs != nil:
		return f, false, exit.Refusef("--run: %s holds runs, but no job that began: name a new folder, or delete this one", path)
	}
	return f, false, nil
}
