package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
)

func shardFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupInput, "shard", "", "work on one part of the users, `I/N` from 1/8 to 8/8, at an Nth of the rates; auto learns I from Kubernetes, AWS Batch or Slurm"),
		&cli.IntFlag{Category: groupInput, Name: "shards", Usage: "how many parts there are for --shard auto, `N`, where Kubernetes and Slurm do not say: the Job's completions, the whole array's tasks", EnvVars: env("shards")},
	}
}

// An engine starts one process for each shard, and numbers them from 0.
type engine struct {
	index string // environment variable with the number
	count string // with how many there are; "" if it does not tell
}

// engines are those that --shard auto knows, by their documentation: Indexed Jobs
// of Kubernetes, array jobs of AWS Batch and of Slurm. Slurm tells how many tasks were
// submitted, which is fewer than there are shards when one of them is started again by
// sbatch --array=3: so it does not tell the count.
var engines = []engine{
	{index: "JOB_COMPLETION_INDEX"},
	{index: "AWS_BATCH_JOB_ARRAY_INDEX", count: "AWS_BATCH_JOB_ARRAY_SIZE"},
	{index: "SLURM_ARRAY_TASK_ID"},
}

// readShard is the part of the users that --shard names. The folder of --run may
// hold the records of other shards, which say how many there are.
func (c *command) readShard(ctx *cli.Context) (s roster.Shard, err error) {
	text, count := ctx.String("shard"), ctx.Int("shards")
	switch {
	case text == "" && ctx.IsSet("shards"):
		return s, usagef("--shards goes with --shard auto")
	case text == "":
		return s, nil
	case count < 0:
		return s, usagef("--shards cannot be negative")
	}
	recorded, err := c.shardsIn(ctx, ctx.String("run"))
	if err != nil {
		return s, err
	}
	if text == "auto" {
		s, err = autoShard(count, recorded)
	} else if s, err = roster.ParseShard(text); err == nil && count > 0 && count != s.Count {
		err = fmt.Errorf("%s is one of %d, and --shards is %d", text, s.Count, count)
	}
	switch {
	case err != nil:
		return s, usagef("--shard: %w; nothing was sent", err)
	case recorded > 0 && recorded != s.Count:
		return s, usagef("--shard: %s holds the records of %d shards, and this is %s: parts of another number hold other users, who could be reset twice. "+
			"Say --shards %[2]d, or name another folder; nothing was sent", ctx.String("run"), recorded, s)
	}
	return s, nil
}

// autoShard is the shard that an engine started this process for. Count is that of
// --shards, and recorded that of the records there; 0 is none.
func autoShard(count, recorded int) (roster.Shard, error) {
	for _, e := range engines {
		if os.Getenv(e.index) != "" {
			return e.shard(count, recorded)
		}
	}
	return roster.Shard{}, fmt.Errorf("auto: there is neither JOB_COMPLETION_INDEX nor AWS_BATCH_JOB_ARRAY_INDEX nor SLURM_ARRAY_TASK_ID in the environment; say --shard I/N")
}

func (e engine) shard(count, recorded int) (s roster.Shard, err error) {
	index, err := number(e.index)
	if err != nil {
		return s, err
	}
	if e.count != "" && (count == 0 || os.Getenv(e.count) != "") {
		told, err := number(e.count)
		if err != nil {
			return s, err
		}
		if count != 0 && count != told {
			return s, fmt.Errorf("--shards is %d, but %s is %d", count, e.count, told)
		}
		count = told
	}
	if count == 0 {
		count = recorded
	}
	switch {
	case count < 1:
		return s, fmt.Errorf("auto: say by --shards how many there are: the completions of the Job, or the tasks of the whole array")
	case index < 0 || index >= count:
		return s, fmt.Errorf("auto: %s is %s, which is none of %d shards: they are numbered from 0 to %d", e.index, os.Getenv(e.index), count, count-1)
	}
	return roster.Shard{Index: index + 1, Count: count}, nil
}

// number is what an environment variable holds.
func number(name string) (int, error) {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not a number", name, os.Getenv(name))
	}
	return n, nil
}

// shardFolder is the name of a shard's record.
var shardFolder = regexp.MustCompile(`^shard-\d+-of-(\d+)$`)

// shardsIn is how many shards those are whose records a folder holds, 0 if it holds
// none. It is an error if they are parts of different numbers.
func (c *command) shardsIn(ctx *cli.Context, path string) (count int, err error) {
	folders, err := c.foldersIn(ctx, path)
	if err != nil {
		return 0, usagef("--run: %w; nothing was sent", err)
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
			return 0, usagef("--run: %s holds shards of %d and shards of %d, so nobody can say which users are whose: name another folder; nothing was sent", path, count, n)
		}
	}
	return count, nil
}

// foldersIn are the names of the folders in one, which need not be there, that hold
// something of a run.
func (c *command) foldersIn(ctx *cli.Context, path string) (names []string, err error) {
	if s3run.Named(path) {
		return s3run.Folders(ctx.Context, path, c.inS3(ctx))
	}
	if path == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		begun := func(file string) bool {
			_, err := os.Stat(filepath.Join(path, e.Name(), file))
			return err == nil
		}
		if e.IsDir() && (begun(journal.RunFile) || begun(jobFile)) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// shardPath is the run directory of a shard in that of all.
func shardPath(path string, s roster.Shard) string {
	return strings.TrimRight(path, "/") + fmt.Sprintf("/shard-%d-of-%d", s.Index, s.Count)
}

// takeUp reports whether an engine started this process again, so that the run in
// its directory is to be resumed. Where there should be a run, and is none, nobody
// can say who was reset, so nothing is begun.
func (s *session) takeUp(ctx *cli.Context) (begun bool, err error) {
	if s.request.Shard.Count > 0 {
		s.path = shardPath(s.path, s.request.Shard)
	}
	again, gone := s.request.Shard.Count > 0 && ctx.String("shard") == "auto", lost(s.path)
	if s.request.DryRun || !again && gone == nil {
		return false, nil
	}
	if _, err := s.viewRun(ctx, s.path); err == nil {
		return again, nil
	}
	return false, gone
}

// restarts are the environment variables by which an engine tells that it did not
// start this process for the first time, and what they hold the first time, at most.
var restarts = []struct {
	name  string
	first int
	what  string
}{
	{"AWS_BATCH_JOB_ATTEMPT", 1, "this is attempt %d of AWS Batch"},
	{"SLURM_RESTART_COUNT", 0, "this is restart %d of Slurm"},
}

// lost is the error of a run that an engine started before, in a place where there
// is none. What is in S3 outlives the machine, so nothing there means nothing was begun.
func lost(path string) error {
	if s3run.Named(path) {
		return nil
	}
	for _, r := range restarts {
		if n, err := strconv.Atoi(os.Getenv(r.name)); err == nil && n > r.first {
			return usagef(r.what+", and %s holds no run: the record of what ran before is lost with its disk, and to begin again could reset users twice. "+
				"Keep run directories where they last (--run s3://BUCKET/PREFIX), and see to this one by hand; nothing was sent", n, path)
		}
	}
	return nil
}
