package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/report"
)

// dryRun reads --dry-run: whether the run is one, and whether it looks in the
// pool.
func dryRun(ctx *cli.Context) (dry, live bool, err error) {
	switch text := ctx.String("dry-run"); text {
	case "", "false":
	case "live", "true":
		dry, live = true, true
	case "offline":
		dry = true
	default:
		return false, false, usagef("--dry-run is live or offline, not %q", text)
	}
	if ctx.Bool("read-each") && !live {
		return false, false, usagef("--read-each goes with --dry-run, which then reads users one by one")
	}
	return dry, live, nil
}

// muchToList is how many users take a forecast longer than a person waits in
// silence.
const muchToList = 10_000

// foretell looks in the pool how each user would fare, and notes it in the
// journal as a run does.
func (s *session) foretell(ctx context.Context, each bool) (err error) {
	r := &s.request
	if s.history, err = s.dir.Replay(); err != nil {
		return err
	}
	j, err := s.history.Start(version(), r.Roster.SHA256)
	if err != nil {
		return err
	}
	prospects := s.pool.Forecast
	if each {
		prospects = s.pool.ForecastEach
		if !s.quiet {
			say(s.stderr, "Reading %s users one by one: Cognito bills each as an active user of this month.", comma(r.Roster.Users))
		}
	} else if !s.quiet && r.Roster.Users > muchToList {
		say(s.stderr, "Looking in the pool how %s users would fare, which is free of charge.", comma(r.Roster.Users))
	}
	s.lookAround(ctx)
	f := &report.Forecast{States: make(map[string]int64), Channels: make(map[string]int64), SignsOut: r.signsOut()}
	missing, asked := int64(0), int64(0) // of the users whom a run would call
	for p, err := range prospects(ctx, s.dir.Entries()) {
		if err != nil {
			return errors.Join(s.unforeseen(ctx, err), j.Close())
		}
		if p = r.would(p); r.bills(p.Outcome) {
			f.Billed++
		}
		notFound := p.Reason == batch.UserNotFound // by this look, or by --match before it
		if notFound {
			missing++
		}
		if notFound || p.SettledBy == batch.ByState {
			asked++
		}
		if p.SettledBy != batch.ByState {
			continue // the input itself told
		}
		if p.State != "" {
			f.States[string(p.State)]++
		}
		if p.Outcome == batch.WouldReset {
			f.Channels[string(p.Channel)]++
		}
		if p.KeepsPassword() {
			f.KeepPassword++
		}
		if err := j.Settle(p.Result); err != nil {
			return errors.Join(err, j.Close())
		}
	}
	if each {
		f.BilledReads = r.Roster.Users
	}
	if r.Rate > 0 {
		f.Seconds = r.expected().Seconds()
	}
	for _, c := range r.Preflight {
		switch {
		case c.Name == "time":
			f.Time = c.Text
		case c.Level == blocker:
			f.Blockers = append(f.Blockers, c.Name)
		case c.Level == warning:
			f.Warnings = append(f.Warnings, c.Name)
		}
	}
	if mostlyMissing(missing, asked) {
		f.Blockers = append(f.Blockers, string(batch.UserNotFound))
		say(s.stderr, "%s of %s users are not in this pool; %s.", comma(missing), comma(asked), whichList)
	}
	r.Forecast = f
	if err := errors.Join(j.End(exitDone, ""), j.Close()); err != nil {
		return err
	}
	return s.dir.WriteJSON(journal.RunFile, r)
}

// unforeseen is why a forecast could not be made.
func (s *session) unforeseen(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return s.stopError(context.Cause(ctx))
	}
	code := exitFailed
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Class == batch.ClassRun {
		code = exitStopped
	}
	return &exit{code, fmt.Errorf("%w; nothing was sent. --dry-run=offline reads the files alone", err)}
}
