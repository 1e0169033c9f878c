package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
	"cognito-reset/report"
)

// jobFile is the configuration of a fleet, in its folder: what a resume reads.
const jobFile = "job.yaml"

// A fleet is one job on several user pools. Each has a run of its own, in the
// folder of the fleet; those of one account and Region share its quotas.
type fleet struct {
	*command
	ctx     *cli.Context
	given   *cli.Context // what the command line and the environment say, without the job
	path    string       // of the folder. In S3 it holds the runs, and no more
	goesOn  bool         // runs that are there are resumed
	quiet   bool
	dry     bool
	members []*member
	budgets []*budget
	lock    *flock.Flock // of the folder; nil if nobody holds it

	mu    sync.Mutex
	looks []func() view // at those who work
}

// A member is a target at work.
type member struct {
	target target
	ctx    *cli.Context
	id     string // of the user pool
	path   string // of its run directory
	begun  bool   // that is there
	s      *session

	account string // "" if it is not known
	out     error  // why the target is left out
	stopped error  // why it did not come to its end
	summary *report.Summary
}

// inS3 tells that the runs are in S3.
func (f *fleet) inS3() bool { return s3run.Named(f.path) }

// runFleet works on all targets of a job.
func (c *command) runFleet(ctx *cli.Context, j *job, from origins) (err error) {
	f := &fleet{command: c, ctx: ctx, quiet: ctx.Bool("quiet")}
	shard, err := c.readShard(ctx)
	if err != nil {
		return err
	}
	if ctx.IsSet("user-pool-id") {
		return usagef("%s has targets, and each target names its own user pool: leave --user-pool-id out", j.file)
	}
	if f.dry, _, err = dryRun(ctx); err != nil {
		return err
	}
	if begun, err := f.place(shard); err != nil {
		return err
	} else if begun {
		return c.resumeFleet(ctx, f.path)
	}
	if err := f.muster(j, c.args); err != nil {
		return err
	}
	ask, err := c.mustAsk(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.hold(); err != nil {
		return err
	}
	if err := f.prepare(shard); err != nil {
		return errors.Join(err, f.remove())
	}
	if ask {
		if err := f.ask(); err != nil {
			return errors.Join(err, f.remove())
		}
	}
	if !f.inS3() && !f.dry {
		if err := f.keep(j, from, shard); err != nil {
			return errors.Join(fmt.Errorf("%w; nothing was sent", err), f.remove())
		}
	}
	return f.work()
}

// keep writes the job into its folder, for whoever goes on with it.
func (f *fleet) keep(j *job, from origins, shard roster.Shard) error {
	if shard.Count > 0 { // whatever told of it
		if err := f.ctx.Set("shard", shard.String()); err != nil {
			return err
		}
	}
	return (&journal.Dir{Path: f.path}).Write(jobFile, func(file *os.File) error { return f.printConfig(f.ctx, file, j, from) })
}

// resumeFleet goes on with the runs of a fleet, and begins those that are missing. It
// goes by the job as it was.
func (c *command) resumeFleet(ctx *cli.Context, path string) (err error) {
	j, err := c.readJob(filepath.Join(path, jobFile))
	if err != nil {
		return err
	}
	f := &fleet{command: c, ctx: ctx, quiet: ctx.Bool("quiet"), path: path, goesOn: true}
	args := c.args
	if ctx.Command.Name != "run" { // what is said now counts for runs that have not begun, too
		args = []string{c.args[0], "run"}
		for _, fl := range ctx.Command.Flags {
			if name := fl.Names()[0]; c.typed(name) && name != "retry" && name != "accept-changed-input" {
				args = append(args, fmt.Sprintf("--%s=%v", name, ctx.Value(name)))
			}
		}
	}
	common, err := c.runContext(ctx.Context, args)
	if err != nil {
		return err
	}
	if err := set(common, j.common, make(origins)); err != nil {
		return err
	}
	shard, err := c.readShard(common)
	if err != nil {
		return err
	}
	if err := f.muster(j, args); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.hold(); err != nil {
		return err
	}
	if err := f.prepare(shard); err != nil {
		return err
	}
	return f.work()
}

// hold keeps other processes from the folder: each would take some of the runs, and
// all of the quotas. In S3 only the runs are held.
func (f *fleet) hold() error {
	if f.inS3() {
		return nil
	}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return usagef("--run: %w; nothing was sent", err)
	}
	lock := flock.New(filepath.Join(f.path, journal.LockFile), flock.SetPermissions(0o600))
	if held, err := lock.TryLock(); err != nil {
		return usagef("--run: %w; nothing was sent", err)
	} else if !held {
		return usagef("%s is in use by another process; nothing was sent", f.path)
	}
	f.lock = lock
	return nil
}

