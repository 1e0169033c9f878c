package sim

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/pace"
	"cognito-reset/batch/roster/s3input"
	"cognito-reset/batch/userpool"
)

// What stands in for the application until its rooms can be played: it begins the
// run or goes on with it, as cmd/cognito-reset does with run and resume.

const (
	runPath = "/runs/monday"
	runInS3 = "s3://" + bucket + "/runs/monday"
)

// Exit codes, as the command has them.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitSomeFailed = 3
	exitStopped    = 4
	exitSignal     = 128
)

// A request is what run.json says of a run.
type request struct {
	Roster journal.Survey `json:"roster"`
	Marked bool           `json:"marked"`
}

const summaryFile = "summary.json"

type summary struct {
	JournalBytes int64 `json:"journal_bytes"`
}

func (p *process) inS3() s3run.Options {
	return s3run.Options{
		Options: s3input.Options{EndpointURL: "http://s3.sim", HTTPClient: s3Client{p.w.store, p}},
		Disk:    mount{p.disk, p},
		TTL:     15 * time.Second, // of which ten looks a second would take the most of the time that a plan takes
	}
}

func (p *process) open(create bool) (*journal.Dir, error) {
	on := mount{p.disk, p}
	switch {
	case p.w.plan.InS3 && create:
		return s3run.Create(p.ctx, runInS3, p.inS3())
	case p.w.plan.InS3:
		return s3run.Open(p.ctx, runInS3, p.inS3())
	case create:
		return journal.CreateOn(on, runPath)
	}
	return journal.OpenOn(on, runPath)
}

// work is what the process does, and its exit code.
func (p *process) work() (code int, err error) {
	dir, err := p.open(false)
	var r request
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir, err = p.open(true); err != nil {
			return exitUsage, err
		}
		defer func() { err = errors.Join(err, dir.Close()) }()
		if r, err = p.begin(dir); err != nil {
			return exitFailed, errors.Join(err, dir.Remove())
		}
	case err != nil:
		return exitUsage, err
	default:
		defer func() { err = errors.Join(err, dir.Close()) }()
		if err := dir.ReadJSON(journal.RunFile, &r); err != nil {
			return exitUsage, err
		}
	}
	history, err := replay(dir, r)
	if err != nil {
		return exitUsage, err
	}
	if left, _ := history.Open(); left == 0 {
		return p.conclude(dir, r, exitDone, nil)
	}
	if err := history.Begin(p.moved); err != nil {
		return exitUsage, err
	}
	code, stopped := p.reset(history, r)
	return p.conclude(dir, r, code, stopped)
}

