package userpool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/names"
)

// MatchAttributes are the attributes that [Pool.Match] finds users by.
var MatchAttributes = []string{"username", "email", "phone_number", "sub", "preferred_username"}

// AnyName, in place of an attribute, stands for whatever names a user in a call:
// the username, the sub, and the aliases that the pool signs in with, if the
// user has them verified.
const AnyName = ""

// errOnce is what becomes of values that can be read only once.
var errOnce = errors.New("match: the values were not the same when they were read again")

// Match yields, for every entry whose Username is a value of the attribute, the
// users who have it, in the order of their usernames: all of them, for an e-mail
// address may be several users'. Letter case counts as it does in the pool.
// Rows are numbered anew; InputRow is the row of the value. Users whom s would
// skip or does not mean are skipped, and a value that nobody has failed. Entries
// that need no call come through as they are.
//
// Values are read twice, so they must be an iterator that can be, such as a
// roster spooled in the run's directory; in between, they and the usernames
// found are all that is in memory. Users are looked up one value after another
// or by listing the pool once, whichever takes fewer calls.
//
// An error is the last thing it yields.
func (p *Pool) Match(ctx context.Context, attribute string, s Selection, values iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		if attribute != AnyName && !slices.Contains(MatchAttributes, attribute) {
			yield(batch.Entry{}, fmt.Errorf("users cannot be found by %q; they can by %s", attribute, strings.Join(MatchAttributes, ", ")))
			return
		}
		m := matcher{attribute: attribute, selection: s}
		err := m.prepare(ctx, p, values)
		if err == nil {
			err = m.find(p.list(ctx, m.filters))
		}
		if err != nil {
			yield(batch.Entry{}, err)
			return
		}
		m.entries(values)(yield)
	}
}

// A matcher joins values and users.
type matcher struct {
	attribute string
	selection Selection
	settings  Settings

	filters []Filter // that find every user who may have a value
	rows    int64    // of values
	values  names.Set
	hits    [][]hit // by number of the value
}

// A hit is a user who has a value.
type hit struct {
	username string
	skip     batch.Reason // "" if the user is to be worked on
}

// prepare reads the values, and decides how to find the users.
func (m *matcher) prepare(ctx context.Context, p *Pool, values iter.Seq2[batch.Entry, error]) (err error) {
	if m.settings, err = ask(ctx, p.lists, p.describe); err != nil {
		return p.listError(ctx, "DescribeUserPool", err)
	}
	whole := split(m.settings.EstimatedUsers)
	most := m.settings.EstimatedUsers/pageUsers + len(whole) // calls that it takes
	m.values.Fold = m.settings.Fold
	for e, err := range values {
		if err != nil {
			return err
		}
		m.rows++
		if e.Outcome != "" {
			continue
		}
		if _, added := m.values.Add(e.Username); added && len(m.filters) <= most {
			m.filters = append(m.filters, m.lookups(e.Username)...)
		}
	}
	if len(m.filters) > most || slices.ContainsFunc(m.filters, tooLong) {
		m.filters = whole
	}
	m.hits = make([][]hit, m.values.Len())
	return nil
}

func tooLong(f Filter) bool { return utf8.RuneCountInString(f.String()) > maxFilter }

// lookups are the filters that find who has a value. Where case does not count
// the service keeps values in lower case, or as they were given: which one, it
// does not say.
func (m *matcher) lookups(value string) (filters []Filter) {
	attributes := []string{m.attribute}
	if m.attribute == AnyName {
		attributes = append([]string{"username", "sub"}, m.settings.aliases()...)
	}
	for _, a := range attributes {
		filters = append(filters, Filter{Attribute: a, Value: value})
		if folded := m.settings.Fold(value); folded != value {
			filters = append(filters, Filter{Attribute: a, Value: folded})
		}
	}
	return filters
}

// find keeps of the users those who have a value.
func (m *matcher) find(users iter.Seq2[User, error]) error {
	for u, err := range users {
		if err != nil {
			return err
		}
		for _, value := range m.valuesOf(u) {
			id, ok := m.values.Find(value)
			if ok && !slices.ContainsFunc(m.hits[id], func(h hit) bool { return h.username == u.Username }) {
				m.hits[id] = append(m.hits[id], hit{u.Username, m.selection.skips(u)})
			}
		}
	}
	for _, hits := range m.hits {
		slices.SortFunc(hits, func(a, b hit) int { return strings.Compare(a.username, b.username) })
	}
	return nil
}

// valuesOf is what a user can be found by. No value of the input is "".
func (m *matcher) valuesOf(u User) []string {
	if m.attribute != AnyName {
		return []string{u.value(m.attribute)}
	}
	return m.settings.names(u)
}

// entries yields the rows of the values' users.
func (m *matcher) entries(values iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		var row, read int64
		for e, err := range values {
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
			read++
			matched, ok := m.matched(e)
			if !ok {
				yield(batch.Entry{}, errOnce)
				return
			}
			for _, found := range matched {
				row++
				found.Row, found.InputRow = row, e.Row
				if !yield(found, nil) {
					return
				}
			}
		}
		if read != m.rows {
			yield(batch.Entry{}, errOnce)
		}
	}
}

// matched is the rows that a row of the values becomes. It reports false for a
// value that was not there before.
func (m *matcher) matched(e batch.Entry) ([]batch.Entry, bool) {
	if e.Outcome != "" {
		return []batch.Entry{e}, true
	}
	id, ok := m.values.Find(e.Username)
	if !ok {
		return nil, false
	}
	if len(m.hits[id]) == 0 {
		e.Outcome, e.Reason, e.Detail = batch.Failed, batch.UserNotFound, "nobody in the user pool goes by this name"
		if m.attribute != AnyName {
			e.Detail = "nobody in the user pool has this " + m.attribute
		}
		return []batch.Entry{e}, true
	}
	found := make([]batch.Entry, len(m.hits[id]))
	for i, h := range m.hits[id] {
		found[i] = passOver(e, h.skip)
		found[i].Username = h.username
	}
	return found, true
}

// aliases are the attributes that name a user beside username and sub.
func (s Settings) aliases() []string { return slices.Concat(s.AliasAttributes, s.UsernameAttributes) }

// names are what the pool knows a user by; one may be "".
func (s Settings) names(u User) []string {
	found := []string{u.Username, u.Sub}
	for _, alias := range s.aliases() {
		unverified := alias == "email" && !u.EmailVerified || alias == "phone_number" && !u.PhoneVerified
		if !unverified || slices.Contains(s.UsernameAttributes, alias) {
			found = append(found, u.value(alias))
		}
	}
	return found
}

// value is the user's value of one of MatchAttributes.
func (u User) value(attribute string) string {
	switch attribute {
	case "username":
		return u.Username
	case "email":
		return u.Email
	case "phone_number":
		return u.Phone
	case "sub":
		return u.Sub
	case "preferred_username":
		return u.PreferredUsername
	}
	return ""
}
