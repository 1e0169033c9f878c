package rundir

import (
	"cognito-reset/batch/journal"
	"cognito-reset/report"
)

// Sessions sums up the sessions of a run, for its summary.
func Sessions(history *journal.History) *report.Sessions {
	s := new(report.Sessions)
	s.Left, _ = history.Open()
	if n := len(history.Sessions); n > 0 {
		last := history.Sessions[n-1]
		if seconds := last.LastSeenAt.Sub(last.StartedAt).Seconds(); seconds > 0 {
			s.LastUsersPerSecond = float64(last.Settled) / seconds
		}
	}
	for _, session := range history.Sessions {
		for _, by := range session.Steered {
			if by.By != journal.ByItself {
				s.Steered = append(s.Steered, report.Steering(by))
			}
		}
	}
	return s
}

// Finished is the summary of a run that nobody works on and of which nobody is left. It
// reports false wherever the summary may not be of all of the journal, or the journal
// or the roster may have been touched since, so that they have to be read. Of a journal
// that was changed behind its mark's back, by somebody who set the file's time back
// too, it cannot tell: that takes [Record.Replay].
func (r *Record) Finished() (*report.Summary, bool) {
	var sum report.Summary
	if r.Dir.IsCopy() || !r.Found.Marked || r.Dir.ReadJSON(SummaryFile, &sum) != nil {
		return nil, false
	}
	if sum.Sessions == nil || sum.Sessions.Left != 0 || sum.Rows != r.Found.Roster.Rows || !r.newest(SummaryFile, journal.JournalFile, journal.RosterFile) {
		return nil, false
	}
	ends, err := r.Dir.EndsAt(sum.JournalBytes) // after the summary was read: a session that began since has written to it
	return &sum, err == nil && ends
}

// newest reports whether a file was written when none of the others was written any more.
func (r *Record) newest(name string, others ...string) bool {
	info, err := r.Dir.Stat(name)
	if err != nil {
		return false
	}
	for _, other := range others {
		if its, err := r.Dir.Stat(other); err != nil || its.ModTime().After(info.ModTime()) {
			return false
		}
	}
	return true
}
