package journal

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/relay"
)

// A History is what a run directory says has happened so far. Rows are found by
// username, never by position: a journal outlives a change of its roster.
type History struct {
	// Sessions are the processes that worked on the run, oldest first.
	Sessions []Session

	// Torn reports whether the last line was cut short by a crash, or is not yet
	// whole in a run that is still going on. No intent is lost with
	// it: a call waits until its own is whole.
	Torn bool

	// RosterSHA256 is that of the roster as it is now. It is for the caller to
	// compare with what [Dir.Spool] said.
	RosterSHA256 string

	// Unmatched is how many users of the journal are not among those that the
	// roster, which was changed since, calls for.
	Unmatched int64

	// UnmatchedInDoubt is how many of them have the intent of a call that may or
	// may not have been made.
	UnmatchedInDoubt int64

	// Clock is what the next session to be started knows of its clock.
	Clock batch.Clock

	dir    *Dir
	marks  list[mark]       // by row from 0
	open   map[int64]meant  // by the journal's row: whose intents the session wrote
	called map[int64]string // by row: users who were called otherwise than the roster names them
	size   int64            // of the journal's whole lines
	lines  int64            // that many of them
	head   string           // the last one's SHA-256
	seen   int64            // the journal's size when it was read
	chain  *chain

	marked bool   // the directory has a mark
	known  int64  // bytes of the journal, by the mark
	place  string // of the journal, once Begin knows it
}

// A Session is one process's work on a run.
type Session struct {
	Version, Host string
	PID           int
	Fence         int64 // counts the holders of a run that is kept elsewhere
	StartedAt     time.Time
	LastSeenAt    time.Time // of its last event
	Ended         bool      // in good order
	ExitCode      int
	Stopped       string // why, if it stopped early
	Settled       int64  // users
	Steered       []Steering
	Clock         batch.Clock // that its times go by; of several, the earliest

	offset int64 // of its first line
}

// A Steering is a change of how a run goes on.
type Steering struct {
	At          time.Time
	By, Command string
}

// A mark is the last word on a user.
type mark struct {
	offset int64 // of its line
	size   int32
	state  state
	sum    [3]byte // of the line, by which one that was changed since is noticed
}

// sumOf is a checksum of a line.
func sumOf(raw []byte) [3]byte {
	sum := crc32.ChecksumIEEE(raw)
	return [3]byte{byte(sum), byte(sum >> 8), byte(sum >> 16)}
}

type state uint8

const (
	untouched state = iota
	uncalled        // the roster says that this row needs no call
	intended        // without a result: in doubt
	final
	open // settled, but to be attempted again
)

// Replay reads roster and journal, checking every line of the journal. It
// takes 16 bytes a row, and 8 more and half of the roster's size while it reads
// a journal whose roster was changed since.
func (d *Dir) Replay() (*History, error) {
	h := &History{dir: d, chain: newChain()}
	known, marked, err := d.mark() // first: the journal of a run that goes on does not wait
	if err != nil {
		return nil, err
	}
	h.marked, h.known = marked, known.Bytes
	f, err := d.on().OpenFile(d.File(JournalFile), os.O_RDONLY, 0)
	begun := !errors.Is(err, fs.ErrNotExist)
	if begun && err != nil {
		return nil, err
	}
	if begun {
		defer f.Close()
	}
	rows, sum := newRowFinder(d), sha256.New()
	for e, err := range relay.Ahead(d.entries(sum)) {
		if err != nil {
			return nil, err
		}
		m := mark{}
		if e.Outcome != "" {
			m.state = uncalled
		}
		h.marks.add(m)
		if begun {
			rows.add(e)
		}
	}
	h.RosterSHA256 = hex.EncodeToString(sum.Sum(nil))
	if !begun {
		return h, h.reaches(known)
	}
	// Of a run that is still going on, what it has written by now.
	now, err := f.Stat()
	if err != nil {
		return nil, err
	}
	unmatched := make(map[string]state)
	for rec, err := range read(f.Name(), io.LimitReader(f, now.Size()), h.chain, &h.size) {
		if err != nil {
			return nil, err
		}
		h.lines++
		if err := h.apply(rec, rows, unmatched); err != nil {
			return nil, err
		}
	}
	if h.lines > 0 {
		h.head = string(h.chain.hex[:])
	}
	h.open = nil
	h.countUnmatched(unmatched)
	h.seen = now.Size()
	h.Torn = h.seen > h.size
	return h, h.reaches(known)
}

