// Package control steers a run while it works: over a socket in its run directory,
// and by keys on the terminal.
package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A Control steers a session. What it is told to do is journaled with time and who.
type Control struct {
	*Paces
	Tally    *batch.Tally
	Journal  *journal.Journal
	NextWave chan struct{} // opens the next wave at once

	// Foresee, if set, completes how the session stands by what is to come.
	Foresee func(*Live)

	stop context.CancelCauseFunc
	keys bool // the terminal's keys are read

	mu     sync.Mutex
	wave   time.Time // until when the run rests between two waves; zero if it does not
	asking chan bool // takes the answer to a question; nil while there is none
}

// New is the control of a session that stop ends.
func New(p *Paces, j *journal.Journal, stop context.CancelCauseFunc) *Control {
	return &Control{Paces: p, Tally: new(batch.Tally), Journal: j, NextWave: make(chan struct{}, 1), stop: stop}
}

// Live is how a session stands while it runs.
type Live struct {
	Why       string    `json:"why"`     // what it waits for
	Ceiling   float64   `json:"ceiling"` // calls a second at most; 0 without a limit
	Rate      float64   `json:"rate"`    // calls a second now; 0 without a limit
	Calls     int64     `json:"calls"`   // in this session
	Throttled int64     `json:"throttled"`
	HeldUntil time.Time `json:"held_until,omitzero"`
	DoneAt    time.Time `json:"done_at,omitzero"`  // about; zero if nothing tells
	StopsAt   time.Time `json:"stops_at,omitzero"` // by --deadline or --until, where that comes before
	Wave      int       `json:"wave,omitzero"`     // the one at work, or the last one, from 1; 0 without waves
	Waves     int       `json:"waves,omitzero"`

	UpdateRate float64 `json:"update_rate,omitzero"` // sign-outs a second now; 0 where nobody is signed out, or without a limit

	Resting bool `json:"-"` // it waits on purpose
}

// Live is how the session stands now.
func (c *Control) Live() Live {
	now, p, counts := time.Now(), c.First.State(), c.Tally.Counts()
	c.mu.Lock()
	wave := c.wave
	c.mu.Unlock()
	l := Live{Ceiling: p.Ceiling, Rate: p.Rate, Calls: counts.Calls, Throttled: counts.Throttled, HeldUntil: p.Held}
	switch {
	case p.Paused:
		l.Why = "paused"
	case !p.Held.IsZero():
		l.Why = "message limit, until " + clock(p.Held)
	case c.Asks():
		l.Why = "an answer"
	case wave.After(now):
		l.Why = "wave, until " + clock(wave)
		l.HeldUntil = wave
	case p.Throttled() && p.Waiting > 0:
		l.Why = fmt.Sprintf("throttled, %.1f/s", p.Rate)
	case p.Waiting > 0 && p.Opening:
		l.Why = fmt.Sprintf("rate, %.0f/s to begin with", p.Rate)
	case p.Waiting > 0:
		l.Why = fmt.Sprintf("rate, %g/s", p.Ceiling)
	case c.Updates != c.First && c.Updates.State().Waiting > 0:
		l.Why = fmt.Sprintf("rate of sign-outs and disablings, %.4g/s", c.Updates.State().Rate)
	case counts.InFlight > 0:
		l.Why = "answers"
	default:
		l.Why = "backoff"
	}
	l.Resting = p.Paused || !p.Held.IsZero() || wave.After(now) || c.Asks()
	if c.Foresee != nil {
		c.Foresee(&l)
	}
	return l
}

// Together is when the last of several sessions ends that work side by side; nothing where
// one of them cannot tell.
func Together(all []Live) (l Live) {
	for _, one := range all {
		if one.DoneAt.IsZero() && one.StopsAt.IsZero() {
			return Live{}
		}
		if one.DoneAt.After(l.DoneAt) {
			l.DoneAt = one.DoneAt
		}
		if one.StopsAt.After(l.StopsAt) {
			l.StopsAt = one.StopsAt
		}
	}
	if !l.StopsAt.IsZero() { // then not all of them come to their end
		l.DoneAt = time.Time{}
	}
	return l
}

// Ahead says in a few words what is to come: the end by the clock, and the wave; "" if
// nothing tells.
func (l Live) Ahead() string {
	var parts []string
	if l.Waves > 0 {
		parts = append(parts, fmt.Sprintf("wave %d of %d", max(l.Wave, 1), l.Waves))
	}
	switch {
	case !l.StopsAt.IsZero():
		parts = append(parts, "stops "+day(l.StopsAt)+", not done")
	case !l.DoneAt.IsZero():
		parts = append(parts, "done ≈ "+day(l.DoneAt))
	}
	return strings.Join(parts, ", ")
}

// Attrs are how the session stands, for a log: nobody's name.
func (l Live) Attrs(c batch.Counts) []slog.Attr {
	attrs := append(Tallied(c), slog.Float64("rate", l.Rate), slog.Float64("ceiling", l.Ceiling))
	if l.Waves > 0 {
		attrs = append(attrs, slog.Int("wave", max(l.Wave, 1)), slog.Int("waves", l.Waves))
	}
	if l.UpdateRate > 0 {
		attrs = append(attrs, slog.Float64("update_rate", l.UpdateRate))
	}
	return append(attrs, l.Ends()...)
}

