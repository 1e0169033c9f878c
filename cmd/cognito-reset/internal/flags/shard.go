package flags

import (
	"fmt"

	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"

	"github.com/urfave/cli/v2"
)

// Shards are the flags of a run that is one of several processes.
func Shards() []cli.Flag {
	return []cli.Flag{
		String(Input, "shard", "", "work on one part of the users, `I/N` from 1/8 to 8/8, at an Nth of the rates; auto learns I from Kubernetes, AWS Batch or Slurm"),
		&cli.IntFlag{Category: Input, Name: "shards", Usage: "how many parts there are for --shard auto, `N`, where Kubernetes and Slurm do not say: the Job's completions, the whole array's tasks", EnvVars: Env("shards")},
	}
}

// Shard is the part of the users that --shard names. The folder of --run may hold
// the records of other shards, which say how many there are.
func Shard(ctx *cli.Context, store *rundir.Store) (s roster.Shard, err error) {
	text, count := ctx.String("shard"), ctx.Int("shards")
	switch {
	case text == "" && ctx.IsSet("shards"):
		return s, exit.Usagef("--shards goes with --shard auto")
	case text == "":
		return s, nil
	case count < 0:
		return s, exit.Usagef("--shards cannot be negative")
	}
	recorded, err := store.Shards(ctx.Context, ctx.String("run"))
	if err != nil {
		return s, err
	}
	if text == "auto" {
		s, err = spec.AutoShard(count, recorded)
	} else if s, err = roster.ParseShard(text); err == nil && count > 0 && count != s.Count {
		err = fmt.Errorf("%s is one of %d, and --shards is %d", text, s.Count, count)
	}
	switch {
	case err != nil:
		return s, exit.Refusef("--shard: %w", err)
	case recorded > 0 && recorded != s.Count:
		return s, exit.Refusef("--shard: %s holds the records of %d shards, and this is %s: parts of another number hold other users, who could be reset twice. "+
			"Say --shards %[2]d, or name another folder", ctx.String("run"), recorded, s)
	}
	return s, nil
}
