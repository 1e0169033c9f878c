package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
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
			"if no old password can work any more, and with 3 otherwise. DIR may be that of a\n" +
			"job on several user pools: each of its runs is looked at.",
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
	paths := []string{path}
	if runs := fleetRuns(path); runs != nil {
		paths = runs
	}
	var sessions []*session
	for _, path := range paths {
		s, err := c.verifier(ctx, path)
		if err != nil {
			return err
		}
		sessions = append(sessions, s)
	}
	return watchAll(ctx.Context, sessions, ctx.Duration("watch"))
}

// verifier is a session that looks what has become of a run.
func (c *command) verifier(ctx *cli.Context, path string) (_ *session, err error) {
	s := &session{command: c, quiet: ctx.Bool("quiet"), json: ctx.Bool("json")}
	if s.log, err = logger(ctx, c.stderr); err != nil {
		return nil, err
	}
	if s.dir, err = c.viewRun(ctx, path); err != nil {
		return nil, &exit{exitUsage, err}
	}
	r := &s.request
	if err := readRequest(s.dir, r); err != nil {
		return nil, err
	}
	if r.DryRun || r.Sandbox {
		return nil, usagef("%s reset nobody in a pool that is still there: there is nothing to verify", path)
	}
	for name, to := range map[string]*string{"profile": &r.Profile, "region": &r.Region, "endpoint-url": &r.EndpointURL, "role-arn": &r.RoleARN, "external-id": &r.ExternalID} {
		if ctx.IsSet(name) {
			*to = ctx.String(name)
		}
	}
	if err := s.connect(ctx.Context); err != nil {
		return nil, &exit{exitUsage, err}
	}
	return s, nil
}

// watchAll looks at each run once, or every so often until nobody is waited for. The
// exit is that of the worst.
func watchAll(ctx context.Context, sessions []*session, every time.Duration) error {
	last := make([]*verification, len(sessions)) // nil where the pool cannot be asked
	for {
		waiting := false
		var failed error
		for i, s := range sessions {
			found, err := s.look(ctx)
			switch last[i] = found; {
			case ctx.Err() != nil, err != nil && len(sessions) == 1:
				return err
			case err != nil:
				failed = cmp.Or(failed, err)
				say(s.stderr, "%s: %v", s.request.UserPoolID, err)
			default:
				waiting = waiting || found.effects[userpool.Waiting] > 0
			}
		}
		again := every > 0 && waiting
		for i, s := range sessions {
			if last[i] == nil {
				continue
			}
			show := s.printVerified
			if again {
				show = s.printPoint
			}
			if len(sessions) > 1 && !s.json {
				fmt.Fprintf(s.stdout, "%s\n", s.request.UserPoolID)
			}
			if err := show(last[i]); err != nil {
				return err
			}
		}
		if !again {
			return cmp.Or(failed, worstOf(last))
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			for i, s := range sessions {
				if s.json || last[i] == nil { // which has been printed
					continue
				}
				if err := s.printVerified(last[i]); err != nil {
					return err
				}
			}
			return sessions[0].stopError(context.Cause(ctx))
		}
	}
}

// worstOf is the exit that a look at several runs ends with.
func worstOf(found []*verification) (err error) {
	for _, v := range found {
		if v != nil {
			err = cmp.Or(err, v.exit())
		}
	}
	return err
}

// look is one look at the pool of a run, which may be going on.
func (s *session) look(ctx context.Context) (found *verification, err error) {
	if s.history, err = replay(s.dir, s.request); err != nil {
		return nil, &exit{exitUsage, err}
	}
	found, err = s.verified(ctx)
	if ctx.Err() != nil {
		return nil, s.stopError(context.Cause(ctx))
	}
	return found, err
}

// A verification is what one look at the pool found.
type verification struct {
	at      time.Time
	effects map[userpool.Effect]int64
	chase   []userpool.Verified // the first of those whose old password may work
}

// chased is how many users a person is shown; verify.csv has all.
const chased = 10

