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

// A Scratch makes a file for a time, until drop is called.
type Scratch func() (file io.ReadWriteSeeker, drop func() error, err error)

// A Subject is the run, or the runs, that a list is about.
type Subject struct {
	Run    string // the directory, as commands name it; "" of a rehearsal, which none goes on with
	Pool   string // id
	Steps  Steps
	ByPool bool // the rows are of several pools, each with its id first in Kept, in place of Pool
	Merged bool // Run is a report of several runs, of which each goes on by itself
}

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

	of      Subject
	out     io.Writer
	scratch Scratch
	parts   [urgencies]spooled
	line    csvWriter
}

// NewRemaining writes into w. safe guards cells as [NewSafeCSV] does. scratch makes files
// that hold what is less urgent until the end.
func NewRemaining(w io.Writer, of Subject, safe bool, scratch Scratch) *Remaining {
	m := &Remaining{of: of, out: w, scratch: scratch}
	m.parts[0].out = bufio.NewWriterSize(w, 1<<16)
	m.line = csvWriter{out: m.parts[0].out, safe: safe}
	m.line.texts(remainingColumns...)
	if of.ByPool {
		m.line.text(PoolColumn)
	}
	m.line.end() // buffered: an error shows later
	return m
}

// Write takes in one result.
func (m *Remaining) Write(r batch.Result) error {
	if !m.of.Steps.Remains(r) {
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
	of := m.of
	if of.ByPool {
		of.Pool = r.Kept[0]
	}
	m.line.texts(r.Username, r.Sub, string(r.Outcome), string(r.Reason), of.passwordNow(r), of.sessionsNow(r), of.whatHelps(r))
	if of.ByPool {
		m.line.text(of.Pool)
	}
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
func (of Subject) passwordNow(r batch.Result) string {
	keeps := of.Steps.KeepsPassword(r)
	switch {
	case of.Steps.SignOutAlone():
		return "as it was: this run resets nobody"
	case !keeps && r.Outcome == batch.Unknown:
		return "the old one may work: nobody knows whether it was reset"
	case !keeps:
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
func (of Subject) sessionsNow(r batch.Result) string {
	switch {
	case slices.ContainsFunc(r.Steps, func(s batch.StepResult) bool { return s.Outcome == batch.SignedOut }):
		return "ended"
	case of.Steps.SignOutAlone() && r.Reason == batch.Disabled:
		return "ended when the user was disabled"
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

// signOutActs are those of a sign-out alone.
var signOutActs = map[batch.Reason]act{
	batch.Disabled:         {"nothing while they are disabled, which revokes their tokens; sign them out when they are enabled", ""},
	batch.InvalidParameter: {"see Cognito's words in the report", ""},
}

// again is the command that takes up those in this list who are here for a reason, and
// nobody else.
func (of Subject) again(reason batch.Reason, instead string) string {
	command := "cognito-reset run --user-pool-id " + of.Pool + " --input " + of.Run + "/" + RemainingFile + " --where reason=" + string(reason)
	if of.ByPool {
		command += " --where " + PoolColumn + "=" + of.Pool
	}
	switch {
	case of.Steps.SignOutAlone():
		command += " --steps sign-out"
	case instead != "":
		command += " --if-unresettable " + instead
	}
	return command
}

// act is what a person can do about a reason where no resume helps.
func (of Subject) act(reason batch.Reason) (act, bool) {
	if of.Steps.SignOutAlone() {
		a, ok := signOutActs[reason]
		return a, ok
	}
	a, ok := acts[reason]
	return a, ok
}

// whatHelps is the command or the act that makes a user safe.
func (of Subject) whatHelps(r batch.Result) string {
	resume := "cognito-reset resume " + of.Run
	if of.Merged {
		resume = "cognito-reset resume, of the run that has this row"
	}
	switch act, ok := of.act(r.Reason); {
	case of.Run == "" && ok && !r.Open():
		return act.words
	case of.Run == "":
		return againRehearsed
	case r.Open():
		return resume
	case r.Outcome == batch.Unknown:
		return of.retry(resume, "unknown")
	case ok:
		return act.words + ": " + of.again(r.Reason, act.instead)
	}
	return of.retry(resume, "failed")
}

// retry is a resume that takes up settled users of a kind.
func (of Subject) retry(resume, kind string) string {
	if of.Merged {
		return resume + ", with --retry " + kind
	}
	return resume + " --retry " + kind
}
