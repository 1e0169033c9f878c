package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// spool writes the roster into the run directory: who is meant, each of them once.
// in is nil where the pool's own users are meant. Where the pool is asked, the rows
// are copied there first, for they are read more than once.
func (s *session) spool(ctx context.Context, in *roster.Inputs) (err error) {
	r := &s.request
	r.Notices = nil
	rows, users, err := r.choices()
	if err != nil {
		return err
	}
	if s.leaveOut, err = s.readExcluded(ctx); err != nil {
		return err
	}
	if s.past, err = s.recentlyReset(ctx); err != nil {
		return err
	}
	seen := make(kinds)
	for _, e := range s.prior {
		seen[userpool.KindOf(e.Username)] = true
	}
	var entries iter.Seq2[batch.Entry, error]
	switch asks := s.pool != nil || r.Sandbox && s.live; {
	case in == nil:
		entries = s.listing(ctx)
	case asks && r.Match != "": // each value once
		entries, err = s.copied(ctx, rows.Apply(in.Entries()))
	case asks:
		entries, err = s.copied(ctx, seen.watch(rows.Choose(in.Entries())))
	default:
		entries = seen.watch(rows.Choose(in.Entries()))
	}
	if err != nil {
		return err
	}
	if users.Fold, err = s.fold(ctx, in != nil && r.Match == ""); err != nil {
		return err
	}
	if entries, err = s.identify(ctx, entries, &users, in != nil && r.Match == "", seen); err != nil {
		return err
	}
	if s.excluded.Level == blocker && !s.excluded.Forced {
		return usagef("exclude: %s. Correct that, or go on regardless with --force exclude", s.excluded.Text)
	}
	if r.Roster, err = s.dir.Spool(inOrder(r.Shard.Entries(users.Apply(entries)))); err != nil {
		return err
	}
	s.saySeveral()
	if in != nil {
		r.Read, r.InputSHA256 = in.Sources(), in.SHA256()
		s.notices(in)
	}
	if s.pool == nil && !s.quiet && (r.compares() || len(seen) > 1) {
		say(s.stderr, "Offline, names are compared as they are written: whoever is named in another way is not recognised.")
	}
	return nil
}

// copied are the rows from their copy in the run directory. A pool inside the
// process is made of them.
func (s *session) copied(ctx context.Context, rows iter.Seq2[batch.Entry, error]) (_ iter.Seq2[batch.Entry, error], err error) {
	r := &s.request
	if r.Roster, err = s.dir.Spool(inOrder(rows)); err != nil {
		return nil, err
	}
	if s.pool == nil {
		if err := s.connect(ctx); err != nil {
			return nil, usagef("%w", err)
		}
	}
	if r.Match != "" {
		return s.noteSeveral(s.pool.Match(ctx, r.Match, s.selection(), s.dir.Entries())), nil
	}
	return s.dir.Entries(), nil
}

// compares reports whether the users are compared with others.
func (src *source) compares() bool {
	return len(src.Exclude)+len(src.ExcludeGroups)+len(src.History) > 0
}

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
func (s *session) identify(ctx context.Context, entries iter.Seq2[batch.Entry, error], users *roster.Selection, named bool, seen kinds) (iter.Seq2[batch.Entry, error], error) {
	r := &s.request
	people, err := s.people(ctx, entries, named && s.mustKnow(ctx, seen))
	if err != nil {
		return nil, err
	}
	if len(r.Exclude)+len(r.ExcludeGroups) > 0 {
		users.Exclude = s.whoIsExcluded(people)
	}
	if s.past != nil {
		users.Recent = func(e batch.Entry) bool {
			return s.past.Has(e.Username, e.Sub) || people != nil && people.Recent(e)
		}
	}
	if people == nil {
		return s.underPriorSpelling(entries, users.Fold), nil
	}
	users.MayMean = people.MayMean
	return s.underPriorNames(people, people.Identify(entries)), nil
}

