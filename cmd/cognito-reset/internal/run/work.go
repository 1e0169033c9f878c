package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/guards"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// Work takes the users who are left through the steps. It returns why it stopped before the last of
// them, and an error if it could not begin.
func (s *Session) Work(ctx context.Context) (stopped, err error) {
	began := time.Now()
	s.nameInLogs()
	j, err := s.startJournal(ctx, began)
	if err != nil {
		return nil, err
	}
	s.reclock.Store(new(func() { _ = j.Clock(s.Pool().Clock(began)) })) // a journal that fails says so at the next call
	defer s.reclock.Store(nil)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, cancel := guards.Within(ctx, s.Record.Spec.Settings)
	defer cancel()
	if s.Paces == nil {
		s.Paces = control.NewPaces(s.Record.Spec)
	}
	ctl := control.New(s.Paces, j, stop)
	waves := s.waves(ctl)
	ctl.Foresee = s.foresee(ctl, waves, began)
	options, err := s.options(ctl, waves)
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return s.end(j, s.calls(ctx, ctl, waves, options)), nil
}

// nameInLogs has the logs say of each line what it is about: who reads them sees many runs.
func (s *Session) nameInLogs() {
	about := []any{
		"user_pool_id", s.Record.Spec.UserPoolID, "account", s.Record.Found.Caller.Account, "region", s.Pool().Region, "sandbox", s.Record.Spec.Sandbox,
	}
	s.Log = s.Log.With(about...)
	if s.Progress != nil {
		s.Progress = s.Progress.With("run", s.Record.Path()).With(about...)
	}
}

// startJournal begins the session in the journal.
func (s *Session) startJournal(ctx context.Context, began time.Time) (*journal.Journal, error) {
	s.history.Clock = s.Pool().LearnClock(ctx, began)
	s.compareClocks()
	j, err := s.history.Start(s.Version, s.Record.Found.Roster.SHA256)
	if err != nil {
		return nil, fmt.Errorf("the journal cannot be written, so nothing was sent: %w", err)
	}
	return j, nil
}

// calls makes the calls, and returns why they ended before the last user.
func (s *Session) calls(ctx context.Context, ctl *control.Control, waves *guards.Waves, options batch.Options) error {
	sp := s.Record.Spec
	remaining := s.history.Remaining(s.retry)
	if sp.CanaryRandom && waves.Canary > 0 {
		remaining = guards.CanaryFirst(remaining, waves.Canary)
	}
	s.Observer.Allow(sp.Grace.Duration())
	observed, err := s.observed(ctl)
	if err != nil {
		return err
	}
	watched, over := s.Observer.Watch(observed)
	defer over()
	var open atomic.Int64 // rows that a resume works on
	note := options.OnResult
	options.OnResult = func(r batch.Result) {
		if r.Open() {
			open.Add(1)
		}
		watched(r)
		note(r)
	}
	s.Log.Info("session begins", "event", "began", "users", s.Left, "rate", sp.FirstRate())
	defer s.Calls()()
	if s.Fleet == nil {
		s.WarnOfConnection(s.Record.Path())
	}
	shown := s.showProgress(ctl)
	s.shown.Store(&shown)
	defer context.AfterFunc(ctx, func() { s.printFinishing(context.Cause(ctx)) })()
	steered := s.steer(ctl)
	counts, stopped := batch.Run(ctx, remaining, s.steps(), options)
	shown.End()
	steered()
	event := "done"
	if stopped != nil {
		event = "stopped"
	}
	s.Log.Info("session ends", "event", event, "outcomes", counts.Outcomes, "reasons", counts.Reasons, "calls", counts.Calls, "throttled", counts.Throttled)
	if _, early := errors.AsType[*batch.Stop](stopped); early && open.Load() == 0 && counts.Settled() == s.Left {
		return nil // it came when nobody was left
	}
	return stopped
}

// end writes into the journal how the session ended, and returns why it stopped.
func (s *Session) end(j *journal.Journal, stopped error) error {
	code, because := exit.Done, ""
	if stopped != nil {
		stopped = exit.Early(stopped)
		if early, ok := errors.AsType[*exit.Error](stopped); ok && s.Record.Spec.Sandbox { // which no resume goes on with
			stopped = exit.With(early.Code, early.Err)
		}
		code, because = exit.Of(stopped), stopped.Error()
	}
	// A journal that failed has said so in stopped already.
	if err := errors.Join(j.End(code, because), j.Close()); err != nil && stopped == nil {
		stopped = exit.Early(&batch.JournalError{Err: err})
	}
	return stopped
}

