package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/pace"
)

// A control steers a session while it runs: from other processes over a socket
// in the run directory, and by keys on the terminal. What it is told to do is
// journaled with time and who.
type control struct {
	*paces
	watched *watched // nil if nobody does
	tally   *batch.Tally
	journal *journal.Journal
	stop    context.CancelCauseFunc

	keys     bool          // the terminal's keys are read
	nextWave chan struct{} // opens the next wave at once

	mu     sync.Mutex
	wave   time.Time // until when the run rests between two waves; zero if it does not
	asking chan bool // takes the answer to a question; nil while there is none
}

// A live is what a session tells of itself while it runs.
type live struct {
	Why       string    `json:"why"`     // what it waits for
	Ceiling   float64   `json:"ceiling"` // calls a second at most; 0 without a limit
	Rate      float64   `json:"rate"`    // calls a second now; 0 without a limit
	Calls     int64     `json:"calls"`   // in this session
	Throttled int64     `json:"throttled"`
	HeldUntil time.Time `json:"held_until,omitzero"`

	resting bool // on purpose
}

func (c *control) live() live {
	now, p, counts := time.Now(), c.pace.State(), c.tally.Counts()
	c.mu.Lock()
	wave := c.wave
	c.mu.Unlock()
	l := live{Ceiling: p.Ceiling, Rate: p.Rate, Calls: counts.Calls, Throttled: counts.Throttled, HeldUntil: p.Held}
	switch {
	case p.Paused:
		l.Why = "paused"
	case !p.Held.IsZero():
		l.Why = "message limit, until " + clock(p.Held)
	case c.asks():
		l.Why = "an answer"
	case wave.After(now):
		l.Why = "wave, until " + clock(wave)
		l.HeldUntil = wave
	case p.Throttled() && p.Waiting > 0:
		l.Why = fmt.Sprintf("throttled, %.1f/s", p.Rate)
	case p.Waiting > 0:
		l.Why = fmt.Sprintf("rate, %g/s", p.Ceiling)
	case c.updates.State().Waiting > 0:
		l.Why = fmt.Sprintf("rate of sign-outs and disablings, %.4g/s", c.updates.State().Rate)
	case counts.InFlight > 0:
		l.Why = "answers"
	default:
		l.Why = "backoff"
	}
	l.resting = p.Paused || !p.Held.IsZero() || wave.After(now) || c.asks()
	return l
}

// clock is a time of day as people here read it, with the day if it is another.
func clock(t time.Time) string {
	if t = t.Local(); time.Until(t) > 20*time.Hour {
		return t.Format("Jan 2 15:04 MST")
	}
	return t.Format("15:04 MST")
}

// inviteRate is how many invitations are sent a second of the 50 of the category
// UserCreation, which new users share.
const inviteRate = 20

// each does something to every pace.
func (c *control) each(do func(*pace.Pace)) {
	for _, p := range []*pace.Pace{c.pace, c.updates, c.creations} {
		do(p)
	}
}

// rest tells of a pause between waves.
func (c *control) rest(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wave = until
}

func (c *control) resting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.wave.IsZero()
}

// do carries out a command and says what it did.
func (c *control) do(by, command, value string) (done string, err error) {
	text := strings.TrimSpace(command + " " + value)
	var act func()
	switch command {
	case "pause":
		act, done = func() { c.each((*pace.Pace).Pause) }, "Paused: no call leaves; those under way finish."
	case "resume":
		act, done = func() { c.each((*pace.Pace).Resume) }, "Going on."
	case "rate":
		rate, err := strconv.ParseFloat(value, 64)
		if err != nil || rate < 0 || math.IsNaN(rate) || math.IsInf(rate, 0) {
			return "", usagef("rate takes a number of calls a second, 0 for no limit; not %q", value)
		}
		act, done = func() { c.pace.SetCeiling(rate) }, fmt.Sprintf("At most %g calls a second from now on.", rate)
	case "next-wave":
		if c.resting() {
			act, done = func() {
				select {
				case c.nextWave <- struct{}{}:
				default: // asked for already
				}
			}, "The next wave begins."
			break
		}
		return "", usagef("the run does not rest between two waves")
	case "stop":
		act, done = func() {
			c.stop(&batch.Stop{Reason: batch.Stopped, Message: "stopped by " + by})
		}, "Stopping: calls under way finish, and the report is written."
	default:
		return "", usagef("there is no command %q: status, pause, resume, rate N, next-wave or stop", command)
	}
	// A pause or a stop must not fail for a full disk.
	err = c.journal.Steer(by, text)
	act()
	return done, err
}

// socketFile is the socket's name in the run directory.
const socketFile = "control.sock"

// socketPath is how to reach the socket: systems take about 100 bytes of path,
// so the shorter way there is taken.
func socketPath(dir *journal.Dir) string {
	path := dir.File(socketFile)
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
			path = rel
		}
	}
	return path
}

// serve listens on the socket until end is called. The directory is ours alone, and so
// is the socket.
func (c *control) serve(dir *journal.Dir) (end func(), err error) {
	path := socketPath(dir)
	os.Remove(path) // of a session that was killed: the lock is ours
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(c.live())
	})
	mux.HandleFunc("POST /{command}", func(w http.ResponseWriter, r *http.Request) {
		done, err := c.do(r.FormValue("by"), r.PathValue("command"), r.FormValue("value"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, done)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener) // until it is shut down
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		server.Shutdown(ctx) // who asked for the end is answered
	}, nil
}

// askRun sends a request to the session that works in a run directory.
func askRun(ctx context.Context, dir *journal.Dir, method, command string, form url.Values) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socketPath(dir))
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://run/"+command+"?"+form.Encode(), nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", errors.Unwrap(err) // the URL says nothing to people
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", errors.New(strings.TrimSpace(string(text)))
	}
	return strings.TrimSpace(string(text)), nil
}

