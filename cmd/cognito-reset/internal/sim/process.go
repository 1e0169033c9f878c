package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// A process is the tool at work on the run, until it ends or is killed. One that
// was killed goes on as a ghost until it notices: nothing that it does has an
// effect, and it is told so.
type process struct {
	w      *world
	n      int
	name   string
	faults []fault
	disk   *hardDisk // of its machine
	began  time.Time
	ctx    context.Context
	cancel context.CancelCauseFunc
	gone   chan struct{} // closed when it is killed
	ended  chan struct{} // closed when it, or its ghost, has ended
	twins  []*process

	mu      sync.Mutex
	spent   []bool // faults that have happened
	ops     int    // operations that have passed
	calls   int    // to the service, but for read-backs
	killed  bool
	calm    bool      // nothing happens to it
	sleeps  time.Time // it is stopped until then
	moved   bool      // it knows that the record was moved
	noS3    time.Time // S3 cannot be reached until then
	exit    int
	because error
}

var errKilled = errors.New("the process is dead")

// A stopSignal is why a process stops that was signalled.
type stopSignal struct{ syscall.Signal }

func (s stopSignal) Error() string { return s.Signal.String() }

// start starts a process to which faults happen. moved is what somebody tells it who
// knows that the record was moved.
func (w *world) start(n int, faults []fault, moved bool) *process {
	p := w.process(fmt.Sprintf("process %d", n), w.disk)
	p.n, p.moved, p.faults, p.spent = n, moved, faults, make([]bool, len(faults))
	clock := time.Duration(0)
	for _, f := range faults {
		if f.Kind == clockOff {
			clock = f.For
		}
	}
	time.Sleep(w.service.setClock(clock))
	w.tell("%s begins; its clock is %v ahead of the service's", p.name, clock)
	for _, f := range faults {
		p.schedule(f, clock)
	}
	p.run()
	return p
}

// process is one that has not begun. If the run is in S3, it has a disk of its own.
func (w *world) process(name string, on *hardDisk) *process {
	p := &process{w: w, name: name, disk: on, gone: make(chan struct{}), ended: make(chan struct{})}
	if w.plan.InS3 {
		p.disk = newHardDisk()
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p
}

func (p *process) run() {
	p.began = time.Now()
	p.w.mu.Lock()
	p.w.alive = append(p.w.alive, p)
	p.w.mu.Unlock()
	p.w.processes.Go(func() {
		defer close(p.ended)
		exit, because := p.work()
		p.mu.Lock()
		p.exit, p.because = exit, because
		p.mu.Unlock()
		if !p.dead() {
			p.w.tell("%s ends with exit code %d: %v", p.name, exit, because)
			p.disk.releaseLocks(p)
		}
	})
}

// schedule sees to what happens to the process at a time.
func (p *process) schedule(f fault, clock time.Duration) {
	at := func(what func()) {
		p.w.after(f.At, func() {
			if !p.dead() && !p.hasEnded() {
				p.w.tell("%s", f)
				what()
			}
		})
	}
	switch f.Kind {
	case signalled:
		at(func() { p.cancel(stopSignal{syscall.SIGTERM}) })
	case overdue:
		at(func() { p.cancel(&batch.Stop{Reason: batch.Stopped, Message: "the time is over"}) })
	case paused:
		at(func() { p.until(&p.sleeps, f.For) })
	case s3Outage:
		at(func() { p.until(&p.noS3, f.For) })
	case clockSteps:
		at(func() { p.w.service.setClock(clock + f.For) })
	case twin:
		at(func() {
			second := p.w.process(p.name+"'s twin", p.disk)
			second.run()
			p.mu.Lock()
			p.twins = append(p.twins, second)
			p.mu.Unlock()
		})
	}
}

func (p *process) until(what *time.Time, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*what = time.Now().Add(d)
}

// wait is until the process, and who was started beside it, has ended or was killed.
func (p *process) wait() {
	select {
	case <-p.ended:
	case <-p.gone:
	}
	p.mu.Lock()
	twins := p.twins
	p.mu.Unlock()
	for _, second := range twins {
		second.wait()
	}
}

// called reports whether a call left the process.
func (p *process) called() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls > 0
}

// refused reports whether the process ended by saying that nothing was sent.
func (p *process) refused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.killed && p.exit == exit.Usage
}

// suffers reports whether a kind of fault is among those of the process.
func (p *process) suffers(k kind) bool {
	return slices.ContainsFunc(p.faults, func(f fault) bool { return f.Kind == k })
}

// asksWhetherMoved reports whether the process ended because the record is not
// where it was.
func (p *process) asksWhetherMoved() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, moved := errors.AsType[*journal.MovedError](p.because)
	return moved && !p.killed
}

func (p *process) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the process.
func (p *process) kill() {
	p.mu.Lock()
	was := p.killed
	p.killed = true
	p.mu.Unlock()
	if was {
		return
	}
	close(p.gone)
	p.cancel(errKilled)
	p.disk.releaseLocks(p)
}

// losePower kills all processes of a machine, whose disk loses what was not synced.
func (p *process) losePower() {
	p.w.mu.Lock()
	alive := p.w.alive
	p.w.mu.Unlock()
	for _, other := range alive {
		if other.disk == p.disk {
			other.kill()
		}
	}
	p.disk.loseWrites(p.w.chance)
}

// awake returns once the process is not stopped.
func (p *process) awake() {
	for {
		p.mu.Lock()
		left := time.Until(p.sleeps)
		if p.killed {
			left = 0
		}
		p.mu.Unlock()
		if left <= 0 {
			return
		}
		select {
		case <-time.After(left):
		case <-p.gone:
		}
	}
}

func (p *process) outage() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.noS3)
}

// pass implements [gate].
func (p *process) pass(op, name string) fate {
	reset := op == "call" && name == "AdminResetUserPassword"
	if !reset { // which leaves at the instant in which it was found that it may
		p.awake()
	}
	p.mu.Lock()
	if p.killed {
		p.mu.Unlock()
		return fate{err: errKilled}
	}
	p.ops++
	if reset {
		p.calls++
	}
	f, ok := p.strike(op)
	p.mu.Unlock()
	if !ok {
		return fate{}
	}
	p.w.tell("%s, at %s %s", f, op, name)
	switch f.Kind {
	case killed:
		p.kill()
		return fate{err: errKilled}
	case killedAfter, killedTorn:
		return fate{half: f.Kind == killedTorn, then: func() error {
			p.kill()
			return errKilled
		}}
	case powerLost:
		p.losePower()
		return fate{err: errKilled}
	case diskFull:
		p.disk.fill(f.N * 37 % 1000)
		return fate{}
	default:
		return fate{err: syscall.EIO}
	}
}

// strike is the fault of this operation. The process's mutex is held.
func (p *process) strike(op string) (fault, bool) {
	onDisk := op != "call" && !strings.HasPrefix(op, "s3 ")
	for i, f := range p.faults {
		if f.N == 0 || p.spent[i] || p.ops < f.N {
			continue
		}
		switch f.Kind {
		case killed, killedAfter, powerLost:
		case killedTorn:
			if op != "write" {
				continue
			}
		case diskError, diskFull:
			if !onDisk {
				continue
			}
		default:
			continue
		}
		p.spent[i] = true
		return f, true
	}
	return fault{}, false
}