// fleetRuns are the run directories in the folder of a fleet; none if it is not one.
func fleetRuns(path string) (runs []string) {
	if _, err := os.Stat(filepath.Join(path, jobFile)); err != nil {
		return nil
	}
	return runsBelow(path)
}

// runsBelow are the run directories right below a folder.
func runsBelow(path string) (runs []string) {
	entries, _ := os.ReadDir(path) // none, where it cannot be read
	for _, e := range entries {
		if run := filepath.Join(path, e.Name()); exists(filepath.Join(run, journal.RunFile)) {
			runs = append(runs, run)
		}
	}
	return runs
}

// place finds the folder of the fleet, and out if its runs are to be resumed. There
// is a job in it if it came to its first call.
func (f *fleet) place(shard roster.Shard) (begun bool, err error) {
	f.path = f.ctx.String("run")
	switch {
	case f.path == "" && shard.Count > 0:
		return false, usagef("the record of a shard stands beside those of the others: give --run DIR")
	case f.path == "":
		f.path = newRunPath(time.Now().UTC(), "fleet")
	case shard.Count > 0:
		f.path = shardPath(f.path, shard)
	}
	f.goesOn = f.inS3() || f.ctx.String("shard") == "auto"
	if f.inS3() {
		return false, nil
	}
	_, err = os.Stat(filepath.Join(f.path, jobFile))
	runs := runsBelow(f.path)
	switch begun = err == nil; {
	case !begun && !errors.Is(err, fs.ErrNotExist):
		return false, usagef("--run: %w; nothing was sent", err)
	case !begun && runs == nil && !f.dry:
		return false, lost(f.path)
	case f.goesOn:
		return begun, nil
	case begun:
		return true, usagef("--run: %s holds a fleet: name a new folder, or go on with that one by cognito-reset resume %s; nothing was sent", f.path, quotePath(f.path))
	case runs != nil:
		return false, usagef("--run: %s holds runs, but no job that began: name a new folder, or delete this one; nothing was sent", f.path)
	}
	return false, nil
}

// muster reads what is asked for of each target. One mistake is enough for nothing
// to begin.
func (f *fleet) muster(j *job, args []string) error {
	var err error
	if f.given, err = f.runContext(f.ctx.Context, args); err != nil {
		return err
	}
	known := make(map[string]string)
	for _, t := range j.targets {
		ctx, _, err := f.of(f.ctx.Context, args, j, t)
		if err != nil {
			return err
		}
		m := &member{target: t, ctx: ctx, id: ctx.String("user-pool-id")}
		if err := m.check(); err != nil {
			return fmt.Errorf("%s: %w", t.at, err)
		}
		if where, twice := known[m.id]; twice {
			return usagef("%s: user pool %s is a target already, at %s", t.at, m.id, where)
		}
		known[m.id] = t.at
		m.path = strings.TrimRight(f.path, "/") + "/" + m.id
		f.members = append(f.members, m)
		if m.begun = f.goesOn && f.find(m); m.begun {
			continue // its own record says what was asked for
		}
		if m.s, err = f.newSession(ctx, roster.Shard{}); err != nil {
			return fmt.Errorf("%s: %w", t.at, err)
		}
		if m.s.request.Sandbox {
			m.account = "the sandbox"
		}
		if m.s.request.stdin() {
			return usagef("%s: standard input is one, and there are several targets: give each its files", t.at)
		}
		f.enlist(m)
	}
	return nil
}

