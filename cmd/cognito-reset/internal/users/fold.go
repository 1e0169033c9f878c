package users

import (
	"context"
	"errors"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// fold is how the pool compares usernames. Where that is not known, and names of the
// input differ in their case alone, it is an error: they may be one user.
func (f *Finder) fold(ctx context.Context, named bool) (func(string) string, error) {
	fold, err := f.knownFold(ctx)
	if err == nil || f.pool == nil || !named {
		return fold, nil
	}
	pairs, broken := roster.CasePairs(func(yield func(batch.Entry, error) bool) {
		for e, err := range f.Record.Dir.Entries() {
			if !yield(e, err) {
				return
			}
		}
		for e, err := range each(f.prior) { // those of a run whose input has changed since
			if !yield(e, err) {
				return
			}
		}
	})
	if broken != nil || pairs == 0 {
		return nil, broken
	}
	settings, err := f.pool.Compared(ctx) // once more, for that may have passed
	if err == nil || ctx.Err() != nil {
		return settings.Fold, err
	}
	return nil, exit.Usagef("%s in the input in several spellings that differ in letter case alone, and whether the pool takes them for one user is not known: %w, or say --username-case sensitive if they are two users, --username-case insensitive if they are one",
		map[bool]string{true: "one name stands", false: term.Plural(pairs, "name") + " stand"}[pairs == 1], err)
}

// errCase is that nobody tells whether letter case counts.
var errCase = errors.New("it is not known whether letter case counts")

// knownFold is how usernames are compared, by the pool or else by --username-case.
func (f *Finder) knownFold(ctx context.Context) (func(string) string, error) {
	told := f.Record.Spec.UsernameCase
	if f.pool != nil {
		if settings, err := f.settings(ctx); err == nil {
			if told != "" && (told == userpool.CaseSensitive) != settings.CaseSensitive {
				f.Log.Warn("the pool itself tells whether letter case counts in it, so --username-case is not heeded", "case_sensitive", settings.CaseSensitive)
			}
			return settings.Fold, nil
		}
	}
	switch told {
	case userpool.CaseSensitive:
		return nil, nil
	case userpool.CaseInsensitive:
		return userpool.Settings{}.Fold, nil
	}
	return nil, errCase
}