// begin writes down who is meant.
func (p *process) begin(dir *journal.Dir) (r request, err error) {
	r.Roster, err = dir.Spool(func(yield func(batch.Entry, error) bool) {
		for n := 1; n <= p.w.plan.Users; n++ {
			e := batch.Entry{Row: int64(n), Username: username(n)}
			if p.w.plan.Looked {
				e.Before = p.w.service.look(e.Username)
			}
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil {
		return r, err
	}
	history, err := dir.Replay()
	if err == nil {
		err = history.Begin(false)
	}
	if err != nil {
		return r, err
	}
	r.Marked = true
	return r, dir.WriteJSON(journal.RunFile, r)
}

// reset works on the users that are left.
func (p *process) reset(history *journal.History, r request) (code int, stopped error) {
	plan, began := p.w.plan, time.Now()
	var reclock atomic.Pointer[func()]
	pool, err := userpool.Open(p.ctx, userpool.Options{
		PoolID: "eu-west-1_Simulated", HTTPClient: client{p.w.service, p},
		Credentials: credentials.NewStaticCredentialsProvider("sim", "sim", ""),
		ClockJumped: func(string) {
			if record := reclock.Load(); record != nil {
				(*record)()
			}
		},
	})
	if err != nil {
		return exitFailed, err
	}
	history.Clock = pool.LearnClock(p.ctx, began)
	j, err := history.Start("sim", r.Roster.SHA256)
	if err != nil {
		return exitFailed, err
	}
	reclock.Store(new(func() { _ = j.Clock(pool.Clock(began)) }))
	defer reclock.Store(nil)
	o := batch.Options{
		Journal: j, Workers: plan.Workers, Standby: plan.Standby, MaxAttempts: plan.MaxAttempts,
		Linger: userpool.Linger, RetryUnknown: plan.RetryUnknown, Grace: 15 * time.Second,
		MayCall: func() error {
			p.awake() // a process that is stopped does not look, either
			return j.MayCall()
		},
	}
	if plan.Users > 20 {
		o.Failures = &batch.FailureGuard{Share: 0.5}
	}
	_, stopped = batch.Run(p.ctx, history.Remaining(nil), batch.ResetOnly(pool, pace.New(plan.Rate)), o)
	code = exitCode(stopped)
	because := ""
	if stopped != nil {
		because = stopped.Error()
	}
	if err := errors.Join(j.End(code, because), j.Close()); err != nil && stopped == nil {
		code, stopped = exitFailed, &batch.JournalError{Err: err}
	}
	return code, stopped
}

// exitCode is that of a session which stopped for a cause.
func exitCode(stopped error) int {
	if stopped == nil {
		return exitDone
	}
	if signal, ok := errors.AsType[stopSignal](stopped); ok {
		return exitSignal + int(signal.Signal)
	}
	if _, ok := errors.AsType[*batch.Stop](stopped); ok {
		return exitStopped
	}
	return exitFailed
}

// replay reads the record and sees to it that it is all of it.
func replay(dir *journal.Dir, r request) (*journal.History, error) {
	history, err := dir.Replay()
	if err != nil {
		return nil, err
	}
	if history.RosterSHA256 != r.Roster.SHA256 {
		return nil, fmt.Errorf("%s is not what run.json says", journal.RosterFile)
	}
	var last summary
	if err := dir.ReadJSON(summaryFile, &last); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if r.Marked && !history.Marked() {
		return nil, errors.New("the mark of the journal is gone")
	}
	if history.Size() < last.JournalBytes {
		return nil, errors.New("the journal was cut short")
	}
	return history, nil
}

// conclude reports how everybody has ended.
func (p *process) conclude(dir *journal.Dir, r request, code int, stopped error) (int, error) {
	history, err := replay(dir, r)
	if err != nil {
		return cmp.Or(code, exitFailed), errors.Join(stopped, err)
	}
	rows, code, err := rowsOf(history, code, stopped != nil)
	if err == nil {
		err = dir.WriteJSON(summaryFile, summary{history.Known()})
	}
	if err == nil && !p.dead() { // or it is no longer its run to report
		p.w.check(rows, code, p.name)
	}
	if stopped == nil && err != nil {
		code = exitFailed
	}
	return code, errors.Join(stopped, err)
}

// rowsOf are the rows of a report, and the exit code that goes with them: that of
// a process which has just stopped, or else what the record says.
func rowsOf(history *journal.History, code int, stopped bool) (rows []batch.Result, _ int, err error) {
	if !stopped {
		for _, session := range history.Sessions {
			code = session.ExitCode
		}
	}
	well, open := true, 0
	for row, err := range history.Results(batch.Interrupted) {
		if err != nil {
			return nil, exitFailed, err
		}
		rows = append(rows, row)
		if left(row) {
			open++
		}
		well = well && (row.Outcome == batch.Reset || row.Outcome == batch.Skipped)
	}
	switch {
	case open > 0 && !stopped && code == exitDone:
		code = exitStopped
	case open == 0 && well:
		code = exitDone
	case open == 0:
		code = exitSomeFailed
	}
	return rows, code, nil
}

// A bystander is somebody who reads the record, and to whom nothing happens.
type bystander struct{}

func (bystander) pass(string, string) fate { return fate{} }

// report is what the record says, of whatever processes.
func (w *world) report() (rows []batch.Result, code int, err error) {
	var dir *journal.Dir
	if w.plan.InS3 {
		reader := w.process("a reader", nil)
		reader.calm = true
		dir, err = s3run.View(reader.ctx, runInS3, reader.inS3())
	} else {
		dir, err = journal.ViewOn(mount{w.disk, bystander{}}, runPath)
	}
	if err != nil {
		return nil, exitFailed, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	var r request
	if err := dir.ReadJSON(journal.RunFile, &r); err != nil {
		return nil, exitFailed, err
	}
	history, err := replay(dir, r)
	if err != nil {
		return nil, exitFailed, err
	}
	return rowsOf(history, exitDone, false)
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
	w.check(rows, code, "after "+p.name)
	for _, r := range rows {
		if left(r) {
			return false
		}
	}
	return true
}

// look is what a listing says of an account.
func (s *service) look(name string) *batch.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[name]
	return &batch.Snapshot{Status: a.now.status, Enabled: a.refusal == nil, EmailVerified: true, ModifiedAt: a.now.modified}
}