func (h *History) apply(rec record, rows *rowFinder, unmatched map[string]state) error {
	if rec.Event == eventSession {
		if rec.Format > formatVersion {
			return fmt.Errorf("%s was written by cognito-reset %s in format %d; this program knows formats up to %d: use that version or a newer one",
				h.dir.File(JournalFile), rec.Version, rec.Format, formatVersion)
		}
		h.Sessions = append(h.Sessions, Session{
			Version: rec.Version, Host: rec.Host, PID: rec.PID, Fence: rec.Fence, StartedAt: rec.At, LastSeenAt: rec.At,
			Clock: rec.clock(), offset: rec.offset,
		})
		h.open = make(map[int64]meant)
		return nil
	}
	if len(h.Sessions) == 0 {
		return &DamageError{h.dir.File(JournalFile), 1, "it does not begin with a session"}
	}
	session := &h.Sessions[len(h.Sessions)-1]
	for _, at := range []time.Time{rec.At, rec.FinishedAt} {
		if at.After(session.LastSeenAt) {
			session.LastSeenAt = at
		}
	}
	m := mark{offset: rec.offset, size: int32(rec.size), sum: rec.sum}
	switch rec.Event {
	case eventEnded:
		session.Ended, session.ExitCode, session.Stopped = true, rec.ExitCode, rec.Stopped
		return nil
	case eventSteered:
		session.Steered = append(session.Steered, Steering{rec.At, rec.By, rec.Command})
		return nil
	case eventClock:
		if c := rec.clock(); c.Known && (!session.Clock.Known || c.Ahead < session.Clock.Ahead) {
			session.Clock = c
		}
		return nil
	case eventIntent:
		m.state = intended
	case eventResult:
		if m.state = final; !rec.result().Final() {
			m.state = open
		}
		session.Settled++
	default:
		return nil // of a later format, and not about a user's fate
	}
	user, err := h.userOf(rec, rows)
	switch {
	case err != nil:
		return err
	case user.row == 0:
		unmatched[user.username] = m.state
		return nil
	case user.renamed && h.called == nil:
		h.called = make(map[int64]string)
	}
	if *h.marks.at(user.row - 1) = m; user.renamed {
		h.called[user.row] = user.username
	}
	return nil
}

// meant is whom a line means.
type meant struct {
	username string
	row      int64 // of the roster; 0: it has none
	renamed  bool  // the roster has another username for the sub
}

// userOf is whom a line means. The result of an intent of the same session does not
// name the user again.
func (h *History) userOf(rec record, rows *rowFinder) (user meant, err error) {
	if rec.Event == eventResult {
		defer delete(h.open, rec.Row)
	}
	if rec.Username == "" && rec.Event == eventResult {
		user, ok := h.open[rec.Row]
		if !ok {
			return user, &DamageError{h.dir.File(JournalFile), int(h.lines), fmt.Sprintf("row %d ends here, and this session has no intent of it", rec.Row)}
		}
		return user, nil
	}
	user.username = rec.Username
	row, ok, err := rows.find(rec.Row, rec.Username, rec.Sub)
	if err != nil {
		return user, err
	}
	if ok {
		user.row, user.renamed = row, !rows.isNamed(row, rec.Username)
	}
	if rec.Event == eventIntent {
		h.open[rec.Row] = user
	}
	return user, nil
}

