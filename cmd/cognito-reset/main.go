// Cognito-reset resets the passwords of many Amazon Cognito users: never faster
// than it may, never twice, and so that every input row is accounted for.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // a container may have no time zones

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/cli"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// What is the process's is set here and nowhere else: the garbage collector, core
// files, how a fault ends, signals, and how the library writes flags.
func main() {
	gc := newCollector(os.Getenv("GOGC"))
	leaveNoCore()
	debug.SetTraceback("crash") // a panic that nobody recovers ends with SIGABRT, not with 2
	cli.DescribeFlags()
	ctx, stop := stoppable(context.Background())
	code := cli.Main(ctx, os.Args, cli.Process{
		Streams: term.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, Calls: gc.calls,
	})
	stop()
	os.Exit(code)
}

// The garbage collector's percentages. While calls are made the heap is small
// and garbage is most of what a call costs; otherwise, with all usernames in
// memory, the heap is what a small machine lacks.
const (
	callGC  = 400
	usualGC = 20
)

// smallHeap is how many bytes a heap may have in any case. A tenth of them is all that a
// short command needs at one time, and to collect that over and over took a third of
// its time.
const smallHeap = 24 << 20

// collector sets the garbage collector's percentage, unless the user has.
type collector struct {
	mu      sync.Mutex
	calling int // how many sessions make calls
}

// newCollector is one that is at work; it does nothing if gogc, the user's own, is set.
func newCollector(gogc string) *collector {
	c := new(collector)
	if gogc != "" {
		c.calling = -1 << 31
		return c
	}
	debug.SetGCPercent(percentOf(0))
	c.afterEach()
	return c
}

// percentOf is the percentage for a heap with so many live bytes.
func percentOf(live uint64) int {
	live = max(live, 4<<20) // as the runtime has it
	if live >= smallHeap {
		return usualGC
	}
	return max(usualGC, int(100*(smallHeap-live)/live))
}

// afterEach goes by what is live after each collection.
func (c *collector) afterEach() {
	runtime.SetFinalizer(new([2]*collector), func(*[2]*collector) {
		c.mu.Lock()
		if c.calling == 0 {
			c.set()
		}
		c.mu.Unlock()
		c.afterEach()
	})
}

// set is for one who holds mu.
func (c *collector) set() {
	if c.calling > 0 {
		debug.SetGCPercent(callGC)
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetGCPercent(percentOf(live[0].Value.Uint64()))
}

// calls is a [cli.Process.Calls].
func (c *collector) calls() (end func()) {
	add := func(n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.calling += n; c.calling == 0 || c.calling == 1 && n > 0 {
			c.set()
		}
	}
	add(1)
	return func() { add(-1) }
}

// sameSignal is how soon a second signal is taken for the first: some that
// stop a process signal its whole group as well.
const sameSignal = 250 * time.Millisecond

// stoppable returns a context that the first signal ends, with a [*batch.Stop]
// as its cause. A second signal ends the process at once; the journal is whole
// at any time.
func stoppable(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	aborts := make(chan os.Signal, 1) // the runtime would end with 2, which promises that nothing was sent
	signal.Notify(aborts, syscall.SIGQUIT, syscall.SIGABRT)
	go abortOn(aborts)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is an error to handle, not an end
	go func() {
		var first time.Time
		for {
			s, ok := (<-signals).(syscall.Signal)
			switch {
			case !ok:
				return
			case first.IsZero():
				first = time.Now()
			case time.Since(first) < sameSignal:
				continue
			default:
				term.Restore()
				term.Clear(os.Stderr)
				term.Linef(os.Stderr, "Ended at once. No record is lost: cognito-reset resume DIR reads back the calls that were under way, and goes on.")
				os.Exit(exit.Interrupted + int(s))
			}
			cancel(&batch.Stop{Reason: batch.Interrupted, Message: "interrupted by " + exit.Signal{Signal: s}.Error(), Err: exit.Signal{Signal: s}})
		}
	}()
	return ctx, func() { signal.Stop(signals); signal.Stop(aborts); close(signals); close(aborts) }
}

// abortOn ends the process at once, as the runtime would, with the stacks of all
// goroutines. The journal is whole at any time.
func abortOn(aborts <-chan os.Signal) {
	s, ok := (<-aborts).(syscall.Signal)
	if !ok {
		return
	}
	term.Restore()
	stacks := make([]byte, 1<<20)
	term.Linef(os.Stderr, "%s\ncognito-reset: %v; the journal of a run is whole: go on with cognito-reset resume DIR", stacks[:runtime.Stack(stacks, true)], s)
	os.Exit(exit.Interrupted + int(s))
}
