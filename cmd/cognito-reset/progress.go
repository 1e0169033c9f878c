package main

import (
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"cognito-reset/batch"
)

// A progress shows how a run goes on: as a bar on a terminal, elsewhere as a
// line now and then.
type progress struct {
	stop func(finished bool)
}

// A view is what a progress shows.
type view struct {
	counts batch.Counts
	why    string // what the run waits for
	hidden bool   // a question must stay to be seen
}

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
)

// showProgress shows how a session stands until end is called.
func (s *session) showProgress(ctl *control) progress {
	look := func() view { return view{ctl.tally.Counts(), ctl.live().Why, ctl.asks()} }
	if s.fleet != nil {
		s.fleet.add(look)
		return progress{func(bool) {}}
	}
	return s.show(s.quiet, s.left, look)
}

// show shows what look sees of so many users until end is called.
func (c *command) show(quiet bool, users int64, look func() view) progress {
	if quiet {
		return progress{func(bool) {}}
	}
	every, show, last := lineEvery, c.line(users), func(bool) {}
	if fd := int(c.stderr.Fd()); term.IsTerminal(fd) {
		every = barEvery
		show, last = c.bar(users)
	}
	done := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if now := look(); !now.hidden {
					show(now.counts, now.why)
				}
			case <-done:
				return
			}
		}
	})
	return progress{func(finished bool) {
		close(done)
		shown.Wait()
		show(look().counts, "")
		last(finished)
	}}
}

// end stops the display; finished tells that no user is left.
func (p progress) end(finished bool) { p.stop(finished) }

// doneOf counts the users that are settled.
func doneOf(c batch.Counts) int64 { return c.Rows - c.Outcomes[batch.NotAttempted] }

func (c *command) line(users int64) func(counts batch.Counts, why string) {
	start := time.Now()
	return func(counts batch.Counts, why string) {
		done := doneOf(counts)
		rate := float64(done) / max(time.Since(start).Seconds(), 0.001)
		left := "?"
		if rate > 0 {
			left = (time.Duration(float64(users-done)/rate) * time.Second).String()
		}
		text := fmt.Sprintf("%d of %d users, %.1f/s, %s left, %s", done, users, rate, left, state(counts))
		if why != "" {
			text += ", waits for " + why
		}
		say(c.stderr, "%s", text)
	}
}

// state is the part of a progress line that tells how it goes.
func state(c batch.Counts) string {
	text := fmt.Sprintf("%d reset", c.Outcomes[batch.Reset])
	for _, o := range []batch.Outcome{batch.Locked, batch.UserDisabled, batch.Invited, batch.Failed, batch.Unknown} {
		if n := c.Outcomes[o]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, o)
		}
	}
	if c.Throttled > 0 {
		text += fmt.Sprintf(", %d throttled", c.Throttled)
	}
	return text
}

// The columns that a terminal must have to show more than the bar and counts.
const (
	columnsForCount = 80
	columnsForSpeed = 110
	columnsForBar   = 26 // the least of them
)

func (c *command) bar(users int64) (show func(counts batch.Counts, why string), last func(bool)) {
	columns, _, _ := term.GetSize(int(c.stderr.Fd()))
	options := []progressbar.Option{
		progressbar.OptionSetWriter(c.stderr),
		progressbar.OptionFullWidth(),
		progressbar.OptionSetPredictTime(true),
	}
	if columns >= columnsForCount {
		options = append(options, progressbar.OptionShowCount())
	}
	if columns >= columnsForSpeed {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString("users"))
	}
	bar := progressbar.NewOptions64(users, options...)
	show = func(counts batch.Counts, why string) {
		text := state(counts)
		if why != "" {
			text += " [" + why + "]"
		}
		// Beside the bar, its percentage and its times there must be one line.
		if room := max(columns-columnsForBar, 10); utf8.RuneCountInString(text) > room {
			text = string([]rune(text)[:room-1]) + "…"
		}
		bar.Describe(text)
		bar.Set64(doneOf(counts))
	}
	return show, func(finished bool) {
		if finished {
			bar.Finish()
		} else {
			bar.Exit() // Finish would show what is not so
		}
		say(c.stderr, "")
	}
}
