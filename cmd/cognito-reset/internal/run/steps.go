package run

import (
	"context"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/users"
)

// steps are those of a session, each at the pace of its quota.
func (s *Session) steps() []batch.Step {
	r := s.Record.Spec
	signOut := batch.Step{Name: spec.StepSignOut, Action: s.Pool().SignOut(), Pace: s.Paces.Updates, Outcome: batch.SignedOut, Repeatable: true}
	if r.SignOutAlone() {
		return []batch.Step{signOut}
	}
	reset := batch.Step{Name: spec.StepReset, Action: s.Pool(), Pace: s.Paces.Resets, Outcome: batch.Reset, Sends: true, Instead: make(map[batch.Reason]batch.Step)}
	for reason, what := range r.IfUnresettable {
		reset.Instead[reason] = map[string]batch.Step{
			spec.DoLock:    {Name: spec.DoLock, Action: s.Pool().Lock(), Pace: s.Paces.Resets, Outcome: batch.Locked, Repeatable: true},
			spec.DoDisable: {Name: spec.DoDisable, Action: s.Pool().Disable(), Pace: s.Paces.Updates, Outcome: batch.UserDisabled, Repeatable: true},
			spec.DoInvite:  {Name: spec.DoInvite, Action: s.Pool().Invite(), Pace: s.Paces.Creations, Outcome: batch.Invited, Sends: true},
		}[what]
	}
	if r.SignsOut() {
		return []batch.Step{reset, signOut}
	}
	return []batch.Step{reset}
}

// lookFirst writes into the roster what the users are before anything is done,
// where that is asked for and was not told by what named them.
func (s *Session) lookFirst(ctx context.Context) (err error) {
	r := s.Record.Spec
	if r.StatesKnown() || !r.Snapshot && r.IfResetRequired == "again" {
		return nil
	}
	s.Record.Found.Roster, err = s.Record.Dir.Spool(s.Pool().Look(ctx, r.IfResetRequired == "again", s.Record.Dir.Entries()))
	if users.Denied(err) {
		return exit.Refuse(users.CaseUnknown(err))
	} else if err != nil {
		return s.unforeseen(ctx, err)
	}
	if r.DryRun {
		return s.Record.Save()
	}
	s.history, err = s.Record.Dir.Replay()
	return err
}
