// Package sourcetest tests what every source of entries promises, whatever it
// reads.
package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch"
)

// A Source makes entries of usernames in its own way.
type Source struct {
	// Open writes the usernames, one a row, wherever the source reads them,
	// and returns what it then yields. It is given no other rows.
	Open func(t *testing.T, ctx context.Context, usernames []string) (iter.Seq2[batch.Entry, error], error)

	// Place is how the detail of a bad username begins: with the name, line
	// and column that the row, from 1, of so many rows has. Nil for a source
	// that cannot hold a bad username, such as a user pool.
	Place func(row, rows int) string

	// Unordered says that rows may come in any order.
	Unordered bool
}

// many is enough rows that no buffer holds them all.
const many = 8_000

// Test runs the suite. It is a list of cases, and as long as there are.
func Test(t *testing.T, s Source) {
	open := func(t *testing.T, ctx context.Context, usernames []string) iter.Seq2[batch.Entry, error] {
		t.Helper()
		entries, err := s.Open(t, ctx, usernames)
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}

	t.Run("every row comes once, in order and numbered", func(t *testing.T) {
		usernames := users(many)
		var came []string
		for e, err := range open(t, t.Context(), usernames) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Row != int64(len(came)+1) || e.Outcome != "" {
				t.Fatalf("after %d rows: %+v", len(came), e)
			}
			came = append(came, e.Username)
		}
		if s.Unordered {
			slices.Sort(came)
			slices.Sort(usernames)
		}
		if !slices.Equal(came, usernames) {
			t.Errorf("of %d rows came %d, or others", many, len(came))
		}
	})

	t.Run("a bad row names its place and costs no other", func(t *testing.T) {
		if s.Place == nil {
			t.Skip("this source holds no bad usernames")
		}
		const rows = 10
		for _, bad := range []int{1, 2, 7, rows} {
			usernames := users(rows)
			usernames[bad-1] = "al ice"
			n := 0
			for e, err := range open(t, t.Context(), usernames) {
				if n++; err != nil || e.Row != int64(n) {
					t.Fatalf("row %d: %+v, %v", n, e, err)
				}
				if n != bad {
					if e.Username != usernames[n-1] || e.Outcome != "" {
						t.Errorf("row %d: %+v", n, e)
					}
					continue
				}
				if want := s.Place(n, rows) + ": "; e.Outcome != batch.Invalid || e.Reason != batch.MalformedRow || !strings.HasPrefix(e.Detail, want) {
					t.Errorf("row %d: %s, %s, %q; want %s", n, e.Outcome, e.Reason, e.Detail, want)
				}
				if strings.Contains(e.Detail, "ice") {
					t.Errorf("%q names the user", e.Detail)
				}
			}
			if n != rows {
				t.Errorf("%d rows of %d", n, rows)
			}
		}
	})

	t.Run("whoever has enough may stop", func(t *testing.T) {
		for _, enough := range []int{1, 2, 1_000} {
			n := 0
			for _, err := range open(t, t.Context(), users(many)) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == enough {
					break
				}
			}
		}
	})

	t.Run("a cancelled context ends it with its cause", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		cause := errors.New("enough")
		n, last := 0, error(nil)
		for _, err := range open(t, ctx, users(many)) {
			if last != nil {
				t.Fatalf("a row came after %v", last)
			}
			if n++; n == 10 {
				cancel(cause)
			}
			last = err
		}
		if !errors.Is(last, cause) || n > many/2 {
			t.Errorf("%v after %d rows", last, n)
		}
	})
}

func users(n int) []string {
	usernames := make([]string, n)
	for i := range usernames {
		usernames[i] = fmt.Sprintf("user-%d@example.com", i)
	}
	return usernames
}
