package spec

import (
	"fmt"
	"os"
	"strconv"

	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

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

// AutoShard is the shard that an engine started this process for, by its environment. Count is that of
// --shards, and recorded that of the records there; 0 is none.
func AutoShard(count, recorded int) (roster.Shard, error) {
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

// Lost is the error of a run that an engine started before, in a place where there
// is none. What is in S3 outlives the machine, so nothing there means nothing was begun.
// Auto says that the shard is the one of --shard auto.
func Lost(path string, shard roster.Shard, auto bool) error {
	if s3run.Named(path) {
		return nil
	}
	for _, r := range restarts {
		if n, err := strconv.Atoi(os.Getenv(r.name)); err == nil && n > r.first {
			return exit.Refusef(r.what+", and %s holds no run: the record of what ran before is lost with its disk, and to begin again could call users twice. "+
				"Keep run directories where they last (--run s3://BUCKET/PREFIX), and see to this one by hand", n, path)
		}
	}
	if tasks, err := strconv.Atoi(os.Getenv("SLURM_ARRAY_TASK_COUNT")); auto && err == nil && tasks < shard.Count {
		return exit.Refusef("Slurm was given %d of %d tasks, and %s holds no run: a task that is submitted again goes on with its record, and to begin without it could call users twice. "+
			"Bring the record back; if this task never ran before, say --shard %s in place of auto", tasks, shard.Count, path, shard)
	}
	return nil
}
