package s3run

import (
	"bytes"
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/objects"
	"cognito-reset/batch/journal"
)

// leaseFile is the object that says who holds a run.
const leaseFile = "lease.json"

// A claim is what lease.json says.
type claim struct {
	Fence   int64   `json:"fence"`       // one more for every holder
	ID      string  `json:"id"`          // of the process, like no other
	Holder  string  `json:"holder"`      // what it says of itself; "" once it let go
	TTL     float64 `json:"ttl_seconds"` // after that long without a change, it is dead
	Renewed int64   `json:"renewed"`     // how often, so that no two contents are alike

	// Mark is how far the journal reaches, if the run has begun: the lease is the
	// one object that a rule which deletes old ones leaves.
	Mark *journal.Mark `json:"mark,omitempty"`
}

func (c claim) ttl() time.Duration { return time.Duration(c.TTL * float64(time.Second)) }

// claim reads lease.json. age is how long ago it was written, by the clock of S3
// alone.
func (s *store) claim(ctx context.Context) (c claim, etag string, age time.Duration, err error) {
	o, err := s.bucket.Get(ctx, s.key(leaseFile), largestLease)
	if err != nil {
		return c, "", 0, err
	}
	c, err = parseClaim(o.Body)
	return c, o.ETag, o.Age, err
}

// largestLease is how many bytes lease.json has at most.
const largestLease = 64 << 10

// longestTTL is how many seconds a lease lasts at most, and longestHolder how many bytes
// are shown of what its holder says of itself.
const (
	longestTTL    = 24 * 60 * 60
	longestHolder = 300
)

// parseClaim reads the content of lease.json, which may be anybody's.
func parseClaim(text []byte) (c claim, err error) {
	if err := json.Unmarshal(text, &c); err != nil {
		return claim{}, fmt.Errorf("%s is not a lease: %w", leaseFile, err)
	}
	if c.Holder != "" && !(c.TTL > 0 && c.TTL <= longestTTL) {
		return claim{}, fmt.Errorf("%s is not a lease: it says that it lasts for %v seconds", leaseFile, c.TTL)
	}
	if len(c.Holder) > longestHolder {
		c.Holder = strings.ToValidUTF8(c.Holder[:longestHolder], "") + "…"
	}
	return c, nil
}

func (s *store) putClaim(ctx context.Context, c claim, when objects.Condition) (etag string, err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return s.put(ctx, leaseFile, bytes.NewReader(append(text, '\n')), when)
}

// holder is who holds the run, as far as a look can tell; "" if nobody does.
func (s *store) holder(ctx context.Context) string {
	c, _, age, err := s.claim(ctx)
	if err != nil || age > c.ttl() {
		return ""
	}
	return c.Holder
}

// A lease holds a run for this process, and sees to it that it knows when it
// does not any more. It is renewed at every sixth of its TTL; calls may leave
// for half of the TTL after a renewal began, so that they have ended before
// anybody else may take it; then they wait for a renewal, for the other half. Nobody compares the clocks of two machines: who
// waits for a dead holder counts the time without a change itself.
type lease struct {
	store  *store
	ttl    time.Duration
	holder string // this process
	fence  int64
	end    context.CancelFunc // of the renewals
	ended  chan struct{}

	renewing chan struct{} // holds a token of whoever writes
	claim    claim         // as it was last written
	etag     string

	mu    sync.Mutex
	until time.Time // calls may leave
	sure  time.Time // nobody else can have taken it
	mark  *journal.Mark
	last  error // of the last renewal
	lost  *batch.Stop
	told  time.Time // what sure was when it was last said that no call leaves

	onSilence func(why error, wait time.Duration)
}

// pause is how long it takes to look at a lease again that another holds.
const pause = 100 * time.Millisecond

