package term

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
)

// A Progress shows how a run goes on: as a line with a bar that is drawn again and again
// on a terminal, elsewhere as a line now and then. What is to be said meanwhile is written
// to it, and stands above the bar.
type Progress struct {
	w   io.Writer
	mu  *sync.Mutex // of the stream
	bar bool        // stands in the last line
	end func()
}

// Write writes a line above the bar, or with the time into a log.
func (p Progress) Write(text []byte) (int, error) {
	if p.mu == nil {
		return p.w.Write(text)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := Stamp(time.Now()) + " "
	if p.bar {
		before = clearLine
	}
	if _, err := io.WriteString(p.w, before); err != nil {
		return 0, err
	}
	return p.w.Write(text)
}

// Clear takes a bar away that stands on a terminal; nobody draws it again.
func Clear(w *os.File) {
	if Redraws(w) {
		io.WriteString(w, clearLine)
	}
}

// clearLine empties the line of a terminal, and goes to its beginning.
const clearLine = "\r\x1b[K"

// A View is what a Progress shows at one moment.
type View struct {
	Done   int64  // users of the total
	State  string // how they fared
	Why    string // what the run waits for
	Ahead  string // what is to come; "" if nothing tells
	Hidden bool   // a question must stay to be seen

	Attrs []slog.Attr // the same for programs, and what has no place in a line
}

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
)

// NoProgress shows nothing but what is written to it.
func NoProgress(w io.Writer) Progress { return Progress{w: w, end: func() {}} }

// Show shows what look sees of so many users on a stream until End is called: for
// programs, in a log, if there is one.
func Show(w *os.File, log *slog.Logger, users int64, look func() View) Progress {
	p := Progress{w: w, mu: new(sync.Mutex), bar: log == nil && Redraws(w)}
	began := time.Now()
	every, draw := lineEvery, func(v View) { Linef(w, "%s", v.logged(users, time.Since(began))) }
	switch {
	case log != nil:
		draw = func(v View) { v.record(log, users, time.Since(began)) }
	case p.bar:
		every, draw = barEvery, func(v View) {
			io.WriteString(w, clearLine+v.drawn(users, time.Since(began), cmp.Or(Screen(w), Width)-1))
		}
	}
	done := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.mu.Lock()
				if now := look(); !now.Hidden {
					draw(now)
				}
				p.mu.Unlock()
			case <-done:
				return
			}
		}
	})
	p.end = func() {
		close(done)
		shown.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		now := look()
		now.Why, now.Ahead = "", ""
		draw(now)
		if p.bar {
			Linef(w, "")
		}
	}
	return p
}

// End stops the display, which shows how the run stands then.
func (p Progress) End() { p.end() }

// logged is the view as a line of a log.
func (v View) logged(users int64, since time.Duration) string {
	text := fmt.Sprintf("%s %s of %s users, %s, %s", Stamp(time.Now()), Comma(v.Done), Comma(users), v.speed(since), v.State)
	if v.Ahead != "" {
		text += ", " + v.Ahead
	}
	if v.Why != "" {
		text += ", " + Waiting(v.Why)
	}
	return text
}

// Waiting returns "paused", or "waits for" and what a run waits for.
func Waiting(why string) string {
	if why == "paused" {
		return why
	}
	return "waits for " + why
}

// record writes the view into a log.
func (v View) record(log *slog.Logger, users int64, since time.Duration) {
	attrs := append([]slog.Attr{
		slog.String("event", "progress"), slog.Int64("done", v.Done), slog.Int64("total", users), slog.Float64("users_per_second", math.Round(10*v.perSecond(since))/10),
	}, v.Attrs...)
	if v.Why != "" {
		attrs = append(attrs, slog.String("waits_for", v.Why))
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "progress", attrs...)
}

func (v View) perSecond(since time.Duration) float64 {
	return float64(v.Done) / max(since.Seconds(), 0.001)
}

func (v View) speed(since time.Duration) string { return fmt.Sprintf("%.1f/s", v.perSecond(since)) }

// How wide the bar is.
const (
	leastBar = 8
	mostBar  = 30
)

// drawn is the view as a line of a terminal with so many columns: how many of the users
// are done, how they fared and what the run waits for; then what else has room, which is
// what is to come, the speed and a bar.
func (v View) drawn(users int64, since time.Duration, columns int) string {
	percent, _ := bar(v.Done, users, leastBar)
	line := fmt.Sprintf("%s/%s %4s", Comma(v.Done), Comma(users), percent)
	why := ""
	if v.Why != "" {
		why = " [" + v.Why + "]"
	}
	state := cut(v.State, columns-utf8.RuneCountInString(line+"  "+why))
	for _, more := range []string{v.Ahead, v.speed(since)} {
		if full := state + ", " + more; more != "" && utf8.RuneCountInString(line+"  "+full+why) <= columns {
			state = full
		}
	}
	text := "  " + state + why
	if room := columns - utf8.RuneCountInString(line+"  "+text); room >= leastBar {
		_, drawn := bar(v.Done, users, min(room, mostBar))
		line += "  " + drawn
	}
	return cut(line+text, columns)
}

// bar is how many of the users are done, in percent and as a bar so wide.
func bar(done, users int64, wide int) (percent, drawn string) {
	b := progressbar.NewOptions64(max(users, 1), progressbar.OptionSetWriter(io.Discard), progressbar.OptionSetWidth(wide),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetRenderBlankState(true), progressbar.OptionThrottle(0),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░"}))
	_ = b.Set64(min(done, max(users, 1))) // which fails for nothing else
	percent, drawn, _ = strings.Cut(strings.TrimSpace(b.String()), " ")
	return percent, strings.TrimSpace(drawn)
}

// cut shortens a text to so many characters, behind a comma or else between words.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	short := string([]rune(text)[:max(most-2, 0)])
	if at := strings.LastIndex(short, ", "); at > 0 {
		short = short[:at+1]
	} else if at := strings.LastIndex(short, " "); at > 0 {
		short = short[:at]
	}
	return short + " …"
}