// check finds what a target cannot have.
func (m *member) check() error {
	own := func(flag string) bool {
		return slices.ContainsFunc(m.target.settings, func(s setting) bool { return s.flag == flag })
	}
	for _, flag := range []string{"run", "shard", "shards", "yes", "json", "quiet", "dry-run", "lease"} {
		if own(flag) {
			return usagef("%s is for all targets together: it stands outside of them", flag)
		}
	}
	switch {
	case !own("user-pool-id"):
		return usagef("say which user pool by user-pool-id: each target has one")
	case m.ctx.String("plan") != "":
		return usagef("a plan is of one user pool: run its target by itself")
	case slices.Contains(columnsOf(m.ctx, "keep-column"), report.PoolColumn):
		return usagef("keep-column %s: the report has a column of its own of that name; rename the input's", report.PoolColumn)
	}
	return nil
}

// find looks for the run of a target, and who has begun it.
func (f *fleet) find(m *member) bool {
	dir, err := f.viewRun(f.ctx, m.path)
	if err != nil {
		return false
	}
	var r request
	if dir.ReadJSON(journal.RunFile, &r) != nil {
		return false
	}
	m.account = r.Caller.Account
	return true
}

// enlist makes the session of a member one of a fleet, of which the fleet speaks.
func (f *fleet) enlist(m *member) {
	s := m.s
	s.fleet, s.quiet, s.s3, s.path = f, true, f.command.inS3(f.ctx), m.path
}

// meet finds out who pays for the calls of each target. Of a sharded fleet every
// process must come to the same end.
func (f *fleet) meet(shard roster.Shard) error {
	var asked sync.WaitGroup
	for _, m := range f.members {
		if m.begun && m.account != "" || m.s == nil || m.s.request.Sandbox || m.s.request.Offline {
			continue
		}
		asked.Go(func() {
			if err := m.s.connect(f.ctx.Context); err != nil {
				m.out = err
				return
			}
			caller, err := m.s.pool.Caller(f.ctx.Context)
			if m.account = caller.Account; err != nil && shard.Count > 0 {
				m.out = err
			}
		})
	}
	asked.Wait()
	known := make(map[string]*budget)
	for _, m := range f.members {
		if m.out != nil && shard.Count > 0 {
			return usagef("%s: %s: %w; to deal the targets out, every shard must know the account of each; nothing was sent", m.target.at, m.id, m.out)
		}
		key := m.payer()
		if known[key] == nil {
			known[key] = &budget{account: m.account, region: m.region()}
		}
		known[key].members = append(known[key].members, m)
	}
	for i, key := range slices.Sorted(maps.Keys(known)) {
		b, mine := known[key], false
		if b.shard, mine = deal(i, len(known), shard); mine {
			f.budgets = append(f.budgets, b)
			continue
		}
		f.members = slices.DeleteFunc(f.members, func(m *member) bool { return slices.Contains(b.members, m) })
	}
	return nil
}

