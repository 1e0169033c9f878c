package users

import (
	"context"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
)

// Count reads the input for its numbers alone.
func (f *Finder) Count(ctx context.Context) error {
	in, err := f.OpenInputs(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	rows, users, err := f.Record.Spec.Choices()
	if err != nil {
		return err
	}
	survey := &f.Record.Found.Roster
	survey.Reasons = make(map[batch.Reason]int64)
	for e, err := range users.Apply(rows.Choose(in.Entries())) {
		if err != nil {
			return err
		}
		if survey.Rows++; e.Outcome == "" {
			if survey.Users++; survey.Users <= firstRows {
				f.firstNames = append(f.firstNames, e.Username)
			}
		} else {
			survey.Reasons[e.Reason]++
		}
	}
	f.notices(in)
	f.Understood = column(in)
	return nil
}

// CheckExcluded finds out for a preflight whom --exclude, --exclude-group and --history
// mean.
func (f *Finder) CheckExcluded(ctx context.Context) (err error) {
	if !f.Record.Spec.Compares() {
		return nil
	}
	if f.leaveOut, err = f.readExcluded(ctx); err != nil {
		return err
	}
	nobody := func(func(batch.Entry, error) bool) {}
	_, err = f.identify(ctx, nobody, new(roster.Selection), false, nil)
	if f.Unnamed != "" { // which is a finding
		return nil
	}
	return err
}

// firstRows is how many rows of an input are looked at to see what kind of names it has.
const firstRows = 100

// FirstNames are the names in the first rows of the input.
func (f *Finder) FirstNames() (names []string, err error) {
	if f.Record.Dir == nil {
		return f.firstNames, nil
	}
	for e, err := range f.Record.Dir.Entries() {
		if err != nil {
			return nil, err
		}
		if e.Outcome != "" {
			continue
		}
		if names = append(names, e.Username); len(names) == firstRows {
			break
		}
	}
	return names, nil
}