// take makes this process the holder. It waits for a holder that may be dead,
// for its TTL; one that is not is a [*journal.HeldError].
func take(ctx context.Context, s *store, o Options) (*lease, error) {
	host, _ := os.Hostname()
	l := &lease{store: s, ttl: o.TTL, ended: make(chan struct{}), renewing: make(chan struct{}, 1), onSilence: o.OnSilence}
	l.holder = fmt.Sprintf("process %d on %s since %s", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	l.claim = claim{ID: crand.Text(), Holder: l.holder, TTL: o.TTL.Seconds()}
	var since, began time.Time
	for seen := ""; ; {
		now, etag, _, err := s.claim(ctx)
		when := objects.IfStill(etag)
		switch {
		case objects.Missing(err):
			when = objects.IfNew
		case err != nil:
			return nil, s.why(ctx, err)
		case now.ID == l.claim.ID: // the answer was lost
			return l.keep(ctx, etag, began)
		case now.Holder == "", etag == seen && time.Since(since) >= now.ttl():
		case seen != "" && etag != seen:
			return nil, &journal.HeldError{Path: s.String(), Holder: now.Holder}
		default:
			if seen == "" {
				if seen, since = etag, time.Now(); o.OnWait != nil {
					o.OnWait(now.Holder, now.ttl())
				}
			}
			if !sleep(ctx, pause) {
				return nil, context.Cause(ctx)
			}
			continue
		}
		l.claim.Fence, l.claim.Mark, l.mark, began = now.Fence+1, now.Mark, now.Mark, time.Now()
		switch etag, err = s.putClaim(ctx, l.claim, when); {
		case err == nil:
			return l.keep(ctx, etag, began)
		case objects.Refused(err) && !objects.Missing(err) || !sleep(ctx, pause):
			return nil, s.why(ctx, err)
		}
	}
}

// held notes that the claim stands, since began at the latest.
func (l *lease) held(etag string, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.etag, l.last, l.until, l.sure = etag, nil, began.Add(l.ttl/2), began.Add(l.ttl)
}

// keep renews the lease from now on, once it is known that the store honours
// what it rests on.
func (l *lease) keep(ctx context.Context, etag string, began time.Time) (*lease, error) {
	l.fence = l.claim.Fence
	l.held(etag, began)
	renewals, end := context.WithCancel(context.Background())
	l.end = end
	go func() {
		defer close(l.ended)
		for wait := l.ttl / 6; sleep(renewals, wait); {
			if wait = l.ttl / 6; l.renew(renewals, l.holder) != nil {
				wait = l.ttl / 60 // S3 may answer again at any moment
			}
		}
	}()
	for _, when := range []objects.Condition{objects.IfNew, objects.IfStill(`"00000000000000000000000000000000"`)} {
		_, err := l.store.put(ctx, leaseFile, strings.NewReader("{}"), when)
		if objects.Unmet(err) {
			continue
		}
		if err == nil {
			err = fmt.Errorf("%s: the store ignores the conditions of a write (If-None-Match, If-Match), so two processes could both own a run in it: keep the run in Amazon S3, or on a disk", l.store)
		} else {
			err = l.store.why(ctx, err)
		}
		l.release()
		return nil, err
	}
	return l, nil
}

// renew writes the claim again. An empty holder releases it.
func (l *lease) renew(ctx context.Context, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/6)
	defer cancel()
	l.renewing <- struct{}{}
	defer func() { <-l.renewing }()
	l.mu.Lock()
	if l.lost != nil {
		defer l.mu.Unlock()
		return l.lost
	}
	l.claim.Mark = l.mark
	l.mu.Unlock()
	began := time.Now()
	l.claim.Holder = holder
	l.claim.Renewed++
	etag, err := l.store.putClaim(ctx, l.claim, objects.IfStill(l.etag))
	if objects.Unmet(err) || objects.Missing(err) {
		if etag, err = l.stillOurs(ctx); err == nil { // an earlier answer was lost
			began = time.Now()
			l.claim.Renewed++
			etag, err = l.store.putClaim(ctx, l.claim, objects.IfStill(etag))
		}
	}
	if err != nil {
		l.mu.Lock()
		l.last = err
		l.mu.Unlock()
		return err
	}
	l.held(etag, began)
	return nil
}

// stillOurs is the ETag of the lease, unless another process has taken it.
func (l *lease) stillOurs(ctx context.Context) (etag string, err error) {
	now, etag, _, err := l.store.claim(ctx)
	switch {
	case objects.Missing(err):
		return "", l.lose(fmt.Sprintf("%s/%s was deleted", l.store, leaseFile))
	case err == nil && now.ID != l.claim.ID:
		return "", l.lose(fmt.Sprintf("%s was taken over by %s", l.store, cmp.Or(now.Holder, "another process, which has ended")))
	}
	return etag, err
}

// lose notes for good that another process holds the run.
func (l *lease) lose(why string) *batch.Stop {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost == nil {
		l.lost = &batch.Stop{Reason: batch.Stopped, Message: why + ": this process calls nobody any more", Err: ErrLost}
	}
	return l.lost
}

// over reports whether a time has come. Of the two clocks of this machine the one
// that shows more time counts: the monotonic one stands still while a machine is
// suspended.
func over(now, at time.Time) bool { return now.After(at) || now.Round(0).After(at.Round(0)) }

// wait blocks while the lease could not be renewed for so long that no call may
// leave, but nobody else can have taken it either. It fails once that is over.
func (l *lease) wait() error {
	for told := false; ; {
		if l.check(&l.until) == nil {
			return nil
		}
		if err := l.check(&l.sure); err != nil {
			return err
		}
		if !told {
			told = true
			l.sayWaiting()
		}
		time.Sleep(min(pause, l.ttl/60))
	}
}

// sayWaiting says once, until the lease is renewed, that no call leaves.
func (l *lease) sayWaiting() {
	l.mu.Lock()
	told, until, last := l.told, l.sure, l.last
	l.told = until
	l.mu.Unlock()
	if l.onSilence != nil && !told.Equal(until) {
		l.onSilence(last, time.Until(until))
	}
}

// check fails once a time, which is one of the lease's, has come.
func (l *lease) check(end *time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case l.lost != nil:
		return l.lost
	case over(now, *end):
		why := fmt.Sprintf("for %v it could not be made sure that no other process works on %s", l.ttl-l.sure.Sub(*end), l.store)
		if l.last != nil {
			why += fmt.Sprintf(" (%v)", l.last)
		}
		return &batch.Stop{Reason: batch.Stopped, Message: why, Err: l.last}
	}
	return nil
}

// ensure renews the lease if a call might not leave now.
func (l *lease) ensure() error {
	if l.check(&l.until) != nil {
		l.renew(context.Background(), l.holder)
	}
	return l.check(&l.until)
}

// stop ends the renewals.
func (l *lease) stop() {
	l.end()
	<-l.ended
}

// release gives the lease up, so that the next one need not wait.
func (l *lease) release() {
	l.stop()
	l.renew(context.Background(), "")
	l.lose(fmt.Sprintf("%s was released", l.store))
}

// sleep waits, and reports false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
