package userpool

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/contact"
	"cognito-reset/batch/internal/names"
)

// People are the users of a pool whom names mean. A name is anything that the pool
// knows of a user: username, sub, e-mail address, phone number or preferred
// username, declared as an alias or not.
type People struct {
	settings Settings
	country  string // of phone numbers that name none
	keep     func(User) Person

	names names.Set // as the pool folds them
	forms names.Set // of the names that have one
	first []int32   // by number of a form, the number of a name; others follow by next
	next  map[int32]int32
	found hits // by number of a name
}

// A Person is a user, and what is kept of them.
type Person struct {
	Sub    string // the identity; the username where the pool gives no sub
	Before *batch.Snapshot
	recent bool // an earlier run has reset them
}

// A place is which of a user's names one is. A call by a name finds the first of
// those who have it, if their place is no later than byAlias.
type place int8

const (
	byUsername place = iota
	bySub
	byAlias  // that the pool signs in with
	byRecord // which the pool knows, but does not sign in with as far as it tells
)

// People finds out whom names mean: one name after another, or by listing the pool
// once, whichever takes fewer calls. Entries that need no call, or that carry a
// sub, name nobody to be found. It holds some 130 bytes a name.
// recent, if it is not nil, reports whether an earlier run has reset a user.
func (p *Pool) People(ctx context.Context, recent func(User) bool, named ...iter.Seq2[batch.Entry, error]) (*People, error) {
	for i, entries := range named {
		named[i] = func(yield func(batch.Entry, error) bool) {
			for e, err := range entries {
				if (err != nil || e.Sub == "") && !yield(e, err) {
					return
				}
			}
		}
	}
	return p.people(ctx, func(u User) Person { return Person{Sub: u.identity(), recent: recent != nil && recent(u)} }, named...)
}

// people does that for entries with a sub as well, and keeps of each user what keep
// makes of them.
func (p *Pool) people(ctx context.Context, keep func(User) Person, named ...iter.Seq2[batch.Entry, error]) (*People, error) {
	settings, err := p.Compared(ctx)
	if err != nil {
		return nil, err
	}
	w := p.nobody(settings, keep)
	whole := split(settings.EstimatedUsers)
	most := settings.EstimatedUsers/pageUsers + len(whole) // calls that a listing takes
	var filters []Filter
	for _, entries := range named {
		for e, err := range entries {
			if err != nil {
				return nil, err
			}
			name := cmp.Or(e.Sub, e.Username)
			if e.Outcome == "" && w.add(name) && len(filters) <= most {
				filters = append(filters, w.lookups(name)...)
			}
		}
	}
	if filters, err = p.cheapest(ctx, filters, whole, most); err != nil {
		return nil, err
	}
	if w.found.last = make([]int64, w.names.Len()); w.names.Len() == 0 {
		return w, nil
	}
	for u, err := range p.list(ctx, filters) {
		if err != nil {
			return nil, err
		}
		for id, place := range w.named(u) {
			w.found.add(id, hit{Person: w.keep(u), place: place})
		}
	}
	return w, nil
}

// nobody are the people of no names.
func (p *Pool) nobody(s Settings, keep func(User) Person) *People {
	return &People{settings: s, country: p.country, keep: keep, next: make(map[int32]int32), names: names.Set{Fold: s.Fold}}
}

