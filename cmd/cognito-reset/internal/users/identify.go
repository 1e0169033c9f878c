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

	"golang.org/x/text/unicode/norm"
)

// Kinds are the ways in which the names of an input are written.
type kinds map[userpool.Kind]bool

// mixedForms stands among the kinds where accents of addresses are written in both
// of Unicode's forms: two rows may then be one address.
const mixedForms userpool.Kind = "composed and decomposed"

// watch notes them as the rows pass.
func (k kinds) watch(entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		last := userpool.Kind("")
		composed, decomposed := false, false
		for e, err := range entries {
			if err == nil && e.Outcome == "" && e.Sub == "" {
				kind := userpool.KindOf(e.Username)
				if kind != last {
					last, k[kind] = kind, true
				}
				if kind == userpool.Address && !(composed && decomposed) {
					composed = composed || !norm.NFD.IsNormalString(e.Username)
					decomposed = decomposed || !norm.NFC.IsNormalString(e.Username)
					if composed && decomposed {
						k[mixedForms] = true
					}
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// identify finds out which users the rows and those to leave out are, in one pass over
// the pool, and has users compare them with each other and with earlier runs. Rows are
// asked for only if they are an input's own names.
func (f *Finder) identify(ctx context.Context, entries iter.Seq2[batch.Entry, error], users *roster.Selection, named bool, seen kinds) (iter.Seq2[batch.Entry, error], error) {
	r := &f.Record.Spec
	people, err := f.people(ctx, entries, named && f.mustKnow(ctx, seen))
	if err != nil {
		return nil, err
	}
	if len(r.Exclude)+len(r.ExcludeGroups) > 0 {
		users.Exclude = f.whoIsExcluded(people)
	}
	if f.past != nil {
		users.Recent = func(e batch.Entry) bool {
			return f.past.Has(e.Username, e.Sub) || people != nil && people.Recent(e)
		}
	}
	if people == nil {
		return f.underPriorSpelling(entries, users.Fold), nil
	}
	users.MayMean = people.MayMean
	return f.underPriorNames(people, people.Identify(entries)), nil
}

// underPriorNames has users whom the run knows keep the names that it knows them by,
// for its journal has those.
func (f *Finder) underPriorNames(people *userpool.People, entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	if len(f.prior) == 0 {
		return entries
	}
	names := make(map[string]string)
	for e := range people.Identify(each(f.prior)) {
		if e.Sub != "" {
			names[e.Sub] = e.Username
		}
	}
	return func(yield func(batch.Entry, error) bool) {
		for e, err := range entries {
			if name, known := names[e.Sub]; known && e.Outcome == "" {
				e.Username = name
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// underPriorSpelling has users whom the run knows keep the letter case that it knows
// them by. fold is how the pool compares usernames; nil if each letter counts.
func (f *Finder) underPriorSpelling(entries iter.Seq2[batch.Entry, error], fold func(string) string) iter.Seq2[batch.Entry, error] {
	if len(f.prior) == 0 || fold == nil {
		return entries
	}
	names := make(map[string]string, len(f.prior))
	for _, e := range f.prior {
		names[fold(e.Username)] = e.Username
	}
	return func(yield func(batch.Entry, error) bool) {
		for e, err := range entries {
			if name, known := names[fold(e.Username)]; known && err == nil && e.Outcome == "" {
				e.Username = name
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// each yields the entries.
func each(entries []batch.Entry) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// mustKnow reports whether it matters which users an input's names are: they are
// compared with others, or may name one user in two ways.
func (f *Finder) mustKnow(ctx context.Context, seen kinds) bool {
	if f.Record.Spec.Compares() || len(seen) > 1 {
		return true
	}
	if f.pool == nil {
		return false
	}
	settings, err := f.settings(ctx)
	return err == nil && slices.Contains(settings.AliasAttributes, "preferred_username")
}

// people asks the pool whom the names mean that are compared; nil if there are none,
// or nobody can be asked.
func (f *Finder) people(ctx context.Context, entries iter.Seq2[batch.Entry, error], rows bool) (*userpool.People, error) {
	var named []iter.Seq2[batch.Entry, error]
	if len(f.leaveOut) > 0 {
		named = append(named, f.toLeaveOut())
	}
	if rows {
		named = append(named, entries, each(f.prior))
	}
	if f.pool == nil || named == nil {
		return nil, nil
	}
	people, err := f.pool.People(ctx, f.recent(), named...)
	if err == nil || ctx.Err() != nil {
		return people, err
	}
	if _, ok := errors.AsType[*batch.Error](err); !ok {
		return nil, err
	}
	if f.Unnamed = err.Error(); slices.Contains(f.Force, "names") {
		return nil, nil
	}
	return nil, exit.Usagef("names: it is not known which names are one user: %w. Or go on regardless with --force names, which compares them as they are written", CaseUnknown(err))
}

// CaseUnknown is an error with what settles it, where the pool's settings may not be
// read: how names are compared is then not known.
func CaseUnknown(err error) error {
	if Denied(err) && strings.Contains(err.Error(), "cognito-idp:DescribeUserPool") {
		return fmt.Errorf("%w, or say --username-case sensitive or insensitive, as the pool is", err)
	}
	return err
}
