// Package journal is the run directory: the users of a run, the intent of each call, and
// its result.
//
// Four files hold the truth, all of them personal data and private to their
// owner (directory 0700, files 0600):
//
//	run.json       what was asked, written once before the first call
//	roster.jsonl   who: one line a row, in the order of the input
//	journal.jsonl  append-only: the intent of each call before it leaves, its result after
//	mark.json      how far the journal is known to reach, so that a shortened one is noticed
//
// Everything else in the directory is rendered from these, and can be rendered
// again. A row with an intent but no result is in doubt: the call may have
// left. It is never simply repeated, but read back.
//
// The lines of journal.jsonl that share a write share a seal, the SHA-256 of every
// byte before it: until the line that has it is whole, none of them counts. A line of a
// user is short: it refers to the beginning of its session for its times, and to the
// intent for the name. Sessions of earlier versions, which sealed each line and said
// all of it, stay readable and are gone on with.
//
// An intent is on the disk (fsync) before [Journal.WriteIntent] returns; intents
// written at the same time share one sync. A result is written and synced soon after
// [Journal.WriteResult] returned: if the process or the machine dies before, the
// call is in doubt and is read back. What this package cannot do is to survive a
// disk that lies about fsync.
package journal

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal/disk"
)

// ErrFull is why a journal takes no more intents: the disk is full. The results of
// those before can still be written, out of a reserve.
var ErrFull = errors.New("the disk is full")

// reserveSize is kept aside, in bytes, so that a full disk cannot lose the results
// of calls in flight: room for some thousand.
const reserveSize = 1 << 20

// A Journal appends to journal.jsonl. It implements [batch.Journal].
type Journal struct {
	// Of commitLoop, and once that is done, of Close.
	file    appendFile
	disk    disk.Disk // with the reserve
	reserve string    // path of the reserve, "" once it is spent
	size    int64     // bytes known to be whole
	writer  disk.Lock // of the file; nil if it is not a real one

	remote       Remote         // that the file is a copy of; nil without one
	resultWithin time.Duration  // how long results gather
	own          *disk.Appender // what file is, or a copy of; nil in tests
	marker       marker         // nil in tests
	mark         Mark           // as it was last set
	markErr      error          // the first that kept the mark behind
	began        time.Time      // and all times go on from there by the monotonic clock

	mu      sync.Mutex
	chain   *chain
	pending *commit
	err     error // why no more is taken
	full    bool  // no more intents are taken
	closed  bool

	wake  chan struct{} // holds one token while lines are pending
	hurry chan struct{} // and one while somebody waits for them
	done  chan struct{}
}

// appendFile is what a journal needs of its file.
type appendFile interface {
	Write([]byte) (int, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

// A commit is the lines that share one write and one sync.
type commit struct {
	lines []byte
	count int64        // of them
	head  [sumLen]byte // the SHA-256 of the last
	done  chan struct{}
	err   error
}

// How long results gather at most, for an intent to come whose sync they
// can share: on a disk, and where a sync is a request that is billed.
const (
	resultWithin       = 10 * time.Millisecond
	resultWithinRemote = time.Second
)

func newCommit(buf []byte) *commit { return &commit{lines: buf, done: make(chan struct{})} }

// start appends behind size bytes that the chain covers.
func start(on disk.Disk, file appendFile, size int64, c *chain, reserve string) *Journal {
	j := &Journal{
		disk: on, file: file, size: size, chain: c, reserve: reserve,
		pending: newCommit(nil), done: make(chan struct{}),
		wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		resultWithin: resultWithin, began: wholeMicros(time.Now()),
	}
	if f, ok := file.(*copied); ok {
		j.remote, j.resultWithin = f.remote, resultWithinRemote
	}
	go j.commitLoop()
	return j
}

// WriteIntent implements [batch.Journal]: it returns once the intents are on disk.
func (j *Journal) WriteIntent(users ...batch.Entry) error {
	lines, now := make([]line, len(users)), j.now()
	for i, e := range users {
		lines[i] = intentOf(e, now)
	}
	return j.append(true, lines...)
}

// Again implements [batch.Repeater]: it returns once that is on disk.
func (j *Journal) Again(e batch.Entry) error {
	return j.append(true, line{Event: eventAgain, At: j.now(), Row: e.Row, Username: e.Username, Step: e.Step})
}

// WriteResult implements [batch.Journal]. An error means that an earlier write
// failed; one that fails later shows at the next WriteIntent or at Close.
func (j *Journal) WriteResult(r batch.Result) error {
	return j.append(false, resultOf(r))
}

// now is the session's time, in whole microseconds. Nobody who sets this machine's
// clock moves it.
func (j *Journal) now() time.Time {
	return j.began.Add(time.Since(j.began).Truncate(time.Microsecond)).UTC()
}

// wholeMicros is t without what is less than a microsecond.
func wholeMicros(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Nanosecond() % int(time.Microsecond)))
}

// Clock records that the service's clock was found to stand so from here on. Of
// all that a session says of it, the earliest time counts.
func (j *Journal) Clock(c batch.Clock) error {
	return j.append(false, line{Event: eventClock, At: j.now(), ServiceAhead: serviceAhead(c)})
}

// Steer records that somebody changed how the run goes on: who, and by what
// command.
func (j *Journal) Steer(by, command string) error {
	return j.append(true, line{Event: eventSteered, At: j.now(), By: by, Command: command})
}

// ByItself is who steers where nobody does: what a run notes of its own course.
const ByItself = "the run itself"

