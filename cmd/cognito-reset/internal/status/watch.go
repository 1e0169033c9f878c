package status

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// How often a watcher looks. A journal is read whole, so after a look that took long it
// waits for a multiple of that.
const (
	screenEvery = time.Second
	lineEvery   = 10 * time.Second
	patience    = 10
)

// Watch shows on a stream how runs stand until nobody works on any of them, and then how
// they ended. A terminal is drawn again and again; elsewhere each look appends lines with
// the time, for tail -f and a file.
func Watch(ctx context.Context, w *os.File, look func(context.Context) ([]Status, error)) error {
	every, show := lineEvery, appendLines
	if term.Redraws(w) {
		s := new(screen)
		every, show = screenEvery, s.draw
	}
	for {
		began := time.Now()
		all, err := look(ctx)
		if ctx.Err() != nil {
			return left(ctx)
		} else if err != nil {
			return err
		}
		if over(all) {
			return show(w, all, true)
		}
		if err := show(w, all, false); err != nil {
			return err
		}
		select {
		case <-time.After(max(every, patience*time.Since(began))):
		case <-ctx.Done():
			return left(ctx)
		}
	}
}

// left is what a watcher says who goes away.
func left(ctx context.Context) error {
	err := exit.Early(context.Cause(ctx))
	return exit.With(exit.Of(err), fmt.Errorf("%w; the run goes on", err))
}

func over(all []Status) bool {
	for _, st := range all {
		if !st.Over() {
			return false
		}
	}
	return true
}

func appendLines(w *os.File, all []Status, last bool) error {
	for _, st := range all {
		if err := term.Write(w, term.Stamp(time.Now())+" "+st.Line()+"\n"); err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	return Print(w, all...)
}

// Print tells how runs stand, as wide as the terminal, if it is one.
func Print(w *os.File, all ...Status) error {
	return term.Write(w, texts(all, term.Screen(w)))
}

// texts tells how runs stand in so many columns, between words; 0 is any number.
func texts(all []Status, columns int) string {
	var b strings.Builder
	for _, st := range all {
		for line := range strings.Lines(st.Text()) {
			line = strings.TrimSuffix(line, "\n")
			if columns > len(label) && utf8.RuneCountInString(line) > columns && strings.HasSuffix(line[:len(label)], " ") {
				line = line[:len(label)] + strings.Join(term.Wrap(line[len(label):], columns-len(label)), "\n"+label)
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// label is as wide as what leads the lines of a [Status.Text].
const label = "       "

// A screen is what a terminal shows of the last look.
type screen struct{ rows int }

// draw replaces what was drawn before. Several runs take a line each, unless it is the
// last look.
func (s *screen) draw(w *os.File, all []Status, last bool) error {
	text, columns := "", cmp.Or(term.Screen(w), term.Width)
	switch {
	case last || len(all) == 1:
		text = texts(all, columns)
	default:
		for _, st := range all {
			text += strings.Join(term.Wrap(st.Line(), columns), "\n  ") + "\n"
		}
	}
	if !last {
		text += "\nSeen   " + term.Stamp(time.Now()) + "; Ctrl-C leaves the run alone\n"
	}
	if s.rows > 0 {
		if _, err := io.WriteString(w, fmt.Sprintf("\x1b[%dA\r\x1b[J", s.rows)); err != nil {
			return err
		}
	}
	s.rows = 0
	for line := range strings.Lines(text) {
		s.rows += max(1, (utf8.RuneCountInString(strings.TrimRight(line, "\n"))+columns-1)/columns)
	}
	return term.Write(w, text)
}
