package users

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// Spool writes the roster into the run directory: who is meant, each of them once.
// in is nil where the pool's own users are meant. Where the pool is asked, the rows
// are copied there first, for they are read more than once.
func (f *Finder) Spool(ctx context.Context, in *roster.Inputs) (err error) {
	r, found := f.Record.Spec, &f.Record.Found
	found.Notices = nil
	rows, users, err := r.Choices()
	if err != nil {
		return err
	}
	if f.leaveOut, err = f.readExcluded(ctx); err != nil {
		return err
	}
	if f.past, err = f.recentlyReset(ctx); err != nil {
		return err
	}
	seen := make(kinds)
	for _, e := range f.prior {
		seen[userpool.KindOf(e.Username)] = true
	}
	entries, err := f.rows(ctx, in, rows, seen)
	if err != nil {
		return err
	}
	if users.Fold, err = f.fold(ctx, in != nil && r.Match == ""); err != nil {
		return err
	}
	if entries, err = f.identify(ctx, entries, &users, in != nil && r.Match == "", seen); err != nil {
		return err
	}
	if f.Excluded.Level == rundir.Blocker && !f.Excluded.Forced {
		return exit.Usagef("exclude: %s. Correct that, or go on regardless with --force exclude", f.Excluded.Text)
	}
	if found.Roster, err = f.Record.Dir.Spool(inOrder(r.Shard.Entries(users.Apply(entries)))); err != nil {
		return err
	}
	f.saySeveral()
	if in != nil {
		found.Read, found.InputSHA256 = in.Sources(), in.SHA256()
		f.notices(in)
	}
	if f.pool == nil && !f.Quiet && (r.Compares() || len(seen) > 1) {
		term.Linef(f.Err, "Offline, names are compared as they are written: whoever is named in another way is not recognised.")
	}
	return nil
}

// rows are those of the input, or the pool's own users.
func (f *Finder) rows(ctx context.Context, in *roster.Inputs, chosen roster.Selection, seen kinds) (iter.Seq2[batch.Entry, error], error) {
	s := f.Record.Spec
	switch asks := f.pool != nil || s.Sandbox && s.LooksInPool(); {
	case in == nil:
		return f.listing(ctx), nil
	case asks && s.Match != "": // each value once
		return f.copied(ctx, chosen.Apply(roster.Ahead(in.Entries())))
	case asks:
		return f.copied(ctx, seen.watch(chosen.Choose(roster.Ahead(in.Entries()))))
	}
	return seen.watch(chosen.Choose(roster.Ahead(in.Entries()))), nil
}

// copied are the rows from their copy in the run directory. A pool inside the
// process is made of them.
func (f *Finder) copied(ctx context.Context, rows iter.Seq2[batch.Entry, error]) (_ iter.Seq2[batch.Entry, error], err error) {
	r := f.Record.Spec
	if f.Record.Found.Roster, err = f.Record.Dir.Spool(inOrder(rows)); err != nil {
		return nil, err
	}
	if f.pool == nil {
		if err := f.Connect(ctx); err != nil {
			return nil, exit.With(exit.Usage, err)
		}
	}
	if r.Match != "" {
		return f.noteSeveral(f.pool.Match(ctx, r.Match, f.selection(), f.Record.Dir.Entries())), nil
	}
	return f.Record.Dir.Entries(), nil
}

// noteSeveral notes the rows of the input whose value several users have.
func (f *Finder) noteSeveral(matched iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		f.several = nil
		last := int64(0)
		for e, err := range matched {
			if err == nil && e.InputRow == last && (len(f.several) == 0 || f.several[len(f.several)-1] != last) {
				f.several = append(f.several, last)
			}
			last = e.InputRow
			if !yield(e, err) {
				return
			}
		}
	}
}

// rowsShown is how many rows of the input are named.
const rowsShown = 10

// saySeveral says that a row of the input means more than one user.
func (f *Finder) saySeveral() {
	if len(f.several) == 0 || f.Quiet {
		return
	}
	rows := make([]string, 0, rowsShown)
	for _, row := range f.several[:min(len(f.several), rowsShown)] {
		rows = append(rows, fmt.Sprint(row))
	}
	if len(f.several) > rowsShown {
		rows = append(rows, "and more")
	}
	term.Linef(f.Err, "Several users have the same %s in %s of the input; all of them are meant: %s %s.",
		f.Record.Spec.Match, term.Plural(len(f.several), "row"), map[bool]string{true: "row", false: "rows"}[len(f.several) == 1], strings.Join(rows, ", "))
}
