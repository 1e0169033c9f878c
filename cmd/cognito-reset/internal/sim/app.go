package sim

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/roster/s3input"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/run"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// A process begins the run or goes on with it, as the commands run and resume do.

const (
	runPath = "/runs/monday"
	runInS3 = "s3://" + bucket + "/runs/monday"
	poolID  = "eu-west-1_Simulated"
)

// leaseTTL is that of a run in S3. A minute is the usual one; ten looks a second at
// another's lease would take most of the time that a plan takes.
const leaseTTL = 15 * time.Second

func (p *process) env() run.Env {
	return run.Env{
		Streams: term.Streams{In: nowhere(), Out: nowhere(), Err: nowhere()}, Quiet: true, Log: slog.New(slog.DiscardHandler),
		Store: p.store(), Version: "sim", Calls: func() func() { return func() {} }, HTTPClient: client{p.w.service, p},
	}
}

func (p *process) store() *rundir.Store {
	on := mount{p.disk, p}
	return &rundir.Store{Disk: on, S3: s3run.Options{
		Options: s3input.Options{EndpointURL: "http://s3.sim", HTTPClient: s3Client{p.w.store, p}}, Disk: on, TTL: leaseTTL,
	}}
}

func (p *plan) path() string {
	if p.InS3 {
		return runInS3
	}
	return runPath
}

// spec is what is asked of the run.
func (p *plan) spec(input string) spec.Spec {
	s := spec.Spec{
		Version: "sim", CreatedAt: time.Now().UTC(), UserPoolID: poolID,
		Source:   spec.Source{Inputs: []string{input}, Reading: spec.Reading{Format: roster.Auto}},
		Response: spec.Response{Steps: []string{spec.StepReset}, IfResetRequired: "again", Snapshot: p.Looked},
		Settings: spec.Settings{
			Rate: p.Rate, MaxWorkers: p.Workers, MaxAttempts: p.MaxAttempts, StopOnFailures: "off", OnMessageLimit: "stop",
			OnUnknown: "report", SettleAfter: spec.Seconds(userpool.Linger.Seconds()), Grace: 15,
		},
	}
	if p.SignsOut {
		s.Steps, s.UpdateRate = report.Steps{spec.StepSignOut}, p.Rate
	}
	if p.RetryUnknown {
		s.OnUnknown = "retry"
	}
	if p.Users > 20 {
		s.StopOnFailures = "50%"
	}
	return s
}

// work is what the process does, and its exit code.
func (p *process) work() (code int, err error) {
	s, err := run.Resume(p.ctx, run.Resumption{
		Path: p.w.plan.path(), Moved: p.moved, Change: func(s spec.Spec) (spec.Settings, error) { return s.Settings, nil },
	}, p.env())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s = run.New(p.w.plan.spec(p.w.input), run.Options{Path: p.w.plan.path()}, p.env())
		defer func() { err = errors.Join(err, s.Close()) }()
		if err = s.Reach(p.ctx); err == nil {
			err = s.Prepare(p.ctx)
		}
	case err == nil:
		defer func() { err = errors.Join(err, s.Close()) }()
	}
	if err != nil {
		return exit.Of(err), err
	}
	var stopped error
	if s.Left > 0 {
		if stopped, err = s.Work(p.ctx); err != nil {
			return exit.Of(err), err
		}
	}
	err = s.Finish(stopped)
	p.checkReport(s.Record, exit.Of(err))
	return exit.Of(err), errors.Join(stopped, err)
}

// checkReport compares what the process has just reported, and how it ends, with what
// the service did. A process that cannot write its reports says so by its exit code.
func (p *process) checkReport(r *rundir.Record, code int) {
	if p.dead() || code == exit.Failed {
		return
	}
	rows, _, err := rowsOf(r)
	if err == nil && !p.dead() { // or it is no longer its run to report
		p.w.check(rows, code, p.name, p)
	}
}

// rowsOf are the rows of a report, and the exit code that goes with them.
func rowsOf(r *rundir.Record) (rows []batch.Result, code int, err error) {
	history, err := r.Replay()
	if err != nil {
		return nil, exit.Failed, err
	}
	all := r.Rows(history, nil)
	err = all.Write(collector{&rows})
	return rows, all.Summary.ExitCode, err
}

// A collector is a report in memory.
type collector struct{ rows *[]batch.Result }

func (c collector) Write(r batch.Result) error {
	*c.rows = append(*c.rows, r)
	return nil
}

func (c collector) Close() error { return nil }

// report is what the record says, of whatever processes.
func (w *world) report() (rows []batch.Result, code int, err error) {
	reader := w.process("a reader", w.disk)
	reader.calm = true
	store := reader.store()
	defer func() { err = errors.Join(err, store.Close()) }()
	r, err := store.Read(context.Background(), w.plan.path())
	if err != nil {
		return nil, exit.Failed, err
	}
	return rowsOf(r)
}

// nowhere is where the processes read from and write to.
var nowhere = sync.OnceValue(func() *os.File {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	return f
})

// writeInput writes whom the run is to reset into a file of this machine: inputs are
// read from no other.
func writeInput(folder string, users int) (path string, err error) {
	text := "username\n"
	for n := range users {
		text += username(n+1) + "\n"
	}
	path = filepath.Join(folder, "users.csv")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// look reads the record once a process has ended, and reports whether the run is
// done.
func (w *world) look(p *process) (done bool) {
	rows, code, err := w.report()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.service.mu.Lock()
		defer w.service.mu.Unlock()
		for _, name := range sorted(w.service.accounts) {
			if a := w.service.accounts[name]; a.resets+a.pending > 0 {
				w.violated("after %s: %s was called, and there is no record", p.name, name)
			}
		}
		return false
	case err != nil:
		w.tell("after %s: the record cannot be read: %v", p.name, err)
		return false
	}
	w.check(rows, code, "after "+p.name, nil)
	for _, r := range rows {
		if r.Open() {
			return false
		}
	}
	return true
}
