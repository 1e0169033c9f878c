package run

import (
	"context"
	"fmt"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/guards"
	"cognito-reset/cmd/cognito-reset/internal/preflight"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// lookAtWave counts those of a wave who have a new password, or are gone.
func (s *Session) lookAtWave(ctx context.Context, resets []batch.Result) (done int, err error) {
	for v, err := range s.Pool().Verify(ctx, func(yield func(batch.Result, error) bool) {
		for _, r := range resets {
			if !yield(r, nil) {
				return
			}
		}
	}) {
		if err != nil {
			return 0, fmt.Errorf("--wave-gate: %w", err)
		}
		if v.Effect == userpool.Completed || v.Effect == userpool.Gone {
			done++
		}
	}
	return done, nil
}

// waves are those of a session.
func (s *Session) waves(ctl *control.Control) *guards.Waves {
	sp := s.Record.Spec
	w := &guards.Waves{
		Canary: sp.Canary, Size: sp.WaveSize, Pause: sp.WavePause.Duration(),
		Gate: sp.WaveGate, Look: s.lookAtWave, Skip: ctl.NextWave,
		Judge: func(ctx context.Context, c batch.Counts) error { return s.judgeCanary(ctx, ctl, c) },
	}
	rested := false // which is noted once, however often a gate looks
	w.Resting = func(until time.Time) {
		if ctl.Rest(until); !until.IsZero() && !rested {
			rested = true
			_ = ctl.Journal.Note(render.NoteRest) // a journal that fails says so at the next call
		}
	}
	w.Begins = func(canary bool) {
		rested = false
		_ = ctl.Journal.Note(map[bool]string{true: render.NoteCanary, false: render.NoteWave}[canary])
	}
	for _, session := range s.history.Sessions {
		w.Canary = max(0, w.Canary-int(session.Settled))
	}
	return w
}

// judgeCanary shows how the first users fared. Where keys are read a person
// decides; elsewhere one suspicious failure is too many.
func (s *Session) judgeCanary(ctx context.Context, ctl *control.Control, c batch.Counts) error {
	suspicious := int64(0)
	for reason, n := range c.Reasons {
		if reason.Suspicious() {
			suspicious += n
		}
	}
	text := fmt.Sprintf("The canary, %d users: %s.", c.Settled(), control.State(c, s.Record.Spec.Response))
	if len(c.Reasons) > 0 {
		text = fmt.Sprintf("The canary, %d users: %s (%s).", c.Settled(), control.State(c, s.Record.Spec.Response), counted(c.Reasons))
	}
	if !s.Quiet || s.Ask {
		term.Linef(s.above(), "%s", text)
	}
	if s.Ask && ctl.Keys() {
		yes, err := ctl.Ask(ctx, "Go on with the others? (y/n) ", s.above())
		if err != nil || yes {
			return err
		}
		return &batch.Stop{Reason: batch.Stopped, Message: "after the canary you said no"}
	}
	if missing, of := c.Reasons[batch.UserNotFound], c.Settled()-c.Outcomes[batch.Skipped]-c.Outcomes[batch.Invalid]; preflight.MostlyMissing(missing, of) {
		return &batch.Stop{Reason: batch.Stopped, Message: fmt.Sprintf(
			"%d of the canary's %d users are not in this pool; %s, or resume if that is right", missing, of, preflight.WhichList)}
	}
	if suspicious > 0 {
		return &batch.Stop{Reason: batch.Stopped, Message: fmt.Sprintf(
			"%d of the canary's users failed in a way that is not their own (%s); look into it, then resume", suspicious, counted(c.Reasons))}
	}
	return nil
}
