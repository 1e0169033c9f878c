package users

import (
	"context"
	"time"

	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// recentlyReset finds out whom the runs of --history have reset since the cutoff; nil
// without --history. Where nobody tells whether letter case counts, it does not: a user
// who may have been reset counts as reset.
func (f *Finder) recentlyReset(ctx context.Context) (*rundir.History, error) {
	r := f.Record.Spec
	if len(r.History) == 0 {
		return nil, nil
	}
	fold, err := f.knownFold(ctx)
	if err != nil {
		fold = userpool.Settings{}.Fold
	}
	history := rundir.NewHistory(r.UserPoolID, r.ResetBefore, fold)
	past := rundir.Past{Store: f.Store.As(r.Settings), History: history, PoolID: r.UserPoolID, Since: r.ResetBefore, Own: f.Record.Path(), Crossed: f.sayCutoff}
	for _, path := range r.History {
		found, err := past.Add(ctx, path)
		switch {
		case err != nil:
			return nil, err
		case found > 0:
		case r.RotateEvery == "":
			return nil, exit.Usagef("--history: there is no run in %s", path)
		case !f.Quiet:
			term.Linef(f.Err, "There is no run in %s yet: this is the first rotation.", path)
		}
	}
	return history, nil
}

// recent reports of a user of the pool whether an earlier run has reset them, under
// whatever name; nil without --history.
func (f *Finder) recent() func(userpool.User) bool {
	if f.past == nil {
		return nil
	}
	return func(u userpool.User) bool { return f.past.Has(u.Names()...) }
}

// sayCutoff says that the time of the history falls inside a run.
func (f *Finder) sayCutoff(run string) {
	at := f.Record.Spec.ResetBefore.Format(time.RFC3339)
	if every := f.Record.Spec.RotateEvery; every != "" {
		if !f.Quiet {
			term.Linef(f.Err, "The period of --rotate-every %s began at %s, while %s was at work: whom it reset since then has had the turn of this period.", every, at, run)
		}
		return
	}
	term.Linef(f.Err, "The cutoff of --not-reset-within, %s, falls inside the run %s: whom it reset before that is taken again, and whom it reset after that is left out until a later run. "+
		"--rotate-every quarter (or month, or 90d) takes everybody once in each period.", at, run)
}
