// Package run is one run on one user pool: prepare it, work on it, conclude it.
package run

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/observe"
	"cognito-reset/cmd/cognito-reset/internal/plan"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/cmd/cognito-reset/internal/users"
)

// An Env is where a session works, and who is told of it.
type Env struct {
	term.Streams
	Quiet, JSON bool
	Log         *slog.Logger
	Progress    *slog.Logger // for programs, in place of what people read; nil without
	Store       *rundir.Store
	Observer    *observe.Observer // nil if nobody asked for it
	Version     string            // of the tool
	Calls       func() (end func())
	Logins      *userpool.Logins // shared by the runs of a fleet; nil for a run alone
	HTTPClient  aws.HTTPClient   // in place of the network's; nil but for tests
	Fleet       Fleet            // that the run is part of; nil if it is alone
}

// A Fleet shows how its runs go on, in place of each of them.
type Fleet interface {
	Add(counts func() batch.Counts, live func() control.Live)
}

// Options are how a spec is to be carried out this once.
type Options struct {
	Path            string     // of the run directory to be made
	Force           []string   // blockers of the preflight to overrule
	Plan            *plan.Plan // that is carried out; nil if there is none
	Ask             bool       // a person at the terminal decides
	ReadEach        bool       // a dry run reads users one by one
	Reconcile       bool       // the input is compared with the whole pool first
	RequireApproval bool       // by somebody who is not the caller
}

// A Session is one process's work on a run.
type Session struct {
	Env
	Options
	Record *rundir.Record
	Left   int64          // users to work on
	Paces  *control.Paces // that the calls keep; nil to go by the spec

	listens *control.Listener // nil where nobody can steer
	find    *users.Finder
	history *journal.History
	retry   func(batch.Result) bool       // of those who are settled, whom to take up again; nil is nobody
	shown   atomic.Pointer[term.Progress] // of the calls; nil before
	reclock atomic.Pointer[func()]        // writes into the journal how the service's clock stands; nil without one
}

// New makes a session of a run that has not begun. Nothing has been done.
func New(s spec.Spec, o Options, env Env) *Session {
	return newSession(&rundir.Record{Spec: s}, o, env)
}

func newSession(record *rundir.Record, o Options, env Env) *Session {
	s := &Session{Env: env, Options: o, Record: record}
	if s.Path != "" {
		s.Log = s.Log.With("run", s.Path)
	}
	s.find = &users.Finder{
		Streams: s.Streams, Quiet: s.Quiet, Log: s.Log, Store: s.Store, Record: record, Force: s.Force,
		Observe: s.Observer.Calls(record.Spec.UserPoolID), ClockJumped: s.clockJumped, Logins: s.Logins, HTTPClient: s.HTTPClient,
	}
	return s
}

// Pool is the user pool; nil before it is reached.
func (s *Session) Pool() *userpool.Pool { return s.find.Pool() }

// Connect prepares the user pool. It calls nobody.
func (s *Session) Connect(ctx context.Context) error { return s.find.Connect(ctx) }

// Reach is [Session.Connect], unless the users make the pool, or none is asked.
func (s *Session) Reach(ctx context.Context) error { return s.find.Reach(ctx) }

// Close gives up the sandbox and the run directory, if there are any.
func (s *Session) Close() (err error) {
	s.hangUp()
	err = s.find.Close()
	if dir := s.Record.Dir; dir != nil {
		s.Record.Dir = nil
		err = errors.Join(err, dir.Close())
	}
	return err
}

// listen has the session steered from now on; until it works, stop ends it.
func (s *Session) listen(stop context.CancelCauseFunc) {
	var err error
	if s.listens, err = control.Listen(s.Record.Dir, stop); err != nil {
		s.Log.Warn("cognito-reset ctl cannot reach this run", "error", err)
	}
}

// hangUp ends that.
func (s *Session) hangUp() {
	if s.listens != nil {
		s.listens.Close()
		s.listens = nil
	}
}

// Discard deletes what a run that has not begun has written.
func (s *Session) Discard() error {
	dir := s.Record.Dir
	if dir == nil {
		return nil
	}
	s.hangUp()
	s.Record.Dir = nil
	return dir.Remove(rundir.PlanFile, rundir.UncoveredFile)
}
