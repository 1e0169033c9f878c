package term

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A Progress shows how a run goes on: as a bar on a terminal, elsewhere as a
// line now and then.
type Progress struct{ end func(finished bool) }

// A View is what a Progress shows at one moment.
type View struct {
	Done   int64  // users of the total
	State  string // how they fared
	Why    string // what the run waits for
	Ahead  string // what is to come; "" if nothing tells
	Hidden bool   // a question must stay to be seen

	Attrs []slog.Attr // the same for programs, and what has no place in a line
}

// fit is the view in so many columns. What is to come is left out first.
func (v View) fit(columns int) string {
	why := ""
	if v.Why != "" {
		why = " [" + v.Why + "]"
	}
	text := v.State + why
	if full := v.State + ", " + v.Ahead + why; v.Ahead != "" && utf8.RuneCountInString(full) <= columns {
		return full
	}
	if utf8.RuneCountInString(text) > columns {
		text = string([]rune(text)[:columns-1]) + "…"
	}
	return text
}

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
)

// NoProgress shows nothing.
func NoProgress() Progress { return Progress{func(bool) {}} }

// Show shows what look sees of so many users on a stream until End is called: for
// programs, in a log, if there is one.
func Show(w *os.File, log *slog.Logger, users int64, look func() View) Progress {
	every, show, last := lineEvery, lines(w, users), func(bool) {}
	switch {
	case log != nil:
		show = records(log, users)
	case IsTerminal(w):
		every = barEvery
		show, last = bar(w, users)
	}
	done := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if now := look(); !now.Hidden {
					show(now)
				}
			case <-done:
				return
			}
		}
	})
	return Progress{func(finished bool) {
		close(done)
		shown.Wait()
		now := look()
		now.Why, now.Ahead = "", ""
		show(now)
		last(finished)
	}}
}

// End stops the display. finished says that no user is left.
func (p Progress) End(finished bool) { p.end(finished) }

// records writes progress into a log.
func records(log *slog.Logger, users int64) func(View) {
	start := time.Now()
	return func(v View) {
		attrs := append([]slog.Attr{
			slog.Int64("done", v.Done), slog.Int64("total", users), slog.Float64("users_per_second", math.Round(10*perSecond(v.Done, start))/10),
		}, v.Attrs...)
		if v.Why != "" {
			attrs = append(attrs, slog.String("waits_for", v.Why))
		}
		log.LogAttrs(context.Background(), slog.LevelInfo, "progress", attrs...)
	}
}

func perSecond(done int64, since time.Time) float64 {
	return float64(done) / max(time.Since(since).Seconds(), 0.001)
}

func lines(w *os.File, users int64) func(View) {
	start := time.Now()
	return func(v View) {
		rate := perSecond(v.Done, start)
		text := fmt.Sprintf("%s %d of %d users, %.1f/s, %s", Stamp(time.Now()), v.Done, users, rate, v.State)
		if v.Ahead != "" {
			text += ", " + v.Ahead
		}
		if v.Why != "" {
			text += ", waits for " + v.Why
		}
		Linef(w, "%s", text)
	}
}

// The columns that a terminal must have to show more than the bar and counts.
const (
	columnsForCount = 80
	columnsForSpeed = 110
	columnsForBar   = 26 // the least of them
)

func bar(w *os.File, users int64) (show func(View), last func(finished bool)) {
	columns, _, _ := term.GetSize(int(w.Fd()))
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w),
		progressbar.OptionFullWidth(),
		progressbar.OptionSetPredictTime(false), // it knows no waves
	}
	if columns >= columnsForCount {
		options = append(options, progressbar.OptionShowCount())
	}
	if columns >= columnsForSpeed {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString("users"))
	}
	bar := progressbar.NewOptions64(users, options...)
	show = func(v View) {
		// Beside the bar and its percentage there must be one line.
		bar.Describe(v.fit(max(columns-columnsForBar, 10)))
		bar.Set64(v.Done)
	}
	return show, func(finished bool) {
		if finished {
			bar.Finish()
		} else {
			bar.Exit() // Finish would show what is not so
		}
		Linef(w, "")
	}
}
