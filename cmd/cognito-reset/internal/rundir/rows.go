package rundir

import (
	"cmp"
	"errors"
	"iter"
	"strings"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// Rows are the rows of a run and, once they were written, their sum.
type Rows struct {
	Results iter.Seq2[batch.Result, error]
	Summary report.Summary

	record  *Record
	history *journal.History
}

// Rows are what the journal says of each row. stopped is why the run has stopped
// just now; nil goes by the journal.
func (r *Record) Rows(history *journal.History, stopped error) *Rows {
	rows := &Rows{record: r, history: history}
	began := r.Spec.CreatedAt.Truncate(time.Millisecond)
	s := &rows.Summary
	*s = report.Summary{
		UserPoolID: r.Spec.UserPoolID, UserPoolName: r.Found.PoolName, Account: r.Found.Caller.Account,
		Region: cmp.Or(r.Spec.Region, userpool.RegionOf(r.Spec.UserPoolID)), Sandbox: r.Spec.Sandbox,
		DryRun: r.Spec.DryRun, Forecast: r.Found.Forecast, Coverage: (*report.Coverage)(r.Found.Coverage), RunDirectory: r.Path(),
		JournalBytes: history.Known(), RateAsked: r.Spec.FirstRate(), Steps: r.Spec.Steps, StartedAt: began, FinishedAt: began,
	}
	pending := batch.Interrupted
	for i, session := range history.Sessions {
		if i == 0 {
			s.StartedAt = session.StartedAt.Truncate(time.Millisecond)
		}
		s.FinishedAt = session.LastSeenAt.Truncate(time.Millisecond)
		s.ElapsedSeconds += session.LastSeenAt.Sub(session.StartedAt).Seconds()
		s.ExitCode, s.StoppedBecause = session.ExitCode, session.Stopped
		if pending = batch.Interrupted; session.ExitCode == exit.Stopped || session.ExitCode == exit.Failed {
			pending = batch.Stopped
		}
	}
	if left, _ := history.Open(); left == 0 { // the code comes from the rows
		s.ExitCode, s.StoppedBecause = exit.Done, ""
	} else if n := len(history.Sessions); !r.Spec.DryRun && (n == 0 || !history.Sessions[n-1].Ended) {
		s.ExitCode, s.StoppedBecause = exit.Stopped, "the process ended without a word"
	} else if !r.Spec.DryRun && s.ExitCode == exit.Done {
		s.ExitCode = exit.Stopped
	}
	if e, ok := errors.AsType[*exit.Error](stopped); ok {
		s.ExitCode, s.StoppedBecause = e.Code, e.Error()
	}
	if rows.Results = history.Results(pending); r.Spec.Offline {
		rows.Results = Expected(rows.Results, r.Spec.Response)
	}
	return rows
}

// Write writes every row to the writers, closes them, and sums up.
func (rows *Rows) Write(writers ...report.Writer) error {
	s, again := &rows.Summary, make(retryKinds)
	if err := report.WriteAll(rows.Results, append(writers, s, again)...); err != nil {
		return err
	}
	if s.ExitCode == exit.Done && !s.Well() {
		s.ExitCode = exit.SomeFailed
	}
	s.Next = rows.next(again)
	return nil
}

// next is the command to run after a session; "" if there is none.
func (rows *Rows) next(again retryKinds) string {
	path := term.Quote(rows.Summary.RunDirectory)
	left, _ := rows.history.Open()
	var kinds []string
	for _, kind := range []string{"failed", "unknown"} {
		if again[kind] {
			kinds = append(kinds, kind)
		}
	}
	switch {
	case !rows.record.Spec.ForReal():
		return ""
	case left > 0:
		return "cognito-reset resume " + path
	case kinds != nil:
		return "cognito-reset resume " + path + " --retry " + strings.Join(kinds, ",")
	case rows.Summary.Outcomes[batch.Reset] > 0:
		return "cognito-reset verify " + path
	}
	return ""
}

// retryKinds are the kinds of --retry that would take somebody up again. It is a
// [report.Writer].
type retryKinds map[string]bool

func (k retryKinds) Write(r batch.Result) error {
	if kind := RetryKind(r); kind != "" {
		k[kind] = true
	}
	return nil
}

func (k retryKinds) Close() error { return nil }

// RetryKind is the kind of --retry that takes a settled user up again, failed or
// unknown; "" if none does.
func RetryKind(r batch.Result) string {
	switch {
	case r.Outcome == batch.Failed && r.Reason.Passes():
		return "failed"
	case r.Outcome == batch.Unknown:
		return "unknown"
	}
	return ""
}

// Expected is what a dry run of files alone says of users against whom nothing
// there stands: they would be reset, or signed out.
func Expected(results iter.Seq2[batch.Result, error], to spec.Response) iter.Seq2[batch.Result, error] {
	would := batch.WouldReset
	if to.SignOutAlone() {
		would = batch.WouldSignOut
	}
	return func(yield func(batch.Result, error) bool) {
		for r, err := range results {
			if r.Outcome == batch.NotAttempted {
				r.Outcome, r.Reason = would, ""
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Replaced yields the results whose users have lost their password.
func Replaced(results iter.Seq2[batch.Result, error]) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for r, err := range results {
			if err == nil && (!r.Outcome.Done() || r.Outcome == batch.UserDisabled || r.Outcome == batch.SignedOut) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