// Note records what the run comes to in its course, such as a wave. It does not wait
// until that is on disk.
func (j *Journal) Note(what string) error {
	return j.append(false, line{Event: eventSteered, At: j.now(), By: ByItself, Command: what})
}

// MayCall fails once another process may have taken up the run, so that this one
// may call nobody any more. On a disk the lock sees to that.
func (j *Journal) MayCall() error {
	if j.remote == nil {
		return nil
	}
	return j.remote.MayCall()
}

// append adds lines, and returns once they are durable where that is asked.
func (j *Journal) append(durable bool, lines ...line) error {
	c, err := j.gather(durable, lines)
	if err != nil || !durable {
		return err
	}
	<-c.done
	return c.err
}

// gather adds lines to the pending commit. It wakes commitLoop before it lets go
// of the lock, so that Close leaves no line behind. Of intents that fail
// together the first may be written: a read-back clears those.
func (j *Journal) gather(durable bool, lines []line) (*commit, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.full && lines[0].Event == eventIntent:
		return nil, ErrFull
	case j.err != nil:
		return nil, j.err
	case j.closed:
		return nil, os.ErrClosed
	}
	c := j.pending
	for i := range lines {
		var err error
		if c.lines, err = j.chain.append(c.lines, &lines[i]); err != nil {
			return nil, err
		}
		c.count++
	}
	signal(j.wake)
	if durable {
		signal(j.hurry)
	}
	return c, nil
}

// signal leaves a token unless there is one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// commitLoop is the only goroutine that touches the file. While one commit is
// being synced, the next gathers lines. Lines gathered while a commit failed
// fail with it: their chain covers lines that the file does not have.
func (j *Journal) commitLoop() {
	defer close(j.done)
	var spare []byte // of the last commit, for the next but one
	for range j.wake {
		select {
		case <-j.hurry:
		case <-time.After(j.resultWithin):
		}
		j.mu.Lock()
		c := j.pending
		c.lines = j.chain.finish(c.lines)
		c.head, c.err = j.chain.hex, j.err
		j.pending = newCommit(spare)
		spare = c.lines[:0]
		j.mu.Unlock()
		if len(c.lines) == 0 {
			continue
		}
		if c.err == nil {
			c.err = j.write(c)
		}
		if c.err != nil {
			j.mu.Lock()
			j.err = c.err
			j.mu.Unlock()
		}
		close(c.done)
	}
}

// write makes lines durable, or leaves the file as it was. After a failed sync
// nobody can say what is on the disk, so that is never tried again.
func (j *Journal) write(c *commit) error {
	lines := c.lines
	_, err := j.file.Write(lines)
	if j.reserve != "" && full(err) {
		j.mu.Lock()
		j.full = true
		j.mu.Unlock()
		undo := errors.Join(j.file.Truncate(j.size), j.disk.Remove(j.reserve))
		j.reserve = ""
		if undo == nil {
			_, err = j.file.Write(lines)
		} else {
			err = errors.Join(err, undo)
		}
	}
	if err != nil {
		// Take back a part of a line; a resume would cut it off as well.
		return errors.Join(err, j.file.Truncate(j.size))
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.size += int64(len(lines))
	if j.marker != nil {
		j.mark.Lines, j.mark.Bytes, j.mark.Head = j.mark.Lines+c.count, j.size, string(c.head[:])
		j.noteMark(j.marker.set(j.mark, false))
	}
	return nil
}

// noteMark keeps what left the mark behind the journal, as a full disk may well:
// the lines are safe, and only that they were cut off later could go unnoticed.
func (j *Journal) noteMark(err error) {
	if j.markErr == nil && !full(err) {
		j.markErr = err
	}
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// isThere fails unless the journal that others find is the one that this process
// wrote, and all of it.
func (j *Journal) isThere() error {
	name := j.own.Name()
	ours, err := j.own.Stat()
	if err != nil {
		return err
	}
	there, err := j.disk.Stat(name)
	switch {
	case err != nil:
		return &CutError{name, fmt.Sprintf("is not there any more (%v), though this process wrote it", err)}
	case !j.disk.SameFile(ours, there):
		return &CutError{name, "is not the file that this process wrote: somebody put another in its place"}
	case there.Size() != j.size:
		return &CutError{name, fmt.Sprintf("has %d bytes, and this process wrote %d: somebody else wrote to it", there.Size(), j.size)}
	case j.remote == nil:
		return nil
	}
	if size, err := j.remote.Size(); err != nil {
		return err
	} else if size != j.size {
		return &CutError{"the journal of " + j.remote.String(), fmt.Sprintf("has %d bytes, and this process wrote %d", size, j.size)}
	}
	return nil
}

// Close writes what is pending, sees to it that what is there is what was
// written, and closes the file. It returns the first error that any write
// met, or a [*CutError]. What is appended later fails with [os.ErrClosed].
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return os.ErrClosed
	}
	j.closed = true
	close(j.wake)
	close(j.hurry)
	j.mu.Unlock()
	<-j.done
	if j.reserve != "" {
		j.disk.Remove(j.reserve)
	}
	err := j.err
	if err == nil && j.own != nil {
		err = j.isThere()
	}
	if j.marker != nil {
		if err == nil {
			j.noteMark(j.marker.set(j.mark, true))
			err = j.markErr
		}
		err = errors.Join(err, j.marker.Close())
	}
	err = errors.Join(err, j.file.Close())
	if j.writer != nil {
		err = errors.Join(err, j.writer.Unlock())
	}
	return err
}