// underPriorNames has users whom the run knows keep the names that it knows them by,
// for its journal has those.
func (s *session) underPriorNames(people *userpool.People, entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	if len(s.prior) == 0 {
		return entries
	}
	names := make(map[string]string)
	for e := range people.Identify(each(s.prior)) {
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
func (s *session) underPriorSpelling(entries iter.Seq2[batch.Entry, error], fold func(string) string) iter.Seq2[batch.Entry, error] {
	if len(s.prior) == 0 || fold == nil {
		return entries
	}
	names := make(map[string]string, len(s.prior))
	for _, e := range s.prior {
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
func (s *session) mustKnow(ctx context.Context, seen kinds) bool {
	if s.request.compares() || len(seen) > 1 {
		return true
	}
	if s.pool == nil {
		return false
	}
	settings, err := s.settings(ctx)
	return err == nil && slices.Contains(settings.AliasAttributes, "preferred_username")
}

// people asks the pool whom the names mean that are compared; nil if there are none,
// or nobody can be asked.
func (s *session) people(ctx context.Context, entries iter.Seq2[batch.Entry, error], rows bool) (*userpool.People, error) {
	var named []iter.Seq2[batch.Entry, error]
	if len(s.leaveOut) > 0 {
		named = append(named, func(yield func(batch.Entry, error) bool) {
			for _, l := range s.leaveOut {
				if !yield(l.Entry, nil) {
					return
				}
			}
		})
	}
	if rows {
		named = append(named, entries, each(s.prior))
	}
	if s.pool == nil || named == nil {
		return nil, nil
	}
	people, err := s.pool.People(ctx, s.recent(), named...)
	if err == nil || ctx.Err() != nil {
		return people, err
	}
	if _, ok := errors.AsType[*batch.Error](err); !ok {
		return nil, err
	}
	if s.unnamed = err.Error(); slices.Contains(s.force, "names") {
		return nil, nil
	}
	return nil, usagef("names: it is not known which names are one user: %w. Or go on regardless with --force names, which compares them as they are written", caseUnknown(err))
}

// denied reports whether a permission is missing.
func denied(err error) bool {
	answer, ok := errors.AsType[*batch.Error](err)
	return ok && answer.Reason == batch.AccessDenied
}

// caseUnknown is an error with what settles it, where the pool's settings may not be
// read: how names are compared is then not known.
func caseUnknown(err error) error {
	if denied(err) && strings.Contains(err.Error(), "cognito-idp:DescribeUserPool") {
		return fmt.Errorf("%w, or say --username-case sensitive or insensitive, as the pool is", err)
	}
	return err
}

// checkExcluded finds out for a preflight whom --exclude, --exclude-group and --history
// mean.
func (s *session) checkExcluded(ctx context.Context) (err error) {
	if !s.request.compares() {
		return nil
	}
	if s.leaveOut, err = s.readExcluded(ctx); err != nil {
		return err
	}
	nobody := func(func(batch.Entry, error) bool) {}
	_, err = s.identify(ctx, nobody, new(roster.Selection), false, nil)
	if s.unnamed != "" { // which is a finding
		return nil
	}
	return err
}

// A leftOut is a user to leave out, and where that is said.
type leftOut struct {
	batch.Entry
	place string // such as guards.csv:3; "" for a member of a group
}

// readExcluded reads whom --exclude and --exclude-group name. Files are read once,
// for one may be standard input.
func (s *session) readExcluded(ctx context.Context) (names []leftOut, err error) {
	r := s.request
	for _, file := range r.Exclude {
		if names, err = s.readExcludedFile(ctx, file, names); err != nil {
			return nil, err
		}
	}
	for _, group := range r.ExcludeGroups {
		for u, err := range s.pool.Group(ctx, group) {
			if _, none := errors.AsType[*userpool.GroupError](err); none {
				return nil, usagef("--exclude-group: %w", err)
			} else if err != nil {
				return nil, err
			}
			names = append(names, leftOut{Entry: batch.Entry{Username: u.Username, Sub: u.Sub}})
		}
	}
	return names, nil
}

func (s *session) readExcludedFile(ctx context.Context, file string, names []leftOut) ([]leftOut, error) {
	r := s.request
	in, err := s.openExclude(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("--exclude: %w", err)
	}
	defer in.Close()
	for e, err := range in.Entries() {
		switch {
		case err != nil:
			return nil, fmt.Errorf("--exclude: %w", err)
		case in.InReport() && !s.counts(e):
			continue
		case !in.InReport() && len(r.ExcludeOnly) > 0:
			return nil, usagef("--exclude-only chooses among the rows of a report, and %s is none", file)
		case e.Outcome == batch.Invalid:
			return nil, fmt.Errorf("--exclude: %w", &roster.InputError{Name: "whom it should spare cannot be said", What: e.Detail})
		}
		e.Kept, e.ClientMetadata = nil, nil
		names = append(names, leftOut{e, in.Place()})
	}
	if s.notices(in); in.Partial {
		return nil, fmt.Errorf("--exclude: %w", &roster.InputError{Name: nearby([]string{file})[0], What: "the list of users to leave out is not whole: list all of them"})
	}
	return names, nil
}

// counts reports whether a row of a report is of a user to leave out. One that was
// invalid, or of nobody in the pool, is of nobody.
func (s *session) counts(e batch.Entry) bool {
	if len(e.Kept) < 2 {
		return true // a row that is damaged
	}
	outcome, reason := e.Kept[0], e.Kept[1]
	if outcome == string(batch.Invalid) || reason == string(batch.UserNotFound) {
		return false
	}
	only := s.request.ExcludeOnly
	return len(only) == 0 || slices.Contains(only, outcome) || slices.Contains(only, reason)
}

// placesShown is how many places of entries that meet nobody are shown.
const placesShown = 5

// whoIsExcluded yields the users to leave out, by sub and as they were named, and
// notes how many entries meet nobody in the pool.
func (s *session) whoIsExcluded(people *userpool.People) iter.Seq2[batch.Entry, error] {
	found := make([]batch.Entry, 0, len(s.leaveOut))
	unmet, places := 0, []string(nil)
	for _, l := range s.leaveOut {
		found = append(found, l.Entry)
		if people == nil || l.Sub != "" {
			continue
		}
		known := people.Known(l.Username)
		for _, u := range known {
			found = append(found, batch.Entry{Username: l.Username, Sub: u.Sub})
		}
		if len(known) == 0 {
			if unmet++; unmet <= placesShown {
				places = append(places, l.place)
			}
		}
	}
	s.excluded = check{Name: "exclude", Level: fine, Text: fmt.Sprintf("%s to leave out", plural(len(s.leaveOut), "name"))}
	if unmet > 0 {
		if unmet > placesShown {
			places = append(places, "and on")
		}
		s.excluded = check{Name: "exclude", Level: blocker, Forced: slices.Contains(s.force, "exclude"), Text: fmt.Sprintf(
			"%s of %d to leave out %s nobody in the pool: %s", plural(unmet, "name"), len(s.leaveOut), map[bool]string{true: "means", false: "mean"}[unmet == 1], strings.Join(places, ", "))}
	}
	return each(found)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return comma(n) + " " + noun + "s"
}

// fold is how the pool compares usernames. Where that is not known, and names of the
// input differ in their case alone, it is an error: they may be one user.
func (s *session) fold(ctx context.Context, named bool) (func(string) string, error) {
	fold, err := s.knownFold(ctx)
	if err == nil || s.pool == nil || !named {
		return fold, nil
	}
	pairs, broken := roster.CasePairs(func(yield func(batch.Entry, error) bool) {
		for e, err := range s.dir.Entries() {
			if !yield(e, err) {
				return
			}
		}
		for e, err := range each(s.prior) { // those of a run whose input has changed since
			if !yield(e, err) {
				return
			}
		}
	})
	if broken != nil || pairs == 0 {
		return nil, broken
	}
	settings, err := s.pool.Compared(ctx) // once more, for that may have passed
	if err == nil || ctx.Err() != nil {
		return settings.Fold, err
	}
	return nil, usagef("%s in the input in several spellings that differ in letter case alone, and whether the pool takes them for one user is not known: %w, or say --username-case sensitive if they are two users, --username-case insensitive if they are one",
		map[bool]string{true: "one name stands", false: plural(pairs, "name") + " stand"}[pairs == 1], err)
}

// errCase is that nobody tells whether letter case counts.
var errCase = errors.New("it is not known whether letter case counts")

// knownFold is how usernames are compared, by the pool or else by --username-case.
func (s *session) knownFold(ctx context.Context) (func(string) string, error) {
	told := s.request.UsernameCase
	if s.pool != nil {
		if settings, err := s.settings(ctx); err == nil {
			if told != "" && (told == userpool.CaseSensitive) != settings.CaseSensitive {
				s.log.Warn("the pool itself tells whether letter case counts in it, so --username-case is not heeded", "case_sensitive", settings.CaseSensitive)
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

// settings are the pool's. They are asked for until they are known: what fails once
// may pass.
func (s *session) settings(ctx context.Context) (userpool.Settings, error) {
	if s.described != nil {
		return *s.described, nil
	}
	settings, err := s.pool.Settings(ctx)
	if err == nil {
		s.described = &settings
	}
	return settings, err
}

// populate makes users of the pool inside the process: those whom the rows name, and
// those to leave out, for whom there would be nobody. A name that is already a user's,
// such as the address of one, makes no other.
func (s *session) populate(pool *sandbox.Pool) error {
	var broken error
	names := func(take func(userpool.Kind) bool) iter.Seq[string] {
		return func(yield func(string) bool) {
			for e, err := range s.dir.Entries() {
				if broken = err; err != nil || e.Outcome == "" && take(userpool.KindOf(e.Username)) && !yield(e.Username) {
					return
				}
			}
			for _, l := range s.leaveOut {
				if take(userpool.KindOf(l.Username)) && !yield(l.Username) {
					return
				}
			}
		}
	}
	pool.Populate(names(func(k userpool.Kind) bool { return k == userpool.Plain }), 0)
	others := names(func(k userpool.Kind) bool { return k != userpool.Plain })
	if pool.Len() > 0 {
		var missing []string
		for name := range others {
			if _, found := pool.Get(name); !found {
				missing = append(missing, name)
			}
		}
		others = slices.Values(missing)
	}
	pool.Populate(others, 0)
	return broken
}