// askLive is what the session that works in a run directory tells of itself.
func askLive(ctx context.Context, dir *journal.Dir) (l live, err error) {
	text, err := askRun(ctx, dir, http.MethodGet, "status", nil)
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(text), &l)
}

func (c *command) ctlCommand() *cli.Command {
	return &cli.Command{
		Name:      "ctl",
		Usage:     "steer a run: pause, resume, rate N, next-wave or stop",
		ArgsUsage: "DIR status|pause|resume|rate N|next-wave|stop",
		UsageText: "cognito-reset ctl cognito-reset-runs/20260102T030405Z-eu-west-1_AbCdEfGhI rate 10",
		Description: "Takes effect at once and is journaled with time and who. stop lets calls under\n" +
			"way finish and ends the run with exit code 4; cognito-reset resume goes on. On\n" +
			"the run's own terminal the keys p, +, - and q pause, quicken, slow and stop it. DIR\n" +
			"of a job on several user pools steers all of its runs.",
		Flags:  []cli.Flag{boolFlag(groupOutput, "json", "print the status as JSON")},
		Action: c.ctl,
	}
}

func (c *command) ctl(ctx *cli.Context) error {
	args := ctx.Args().Slice()
	wants := 2
	if len(args) > 1 && args[1] == "rate" {
		wants = 3
	}
	if len(args) != wants {
		return usagef("ctl takes a run directory and what to do: cognito-reset ctl DIR status|pause|resume|rate N|next-wave|stop")
	}
	if args[1] == "status" {
		return c.statusOf(ctx, args[0])
	}
	if s3run.Named(args[0]) {
		return usagef("a run in S3 is steered where it works: by the keys of its terminal, and by SIGTERM to stop it")
	}
	if runs := fleetRuns(args[0]); runs != nil {
		runs = slices.DeleteFunc(runs, func(path string) bool { // those that are done need no steering
			dir, err := journal.View(path)
			return err != nil || !dir.Held()
		})
		if len(runs) == 0 {
			return usagef("nothing works on %s now; cognito-reset resume %s goes on with it", args[0], quotePath(args[0]))
		}
		return ofFleet(runs, func(path string) error { return c.steer(ctx, path, args[1], args[2:]...) })
	}
	return c.steer(ctx, args[0], args[1], args[2:]...)
}

// steer tells the session that works on a run what to do.
func (c *command) steer(ctx *cli.Context, path, command string, value ...string) error {
	dir, err := journal.View(path)
	if err != nil {
		return &exit{exitUsage, err}
	}
	if !dir.Held() {
		return usagef("nothing works on %s now; cognito-reset resume %s goes on with it", path, quotePath(path))
	}
	done, err := askRun(ctx.Context, dir, http.MethodPost, command, url.Values{"by": {whoami()}, "value": value})
	if err != nil {
		return &exit{exitUsage, fmt.Errorf("%s: %w", path, err)}
	}
	_, err = fmt.Fprintln(c.stdout, done)
	return err
}

// whoami is who steers, for the journal.
func whoami() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprint("uid ", os.Getuid())
}

// byKeys lets the terminal's keys steer until restoreTerminal: they come one by
// one, without a return key.
func (c *control) byKeys(terminal *os.File, told func(string)) {
	restore, err := cbreak(int(terminal.Fd()))
	if err != nil {
		return
	}
	changed.Store(&restore)
	c.keys = true
	go func() { // a read of a terminal cannot be cancelled; it ends with the process
		key := make([]byte, 1)
		for {
			if _, err := terminal.Read(key); err != nil {
				return
			}
			if done, err := c.key(key[0]); err != nil {
				told(err.Error())
			} else if done != "" {
				told(done)
			}
		}
	}()
}

// changed undoes what byKeys did to the terminal; nil if there is nothing.
var changed atomic.Pointer[func()]

// restoreTerminal gives the terminal back as it was, however the process ends.
func restoreTerminal() {
	if restore := changed.Swap(nil); restore != nil {
		(*restore)()
	}
}

// key carries out a key.
func (c *control) key(key byte) (done string, err error) {
	by := whoami() + " at the terminal"
	c.mu.Lock()
	if c.asking != nil && (key == 'y' || key == 'n') {
		c.asking <- key == 'y'
		c.asking = nil
	}
	c.mu.Unlock()
	s := c.pace.State()
	switch {
	case key == 'p' && s.Paused:
		return c.do(by, "resume", "")
	case key == 'p':
		return c.do(by, "pause", "")
	case key == 'q':
		return c.do(by, "stop", "")
	case (key == '+' || key == '-') && s.Ceiling == 0:
		return "There is no limit to change; cognito-reset ctl DIR rate N sets one.", nil
	case key == '+':
		return c.do(by, "rate", fmt.Sprint(math.Floor(s.Ceiling)+1))
	case key == '-':
		return c.do(by, "rate", fmt.Sprint(max(1, math.Ceil(s.Ceiling)-1)))
	}
	return "", nil
}

// asks tells that a question waits for its answer.
func (c *control) asks() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asking != nil
}

// ask puts a question to the person at the terminal, whose keys are read.
func (c *control) ask(ctx context.Context, question string, w io.Writer) (yes bool, err error) {
	answer := make(chan bool, 1)
	c.mu.Lock()
	c.asking = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asking = nil
	}()
	fmt.Fprint(w, question)
	select {
	case yes = <-answer:
		say(w, "%s", map[bool]string{true: "yes", false: "no"}[yes])
		return yes, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
