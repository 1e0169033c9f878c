package users

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// rememberUsers reads whom the journal names before the roster is made anew. The
// roster would not do: it may be one that was made anew before.
func (f *Finder) rememberUsers() error {
	known := make(map[string]int)
	for e, err := range f.Record.Dir.Named() {
		if err != nil {
			return err
		}
		at, found := known[e.Username]
		if !found {
			known[e.Username] = len(f.prior)
			f.prior = append(f.prior, e)
		} else if e.Sub != "" {
			f.prior[at].Sub = e.Sub
		}
	}
	return nil
}

// CheckInput compares the input with what it was when the run began. The run
// works on its own copy; but an operator who edited the file means something by
// it, and must say what.
func (f *Finder) CheckInput(ctx context.Context, accept bool) error {
	r, found := &f.Record.Spec, &f.Record.Found
	sum, err := r.InputSum()
	switch {
	case r.Listed() || errors.Is(err, spec.ErrElsewhere):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if !f.Quiet {
			term.Linef(f.Err, "%s is gone; going on with the copy in the run directory.", r.Source)
		}
		return nil
	case err != nil || sum == found.InputSHA256 && !accept:
		return err
	}
	if accept {
		if err := r.Approval.Fixed(r.CreatedAt); err != nil {
			return err
		}
	}
	in, err := f.OpenInputs(ctx)
	if err != nil {
		return fmt.Errorf("the input has changed since the run began: %w", err)
	}
	defer in.Close()
	if accept {
		*r = r.Again()
		if err := f.rememberUsers(); err != nil {
			return err
		}
		back, drop, err := f.Record.Dir.Aside()
		if err != nil {
			return err
		}
		if err := f.Spool(ctx, in); err != nil {
			return errors.Join(err, back())
		}
		return errors.Join(f.Record.Save(), drop())
	}
	if r.Match != "" || len(r.Where)+len(r.Only) > 0 { // what is left of it takes the pool, or a choice, to say
		return fmt.Errorf("%s has changed since %s (SHA-256 %.12s…, was %.12s…). Restore it, or go on with it as it is now by --accept-changed-input. Nothing was sent",
			r.Source, r.CreatedAt.Format(time.RFC3339), sum, found.InputSHA256)
	}
	fold, _ := f.knownFold(ctx) // else as they are written
	added, gone, err := journal.Compare(f.Record.Dir.Entries(), roster.Unique(in.Entries(), fold))
	if err != nil {
		return fmt.Errorf("%s has changed since the run began, and cannot be read any more: %w", r.Source, err)
	}
	return fmt.Errorf("%s has changed since %s: %d users are new and %d are gone (SHA-256 %.12s…, was %.12s…). "+
		"Restore it, or go on with it as it is now by --accept-changed-input: rows then match by user. Nothing was sent",
		r.Source, r.CreatedAt.Format(time.RFC3339), added, gone, sum, found.InputSHA256)
}
