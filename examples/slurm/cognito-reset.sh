#!/bin/sh
# Resets the users of an input by an array job of Slurm. Each task is a shard, and all of
# them together keep within one quota:
#
#   sbatch cognito-reset.sh
#
# A task that was killed, or lost its node, goes on where it was: `scontrol requeue JOB_1`, or
# `sbatch --array=1 cognito-reset.sh` once it is out of Slurm's memory. Either is safe at any time. After exit code 1
# or 4, do the same once the cause is gone; after 2, change what the task's output says; 3 is
# done, with some users to look at. Once all have ended:
#
#   cognito-reset report merge runs/2026-07/shard-* --output rotated
#
#SBATCH --job-name=cognito-reset
#SBATCH --array=0-3
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=cognito-reset-%a.log
#SBATCH --cpus-per-task=1
#SBATCH --mem=256M

# As many as the array has, also when one of them is submitted alone.
shards=4

# The folder is one that every node sees and that outlives them all; s3://BUCKET/runs/2026-07
# is another. exec, so that the tool itself gets Slurm's SIGTERM, and finishes
# the calls under way before KillWait (30 s) is over.
exec cognito-reset run --user-pool-id eu-west-1_AbCdEfGhI --input users.csv --run runs/2026-07 \
  --shard auto --shards "$shards" --rate auto --on-message-limit wait --yes
