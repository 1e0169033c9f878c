package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/roster"
)

func shardFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupInput, "shard", "", "work on one part of the users, `I/N` from 1/8 to 8/8, at an Nth of the rates; auto learns it from Kubernetes, AWS Batch or Slurm"),
		&cli.IntFlag{Category: groupInput, Name: "shards", Usage: "how many parts there are for --shard auto, `N`, where Kubernetes does not say: the Job's completions", EnvVars: env("shards")},
	}
}

// An engine starts one process for each shard, and numbers them.
type engine struct {
	index string // environment variable with the number
	first string // with the lowest number; "" if that is 0
	count string // with how many there are; "" if it does not tell
}

// engines are those that --shard auto knows, by their documentation: Indexed Jobs
// of Kubernetes, array jobs of AWS Batch and of Slurm.
var engines = []engine{
	{index: "JOB_COMPLETION_INDEX"},
	{index: "AWS_BATCH_JOB_ARRAY_INDEX", count: "AWS_BATCH_JOB_ARRAY_SIZE"},
	{index: "SLURM_ARRAY_TASK_ID", first: "SLURM_ARRAY_TASK_MIN", count: "SLURM_ARRAY_TASK_COUNT"},
}

// readShard is the part of the users that --shard names.
func readShard(ctx *cli.Context) (roster.Shard, error) {
	text, count := ctx.String("shard"), ctx.Int("shards")
	switch {
	case text == "" && ctx.IsSet("shards"):
		return roster.Shard{}, usagef("--shards goes with --shard auto")
	case text == "":
		return roster.Shard{}, nil
	case text != "auto":
		s, err := roster.ParseShard(text)
		if err != nil {
			return s, usagef("--shard: %w", err)
		}
		if ctx.IsSet("shards") && count != s.Count {
			return s, usagef("--shard %s is one of %d, and --shards is %d", text, s.Count, count)
		}
		return s, nil
	}
	for _, e := range engines {
		if os.Getenv(e.index) != "" {
			s, err := e.shard(count)
			if err != nil {
				return s, usagef("--shard auto: %w", err)
			}
			return s, nil
		}
	}
	return roster.Shard{}, usagef("--shard auto: there is neither JOB_COMPLETION_INDEX nor AWS_BATCH_JOB_ARRAY_INDEX nor SLURM_ARRAY_TASK_ID in the environment; say --shard I/N")
}

// shard is the one that an engine started this process for, of so many unless
// the engine knows it.
func (e engine) shard(count int) (s roster.Shard, err error) {
	number := func(name string) int {
		n, wrong := strconv.Atoi(os.Getenv(name))
		if wrong != nil && err == nil {
			err = fmt.Errorf("%s is %q, not a number", name, os.Getenv(name))
		}
		return n
	}
	index := number(e.index)
	if e.first != "" {
		index -= number(e.first)
	}
	if e.count != "" && (count == 0 || os.Getenv(e.count) != "") {
		told := number(e.count)
		if count != 0 && count != told {
			return s, fmt.Errorf("--shards is %d, but %s is %d", count, e.count, told)
		}
		count = told
	}
	switch {
	case err != nil:
		return s, err
	case count < 1:
		return s, fmt.Errorf("say by --shards how many there are: the Job's completions")
	case index < 0 || index >= count:
		return s, fmt.Errorf("%s is %s, which is none of %d shards", e.index, os.Getenv(e.index), count)
	}
	return roster.Shard{Index: index + 1, Count: count}, nil
}

// shardPath is the run directory of a shard in that of all.
func shardPath(path string, s roster.Shard) string {
	return strings.TrimRight(path, "/") + fmt.Sprintf("/shard-%d-of-%d", s.Index, s.Count)
}

// takeUp tells that a run which an engine starts again is to be resumed: its run
// directory is there. Where it should be, but is lost, nobody can say who was
// reset, so nothing is begun.
func (s *session) takeUp(ctx *cli.Context) (begun bool, err error) {
	if s.request.Shard.Count == 0 {
		return false, nil
	}
	s.path = shardPath(s.path, s.request.Shard)
	if ctx.String("shard") != "auto" || s.request.DryRun {
		return false, nil
	}
	if _, err := s.viewRun(ctx, s.path); err == nil {
		return true, nil
	}
	return false, lost(s.path)
}

// lost tells that an engine started this process before, and that there should be
// a run in a place where there is none.
func lost(path string) error {
	if n, err := strconv.Atoi(os.Getenv("AWS_BATCH_JOB_ATTEMPT")); err == nil && n > 1 && !strings.Contains(path, "://") {
		return usagef("this is attempt %d, and %s holds no run: the record of the attempts before is lost with its disk, and to begin again could reset users twice. "+
			"Keep run directories where they last (--run s3://BUCKET/PREFIX), and see to this one by hand; nothing was sent", n, path)
	}
	return nil
}