// Names are all that the pool knows the user by: the username and, where there are
// such, sub, e-mail address, phone number and preferred username.
func (u User) Names() []string {
	all := []string{u.Username, u.Sub, u.Email, u.Phone, u.PreferredUsername}
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

// identity is what tells the user from every other.
func (u User) identity() string { return cmp.Or(u.Sub, u.Username) }

// add reports whether the name is new.
func (w *People) add(name string) bool {
	id, added := w.names.Add(name)
	if !added {
		return false
	}
	if form := w.form(name); form != "" {
		at, fresh := w.forms.Add(form)
		if fresh {
			w.first = append(w.first, int32(id))
		} else {
			w.next[int32(id)], w.first[at] = w.first[at], int32(id)
		}
	}
	return true
}

// form is the one form of a name that people write in many; "" for a name that is
// none of these.
func (w *People) form(name string) string {
	switch KindOf(name) {
	case Address:
		return contact.Email(name)
	case Sub:
		return strings.ToLower(name)
	}
	if !dialled(name) {
		return ""
	}
	number, err := contact.Phone(name, w.country)
	if err != nil {
		return ""
	}
	return number
}

// The kinds. A user can be named by one of each.
const (
	Plain   Kind = "username"
	Sub     Kind = "sub"
	Address Kind = "email"
	Number  Kind = "phone_number"
)

// lookups are the filters that find everybody whom a name may mean.
func (w *People) lookups(name string) (filters []Filter) {
	add := func(attribute string, values ...string) {
		for _, value := range values {
			f := Filter{Attribute: attribute, Value: value}
			if value != "" && !slices.Contains(filters, f) {
				filters = append(filters, f)
			}
		}
	}
	add("username", name, w.settings.Fold(name))
	form := w.form(name)
	switch kind := KindOf(name); {
	case kind == Sub:
		add("sub", form)
		return filters
	case kind == Address:
		add("email", contact.EmailForms(name)...)
	case form != "":
		add("phone_number", form)
	}
	add("preferred_username", name, w.settings.Fold(name))
	return filters
}

// named yields the numbers of the names that mean a user, with which of the user's
// names each is. A number may come twice.
func (w *People) named(u User) iter.Seq2[int, place] {
	return func(yield func(int, place) bool) {
		for _, n := range []struct {
			name  string
			place place
		}{
			{u.Username, byUsername}, {u.Sub, bySub}, {u.PreferredUsername, w.placeOf("preferred_username", true)},
			{u.Email, w.placeOf("email", u.EmailVerified)}, {u.Phone, w.placeOf("phone_number", u.PhoneVerified)},
		} {
			if n.name == "" {
				continue
			}
			exact, same := w.names.Find(n.name)
			if same && !yield(exact, n.place) {
				return
			}
			at, ok := w.forms.Find(w.form(n.name))
			if !ok || n.place == byUsername {
				continue
			}
			for id, more := w.first[at], true; more; id, more = w.following(id) {
				// A call by another spelling finds nobody, as far as is known.
				if (!same || exact != int(id)) && !yield(int(id), byRecord) {
					return
				}
			}
		}
	}
}

func (w *People) following(id int32) (int32, bool) {
	next, ok := w.next[id]
	return next, ok
}

// placeOf is that of an attribute, by whether the user has it verified.
func (w *People) placeOf(attribute string, verified bool) place {
	switch {
	case slices.Contains(w.settings.UsernameAttributes, attribute), verified && slices.Contains(w.settings.AliasAttributes, attribute):
		return byAlias
	}
	return byRecord
}

// known are those whom a name means.
func (w *People) known(name string) []hit {
	id, ok := w.names.Find(name)
	if !ok {
		return nil
	}
	return w.found.of(id)
}

// Known are all users whom a name means, by whatever the pool knows of them.
func (w *People) Known(name string) (people []Person) {
	for _, k := range w.known(name) {
		people = append(people, k.Person)
	}
	return people
}

// Called is the user whom a call by the name finds: of several, the one whose
// username it is, or else the sub, or an alias that the pool signs in with. A name
// that is none of these is that of the only user who has it; of several, nobody
// can say which.
func (w *People) Called(name string) (found Person, ok bool) {
	first, several := byRecord+1, false
	for _, k := range w.known(name) {
		switch {
		case k.place < first:
			found, first, several = k.Person, k.place, false
		case k.place == first:
			several = true
		}
	}
	return found, first <= byRecord && !several
}

// Identify yields the entries with the sub of the user whom a call finds, where
// that is known. The names must have been asked for by [Pool.People].
func (w *People) Identify(entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for e, err := range entries {
			if err == nil && e.Sub == "" && e.Outcome == "" {
				if person, ok := w.Called(e.Username); ok {
					e.Sub = person.Sub
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// MayMean are the subs of all users whom an entry may mean, where it carries none.
func (w *People) MayMean(e batch.Entry) (subs []string) {
	if e.Sub != "" {
		return nil
	}
	for _, k := range w.known(e.Username) {
		subs = append(subs, k.Sub)
	}
	return subs
}

// Recent reports whether an earlier run has reset the user whom a call for an entry
// finds.
func (w *People) Recent(e batch.Entry) bool {
	person, ok := w.Called(e.Username)
	return ok && person.recent
}