// options are how the session's calls are made.
func (s *Session) options(ctl *control.Control, waves *guards.Waves) (o batch.Options, err error) {
	sp := s.Record.Spec
	o = batch.Options{
		Journal: ctl.Journal, Tally: ctl.Tally, Workers: sp.Workers(), MaxAttempts: sp.MaxAttempts,
		Linger: sp.SettleAfter.Duration(), RetryUnknown: sp.OnUnknown == "retry", Grace: sp.Grace.Duration(),
		NextWave: waves.Next, MayCall: ctl.Journal.MayCall, Standby: s.standby(),
	}
	if o.Failures, err = sp.FailureGuard(); err != nil {
		return o, err
	}
	if o.Messages, err = guards.NewMessages(s.Record); err != nil {
		return o, err
	}
	if sp.OnMessageLimit == "wait" {
		o.WaitOut = func(answer *batch.Error) bool {
			if answer.Reason != batch.MessageLimit {
				return false
			}
			until := guards.NextMessages(time.Now())
			s.Paces.HoldMessages(until)
			_ = ctl.Journal.Note(render.NoteHold(until))
			return true
		}
	}
	debugging := s.Log.Enabled(context.Background(), slog.LevelDebug)
	o.OnResult = func(r batch.Result) {
		waves.Note(r)
		if debugging {
			s.Log.Debug("user", "row", r.Row, "username", r.Username, "outcome", r.Outcome, "reason", r.Reason,
				"attempts", r.Attempts, "error_code", r.ErrorCode, "request_id", r.RequestID)
		}
	}
	return o, nil
}

// How many users may wait with their intents written in S3, where one takes a request that
// is billed: those of some seconds, and at most as many as may well be read back
// after a crash.
const (
	intentSeconds = 8
	maxIntents    = 256
)

// standby is how many users stand by for their turn; 0 for the usual number.
func (s *Session) standby() int {
	users, sp := 0, s.Record.Spec
	if sp.FirstRate() == 0 { // the pace is no limit to stand by for
		users = 4 * sp.Workers()
	}
	if s.Record.Dir.IsCopy() {
		users = min(max(4, users, int(intentSeconds*sp.FirstRate())), maxIntents)
	}
	return users
}

// steer opens the ways to steer the session, until the returned function.
func (s *Session) steer(ctl *control.Control) (end func()) {
	if s.listens != nil {
		s.listens.HandOver(ctl)
	}
	if s.Fleet == nil && term.IsTerminal(s.In) && term.IsTerminal(s.Err) {
		ctl.ByKeys(s.In, func(done string) { term.Linef(s.above(), "%s", done) })
		if ctl.Keys() && !s.Quiet {
			term.Linef(s.above(), "%s", control.KeysLine)
		}
	}
	return func() {
		s.hangUp()
		term.Restore()
	}
}

// above is where something is said while the session works: above the bar.
func (s *Session) above() io.Writer {
	if shown := s.shown.Load(); shown != nil {
		return *shown
	}
	return s.Err
}

// showProgress shows how the session goes on, or lets its fleet show it.
func (s *Session) showProgress(ctl *control.Control) term.Progress {
	look := func() term.View {
		counts, live := ctl.Tally.Counts(), ctl.Live()
		return term.View{Done: counts.Settled(), State: control.State(counts, s.Record.Spec.Response), Why: live.Why, Ahead: live.Ahead(), Hidden: ctl.Asks(), Attrs: live.Attrs(counts)}
	}
	switch {
	case s.Fleet != nil:
		s.Fleet.Add(ctl.Tally.Counts, ctl.Live)
		return term.NoProgress(s.Err)
	case s.Quiet:
		return term.NoProgress(s.Err)
	}
	return term.Show(s.Err, s.Progress, s.Left, look)
}

// WarnOfConnection says how to keep a run alive whose terminal goes with its connection,
// and which command goes on with it.
func (e Env) WarnOfConnection(path string) {
	kept := signal.Ignored(syscall.SIGHUP)                                    // nohup
	for _, name := range []string{"TMUX", "STY", "ZELLIJ", "INVOCATION_ID"} { // tmux, screen, zellij, systemd
		kept = kept || os.Getenv(name) != ""
	}
	if kept || os.Getenv("SSH_CONNECTION") == "" || e.Quiet || !term.IsTerminal(e.Err) {
		return
	}
	term.Linef(e.Err, "If this connection breaks, the run stops, and resume goes on with it. To keep it alive, stop it (q or Ctrl-C) and begin tmux, then: cognito-reset resume %s", term.Quote(path))
}

// printFinishing tells whoever sent a signal what happens now, which may take the
// whole grace.
func (s *Session) printFinishing(cause error) {
	if s.Quiet {
		return
	}
	term.Linef(s.above(), "%v: calls under way have %v to finish; a second signal ends this at once, and no record is lost.", cause, s.Record.Spec.Grace.Duration())
}
