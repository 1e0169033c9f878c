package run

import (
	"context"
	"errors"
	"fmt"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/preflight"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// muchToList is how many users take a forecast longer than a person waits in
// silence.
const muchToList = 10_000

// forecast looks in the pool how each user would fare, and notes it in the
// journal as a run does.
func (s *Session) forecast(ctx context.Context) (err error) {
	if s.history, err = s.Record.Dir.Replay(); err != nil {
		return err
	}
	j, err := s.history.Start(s.Version, s.Record.Found.Roster.SHA256)
	if err != nil {
		return err
	}
	s.printForecasting()
	s.look(ctx)
	made, missing, asked, err := s.prospects(ctx, j)
	if err != nil {
		return errors.Join(err, j.Close())
	}
	sp, found := s.Record.Spec, &s.Record.Found
	if s.ReadEach {
		made.BilledReads = found.Roster.Users
	}
	if sp.FirstRate() > 0 {
		made.Seconds = sp.TimeFor(found.Roster.Users).Seconds()
	}
	for _, f := range found.Findings {
		switch {
		case f.Name == "time":
			made.Time = f.Text
		case f.Level == rundir.Blocker:
			made.Blockers = append(made.Blockers, f.Name)
		case f.Level == rundir.Warning:
			made.Warnings = append(made.Warnings, f.Name)
		}
	}
	if preflight.MostlyMissing(missing, asked) {
		made.Blockers = append(made.Blockers, string(batch.UserNotFound))
		term.Linef(s.Err, "%s of %s users are not in this pool; %s.", term.Comma(missing), term.Comma(asked), preflight.WhichList)
	}
	found.Forecast = made
	if err := errors.Join(j.End(exit.Done, ""), j.Close()); err != nil {
		return err
	}
	return s.Record.Save()
}

// printForecasting says what a person waits for, and what it costs.
func (s *Session) printForecasting() {
	users := s.Record.Found.Roster.Users
	switch {
	case s.Quiet:
	case s.ReadEach:
		term.Linef(s.Err, "Reading %s users one by one: Cognito bills each as an active user of this month.", term.Comma(users))
	case users > muchToList:
		term.Linef(s.Err, "Looking in the pool how %s users would fare, which is free of charge.", term.Comma(users))
	}
}

// prospects looks how the users would fare, and counts those whom a run would ask
// the pool for, and those of them who are missing from it.
func (s *Session) prospects(ctx context.Context, j *journal.Journal) (f *report.Forecast, missing, asked int64, err error) {
	look := s.Pool().Forecast
	if s.ReadEach {
		look = s.Pool().ForecastEach
	}
	sp := s.Record.Spec
	f = &report.Forecast{States: make(map[string]int64), Channels: make(map[string]int64), SignsOut: sp.SignsOut()}
	for p, err := range look(ctx, s.Record.Dir.Entries()) {
		if err != nil {
			return nil, 0, 0, s.unforeseen(ctx, err)
		}
		if p = sp.Would(p); sp.Bills(p.Outcome) {
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
		if p.KeepsPassword() { // never where a sign-out is all: it would be done
			f.KeepPassword++
		}
		if err := j.WriteResult(p.Result); err != nil {
			return nil, 0, 0, err
		}
	}
	return f, missing, asked, nil
}

// unforeseen is why a forecast could not be made.
func (s *Session) unforeseen(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return exit.Early(context.Cause(ctx))
	}
	code := exit.Failed
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Class == batch.ClassRun {
		code = exit.Stopped
	}
	return exit.With(code, fmt.Errorf("%w; nothing was sent. --dry-run=offline reads the files alone", err))
}
