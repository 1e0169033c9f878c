package run

import "time"

// clocksDiffer is by how much clocks may seem to differ that do not: HTTP dates
// have seconds.
const clocksDiffer = 3 * time.Second

// clockJumped says that a clock has jumped while the session worked, and records
// how it stands now.
func (s *Session) clockJumped(what string) {
	s.Log.Warn("a clock jumped; users whose answers were lost are taken for reset or not only where that does not depend on it", "what", what)
	if record := s.reclock.Load(); record != nil {
		(*record)()
	}
}

// compareClocks says when the sessions before went by a clock that differs from
// the one that this session has.
func (s *Session) compareClocks() {
	now := s.history.Clock
	n := len(s.history.Sessions)
	if n == 0 {
		return
	}
	switch before := s.history.Sessions[n-1].Clock; {
	case !now.Known:
		s.Log.Warn("no answer told the service's time, so the clock of the last session cannot be compared with this one's")
	case before.Known && (now.Ahead-before.Ahead).Abs() > clocksDiffer:
		s.Log.Warn("this machine's clock, against the service's, is not the last session's; users in doubt are judged by the service's time",
			"differs_by", (now.Ahead - before.Ahead).Abs().Round(time.Second).String())
	}
}
