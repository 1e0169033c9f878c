// Package fleet works on several user pools side by side. Each has a run of its
// own, in the folder of the fleet; those of one account and Region share its
// quotas.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/run"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// A Job is what a fleet is to do.
type Job struct {
	Targets []Target
	Folder  Folder
	Shard   roster.Shard // of a fleet that several processes work on
	Dry     bool
	Ask     bool // a person at the terminal decides

	// Resume is how runs that have begun go on, but for their path.
	Resume run.Resumption

	// Keep writes the job into its folder, for whoever goes on with it. It is nil
	// for a job that was kept before.
	Keep func(io.Writer) error
}

// A Target is one user pool of several.
type Target struct {
	At          string // where the job names it
	PoolID      string
	Region      string
	Credentials string // the same text for the same account, where that is not known

	// Ask is what is asked for of a shard of its users, and how.
	Ask func(shard roster.Shard) (spec.Spec, run.Options, error)
}

// fleet is a job at work.
type fleet struct {
	Job
	run.Env
	members []*member
	groups  []*quotaGroup
	lock    disk.Lock // of the folder; nil if nobody holds it

	mu     sync.Mutex
	counts []func() batch.Counts // of those who work
	lives  []func() control.Live // of the same
}

// member is a target at work.
type member struct {
	Target
	path  string // of its run directory
	begun bool   // that is there
	s     *run.Session

	account string // "" if it is not known
	out     error  // why the target is left out
	stopped error  // why it did not come to its end
	summary *report.Summary
}

// Run works on all targets of a job, and returns the worst exit.
func Run(ctx context.Context, j Job, env run.Env) (err error) {
	f := &fleet{Job: j, Env: env}
	f.Logins = new(userpool.Logins)
	if err := f.read(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.acquire(); err != nil {
		return err
	}
	if err := f.prepare(ctx); err != nil {
		return errors.Join(err, f.discard())
	}
	return f.work(ctx)
}

// read reads what is asked for of each target. One mistake is enough for nothing
// to begin.
func (f *fleet) read(ctx context.Context) error {
	known := make(map[string]string)
	var first *member // that has not begun
	for _, t := range f.Targets {
		if where, twice := known[t.PoolID]; twice {
			return exit.Usagef("%s: user pool %s is a target already, at %s", t.At, t.PoolID, where)
		}
		known[t.PoolID] = t.At
		m := &member{Target: t, path: strings.TrimRight(f.Folder.Path, "/") + "/" + t.PoolID}
		f.members = append(f.members, m)
		if m.begun = f.Folder.GoesOn && f.find(ctx, m); m.begun {
			continue // its own record says what was asked for
		}
		if err := f.open(m, roster.Shard{}); err != nil {
			return fmt.Errorf("%s: %w", t.At, err)
		}
		if first = cmp.Or(first, m); first.s.Record.Spec.SignOutAlone() != m.s.Record.Spec.SignOutAlone() {
			return exit.Usagef("%s: of %s and %s one resets users and the other signs them out alone, which no report can say together: make a job of each", t.At, first.PoolID, m.PoolID)
		}
		if m.s.Record.Spec.Sandbox {
			m.account = "the sandbox"
		}
		if m.s.Record.Spec.Stdin() {
			return exit.Usagef("%s: standard input is one, and there are several targets: give each its files", t.At)
		}
	}
	return nil
}

// find looks for the run of a target, and who has begun it.
func (f *fleet) find(ctx context.Context, m *member) bool {
	dir, err := f.Store.View(ctx, m.path)
	if err != nil {
		return false
	}
	record, err := rundir.Load(dir)
	if err != nil {
		return false
	}
	m.account = record.Found.Caller.Account
	return true
}

// open makes the session of a member.
func (f *fleet) open(m *member, shard roster.Shard) error {
	asked, options, err := m.Ask(shard)
	if err != nil {
		return err
	}
	options.Path = m.path
	m.s = run.New(asked, options, f.env())
	return nil
}

// env is where a member works: what it does, the fleet shows.
func (f *fleet) env() run.Env {
	env := f.Env
	env.Quiet, env.Fleet = true, f
	return env
}

// acquire keeps other processes from the folder: each would take some of the runs, and
// all of the quotas. In S3 only the runs are held.
func (f *fleet) acquire() error {
	if f.inS3() {
		return nil
	}
	path := f.Folder.Path
	if err := disk.MkdirAll(disk.OS, path); err != nil {
		return exit.Refusef("--run: %w", err)
	}
	lock, err := disk.OS.Lock(filepath.Join(path, journal.LockFile))
	if err != nil {
		return exit.Refusef("--run: %w", err)
	} else if lock == nil {
		return exit.Refusef("%s is in use by another process", path)
	}
	f.lock = lock
	return nil
}

// inS3 reports whether the runs are in S3.
func (f *fleet) inS3() bool { return s3run.Named(f.Folder.Path) }

// discard deletes the runs that were begun just now, and made no call.
func (f *fleet) discard() (err error) {
	if f.Keep == nil { // they were begun before
		return nil
	}
	for _, m := range f.members {
		if m.s != nil && !m.begun && m.out == nil {
			err = errors.Join(err, m.s.Discard())
		}
	}
	if f.lock != nil {
		os.Remove(filepath.Join(f.Folder.Path, journal.LockFile))
	}
	os.Remove(f.Folder.Path) // if nothing else is in it
	return err
}

// close gives up what is still held.
func (f *fleet) close() (err error) {
	for _, m := range f.members {
		if m.s != nil {
			err = errors.Join(err, m.s.Close())
		}
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Unlock())
	}
	return err
}

// ask lets a person say no.
func (f *fleet) ask(ctx context.Context) error {
	term.Linef(f.Err, "\n%s", f.effects())
	typed, err := f.Prompt(ctx, fmt.Sprintf("Type how many they are, %d, to go on: ", f.users()))
	switch {
	case err != nil:
		return exit.Early(err)
	case strings.ReplaceAll(typed, ",", "") != fmt.Sprint(f.users()):
		return exit.Refusef("that is not how many they are")
	}
	return nil
}

// effects says what becomes of the users of the targets, which may have steps of their own.
func (f *fleet) effects() string {
	var effects []string
	pools := make(map[string][]string)
	for _, m := range f.members {
		if m.out != nil {
			continue
		}
		effect := m.s.Record.Spec.Effect()
		if pools[effect] == nil {
			effects = append(effects, effect)
		}
		pools[effect] = append(pools[effect], m.PoolID)
	}
	if len(effects) == 1 {
		return "Each of these users " + effects[0] + "."
	}
	var lines []string
	for _, effect := range effects {
		lines = append(lines, fmt.Sprintf("Each user of %s %s.", strings.Join(pools[effect], ", "), effect))
	}
	return strings.Join(lines, "\n")
}

// keep writes the job into its folder.
func (f *fleet) keep() error {
	if f.Keep == nil || f.inS3() || f.Dry {
		return nil
	}
	if err := (&journal.Dir{Path: f.Folder.Path}).Write(rundir.JobFile, f.Keep); err != nil {
		return fmt.Errorf("%w; nothing was sent", err)
	}
	return nil
}
