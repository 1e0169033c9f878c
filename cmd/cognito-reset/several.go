package main

import (
	"fmt"
	"iter"
	"strings"

	"cognito-reset/batch"
)

// noteSeveral notes the rows of the input whose value several users have.
func (s *session) noteSeveral(matched iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		s.several = nil
		last := int64(0)
		for e, err := range matched {
			if err == nil && e.InputRow == last && (len(s.several) == 0 || s.several[len(s.several)-1] != last) {
				s.several = append(s.several, last)
			}
			last = e.InputRow
			if !yield(e, err) {
				return
			}
		}
	}
}

// rowsShown is how many rows of the input are named.
const rowsShown = 10

// saySeveral says that a row of the input means more than one user.
func (s *session) saySeveral() {
	if len(s.several) == 0 || s.quiet {
		return
	}
	rows := make([]string, 0, rowsShown)
	for _, row := range s.several[:min(len(s.several), rowsShown)] {
		rows = append(rows, fmt.Sprint(row))
	}
	if len(s.several) > rowsShown {
		rows = append(rows, "and more")
	}
	say(s.stderr, "Several users have the same %s in %s of the input; all of them are meant: %s %s.",
		s.request.Match, plural(len(s.several), "row"), map[bool]string{true: "row", false: "rows"}[len(s.several) == 1], strings.Join(rows, ", "))
}