func (v *verification) add(u userpool.Verified) {
	v.effects[u.Effect]++
	if u.Effect == userpool.NotInForce && len(v.chase) < chased {
		v.chase = append(v.chase, u)
	}
}

func (v *verification) all() (n int64) {
	for _, count := range v.effects {
		n += count
	}
	return n
}

// completed is the share of users who have a new password.
func (v *verification) completed() float64 {
	return float64(v.effects[userpool.Completed]) / float64(max(v.all(), 1))
}

func (v *verification) exit() error {
	if v.effects[userpool.NotInForce] > 0 {
		return &exit{code: exitSomeFailed}
	}
	return nil
}

// resets are the results of the run whose users were reset.
func (s *session) resets() iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for r, err := range s.history.Results(batch.Interrupted) {
			if err == nil && !r.Outcome.Done() {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// verified looks in the pool and writes verify.csv.
func (s *session) verified(ctx context.Context) (*verification, error) {
	found := &verification{at: time.Now(), effects: make(map[userpool.Effect]int64)}
	err := s.dir.Write(verifyFile, func(f *os.File) error {
		w := csv.NewWriter(f)
		w.Write([]string{"row", "username", "effect", "state", "enabled", "reset_at", "modified_at", "sub"}) // buffered: an error shows later
		for v, err := range s.pool.Verify(ctx, s.resets()) {
			if err != nil {
				return err
			}
			found.add(v)
			cells := []string{strconv.FormatInt(v.Row, 10), v.Username, string(v.Effect), string(v.State), "", stamp(v.FinishedAt), stamp(v.Modified), v.Sub}
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
	{userpool.Shut, "have a password that nobody knows"},
	{userpool.Barred, "cannot sign in"},
	{userpool.Gone, "are not in the pool any more"},
}

// verifyTime is when a look was taken, for a person.
const verifyTime = "2006-01-02 15:04 UTC"

func (s *session) printVerified(found *verification) error {
	if s.json {
		return s.printCounts(found)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s resets, %.0f%% with a new password\n", found.at.UTC().Format(verifyTime), comma(found.all()), 100*found.completed())
	for _, m := range effectMeanings {
		if n := found.effects[m.effect]; n > 0 {
			fmt.Fprintf(&b, "%8d  %-12s  %s\n", n, m.effect, m.meaning)
		}
	}
	if found.chase != nil {
		b.WriteString("\n     row  username, state, last changed\n")
	}
	for _, u := range found.chase {
		state := string(u.State)
		if !u.Enabled {
			state += " and disabled"
		}
		fmt.Fprintf(&b, "%8d  %q, %s, %s\n", u.Row, u.Username, state, u.Modified.UTC().Format(verifyTime))
	}
	fmt.Fprintf(&b, "\nWho: %s\n", s.dir.File(verifyFile))
	_, err := io.WriteString(s.stdout, b.String())
	return err
}

// printPoint is one point of the curve of those who have a new password.
func (s *session) printPoint(found *verification) error {
	if s.json {
		return s.printCounts(found)
	}
	const width = 30
	bar := strings.Repeat("#", int(width*found.completed()))
	text := fmt.Sprintf("%s  %-*s %3.0f%%  %s waiting", found.at.UTC().Format(verifyTime), width, bar, 100*found.completed(), comma(found.effects[userpool.Waiting]))
	if n := found.effects[userpool.NotInForce]; n > 0 {
		text += fmt.Sprintf(", %s NOT IN FORCE", comma(n))
	}
	_, err := fmt.Fprintln(s.stdout, text)
	return err
}

func (s *session) printCounts(found *verification) error {
	_, err := fmt.Fprintf(s.stdout, `{"at":%q,"resets":%d,"not_in_force":%d,"waiting":%d,"completed":%d,"locked":%d,"disabled":%d,"gone":%d}`+"\n",
		stamp(found.at), found.all(), found.effects[userpool.NotInForce], found.effects[userpool.Waiting],
		found.effects[userpool.Completed], found.effects[userpool.Shut], found.effects[userpool.Barred], found.effects[userpool.Gone])
	return err
}
