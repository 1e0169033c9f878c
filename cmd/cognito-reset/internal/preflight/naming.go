package preflight

import (
	"context"
	"fmt"

	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// namesAsked is how many of them the pool is asked for.
const namesAsked = 5

// naming is how the first rows of an input name users: not by usernames, as it seems.
type naming struct {
	userpool.Naming
	kind userpool.Kind // "" if nothing speaks against usernames
	err  error
}

// lookAtNames asks the pool for some of the first rows' names if most of those look like
// e-mail addresses or phone numbers, and the pool does not sign in by these.
func lookAtNames(ctx context.Context, pool *userpool.Pool, s spec.Spec, settings userpool.Settings, first func() ([]string, error)) (n naming) {
	if s.Listed() || s.Match != "" || s.FromReport || s.Sandbox {
		return n
	}
	names, err := first()
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
		if 2*of <= len(names) || settings.SignsInBy(string(kind)) {
			continue
		}
		n.kind = kind
		n.Naming, n.err = pool.Naming(ctx, few)
		return n
	}
	return n
}

func (f *facts) matchCheck() (rundir.Level, string) {
	n := f.naming
	what := map[userpool.Kind]string{userpool.Address: "e-mail addresses", userpool.Number: "phone numbers"}[n.kind]
	switch {
	case n.kind == "" || n.Called > 0:
		return rundir.OK, ""
	case n.err != nil:
		return rundir.Warning, fmt.Sprintf("the input looks like %s, and the pool does not sign in by these; whether they are usernames is %s", what, gap(n.err, "cognito-idp:ListUsers"))
	case n.Known > 0:
		return rundir.Blocker, fmt.Sprintf("the input is a list of %s, by which this pool does not sign in: of the first %d, nobody's username is one, and %d are users' %[1]s. Say --match %[4]s", what, n.Asked, n.Known, n.kind)
	}
	return rundir.Warning, fmt.Sprintf("the input looks like a list of %s, by which this pool does not sign in; none of the first %d is anybody's", what, n.Asked)
}

// WhichList is what to ask where most users are not in the pool.
const WhichList = "check that list, column and pool belong together, or say --match email if these are e-mail addresses"

// MostlyMissing reports whether more than half of the users are not in the pool.
func MostlyMissing(missing, of int64) bool { return 2*missing > of }
