package rundir

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A Store opens run directories on the disk and in S3.
type Store struct {
	S3   s3run.Options
	Disk disk.Disk // nil is the machine's

	mu     sync.Mutex
	copies []*journal.Dir // of runs in S3 that are read
}

// Close deletes the copies of runs that are kept in S3 and were read.
func (s *Store) Close() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, dir := range s.copies {
		err = errors.Join(err, dir.Close())
	}
	s.copies = nil
	return err
}

// keep has the copy of a run deleted by [Store.Close].
func (s *Store) keep(dir *journal.Dir) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copies = append(s.copies, dir)
}

// As is the store that asks S3 for what a run asks for, where the command does not say
// it itself.
func (s *Store) As(asked spec.Settings) *Store {
	as := &Store{S3: s.S3, Disk: s.Disk}
	as.S3.ExpectedBucketOwner = cmp.Or(as.S3.ExpectedBucketOwner, asked.ExpectedBucketOwner)
	as.S3.KMSKey = cmp.Or(as.S3.KMSKey, asked.S3KMSKey)
	return as
}

// asBefore is [Store.As] of a run in S3, by its run.json, if that is there.
func (s *Store) asBefore(ctx context.Context, path string) (*Store, error) {
	text, err := s3run.ReadRunFile(ctx, path, s.S3)
	if err != nil || text == nil {
		return s, err
	}
	var before spec.Spec
	if err := json.Unmarshal(text, &before); err != nil {
		return s, fmt.Errorf("%s/%s is damaged: %w", path, journal.RunFile, err)
	}
	return s.As(before.Settings), nil
}

func (s *Store) disk() disk.Disk { return cmp.Or(s.Disk, disk.OS) }

// Create makes a run directory.
func (s *Store) Create(ctx context.Context, path string) (*journal.Dir, error) {
	if s3run.Named(path) {
		return s3run.Create(ctx, path, s.S3)
	}
	return journal.CreateOn(s.disk(), path)
}

// Open opens a run directory to go on with its run.
func (s *Store) Open(ctx context.Context, path string) (*journal.Dir, error) {
	if s3run.Named(path) {
		as, err := s.asBefore(ctx, path)
		if err != nil {
			return nil, err
		}
		return s3run.Open(ctx, path, as.S3)
	}
	return journal.OpenOn(s.disk(), path)
}

// View opens a run directory for reading, until the store is closed.
func (s *Store) View(ctx context.Context, path string) (*journal.Dir, error) {
	if !s3run.Named(path) {
		if runs := FleetRuns(path); runs != nil {
			return nil, exit.Usagef("%s is the folder of a job on several user pools: name one of them, such as %s", path, runs[0])
		}
		return journal.ViewOn(s.disk(), path)
	}
	as, err := s.asBefore(ctx, path)
	if err != nil {
		return nil, err
	}
	dir, err := s3run.View(ctx, path, as.S3)
	if err == nil {
		s.keep(dir)
	}
	return dir, err
}

// Read reads the record of a run, at work or not, that was not pruned.
func (s *Store) Read(ctx context.Context, path string) (*Record, error) {
	dir, err := s.View(ctx, path)
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	r, err := Load(dir)
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	return r, r.Gone()
}

// Ended reads the record of a run that nobody works on.
func (s *Store) Ended(ctx context.Context, path string) (*Record, error) {
	dir, err := s.View(ctx, path)
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	if dir.Held() {
		return nil, exit.Usagef("%s is being worked on by %s, which will write its reports; cognito-reset status %s tells how it stands", path, dir.Holder(), term.Quote(path))
	}
	r, err := Load(dir)
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	return r, r.Gone()
}

// glance opens a run for a look at its index, and at how long its journal is.
func (s *Store) glance(ctx context.Context, path string) (dir *journal.Dir, bytes int64, err error) {
	if s3run.Named(path) {
		return s3run.Glance(ctx, path, s.S3, journal.RunFile, SummaryFile, IndexFile)
	}
	if dir, err = journal.View(path); err != nil {
		return nil, 0, err
	}
	return dir, JournalSize(dir), nil
}

// RunName names a run by when and on what.
func RunName(at time.Time, poolID string) string { return at.Format("20060102T150405Z") + "-" + poolID }

// NewPath is a path in [RunsFolder] at which nothing is.
func NewPath(at time.Time, poolID string) string {
	path := filepath.Join(RunsFolder, RunName(at, poolID))
	for n := 2; ; n++ {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return path
		}
		path = fmt.Sprintf("%s-%d", strings.TrimSuffix(path, fmt.Sprintf("-%d", n-1)), n)
	}
}

// FleetRuns are the run directories in the folder of a fleet; none if it is not one.
func FleetRuns(path string) (runs []string) {
	if _, err := os.Stat(filepath.Join(path, JobFile)); err != nil {
		return nil
	}
	return RunsBelow(path)
}

// Members are the runs in a folder that is none itself: those of a fleet, or shards.
func Members(path string) (runs []string) {
	if runs := FleetRuns(path); runs != nil {
		return runs
	}
	if exists(filepath.Join(path, journal.RunFile)) {
		return nil
	}
	return RunsBelow(path)
}

// RunsBelow are the run directories right below a folder.
func RunsBelow(path string) (runs []string) {
	entries, _ := os.ReadDir(path) // none, where it cannot be read
	for _, e := range entries {
		if run := filepath.Join(path, e.Name()); exists(filepath.Join(run, journal.RunFile)) {
			runs = append(runs, run)
		}
	}
	return runs
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// ShardPath is the run directory of a shard in that of all.
func ShardPath(path string, s roster.Shard) string {
	return strings.TrimRight(path, "/") + fmt.Sprintf("/shard-%d-of-%d", s.Index, s.Count)
}

// shardFolder is the name of a shard's record.
var shardFolder = regexp.MustCompile(`^shard-\d+-of-(\d+)$`)

// Shards is how many shards those are whose records a folder holds, 0 if it holds
// none. It is an error if they are parts of different numbers.
func (s *Store) Shards(ctx context.Context, path string) (count int, err error) {
	folders, err := s.foldersIn(ctx, path)
	if err != nil {
		return 0, exit.Refusef("--run: %w", err)
	}
	for _, name := range folders {
		found := shardFolder.FindStringSubmatch(name)
		if found == nil {
			continue
		}
		n, err := strconv.Atoi(found[1])
		switch {
		case err != nil || n == count:
		case count == 0:
			count = n
		default:
			return 0, exit.Refusef("--run: %s holds shards of %d and shards of %d, so nobody can say which users are whose: name another folder", path, count, n)
		}
	}
	return count, nil
}

// foldersIn are the names of the folders in one, which need not be there, that hold
// something of a run.
func (s *Store) foldersIn(ctx context.Context, path string) (names []string, err error) {
	if s3run.Named(path) {
		return s3run.Folders(ctx, path, s.S3)
	}
	if path == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		begun := func(file string) bool { return exists(filepath.Join(path, e.Name(), file)) }
		if e.IsDir() && (begun(journal.RunFile) || begun(JobFile)) {
			names = append(names, e.Name())
		}
	}
	return names, err
}
