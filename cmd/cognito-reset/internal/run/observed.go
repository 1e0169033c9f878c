package run

import (
	"time"

	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/observe"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/report"
)

// observed is what others may know of the session while it works.
func (s *Session) observed(ctl *control.Control) (o observe.Run, err error) {
	o = observe.Run{
		PoolID: s.Record.Spec.UserPoolID, Users: s.Left, Log: s.Log, Live: ctl.Live, Counts: ctl.Tally.Counts,
		Stands: func(why string) (sum report.Summary) {
			if history, err := s.Record.Replay(); err == nil {
				if rows := s.Record.Rows(history, nil); rows.Write() == nil {
					sum = rows.Summary
				}
			}
			sum.FinishedAt, sum.RunDirectory, sum.StoppedBecause = time.Now(), s.Record.Path(), why
			return sum
		},
	}
	if s.Observer.Shows() {
		o.Page, o.SoFar, err = s.soFar()
	}
	return o, err
}

// soFar are the rows that this session does not work on, and how many it does.
func (s *Session) soFar() (*report.Page, report.Summary, error) {
	rows, page := s.Record.Rows(s.history, nil), render.Page(s.Record, s.history)
	page.CSV, page.Facts = "", nil // which are not for everybody who can look
	sum := rows.Summary
	sum.StoppedBecause, sum.ExitCode = "", 0
	for r, err := range rows.Results {
		if err != nil {
			return nil, sum, err
		}
		if r.Open() || s.retry != nil && s.retry(r) {
			continue
		}
		page.Count(r)
		_ = sum.Write(r) // which never fails
	}
	sum.Wait(s.Left)
	return page, sum, nil
}
