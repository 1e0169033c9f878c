// Package users finds out who is meant: it makes the roster of a run, in which
// each user stands once, from inputs, the user pool, those to leave out, and
// earlier runs.
package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/pool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A Finder finds out who is meant by the spec of a record, whose directory may be
// nil for a preflight. What it finds out stands in the record.
type Finder struct {
	term.Streams
	Quiet  bool
	Log    *slog.Logger
	Store  *rundir.Store
	Record *rundir.Record
	Force  []string // blockers to overrule

	Logins     *userpool.Logins // shared with other runs; nil for a run alone
	HTTPClient aws.HTTPClient   // in place of the network's; nil but for tests

	// Observe and ClockJumped are told of the pool's calls. They may be nil.
	Observe     func(operation string, answer *batch.Error, took time.Duration)
	ClockJumped func(what string)

	Understood string         // how the input is read; "" before
	Excluded   rundir.Finding // what was found out of those to leave out; zero if there are none
	Unnamed    string         // why it is not known which names are one user; "" if it is

	pool       *userpool.Pool
	sandbox    *pool.Sandbox
	described  *userpool.Settings // of the pool, once it answered
	prior      []batch.Entry      // the users of a run whose input has changed since
	leaveOut   []leftOut          // whom --exclude and --exclude-group name
	past       *rundir.History    // whom earlier runs have reset; nil if that does not count
	several    []int64            // rows of the input whose value several users have
	firstNames []string           // of the input, for a preflight alone, which keeps no roster
}

// Pool is the user pool; nil before [Finder.Connect].
func (f *Finder) Pool() *userpool.Pool { return f.pool }

// Connect prepares the user pool, or starts one of its own.
func (f *Finder) Connect(ctx context.Context) (err error) {
	s := f.Record.Spec
	if s.Sandbox {
		if err := f.startSandbox(); err != nil {
			return err
		}
	}
	f.pool, err = pool.Open(ctx, s, pool.Options{Log: f.Log, MFACode: f.mfaCode(), Logins: f.Logins, HTTPClient: f.HTTPClient, Sandbox: f.sandbox, Observe: f.Observe, ClockJumped: f.ClockJumped})
	return err
}

// mfaCode asks whoever is at the terminal for the code of a device; nil if nobody is.
func (f *Finder) mfaCode() func(ctx context.Context, device string) (string, error) {
	if !term.IsTerminal(f.In) || !term.IsTerminal(f.Err) {
		return nil
	}
	return func(ctx context.Context, device string) (string, error) {
		return f.Prompt(ctx, fmt.Sprintf("Code of the MFA device %s: ", term.Visible(device)))
	}
}

// Reach is [Finder.Connect], unless it takes the users to make a pool, or none is
// asked.
func (f *Finder) Reach(ctx context.Context) error {
	s := f.Record.Spec
	if s.Sandbox && s.PoolUsers == "" || s.Offline && !s.AsksPool() {
		return nil
	}
	if err := f.Connect(ctx); err != nil {
		return exit.Refuse(err)
	}
	return nil
}

// Close ends the sandbox, if there is one.
func (f *Finder) Close() (err error) {
	if f.sandbox != nil {
		err = f.sandbox.Close()
		f.sandbox = nil
	}
	return err
}

// settings are the pool's. They are asked for until they are known: what fails once
// may pass.
func (f *Finder) settings(ctx context.Context) (userpool.Settings, error) {
	if f.described != nil {
		return *f.described, nil
	}
	settings, err := f.pool.Settings(ctx)
	if err == nil {
		f.described = &settings
	}
	return settings, err
}

// Denied reports whether a permission is missing.
func Denied(err error) bool {
	answer, ok := errors.AsType[*batch.Error](err)
	return ok && answer.Reason == batch.AccessDenied
}