// prepare does all that comes before the first call, of the targets of a budget one
// after the other. A target that cannot begin is left out; it is an error if none
// can.
func (f *fleet) prepare(shard roster.Shard) error {
	if err := f.meet(shard); err != nil {
		return err
	}
	if len(f.members) == 0 {
		say(f.stderr, "There are more shards than this job can be dealt to: nothing is left for this one.")
		return &exit{code: exitDone}
	}
	if !f.quiet {
		say(f.stderr, "Targets: %d. Accounts and Regions, each with a quota of its own: %d.", len(f.members), len(f.budgets))
	}
	var prepared sync.WaitGroup
	for _, b := range f.budgets {
		prepared.Go(func() {
			for _, m := range b.members {
				if m.out == nil {
					m.out = f.ready(m, b.shard)
				}
			}
		})
	}
	prepared.Wait()
	if ctx := f.ctx.Context; ctx.Err() != nil {
		return (&session{command: f.command}).stopError(fmt.Errorf("%w; nothing was sent", context.Cause(ctx)))
	}
	able := 0
	for _, b := range f.budgets {
		able += len(b.able())
		b.share()
		if err := f.introduce(b); err != nil {
			return err
		}
	}
	if able == 0 {
		return usagef("no target can begin; nothing was sent")
	}
	return nil
}

// ready prepares one target.
func (f *fleet) ready(m *member, shard roster.Shard) (err error) {
	if m.begun {
		m.s = &session{command: f.command}
		if m.s.log, err = logger(f.ctx, f.stderr); err != nil {
			return err
		}
		f.enlist(m)
		m.s.own = f.given
		return m.s.reopen(f.ctx)
	}
	if shard.Count > 0 {
		if m.s, err = f.newSession(m.ctx, shard); err != nil {
			return err
		}
		f.enlist(m)
	}
	if m.s.pool == nil {
		if err := m.s.reach(f.ctx.Context); err != nil {
			return err
		}
	}
	return m.s.prepare(m.ctx)
}

// hang writes text behind a label, 80 columns wide where the words allow.
func hang(label, text string) string {
	return label + strings.Join(wrap(text, 80-len(label)), "\n"+strings.Repeat(" ", len(label)))
}

// users is how many there are to work on.
func (f *fleet) users() (n int64) {
	for _, b := range f.budgets {
		for _, m := range b.able() {
			n += m.s.left
		}
	}
	return n
}

// ask lets a person say no.
func (f *fleet) ask() error {
	signedOut := slices.ContainsFunc(f.members, func(m *member) bool { return m.out == nil && m.s.request.signsOut() })
	say(f.stderr, "\nEach of these users loses the current password and is sent a code%s.", map[bool]string{true: ".\nSome are signed out"}[signedOut])
	typed, err := f.prompt(f.ctx.Context, fmt.Sprintf("Type how many they are, %d, to go on: ", f.users()))
	switch {
	case err != nil:
		return (&session{command: f.command}).stopError(err)
	case strings.ReplaceAll(typed, ",", "") != fmt.Sprint(f.users()):
		return usagef("that is not how many they are; nothing was sent")
	}
	return nil
}

// add takes a look at a session into what is shown of the fleet.
func (f *fleet) add(look func() view) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks = append(f.looks, look)
}

// look adds up what is seen of all.
func (f *fleet) look() view {
	f.mu.Lock()
	looks := slices.Clone(f.looks)
	f.mu.Unlock()
	var all view
	for _, look := range looks {
		all.counts.Add(look().counts)
	}
	return all
}

// work works on all targets side by side, and reports.
func (f *fleet) work() error {
	ctx := f.ctx.Context
	if !f.quiet {
		say(f.stderr, "")
		defer context.AfterFunc(ctx, func() {
			say(f.stderr, "%v: calls under way finish; a second signal ends this at once, and no record is lost.", context.Cause(ctx))
		})()
	}
	shown := f.show(f.quiet || f.dry, f.users(), f.look)
	var working sync.WaitGroup
	for _, b := range f.budgets {
		for _, m := range b.able() {
			working.Go(func() { f.workOn(ctx, m) })
		}
	}
	working.Wait()
	shown.end(doneOf(f.look().counts) == f.users())
	return f.finish()
}

