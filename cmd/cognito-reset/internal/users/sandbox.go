package users

import (
	"fmt"
	"iter"
	"slices"

	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/pool"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// populate makes users of the pool inside the process: those whom the rows name, and
// those to leave out, for whom there would be nobody. A name that is already a user's,
// such as the address of one, makes no other.
func (f *Finder) populate(made *sandbox.Pool) error {
	var broken error
	names := func(take func(userpool.Kind) bool) iter.Seq[string] {
		return func(yield func(string) bool) {
			for e, err := range f.Record.Dir.Entries() {
				if broken = err; err != nil || e.Outcome == "" && take(userpool.KindOf(e.Username)) && !yield(e.Username) {
					return
				}
			}
			for _, l := range f.leaveOut {
				if take(userpool.KindOf(l.username)) && !yield(l.username) {
					return
				}
			}
		}
	}
	made.Populate(names(func(k userpool.Kind) bool { return k == userpool.Plain }), 0)
	others := names(func(k userpool.Kind) bool { return k != userpool.Plain })
	if made.Len() > 0 {
		var missing []string
		for name := range others {
			if _, found := made.Get(name); !found {
				missing = append(missing, name)
			}
		}
		others = slices.Values(missing)
	}
	made.Populate(others, 0)
	return broken
}

// startSandbox serves a user pool filled from --pool-users, or else from the roster.
func (f *Finder) startSandbox() (err error) {
	s := f.Record.Spec
	f.sandbox, err = pool.Start(s, func(p *sandbox.Pool) error {
		if s.PoolUsers != "" {
			return pool.Load(p, s.PoolUsers)
		}
		return f.populate(p)
	})
	if err == nil && !f.Quiet {
		term.Linef(f.Err, "This is a rehearsal against a sandbox in this process: nobody is reset or mailed.\n%s\n", f.madeOf(f.sandbox.Len()))
	}
	return err
}

// madeOf says whom the sandbox has.
func (f *Finder) madeOf(users int) string {
	of := f.Record.Found.Roster.Users
	if from := f.Record.Spec.PoolUsers; from != "" {
		return fmt.Sprintf("It has the %d users of %s.", users, from)
	}
	if excluded := len(f.leaveOut); excluded > 0 {
		return fmt.Sprintf("It made %d users of the input's %d and the %d to leave out, in a mix of states that a grown pool might have.", users, of, excluded)
	}
	return fmt.Sprintf("It made %d of the %d users, in a mix of states that a grown pool might have.", users, of)
}
