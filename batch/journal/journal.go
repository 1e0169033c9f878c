// Package journal is the run directory: the record of whom a run meant, what
// was promised before each call and what became of it.
//
// Three files hold the truth, all of them personal data and private to their
// owner (directory 0700, files 0600):
//
//	run.json       what was asked, written once before the first call
//	roster.jsonl   who: one line a row, in the order of the input
//	journal.jsonl  append-only: each call promised before it leaves, and settled after
//
// Everything else in the directory is rendered from these, and can be rendered
// again. A row with a promise but no settlement is a doubt: the call may have
// left. It is never simply repeated, but read back.
//
// A promise is on the disk (fsync) before [Journal.Promise] returns; promises
// made at the same time share one sync. A settlement is handed to the operating
// system soon and synced along with the next promise: it survives the death of
// the process, and if the machine dies with it, the doubt is read back. What
// this package does not promise is to survive a disk that lies about fsync.
package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"cognito-reset/batch"
)

// ErrFull is why a journal takes no more promises: the disk is full. What was
// promised before can still be settled, out of a reserve.
var ErrFull = errors.New("the disk is full")

// reserveSize is kept aside, in bytes, so that a full disk cannot keep calls in
// flight from being settled: room for some thousand settlements.
const reserveSize = 1 << 20

// A Journal appends to journal.jsonl. It implements [batch.Journal].
type Journal struct {
	file    appendFile
	reserve string // path of the reserve, "" once it is spent
	size    int64  // bytes known to be whole

	mu      sync.Mutex
	chain   *chain
	pending *commit
	err     error // why no more is taken
	full    bool  // no more promises are taken
	wake    chan struct{}
	done    chan struct{}
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
	done  chan struct{}
	err   error
}

func newCommit() *commit { return &commit{done: make(chan struct{})} }

// start appends behind size bytes that the chain covers.
func start(file appendFile, size int64, c *chain, reserve string) *Journal {
	j := &Journal{
		file: file, size: size, chain: c, reserve: reserve,
		pending: newCommit(), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go j.commitLoop()
	return j
}

// Promise implements [batch.Journal]: it returns once the promise is on disk.
func (j *Journal) Promise(e batch.Entry) error {
	return j.append(line{Event: eventPromised, At: time.Now().UTC(), Row: e.Row, Username: e.Username}, true)
}

// Settle implements [batch.Journal]. An error means that an earlier write
// failed; one that fails later shows at the next Promise or at Close.
func (j *Journal) Settle(r batch.Result) error {
	return j.append(settled(r), false)
}

func (j *Journal) append(l line, durable bool) error {
	j.mu.Lock()
	err := j.err
	if j.full && l.Event == eventPromised {
		err = ErrFull
	}
	c := j.pending
	if err == nil {
		c.lines, err = j.chain.append(c.lines, l)
	}
	j.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
	if !durable {
		return nil
	}
	<-c.done
	return c.err
}

// commitLoop is the only goroutine that touches the file. While one commit is
// being synced, the next gathers lines.
func (j *Journal) commitLoop() {
	defer close(j.done)
	for range j.wake {
		j.mu.Lock()
		c := j.pending
		j.pending = newCommit()
		j.mu.Unlock()
		if len(c.lines) == 0 {
			continue
		}
		c.err = j.write(c.lines)
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
func (j *Journal) write(lines []byte) error {
	_, err := j.file.Write(lines)
	if errors.Is(err, syscall.ENOSPC) && j.reserve != "" {
		j.mu.Lock()
		j.full = true
		j.mu.Unlock()
		err = errors.Join(j.file.Truncate(j.size), os.Remove(j.reserve))
		j.reserve = ""
		if err == nil {
			_, err = j.file.Write(lines)
		}
	}
	if err != nil {
		// Take back a part of a line; a resume would cut it off as well.
		return errors.Join(err, j.file.Truncate(j.size))
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("fsync: %w", err)
	}
	j.size += int64(len(lines))
	return nil
}

// Close writes what is pending and lets go of the file. It returns the first
// error that any write met.
func (j *Journal) Close() error {
	close(j.wake)
	<-j.done
	// The loop drains one wake; lines appended after it are still pending.
	err := j.err
	if c := j.pending; err == nil && len(c.lines) > 0 {
		err = j.write(c.lines)
	}
	if j.reserve != "" {
		os.Remove(j.reserve)
	}
	return errors.Join(err, j.file.Close())
}

// layReserve writes the reserve and says where it is.
func layReserve(dir string) (string, error) {
	path := filepath.Join(dir, "reserve")
	if err := os.WriteFile(path, make([]byte, reserveSize), 0o600); err != nil {
		os.Remove(path)
		return "", err
	}
	return path, nil
}