// Ends are when a session ends, for a log.
func (l Live) Ends() (attrs []slog.Attr) {
	if !l.DoneAt.IsZero() {
		attrs = append(attrs, slog.Time("done_at", l.DoneAt.UTC().Truncate(time.Second)), slog.Int64("eta_seconds", int64(time.Until(l.DoneAt).Seconds()+0.5)))
	}
	if !l.StopsAt.IsZero() {
		attrs = append(attrs, slog.Time("stops_at", l.StopsAt.UTC().Truncate(time.Second)))
	}
	return attrs
}

// Tallied is how users fared so far, for a log.
func Tallied(c batch.Counts) []slog.Attr {
	return []slog.Attr{
		slog.Any("outcomes", c.Outcomes), slog.Int64("in_flight", c.InFlight), slog.Int64("calls", c.Calls), slog.Int64("throttled", c.Throttled),
	}
}

// day is a time as people read it who may look tomorrow.
func day(t time.Time) string { return t.UTC().Format("Mon 15:04 UTC") }

// clock is a time of day as people here read it, with the day if it is another.
func clock(t time.Time) string {
	if t = t.Local(); time.Until(t) > 20*time.Hour {
		return t.Format("Jan 2 15:04 MST")
	}
	return t.Format("15:04 MST")
}

// State is how the users fared so far, in a few words, of a run that is to do that to them.
func State(c batch.Counts, asked spec.Response) string {
	text := term.Comma(c.Outcomes[batch.Reset]) + " reset"
	if asked.SignOutAlone() {
		text = term.Comma(c.Outcomes[batch.SignedOut]) + " signed out"
	}
	for _, o := range []batch.Outcome{batch.Locked, batch.UserDisabled, batch.Invited, batch.Failed, batch.Unknown} {
		if n := c.Outcomes[o]; n > 0 {
			text += fmt.Sprintf(", %s %s", term.Comma(n), o)
		}
	}
	if c.Throttled > 0 {
		text += fmt.Sprintf(", %s throttled", term.Comma(c.Throttled))
	}
	return text
}

// Rest notes that the run rests between two waves; zero ends that.
func (c *Control) Rest(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wave = until
}

func (c *Control) resting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.wave.IsZero()
}

// do carries out a command and says what it did.
func (c *Control) do(by, command, value string) (done string, err error) {
	text := strings.TrimSpace(command + " " + value)
	var act func()
	switch command {
	case "pause":
		act, done = c.Pause, "Paused: no call leaves; those under way finish."
	case "resume":
		act, done = c.Resume, "Going on."
	case "rate":
		rate, err := strconv.ParseFloat(value, 64)
		if err != nil || rate < 0 || math.IsNaN(rate) || math.IsInf(rate, 0) {
			return "", exit.Usagef("rate takes a number of calls a second, 0 for no limit; not %q", value)
		}
		act = func() {
			with := c.SetRate(rate)
			done = atMost(rate, with)
		}
	case "next-wave":
		if !c.resting() {
			return "", exit.Usagef("the run does not rest between two waves")
		}
		act, done = c.openWave, "The next wave begins."
	case "stop":
		act, done = func() {
			c.stop(&batch.Stop{Reason: batch.Stopped, Message: "stopped by " + by})
		}, "Stopping: calls under way finish, and the report is written."
	default:
		return "", exit.Usagef("there is no command %q: status, pause, resume, rate N, next-wave or stop", command)
	}
	// A pause or a stop must not fail for a full disk.
	err = c.Journal.Steer(by, text)
	act()
	return done, err
}

// atMost says how fast a run goes that shares a quota with others.
func atMost(rate float64, with int) string {
	text := fmt.Sprintf("At most %g calls a second from now on", rate)
	if rate == 0 {
		text = "No rate limit from now on"
	}
	switch {
	case with == 1:
		text += ", which it shares with 1 other user pool of the account and Region"
	case with > 1:
		text += fmt.Sprintf(", which it shares with %d other user pools of the account and Region", with)
	}
	if with > 0 {
		text += ": together they go as fast as the fastest of them"
	}
	return text + "."
}

func (c *Control) openWave() {
	select {
	case c.NextWave <- struct{}{}:
	default: // asked for already
	}
}

// Whoami is who steers, for the journal.
func Whoami() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprint("uid ", os.Getuid())
}

// Asks reports whether a question waits for its answer.
func (c *Control) Asks() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asking != nil
}

// Ask puts a question to the person at the terminal, whose keys are read.
func (c *Control) Ask(ctx context.Context, question string, w io.Writer) (yes bool, err error) {
	answer := make(chan bool, 1)
	c.mu.Lock()
	c.asking = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asking = nil
	}()
	_ = term.Write(w, question)
	select {
	case yes = <-answer:
		term.Linef(w, "%s", map[bool]string{true: "yes", false: "no"}[yes])
		return yes, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
