package userpool

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/names"
)

// errOnce is what becomes of values that can be read only once.
var errOnce = errors.New("match: the values were not the same when they were read again")

// join yields every entry with the users who have its Username as a value of
// the attribute, in the order of their usernames, and what keep keeps of each.
// Entries that need no call have no users, and neither have those whose user is
// known from Before.
//
// Values are read twice; in between, they and what is kept are all that is in
// memory. An error is the last thing it yields.
func (p *Pool) join(ctx context.Context, attribute string, keep func(User) hit, values iter.Seq2[batch.Entry, error]) iter.Seq2[joined, error] {
	return func(yield func(joined, error) bool) {
		m := matcher{attribute: attribute, keep: keep}
		err := m.prepare(ctx, p, values)
		if err == nil {
			err = m.find(p.list(ctx, m.filters))
		}
		if err != nil {
			yield(joined{}, err)
			return
		}
		m.entries(values)(yield)
	}
}

// A joined is an entry with the users who have its value. Their place is that of the
// value among the user's names; 0 is the username.
type joined struct {
	batch.Entry
	users []hit
}

// named is the user whom a call would find by the value: of several, the one
// whose username it is, or else the sub.
func (j joined) named() (user hit, ok bool) {
	if len(j.users) == 0 {
		return user, false
	}
	return slices.MinFunc(j.users, func(x, y hit) int { return cmp.Compare(x.place, y.place) }), true
}

// A matcher joins values and users.
type matcher struct {
	attribute string
	keep      func(User) hit
	settings  Settings

	filters []Filter // that find every user who may have a value
	rows    int64    // of values
	values  names.Set
	hits    hits
}

// prepare reads the values, and decides how to find the users: one value after
// another, or by listing the pool once, whichever takes fewer calls.
func (m *matcher) prepare(ctx context.Context, p *Pool, values iter.Seq2[batch.Entry, error]) (err error) {
	if m.settings, err = p.Compared(ctx); err != nil {
		return err
	}
	whole := split(m.settings.EstimatedUsers)
	most := m.settings.EstimatedUsers/pageUsers + len(whole) // calls that it takes
	m.values.Fold = m.settings.form(m.attribute)
	for e, err := range values {
		if err != nil {
			return err
		}
		m.rows++
		if known(e) {
			continue
		}
		if _, added := m.values.Add(e.Username); added && len(m.filters) <= most {
			m.filters = append(m.filters, m.settings.lookups(m.attribute, e.Username)...)
		}
	}
	if m.filters, err = p.cheapest(ctx, m.filters, whole, most); err != nil {
		return err
	}
	m.hits.last = make([]int64, m.values.Len())
	return nil
}

func known(e batch.Entry) bool { return e.Outcome != "" || e.Before != nil }

func tooLong(f Filter) bool { return utf8.RuneCountInString(f.String()) > maxFilter }

// lookups are the filters that find who has a value, the likeliest first.
func (s Settings) lookups(attribute, value string) (filters []Filter) {
	attributes := []string{attribute}
	if attribute == AnyName {
		attributes = slices.DeleteFunc(append([]string{"username", "sub"}, s.aliases()...), func(a string) bool { return !mayHave(a, value) })
	}
	for _, a := range attributes {
		for _, spelling := range s.spellings(a, value) {
			filters = append(filters, Filter{Attribute: a, Value: spelling})
		}
	}
	return filters
}

// mayHave reports whether a value has the form that Cognito demands of an attribute.
func mayHave(attribute, value string) bool {
	switch attribute {
	case "sub":
		return len(value) == len("00000000-0000-0000-0000-000000000000") && strings.Count(value, "-") == 4
	case "email":
		return strings.Contains(value, "@")
	case "phone_number":
		return strings.HasPrefix(value, "+")
	}
	return true
}

// find keeps of the users those who have a value.
func (m *matcher) find(users iter.Seq2[User, error]) error {
	for u, err := range users {
		if err != nil {
			return err
		}
		for at, value := range m.valuesOf(u) {
			if id, ok := m.values.Find(value); ok {
				found := m.keep(u)
				found.username, found.place = u.Username, place(at)
				m.hits.add(id, found)
			}
		}
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

// entries yields the values with their users.
func (m *matcher) entries(values iter.Seq2[batch.Entry, error]) iter.Seq2[joined, error] {
	return func(yield func(joined, error) bool) {
		read := int64(0)
		for e, err := range values {
			found := joined{Entry: e}
			if read++; err == nil && !known(e) {
				id, ok := m.values.Find(e.Username)
				if !ok {
					yield(joined{}, errOnce)
					return
				}
				found.users = m.hits.of(id)
			}
			if !yield(found, err) || err != nil {
				return
			}
		}
		if read != m.rows {
			yield(joined{}, errOnce)
		}
	}
}
