package sim

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"cognito-reset/batch"
)

// A plan is a run and all that goes wrong with it. Each of its faults can be left
// out.
type plan struct {
	Seed      uint64
	InS3      bool // the record; otherwise it is on a disk
	Users     int
	Processes int // that something befalls; others follow until the run is done

	Workers, Standby, MaxAttempts int

	Rate         float64       // calls a second
	Quota        int           // calls that the service takes in a second
	Latency      time.Duration // of an answer
	RetryUnknown bool
	Looked       bool // the roster says what each user was before
	MovesDate    bool // a reset is a modification of the user
	SignsOut     bool // alone: nobody is reset
	Faults       []fault
}

// done is how users end for whom all was done.
func (p *plan) done() batch.Outcome {
	if p.SignsOut {
		return batch.SignedOut
	}
	return batch.Reset
}

// A kind of fault.
type kind string

// The kinds. Those of a process happen at its operation N: an access to the disk,
// a request to S3 or a call; or at a time after it began.
const (
	killed      kind = "killed"             // at N, which is not done
	killedAfter kind = "killed after it"    // at N, which is done
	killedTorn  kind = "killed in a write"  // at the first write from N on
	powerLost   kind = "power lost"         // at N, and with it what was not synced
	signalled   kind = "signalled"          // at a time
	overdue     kind = "out of time"        // at a time
	paused      kind = "stopped for a time" // at a time, and not awake before another
	twin        kind = "started twice"      // at a time
	clockOff    kind = "clock differs"      // of its host
	clockSteps  kind = "clock steps"        // at a time
	idle        kind = "begins late"        // after the one before it

	diskError kind = "disk error" // EIO, from N on at once or at a sync
	diskFull  kind = "disk full"  // from N on
	s3Outage  kind = "no S3"      // at a time, for a time

	// What somebody does to the record between two processes.
	recordCut     kind = "record cut"      // at a line end, or of its last segments
	recordEmptied kind = "record emptied"  // of its journal
	recordGone    kind = "record deleted"  // but for run.json
	recordExpired kind = "record expired"  // all but the lock or the lease
	recordCopied  kind = "record restored" // from a copy, all of it

	// Of the Nth request to S3.
	s3Broken    kind = "S3 500"
	s3SlowDown  kind = "S3 503"
	s3Conflict  kind = "S3 409"
	s3CutBefore kind = "S3 request lost"
	s3CutAfter  kind = "S3 answer lost"
	s3Late      kind = "S3 request late"

	// Of the Nth call, or read-back, of all.
	lostRequest kind = "request lost"
	lostAnswer  kind = "answer lost"
	lateWork    kind = "work done late" // its answer is lost, too
	brokenAfter kind = "500 after the work"
	broken      kind = "500"
	throttled   kind = "throttled"
	noID        kind = "200 without request id, nothing done"
	noIDAfter   kind = "200 without request id"
	page        kind = "200 with a page of HTML, nothing done"
	limited     kind = "daily limit"
	readBroken  kind = "read-back fails"
	readStale   kind = "read-back is stale"
	readDenied  kind = "read-back denied"
	listOld     kind = "listing is old" // of a user who is looked up

	// Of a user.
	chooses  kind = "chooses a new password" // a time after the reset
	touched  kind = "is modified"            // at a time
	absent   kind = "is not in the pool"
	disabled kind = "is disabled"
	refused  kind = "is refused by a trigger"
	waiting  kind = "was reset by somebody before"
)

// A fault is one thing that goes wrong.
type fault struct {
	Kind    kind
	Process int           // from 1; 0 for a fault of the service or a user
	User    int           // from 1
	N       int           // from 1
	At, For time.Duration // For of a clock: how far it is ahead
}

func (f fault) String() string {
	var text strings.Builder
	if f.Process > 0 {
		fmt.Fprintf(&text, "process %d: ", f.Process)
	}
	if f.User > 0 {
		fmt.Fprintf(&text, "user %d ", f.User)
	}
	text.WriteString(string(f.Kind))
	if f.N > 0 {
		fmt.Fprintf(&text, ", number %d", f.N)
	}
	if f.At > 0 {
		fmt.Fprintf(&text, ", at %v", f.At)
	}
	if f.For != 0 {
		fmt.Fprintf(&text, ", %v", f.For)
	}
	return text.String()
}

func (p plan) String() string {
	var text strings.Builder
	where := "on a disk"
	if p.InS3 {
		where = "in S3"
	}
	fmt.Fprintf(&text, "%d users, %d processes, recorded %s; %d workers, standby %d, %d attempts, %.3g calls a second, latency %v, quota %d",
		p.Users, p.Processes, where, p.Workers, p.Standby, p.MaxAttempts, p.Rate, p.Latency, p.Quota)
	for name, on := range map[string]bool{"on-unknown retry": p.RetryUnknown, "users were looked at": p.Looked, "a reset is a modification": p.MovesDate, "a sign-out alone": p.SignsOut} {
		if on {
			text.WriteString("; " + name)
		}
	}
	for _, f := range p.Faults {
		text.WriteString("\n  " + f.String())
	}
	return text.String()
}

// A chance draws what goes wrong.
type chance struct{ *rand.Rand }

func (c chance) one(in int) bool { return c.IntN(in) == 0 }

// upTo draws a time, short ones more often.
func (c chance) upTo(most time.Duration) time.Duration {
	share := c.Float64()
	return time.Duration(share * share * share * float64(most)).Round(time.Millisecond)
}