// workOn works on one target. What becomes of it does not touch the others.
func (f *fleet) workOn(ctx context.Context, m *member) {
	var err error
	if m.s.left > 0 && !f.dry {
		m.stopped, err = m.s.reset(ctx)
	}
	if err == nil {
		m.summary, err = m.s.conclude(m.stopped)
	}
	if m.stopped = cmp.Or(m.stopped, err); m.stopped != nil && ctx.Err() == nil {
		say(f.stderr, "\n%s", hang("STOPPED   ", m.id+": "+m.stopped.Error()))
	}
	if err := m.s.close(); m.stopped == nil {
		m.stopped = err
	}
	m.s.dir, m.s.sandbox = nil, nil
}

// finish makes one report of all, and returns the worst exit.
func (f *fleet) finish() error {
	r := &merger{command: f.command}
	var paths, unfinished []string
	var elapsed float64
	for _, m := range f.members {
		t := m.tell()
		r.summary.Targets = append(r.summary.Targets, t)
		r.summary.ExitCode = worse(r.summary.ExitCode, t.ExitCode)
		if m.summary != nil {
			paths, elapsed = append(paths, m.path), max(elapsed, m.summary.ElapsedSeconds)
		}
		if t.ExitCode != exitDone && t.ExitCode != exitSomeFailed {
			unfinished = append(unfinished, m.id)
		}
	}
	if err := r.read(f.ctx, paths, report.MergePools); err != nil {
		return err
	}
	r.request.CSVSafe = slices.ContainsFunc(f.members, func(m *member) bool { return m.s != nil && m.s.request.CSVSafe })
	r.summary.ElapsedSeconds, r.summary.RateAsked = elapsed, f.rate() // they worked side by side
	goOn := "cognito-reset resume " + quotePath(f.path)
	if f.inS3() {
		goOn = "the same command again"
	}
	if unfinished != nil && !f.dry && !r.request.Sandbox {
		r.summary.StoppedBecause = fmt.Sprintf("%d of %d user pools are not done: %s", len(unfinished), len(f.members), strings.Join(unfinished, ", "))
		r.summary.Next = goOn
	}
	var sum report.Summary
	var err error
	if f.inS3() {
		sum, err = r.pour()
	} else {
		sum, err = r.render(f.path)
	}
	if err != nil {
		return err
	}
	f.observer.ended(sum)
	return r.finish(sum, f.ctx.Bool("json"))
}

// tell says what became of a target.
func (m *member) tell() report.Target {
	t := report.Target{UserPoolID: m.id, RunDirectory: m.path}
	if m.summary != nil {
		t.Rows, t.ExitCode = m.summary.Rows, m.summary.ExitCode
	}
	switch ended, chosen := errors.AsType[*exit](m.stopped); {
	case m.out != nil:
		t.ExitCode, t.StoppedBecause = exitStopped, m.out.Error()
	case chosen:
		t.ExitCode, t.StoppedBecause = ended.code, ended.Error()
	case m.stopped != nil:
		t.ExitCode, t.StoppedBecause = exitFailed, m.stopped.Error()
	}
	return t
}

// worse is the exit code that tells of two targets.
func worse(a, b int) int {
	order := []int{exitDone, exitSomeFailed, exitStopped, exitUsage, exitFailed} // then the signals
	rank := func(code int) int {
		if i := slices.Index(order, code); i >= 0 {
			return i
		}
		return len(order)
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// remove deletes the runs that were begun just now, and made no call.
func (f *fleet) remove() (err error) {
	for _, m := range f.members {
		if m.s != nil && m.s.dir != nil && !m.begun && m.out == nil {
			err = errors.Join(err, m.s.dir.Remove())
			m.s.dir = nil
		}
	}
	if f.lock != nil {
		os.Remove(f.lock.Path())
	}
	os.Remove(f.path) // if nothing else is in it
	return err
}

// close gives up what is still held.
func (f *fleet) close() (err error) {
	for _, m := range f.members {
		if m.s != nil {
			err = errors.Join(err, m.s.close())
		}
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Unlock())
	}
	return err
}
