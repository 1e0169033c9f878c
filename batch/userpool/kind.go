package userpool

import (
	"context"
	"slices"
	"strings"

	"cognito-reset/batch"
)

// A Kind is what a name looks like.
type Kind string

// KindOf is what a name looks like.
func KindOf(name string) Kind {
	switch {
	case strings.Contains(name, "@"):
		return Address
	case isUUID(name):
		return Sub
	case strings.HasPrefix(name, "+") && dialled(name):
		return Number
	}
	return Plain
}

// dialled reports, at a glance, whether a name may be a phone number.
func dialled(name string) bool {
	return len(name) > 4 && strings.IndexByte("+(0123456789", name[0]) >= 0 && strings.Trim(name, "+0123456789 -.()/") == ""
}

// isUUID counts the digits, for the processor cannot guess which comes next: to compare
// each with what it may be takes seven times as long.
func isUUID(s string) bool {
	if len(s) != len("00000000-0000-0000-0000-000000000000") || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	digits := 0
	for i := range len(s) {
		if isHex[s[i]] {
			digits++
		}
	}
	return digits == len(s)-4
}

// isHex says of a byte whether it is a digit of a hexadecimal number.
var isHex = func() (is [256]bool) {
	for _, digit := range []byte("0123456789abcdefABCDEF") {
		is[digit] = true
	}
	return is
}()

// A Naming is how names of an input are those of users.
type Naming struct {
	Asked  int // names
	Called int // of them, those by which a call finds a user
	Known  int // the others that the pool knows of a user, such as an e-mail address that nobody signs in with
}

// Naming finds out how a few names are those of users.
func (p *Pool) Naming(ctx context.Context, few []string) (n Naming, err error) {
	people, err := p.People(ctx, nil, func(yield func(batch.Entry, error) bool) {
		for _, name := range few {
			if !yield(batch.Entry{Username: name}, nil) {
				return
			}
		}
	})
	if err != nil {
		return n, err
	}
	for _, name := range few {
		n.Asked++
		called, known := false, false
		for _, k := range people.known(name) {
			called, known = called || k.place <= byAlias, true
		}
		if called {
			n.Called++
		} else if known {
			n.Known++
		}
	}
	return n, nil
}

// SignsInBy reports whether an attribute, such as email, names a user of the pool.
func (s Settings) SignsInBy(attribute string) bool { return slices.Contains(s.aliases(), attribute) }