func pick[T any](c chance, of ...T) T { return of[c.IntN(len(of))] }

// newPlan draws a plan. Which kinds of faults it has at all is drawn first, so that
// some plans have many of a few kinds.
func newPlan(seed uint64) plan {
	c := chance{rand.New(rand.NewPCG(seed, 20))}
	p := plan{
		Seed: seed, InS3: c.one(3), Users: 1 + c.IntN(12), Processes: 1 + c.IntN(5),
		Workers: pick(c, 1, 2, 4, 16), Standby: pick(c, 1, 2, 4, 8, 64), MaxAttempts: pick(c, 1, 2, 3, 8),
		Rate: pick(c, 0.5, 2, 10, 50, 200), Quota: pick(c, 2, 10, 1000), Latency: pick[time.Duration](c, 0, 5, 50, 400) * time.Millisecond,
		RetryUnknown: c.one(5), Looked: c.one(3), MovesDate: c.one(2),
	}
	if c.one(10) {
		p.Users += 20 // more than the failure guard needs to judge
	}
	for user := range p.Users {
		p.drawUser(c, user+1)
	}
	for process := range p.Processes {
		p.drawProcess(c, process+1)
	}
	p.drawAnswers(c)
	p.SignsOut = c.one(6)
	return p
}

func (p *plan) add(f fault) { p.Faults = append(p.Faults, f) }

func (p *plan) drawUser(c chance, user int) {
	if !c.one(3) {
		p.add(fault{Kind: chooses, User: user, At: 200*time.Millisecond + c.upTo(pick(c, 10*time.Second, 2*time.Minute))})
	}
	if c.one(12) {
		p.add(fault{Kind: touched, User: user, At: c.upTo(time.Minute)})
	}
	if c.one(12) {
		p.add(fault{Kind: pick(c, absent, disabled, refused), User: user})
	}
	if p.Looked && c.one(6) {
		p.add(fault{Kind: waiting, User: user})
	}
}

func (p *plan) drawProcess(c chance, process int) {
	at := func() int { return 1 + c.IntN(pick(c, 10, 40, 120, 300)) }
	f := fault{Process: process}
	switch end := c.IntN(10); {
	case end < 5:
		f.Kind, f.N = pick(c, killed, killedAfter, killedTorn), at()
		p.add(f)
	case end < 6 && !p.InS3:
		f.Kind, f.N = powerLost, at()
		p.add(f)
	case end < 9:
		f.Kind, f.At = pick(c, signalled, signalled, overdue), c.upTo(20*time.Second)
		p.add(f)
	}
	if c.one(3) {
		p.add(fault{Kind: clockOff, Process: process, For: c.clock()})
	}
	if c.one(6) {
		p.add(fault{Kind: clockSteps, Process: process, At: c.upTo(30 * time.Second), For: -c.clock().Abs()})
	}
	if c.one(2) {
		p.add(fault{Kind: idle, Process: process, For: c.upTo(5 * time.Minute)})
	}
	if c.one(6) {
		p.add(fault{Kind: paused, Process: process, At: c.upTo(20 * time.Second), For: c.upTo(3 * time.Minute)})
	}
	if c.one(6) {
		p.add(fault{Kind: twin, Process: process, At: c.upTo(20 * time.Second)})
	}
	if c.one(6) && process > 1 {
		p.add(fault{Kind: pick(c, recordCut, recordCut, recordEmptied, recordGone, recordExpired, recordExpired, recordCopied), Process: process, N: 1 + c.IntN(4)})
	}
	if c.one(8) {
		p.add(fault{Kind: pick(c, diskError, diskFull), Process: process, N: at()})
	}
	if c.one(8) && p.InS3 {
		p.add(fault{Kind: s3Outage, Process: process, At: c.upTo(30 * time.Second), For: c.upTo(2 * time.Minute)})
	}
}

// clock draws how far a clock is off.
func (c chance) clock() time.Duration {
	off := c.upTo(pick(c, 5*time.Second, 30*time.Second, 2*time.Hour))
	if c.one(4) {
		off = -off
	}
	return off
}

func (p *plan) drawAnswers(c chance) {
	of := func(often int, kinds ...kind) {
		for n := range 3 * p.Users {
			if c.one(often) {
				p.add(fault{Kind: pick(c, kinds...), N: n + 1})
			}
		}
	}
	if c.one(2) {
		of(pick(c, 2, 8), lostRequest, lostAnswer)
	}
	if c.one(2) {
		of(pick(c, 2, 8), broken, brokenAfter, throttled)
	}
	if c.one(4) {
		of(8, noID, noIDAfter, page)
	}
	if c.one(2) {
		for n := range 2 * p.Users {
			if c.one(5) {
				p.add(fault{Kind: lateWork, N: n + 1, At: c.upTo(55 * time.Second)})
			}
		}
	}
	if c.one(4) {
		of(6, readBroken, readStale, readDenied)
	}
	if c.one(3) {
		of(pick(c, 1, 4), listOld)
	}
	if c.one(12) {
		p.add(fault{Kind: limited, N: 1 + c.IntN(p.Users)})
	}
	if c.one(2) && p.InS3 {
		of(pick(c, 2, 8), s3Broken, s3SlowDown, s3Conflict, s3CutBefore, s3CutAfter, s3Late)
	}
}

// without is the plan without some of its faults.
func (p plan) without(i, n int) plan {
	p.Faults = slices.Delete(slices.Clone(p.Faults), i, i+n)
	return p
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
