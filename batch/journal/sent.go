package journal

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"cognito-reset/batch"
)

// Sent counts, of a journal that may be written to meanwhile, the calls that sent
// a message, or may have: an intent counts until it has a result. It believes the
// journal as it stands, without checking its chain, and is for one goroutine.
type Sent struct {
	path  string
	sends func(step string) bool // "" is the first step

	since  time.Time
	offset int64
	began  time.Time        // the session that the offset is in
	names  map[int64]string // by row, of users whose intents it wrote
	done   int              // of users whose last word is that they are done
	open   map[string]int   // of others, where it is not 0
}

// NewSent counts in the journal of a run directory. sends reports whether a step
// sends messages.
func NewSent(dir string, sends func(step string) bool) *Sent {
	return &Sent{path: (&Dir{Path: dir}).File(JournalFile), sends: sends}
}

// Since reads what was written since the last call and returns how many messages
// were sent since a time. A journal that is not there sent none.
func (s *Sent) Since(at time.Time) (messages int, err error) {
	file, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	defer file.Close() // only read
	now, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if !at.Equal(s.since) || now.Size() < s.offset {
		s.since, s.offset, s.done, s.open, s.names = at, 0, 0, make(map[string]int), make(map[int64]string)
	}
	if now.Size() > s.offset {
		if err := s.read(io.NewSectionReader(file, s.offset, now.Size()-s.offset)); err != nil {
			return 0, err
		}
	}
	messages = s.done
	for _, n := range s.open {
		messages += n
	}
	return messages, nil
}

// read takes in the whole lines of r.
func (s *Sent) read(r io.Reader) error {
	for raw, err := range split(s.path, bufio.NewReader(r)) {
		if err != nil {
			return err
		}
		if raw[len(raw)-1] != '\n' {
			break
		}
		s.offset += int64(len(raw))
		var l line
		if what := decode(raw, s.began, &l); what == "" {
			s.count(l)
		}
	}
	return nil
}

func (s *Sent) count(l line) {
	n := 0
	switch l.Event {
	case eventSession:
		s.began = l.At
		clear(s.names)
		return
	case eventIntent:
		s.names[l.Row] = l.Username
		if s.sends(l.Step) && !l.At.Before(s.since) {
			n = 1
		}
		n += s.ofSteps(l.Steps)
	case eventAgain:
		if n = s.open[l.Username]; !l.At.Before(s.since) {
			n++
		}
	case eventResult:
		if l.Username == "" {
			l.Username = s.names[l.Row]
		}
		delete(s.names, l.Row)
		if n = s.ofSteps(l.Steps); len(l.Steps) == 0 && !l.FinishedAt.Before(s.since) {
			n = max(l.Sent, sentOf(l.Outcome))
		}
		if l.Outcome.Done() {
			s.done += n
			n = 0
		}
	default:
		return
	}
	if delete(s.open, l.Username); n > 0 {
		s.open[l.Username] = n
	}
}

func (s *Sent) ofSteps(steps []stepResult) (n int) {
	for _, step := range steps {
		if !step.FinishedAt.Before(s.since) {
			n += max(step.Sent, sentOf(step.Outcome))
		}
	}
	return n
}

// sentOf is how many messages an outcome stands for where that was not recorded,
// as earlier versions did not.
func sentOf(o batch.Outcome) int {
	switch o {
	case batch.Reset, batch.Invited, batch.Unknown:
		return 1
	}
	return 0
}
