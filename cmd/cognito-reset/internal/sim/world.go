// Package sim plays runs in which much goes wrong, in virtual time and decided by
// a number: the real engine, journal, lease and read-back, on a disk that loses
// what was not synced, beside an S3 and a user pool whose requests and answers get
// lost, with processes that are killed, stopped and started twice and clocks that
// disagree. It looks after every step whether somebody was reset twice, missed or
// misreported.
package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"cognito-reset/batch"
)

// A world is a plan that is played, in a bubble of testing/synctest.
type world struct {
	plan    plan
	input   string // a file of this machine
	began   time.Time
	chance  *rand.Rand
	disk    *hardDisk
	store   *store
	service *service

	processes sync.WaitGroup
	unbegun   bool // the run never began, and cannot; whoever tries is told so

	// markBehind is set while the journal's mark may be behind the journal: it is not
	// synced, or written to S3, with each line. A process that begins writes it anew.
	markBehind bool

	mu         sync.Mutex
	story      []string
	violations []string
	timers     []*time.Timer
	alive      []*process
}

// play plays a plan on the users of an input, and returns what was violated, and the story of it.
func play(p plan, input string) (violations, story []string) {
	w := &world{plan: p, input: input, began: time.Now(), chance: rand.New(rand.NewPCG(p.Seed, 21)), disk: newHardDisk()}
	w.store, w.service = newStore(w), newService(w)
	w.run()
	w.processes.Wait()
	time.Sleep(rest)
	w.mu.Lock()
	for _, t := range w.timers {
		t.Stop()
	}
	w.mu.Unlock()
	w.last()
	return w.violations, w.story
}

// rest is how long it takes, once the run is done, until nothing happens any more.
const rest = 2 * time.Minute

// after has something happen, unless the world has ended by then. No two things
// happen at the same instant, for their order would be up to the scheduler.
func (w *world) after(d time.Duration, what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timers = append(w.timers, time.AfterFunc(d+time.Duration(len(w.timers)+1)*41, what))
}

func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf("%9.3fs  ", time.Since(w.began).Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) broken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.violations) > 0
}

func (w *world) violated(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	w.tell("VIOLATED: %s", what)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, what)
}

// fair is how many processes may follow, to which nothing happens, until the run
// is done.
const fair = 12

// run starts one process after the other, until the run is done.
func (w *world) run() {
	done, moved := false, false
	var p *process
	for n := 1; ; n++ {
		if done && n > w.plan.Processes || w.broken() {
			return
		}
		if n > w.plan.Processes+fair {
			if w.service.calledAnybody() || !p.refused() {
				w.violated("after %d processes without a fault the run is not done", fair)
			}
			w.unbegun = true
			return
		}
		faults := w.plan.of(n)
		for _, f := range faults {
			if f.Kind == idle {
				time.Sleep(f.For)
			}
		}
		undo := w.damage(faults)
		w.disk.fill(-1)
		p = w.start(n, faults, moved)
		p.wait()
		switch {
		case p.dead():
			w.markBehind = w.markBehind || w.plan.InS3 || p.suffers(powerLost)
		case !p.refused():
			w.markBehind = false
		}
		moved = p.asksWhetherMoved()
		if undo != nil && !p.called() {
			undo() // it was refused, or came to nothing
		}
		done = w.look(p)
		time.Sleep(time.Second)
	}
}

// of are the faults of a process.
func (p *plan) of(process int) (faults []fault) {
	for _, f := range p.Faults {
		if f.Process == process {
			faults = append(faults, f)
		}
	}
	return faults
}

// last looks once everything has come to rest.
func (w *world) last() {
	w.service.mu.Lock()
	for _, name := range sorted(w.service.accounts) {
		if w.service.accounts[name].pending > 0 {
			w.violated("%s: a call is still under way", name)
		}
	}
	w.service.mu.Unlock()
	if w.broken() || w.unbegun {
		return
	}
	rows, code, err := w.report()
	if err != nil {
		w.violated("the report of the run that is done: %v", err)
		return
	}
	w.check(rows, code, "in the end", nil)
	for _, r := range rows {
		if !r.Final() {
			w.violated("%s was missed: %s", r.Username, r.Outcome)
		}
	}
}

// check compares the rows of a report and its exit code with what the service did. by is
// the process that reports; nil if it is somebody who reads the record.
func (w *world) check(rows []batch.Result, code int, when string, by *process) {
	if len(rows) != w.plan.Users {
		w.violated("%s: the report has %d rows of %d", when, len(rows), w.plan.Users)
		return
	}
	w.service.mu.Lock()
	defer w.service.mu.Unlock()
	open, well, done := 0, true, w.plan.done()
	for i, r := range rows {
		a := w.service.accounts[r.Username]
		if a == nil || a.number != i+1 {
			w.violated("%s: row %d is of %s", when, i+1, r.Username)
			continue
		}
		if r.Open() {
			open++
		}
		well = well && (r.Outcome == done || r.Outcome == batch.Skipped)
		if by != nil && a.by != nil && a.by.began.After(by.began) {
			continue // whoever took the run over answers for that
		}
		if lie := a.contradicts(r, done); lie != "" {
			w.violated("%s: %s is reported as %s (%s, by %s), and %s", when, a.name, r.Outcome, r.Reason, r.SettledBy, lie)
		}
	}
	switch {
	case open == 0 && well && code != 0, open == 0 && !well && code != 3:
		w.violated("%s: nobody is left, and the exit code is %d", when, code)
	case open > 0 && (code == 0 || code == 3):
		w.violated("%s: %d users are left, and the exit code is %d", when, open, code)
	}
}

// contradicts is what the service knows against a row of a report, in which done is how
// users end for whom all was done; "" if nothing.
func (a *account) contradicts(r batch.Result, done batch.Outcome) string {
	switch {
	case r.Outcome == done && a.resets == 0:
		return "was not"
	case r.Outcome.Done() && r.Outcome != done:
		return "nobody asked for that"
	case done == batch.SignedOut: // nobody reads back what became of one: it is made again, or said not to be done
	case (r.Outcome == batch.Failed || r.Outcome == batch.NotAttempted) && a.resets > 0:
		return "was reset"
	case r.Outcome == batch.NotAttempted && a.pending > 0:
		return "a call is under way"
	}
	return ""
}
