package report

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strconv"

	"cognito-reset/batch"
)

// RemainingFile is the list of who is not safe yet, beside the reports.
const RemainingFile = "remaining.csv"

// remainingColumns are the header of [RemainingFile]. Its rows can be the input of
// another run.
var remainingColumns = []string{"row", "username", "sub", "outcome", "reason", "password", "sessions", "what_helps"}

// KeepsPassword reports whether the old password of a row's user works, or will again,
// as far as the run can tell. It is what every count of old passwords goes by. A user
// whose answer was lost is not counted: see [Remains].
func KeepsPassword(r batch.Result) bool {
	switch {
	case r.Outcome == batch.Skipped:
		return r.Reason == batch.Disabled
	case r.Outcome != batch.Failed && r.Outcome != batch.NotAttempted:
		return false
	case r.Reason == batch.UserNotFound || r.Reason == batch.ExternalProvider:
		return false
	}
	return !slices.ContainsFunc(r.Steps, func(s batch.StepResult) bool { return s.Outcome.Done() })
}

// Remains reports whether a row's user is not safe yet: the old password works, or may,
// or comes back, or sessions live on that were to end.
func Remains(r batch.Result) bool {
	halfDone := (r.Outcome == batch.Failed || r.Outcome == batch.NotAttempted) && slices.ContainsFunc(r.Steps, func(s batch.StepResult) bool { return s.Outcome.Done() })
	return KeepsPassword(r) || r.Outcome == batch.Unknown || halfDone
}

// A Scratch makes a file for a time, until drop is called.
type Scratch func() (file io.ReadWriteSeeker, drop func() error, err error)

// urgencies are how urgent it is to do something about a user: first come those whom
// only a person can help, then those whom a command helps, then those whose password
// comes back only if somebody enables them.
const urgencies = 3

func urgency(r batch.Result) int {
	switch {
	case r.Reason == batch.Disabled:
		return 2
	case r.Outcome == batch.Failed && alarming[r.Reason]:
		return 0
	}
	return 1
}

// A spooled part holds the rows of one urgency.
type spooled struct {
	out  *bufio.Writer
	file io.ReadSeeker // nil of the first part, which goes right to its place
	drop func() error
}

// A Remaining writes who is not safe yet, the most urgent first. It is a [Writer].
type Remaining struct {
	Rows int64 // so far

	run     string // directory, as commands name it; "" of a rehearsal, which none goes on with
	pool    string // id
	out     io.Writer
	scratch Scratch
	parts   [urgencies]spooled
	line    csvWriter
}

// NewRemaining writes into w, of a run on a user pool. run is the run directory as commands
// name it, "" of a rehearsal, which no command goes on with; safe guards cells as [NewSafeCSV] does. scratch makes files that hold what is less urgent until the
// end.
func NewRemaining(w io.Writer, run, pool string, safe bool, scratch Scratch) *Remaining {
	m := &Remaining{run: run, pool: pool, out: w, scratch: scratch}
	m.parts[0].out = bufio.NewWriterSize(w, 1<<16)
	m.line = csvWriter{out: m.parts[0].out, safe: safe}
	m.line.texts(remainingColumns...)
	m.line.end() // buffered: an error shows later
	return m
}

// Write takes in one result.
func (m *Remaining) Write(r batch.Result) error {
	if !Remains(r) {
		return nil
	}
	m.Rows++
	p := &m.parts[urgency(r)]
	if p.out == nil {
		file, drop, err := m.scratch()
		if err != nil {
			return err
		}
		*p = spooled{bufio.NewWriterSize(file, 1<<16), file, drop}
	}
	m.line.out = p.out
	m.line.line = append(strconv.AppendInt(m.line.line, r.Row, 10), ',')
	m.line.texts(r.Username, r.Sub, string(r.Outcome), string(r.Reason), passwordNow(r), sessionsNow(r), m.whatHelps(r))
	return m.line.end()
}

// Close puts the parts together.
func (m *Remaining) Close() error {
	err := m.parts[0].out.Flush()
	for _, p := range m.parts[1:] {
		if p.out == nil {
			continue
		}
		if err == nil {
			err = p.moveTo(m.out)
		}
		err = errors.Join(err, p.drop())
	}
	return err
}

func (p spooled) moveTo(w io.Writer) error {
	if err := p.out.Flush(); err != nil {
		return err
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, p.file)
	return err
}

// passwordNow says what works for a user now.
func passwordNow(r batch.Result) string {
	switch {
	case !KeepsPassword(r) && r.Outcome == batch.Unknown:
		return "the old one may work: nobody knows whether it was reset"
	case !KeepsPassword(r):
		return "is replaced"
	case r.Outcome == batch.NotAttempted:
		return "whatever worked before works: they were not called"
	case r.Reason == batch.Disabled:
		return "the old one comes back if the user is enabled"
	case r.Reason == batch.Unconfirmed:
		return "the old one works once the user confirms"
	case r.Reason == batch.TemporaryPassword:
		return "the temporary one works"
	}
	return "the old one works"
}

// sessionsNow says whether sessions live on, where they were to end.
func sessionsNow(r batch.Result) string {
	if slices.ContainsFunc(r.Steps, func(s batch.StepResult) bool { return s.Outcome == batch.SignedOut }) {
		return "ended"
	}
	return "live on"
}

// An act is what a person can do where no resume helps, and what another run does in
// place of a reset.
type act struct{ words, instead string }

var acts = map[batch.Reason]act{
	batch.NoVerifiedContact: {"verify an e-mail address or phone number of theirs and reset them again, or lock them", "no_verified_contact=lock"},
	batch.WrongState:        {"look at the user's state, or lock them", "wrong_state=lock"},
	batch.TemporaryPassword: {"invite them again", "temporary_password=invite"},
	batch.Unconfirmed:       {"delete the account, or disable it", "unconfirmed=disable"},
	batch.Disabled:          {"reset them when they are enabled, or lock them now", "disabled=lock"},
	batch.AttemptLimit:      {"reset them again in an hour", ""},
	batch.InvalidParameter:  {"see Cognito's words in the report", ""},
}

// again is the command that takes up those in this list who are here for a reason, and
// nobody else.
func (m *Remaining) again(reason batch.Reason, instead string) string {
	command := "cognito-reset run --user-pool-id " + m.pool + " --input " + m.run + "/" + RemainingFile + " --where reason=" + string(reason)
	if instead != "" {
		command += " --if-unresettable " + instead
	}
	return command
}

// whatHelps is the command or the act that makes a user safe.
func (m *Remaining) whatHelps(r batch.Result) string {
	resume := "cognito-reset resume " + m.run
	switch act, ok := acts[r.Reason]; {
	case m.run == "" && ok && !r.Open():
		return act.words
	case m.run == "":
		return againRehearsed
	case r.Open():
		return resume
	case r.Outcome == batch.Unknown:
		return resume + " --retry unknown"
	case ok:
		return act.words + ": " + m.again(r.Reason, act.instead)
	}
	return resume + " --retry failed"
}
