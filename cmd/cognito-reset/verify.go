package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"iter"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
)

// verifyFile is what a verification writes into the run directory.
const verifyFile = "verify.csv"

func (c *command) verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "read back whether the resets of a run are still in force",
		ArgsUsage: "DIR",
		UsageText: "cognito-reset verify cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI",
		Description: "Looks in the pool what has become of every user whom the run reset, by listing,\n" +
			"which is free of charge, and writes verify.csv into the run directory. Ends with 0\n" +
			"if no old password can work any more, and with 3 otherwise.",
		Flags: append(append(awsFlags(), outputFlags()...),
			&cli.DurationFlag{Category: groupPace, Name: "watch", Usage: "look again after every `TIME`, such as 15m, until everybody has a new password", EnvVars: env("watch")}),
		Action: c.verify,
	}
}

func (c *command) verify(ctx *cli.Context) error {
	path, err := oneDirectory(ctx)
	if err != nil {
		return err
	}
	s := &session{command: c, quiet: ctx.Bool("quiet"), json: ctx.Bool("json")}
	if s.log, err = logger(ctx, c.stderr); err != nil {
		return err
	}
	if s.dir, err = journal.View(path); err != nil {
		return &exit{exitUsage, err}
	}
	r := &s.request
	if err := s.dir.ReadJSON(journal.RunFile, r); err != nil {
		return &exit{exitUsage, err}
	}
	if r.DryRun || r.Sandbox {
		return usagef("%s reset nobody in a pool that is still there: there is nothing to verify", path)
	}
	for name, to := range map[string]*string{"profile": &r.Profile, "region": &r.Region, "endpoint-url": &r.EndpointURL} {
		if ctx.IsSet(name) {
			*to = ctx.String(name)
		}
	}
	if s.history, err = s.dir.Replay(); err != nil {
		return &exit{exitUsage, err}
	}
	if err := s.connect(ctx.Context); err != nil {
		return &exit{exitUsage, err}
	}
	for {
		found, err := s.verified(ctx.Context)
		if ctx.Context.Err() != nil {
			return s.stopError(context.Cause(ctx.Context))
		} else if err != nil {
			return err
		}
		if err := s.printVerified(found); err != nil {
			return err
		}
		every := ctx.Duration("watch")
		if every <= 0 || found[userpool.Waiting] == 0 {
			return found.exit()
		}
		select {
		case <-time.After(every):
		case <-ctx.Context.Done():
			return s.stopError(context.Cause(ctx.Context))
		}
	}
}

// Effects are how many resets came to what.
type effects map[userpool.Effect]int64

func (e effects) all() (n int64) {
	for _, count := range e {
		n += count
	}
	return n
}

func (e effects) exit() error {
	if e[userpool.NotInForce] > 0 {
		return &exit{code: exitSomeFailed}
	}
	return nil
}

// resets are the results of the run whose users were reset.
func (s *session) resets() iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for r, err := range s.history.Results(batch.Interrupted) {
			if err == nil && r.Outcome != batch.Reset {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// verified looks in the pool and writes verify.csv.
func (s *session) verified(ctx context.Context) (effects, error) {
	found := make(effects)
	err := s.dir.Write(verifyFile, func(f *os.File) error {
		w := csv.NewWriter(f)
		w.Write([]string{"row", "username", "effect", "state", "enabled", "reset_at", "modified_at"}) // buffered: an error shows later
		for v, err := range s.pool.Verify(ctx, s.resets()) {
			if err != nil {
				return err
			}
			found[v.Effect]++
			cells := []string{strconv.FormatInt(v.Row, 10), v.Username, string(v.Effect), string(v.State), "", stamp(v.FinishedAt), stamp(v.Modified)}
			if v.Effect != userpool.Gone {
				cells[4] = strconv.FormatBool(v.Enabled)
			}
			if err := w.Write(cells); err != nil {
				return err
			}
		}
		w.Flush()
		return w.Error()
	})
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Class == batch.ClassRun {
		return nil, &exit{exitStopped, err}
	}
	return found, err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// effectMeanings say what to do about each effect, the worst first.
var effectMeanings = []struct {
	effect  userpool.Effect
	meaning string
}{
	{userpool.NotInForce, "THE OLD PASSWORD MAY WORK: reset these again"},
	{userpool.Waiting, "have not chosen a new password yet"},
	{userpool.Completed, "have a new password"},
	{userpool.Barred, "are disabled, and reset"},
	{userpool.Gone, "are not in the pool any more"},
}

func (s *session) printVerified(found effects) error {
	all := found.all()
	if s.json {
		_, err := fmt.Fprintf(s.stdout, `{"at":%q,"resets":%d,"not_in_force":%d,"waiting":%d,"completed":%d,"disabled":%d,"gone":%d}`+"\n",
			stamp(time.Now()), all, found[userpool.NotInForce], found[userpool.Waiting], found[userpool.Completed], found[userpool.Barred], found[userpool.Gone])
		return err
	}
	text := fmt.Sprintf("%s  %s resets, %.0f%% with a new password\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), comma(all), 100*float64(found[userpool.Completed])/float64(max(all, 1)))
	for _, m := range effectMeanings {
		if n := found[m.effect]; n > 0 {
			text += fmt.Sprintf("%8d  %-12s  %s\n", n, m.effect, m.meaning)
		}
	}
	text += fmt.Sprintf("\nWho: %s\n", s.dir.File(verifyFile))
	_, err := fmt.Fprint(s.stdout, text)
	return err
}
