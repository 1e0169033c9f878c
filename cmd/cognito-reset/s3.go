package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster/s3input"
)

// leaseFlag is for tests, which cannot wait for a minute.
func leaseFlag() cli.Flag {
	return &cli.DurationFlag{Name: "lease", Hidden: true, EnvVars: env("lease")}
}

// inS3 is how run directories in S3 are reached and held.
func (c *command) inS3(ctx *cli.Context) s3run.Options {
	return s3run.Options{
		Options: s3input.Options{Profile: ctx.String("profile"), Region: ctx.String("region"), EndpointURL: ctx.String("endpoint-url")},
		TTL:     ctx.Duration("lease"),
		OnSilence: func(why error, wait time.Duration) {
			say(c.stderr, "S3 does not answer (%v): no call leaves until it does, for %v at most; then the run stops.", why, wait.Round(time.Second))
		},
		OnWait: func(holder string, wait time.Duration) {
			say(c.stderr, "The run is held by %s; waiting up to %v to see whether that is still at work.", holder, wait)
		},
	}
}

// createRun makes a run directory, on the disk or in S3.
func (s *session) createRun(ctx context.Context, path string) (*journal.Dir, error) {
	if s3run.Named(path) {
		return s3run.Create(ctx, path, s.s3)
	}
	return journal.Create(path)
}

// openRun opens a run directory to go on with it.
func (s *session) openRun(ctx context.Context, path string) (*journal.Dir, error) {
	if s3run.Named(path) {
		return s3run.Open(ctx, path, s.s3)
	}
	return journal.Open(path)
}

// viewRun opens a run directory for reading, until the command ends.
func (c *command) viewRun(ctx *cli.Context, path string) (*journal.Dir, error) {
	if !s3run.Named(path) {
		if runs := fleetRuns(path); runs != nil {
			return nil, usagef("%s is the folder of a job on several user pools: name one of them, such as %s", path, runs[0])
		}
		return journal.View(path)
	}
	dir, err := s3run.View(ctx.Context, path, c.inS3(ctx))
	if err == nil {
		c.copies = append(c.copies, dir)
	}
	return dir, err
}

// deleteCopies deletes what viewRun made.
func (c *command) deleteCopies() (err error) {
	for _, dir := range c.copies {
		err = errors.Join(err, dir.Close())
	}
	return err
}

// How many users may stand promised in S3, where a promise takes a request that
// is billed: those of some seconds, and at most as many as may well be read back
// after a crash.
const (
	promisedSeconds = 8
	maxPromised     = 256
)

// standby is how many users stand by for their turn; 0 for the usual number.
func (s *session) standby() int {
	users := 0
	if s.request.Rate == 0 { // the pace is no limit to stand by for
		users = 4 * s.request.workers()
	}
	if s.dir.IsCopy() {
		users = min(max(4, users, int(promisedSeconds*s.request.Rate)), maxPromised)
	}
	return users
}
