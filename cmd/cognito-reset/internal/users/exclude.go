package users

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A leftOut is a user to leave out, and where that is said. There may be a million, so it
// holds nothing else.
type leftOut struct {
	username, sub string
	place         string // such as guards.csv:3; "" for a member of a group
}

// toLeaveOut yields the users to leave out as they were named.
func (f *Finder) toLeaveOut() iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for _, l := range f.leaveOut {
			if !yield(batch.Entry{Username: l.username, Sub: l.sub}, nil) {
				return
			}
		}
	}
}

// readExcluded reads whom --exclude and --exclude-group name. Files are read once,
// for one may be standard input.
func (f *Finder) readExcluded(ctx context.Context) (names []leftOut, err error) {
	r := f.Record.Spec
	for _, file := range r.Exclude {
		if names, err = f.readExcludedFile(ctx, file, names); err != nil {
			return nil, err
		}
	}
	for _, group := range r.ExcludeGroups {
		for u, err := range f.pool.Group(ctx, group) {
			if _, none := errors.AsType[*userpool.GroupError](err); none {
				return nil, exit.Usagef("--exclude-group: %w", err)
			} else if err != nil {
				return nil, err
			}
			names = append(names, leftOut{username: u.Username, sub: u.Sub})
		}
	}
	return names, nil
}

func (f *Finder) readExcludedFile(ctx context.Context, file string, names []leftOut) ([]leftOut, error) {
	r := f.Record.Spec
	in, err := f.openExclude(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("--exclude: %w", err)
	}
	defer in.Close()
	for e, err := range in.Entries() {
		switch {
		case err != nil:
			return nil, fmt.Errorf("--exclude: %w", err)
		case in.InReport() && !f.counts(e):
			continue
		case !in.InReport() && len(r.ExcludeOnly) > 0:
			return nil, exit.Usagef("--exclude-only chooses among the rows of a report, and %s is none", file)
		case e.Outcome == batch.Invalid:
			return nil, fmt.Errorf("--exclude: %w", &roster.InputError{Name: "whom it should spare cannot be said", What: e.Detail})
		}
		names = append(names, leftOut{e.Username, e.Sub, in.Place()})
	}
	if f.notices(in); in.Partial {
		return nil, fmt.Errorf("--exclude: %w", &roster.InputError{Name: spec.Nearby([]string{file})[0], What: "the list of users to leave out is not whole: list all of them"})
	}
	return names, nil
}

// counts reports whether a row of a report is of a user to leave out. One that was
// invalid, or of nobody in the pool, is of nobody.
func (f *Finder) counts(e batch.Entry) bool {
	if len(e.Kept) < 2 {
		return true // a row that is damaged
	}
	outcome, reason := e.Kept[0], e.Kept[1]
	if outcome == string(batch.Invalid) || reason == string(batch.UserNotFound) {
		return false
	}
	only := f.Record.Spec.ExcludeOnly
	return len(only) == 0 || slices.Contains(only, outcome) || slices.Contains(only, reason)
}

// placesShown is how many places of entries that meet nobody are shown.
const placesShown = 5

// whoIsExcluded yields the users to leave out, by sub and as they were named, and
// notes how many entries meet nobody in the pool.
func (f *Finder) whoIsExcluded(people *userpool.People) iter.Seq2[batch.Entry, error] {
	unmet, places := 0, []string(nil)
	for _, l := range f.leaveOut {
		if people == nil || l.sub != "" || len(people.Known(l.username)) > 0 {
			continue
		}
		if unmet++; unmet <= placesShown {
			places = append(places, l.place)
		}
	}
	f.Excluded = rundir.Finding{Name: "exclude", Level: rundir.OK, Text: fmt.Sprintf("%s to leave out", term.Plural(len(f.leaveOut), "name"))}
	if unmet > 0 {
		if unmet > placesShown {
			places = append(places, "and on")
		}
		f.Excluded = rundir.Finding{Name: "exclude", Level: rundir.Blocker, Forced: slices.Contains(f.Force, "exclude"), Text: fmt.Sprintf(
			"%s of %d to leave out %s nobody in the pool: %s", term.Plural(unmet, "name"), len(f.leaveOut), map[bool]string{true: "means", false: "mean"}[unmet == 1], strings.Join(places, ", "))}
	}
	if people == nil {
		return f.toLeaveOut()
	}
	return func(yield func(batch.Entry, error) bool) {
		for e := range f.toLeaveOut() {
			if !yield(e, nil) {
				return
			}
			for _, sub := range people.MayMean(e) {
				if !yield(batch.Entry{Username: e.Username, Sub: sub}, nil) {
					return
				}
			}
		}
	}
}
