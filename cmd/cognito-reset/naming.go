package main

import (
	"context"
	"fmt"

	"cognito-reset/batch/userpool"
)

// firstRows is how many rows of an input are looked at to see what kind of names it has.
const firstRows = 100

// namesAsked is how many of them the pool is asked for.
const namesAsked = 5

// A naming is how the first rows of an input name users: not by usernames, as it seems.
type naming struct {
	userpool.Naming
	kind userpool.Kind // "" if nothing speaks against usernames
	err  error
}

// lookAtNames asks the pool for some of the first rows' names if most of those look like
// e-mail addresses or phone numbers, and the pool does not sign in by these.
func (s *session) lookAtNames(ctx context.Context, pool userpool.Settings) (n naming) {
	r := s.request
	if r.listed() || r.Match != "" || r.FromReport || r.Sandbox {
		return n
	}
	names, err := s.firstOfInput()
	if err != nil {
		return naming{err: err}
	}
	for _, kind := range []userpool.Kind{userpool.Address, userpool.Number} {
		var few []string
		of := 0
		for _, name := range names {
			if userpool.KindOf(name) != kind {
				continue
			}
			if of++; len(few) < namesAsked {
				few = append(few, name)
			}
		}
		if 2*of <= len(names) || pool.SignsInBy(string(kind)) {
			continue
		}
		n.kind = kind
		n.Naming, n.err = s.pool.Naming(ctx, few)
		return n
	}
	return n
}

// firstOfInput are the names in the first rows.
func (s *session) firstOfInput() (names []string, err error) {
	if s.dir == nil {
		return s.firstNames, nil
	}
	for e, err := range s.dir.Entries() {
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

func (f *surroundings) matchCheck() (level, string) {
	n := f.naming
	what := map[userpool.Kind]string{userpool.Address: "e-mail addresses", userpool.Number: "phone numbers"}[n.kind]
	switch {
	case n.kind == "" || n.Called > 0:
		return fine, ""
	case n.err != nil:
		return warning, fmt.Sprintf("the input looks like %s, and the pool does not sign in by these; whether they are usernames is %s", what, gap(n.err, "cognito-idp:ListUsers"))
	case n.Known > 0:
		return blocker, fmt.Sprintf("the input is a list of %s, by which this pool does not sign in: of the first %d, nobody's username is one, and %d are users' %[1]s. Say --match %[4]s", what, n.Asked, n.Known, n.kind)
	}
	return warning, fmt.Sprintf("the input looks like a list of %s, by which this pool does not sign in; none of the first %d is anybody's", what, n.Asked)
}

// whichList is what to ask where most users are not in the pool.
const whichList = "check that list, column and pool belong together, or say --match email if these are e-mail addresses"

// mostlyMissing reports whether more than half of the users are not in the pool.
func mostlyMissing(missing, of int64) bool { return 2*missing > of }