func (h *History) countUnmatched(unmatched map[string]state) {
	h.Unmatched = int64(len(unmatched))
	for _, last := range unmatched {
		if last == intended {
			h.UnmatchedInDoubt++
		}
	}
}

// Size is how many bytes of the journal are whole.
func (h *History) Size() int64 { return h.size }

// Known is how many bytes of the journal are known to be durable, or whole in a
// directory without a mark. A disk that failed may lose what is behind them.
func (h *History) Known() int64 {
	if h.marked {
		return h.known
	}
	return h.size
}

// Head is how many lines of the journal are whole, and the SHA-256 that seals
// the last of them and with it all that stand before; "" if there are none.
func (h *History) Head() (lines int64, sha256 string) { return h.lines, h.head }

// Open tells how many users a resume would work on: those never called, those
// in doubt, and those whose answer was the run's and not their own.
func (h *History) Open() (users, inDoubt int64) {
	for i := range h.marks.len {
		switch h.marks.at(i).state {
		case intended:
			inDoubt++
			users++
		case untouched, open:
			users++
		}
	}
	return users, inDoubt
}

// Remaining yields the users that a resume works on, with the time of the
// intent for those in doubt. retry, if not nil, picks settled users to attempt
// again.
func (h *History) Remaining(retry func(batch.Result) bool) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for row, err := range h.each() {
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
			e := row.Entry
			if e.Outcome != "" || row.state == final && retry == nil {
				continue
			}
			l, err := row.last()
			switch {
			case err != nil:
				yield(e, err)
				return
			case row.state == final && !retry(l.result()):
				continue
			case row.state == final && l.Outcome == batch.Unknown:
				// It is still in doubt; never zero, which would mean no doubt.
				e.Intended = cmp.Or(l.StartedAt, h.Sessions[0].StartedAt)
			case row.state == intended:
				e.Intended = l.At
			}
			if !e.Intended.IsZero() {
				e.Clock = h.clockSince(row.offset, row.state == final)
			}
			e.Steps = steps[batch.StepResult](l.Steps)
			e.Before = cmp.Or(l.Before, e.Before) // as it was before the first call
			if !yield(e, nil) {
				return
			}
		}
	}
}

// clockSince is what an intent is to be dated by that a session wrote: the earliest
// that the sessions since then, and the one to come, know of their clocks. Which of
// two clocks moved between sessions nobody can tell, this machine's or the
// service's, and this covers both. handedOn is of an intent that the session may
// have from any before it.
func (h *History) clockSince(offset int64, handedOn bool) batch.Clock {
	earliest := h.Clock
	for i := len(h.Sessions) - 1; i >= 0; i-- {
		s := h.Sessions[i]
		switch {
		case !s.Clock.Known:
			return batch.Clock{}
		case !earliest.Known || s.Clock.Ahead < earliest.Ahead:
			earliest = s.Clock
		}
		if !handedOn && s.offset <= offset {
			break
		}
	}
	return earliest
}

// sessionAt is the session whose line stands there; a zero one if there is none.
func (h *History) sessionAt(offset int64) *Session {
	for i := len(h.Sessions) - 1; i >= 0; i-- {
		if h.Sessions[i].offset <= offset {
			return &h.Sessions[i]
		}
	}
	return new(Session)
}

// Results yields how every row has ended so far, in the order of the input.
// Rows that no session has come to are not attempted, for the given reason; an
// intent without a result is unknown.
func (h *History) Results(pending batch.Reason) iter.Seq2[batch.Result, error] {
	return relay.Ahead(func(yield func(batch.Result, error) bool) {
		for row, err := range h.each() {
			var res batch.Result
			if err == nil {
				res, err = row.result(pending)
				if row.state != untouched && row.state != uncalled {
					res.Clock = h.sessionAt(row.offset).Clock
				}
			}
			if !yield(res, err) || err != nil {
				return
			}
		}
	})
}
