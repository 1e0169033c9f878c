package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// notifyLeast is what --notify-exec has at least, if calls took the whole grace.
const notifyLeast = time.Second

// patience is how long --notify-exec may take: as long as --grace allows and, once
// a signal came, no longer than that after it, for whoever sent it kills the
// process soon.
type patience struct {
	grace    atomic.Int64  // ns
	signal   chan struct{} // closed by a signal
	signaled time.Time     // when it was; not to be read before
}

// newPatience waits as long as grace, and counts it from when ctx ends.
func newPatience(ctx context.Context, grace time.Duration) *patience {
	p := &patience{signal: make(chan struct{})}
	p.grace.Store(int64(grace))
	context.AfterFunc(ctx, func() {
		p.signaled = time.Now()
		close(p.signal)
	})
	return p
}

// Allow says what the grace of a session is that begins.
func (o *Observer) Allow(grace time.Duration) {
	if o != nil && o.patience != nil {
		o.patience.grace.Store(int64(grace))
	}
}

// within is a context for a notification that begins now.
func (p *patience) within() (context.Context, context.CancelFunc) {
	grace := time.Duration(p.grace.Load())
	ctx, cancel := context.WithTimeout(context.Background(), max(grace, notifyLeast))
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-p.signal:
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(grace-time.Since(p.signaled), notifyLeast)):
			cancel()
		}
	}()
	return ctx, cancel
}

// notifier is what runs the command of --notify-exec. That it fails changes nothing.
func notifier(streams term.Streams, command string, patience *patience) func(event string, sum report.Summary, ahead string) {
	if command == "" {
		return func(string, report.Summary, string) {}
	}
	return func(event string, sum report.Summary, ahead string) {
		began := time.Now()
		ctx, cancel := patience.within()
		defer cancel()
		if sum.Outcomes == nil {
			sum.Close() // so that nothing is null
		}
		text, err := json.Marshal(struct {
			Event string `json:"event"`
			Ahead string `json:"ahead"`
			report.Summary
		}{event, ahead, sum})
		if err == nil {
			cmd := shell(ctx, command)
			cmd.Env = append(withoutCredentials(os.Environ()), "COGNITO_RESET_EVENT="+event, "COGNITO_RESET_RUN_DIRECTORY="+sum.RunDirectory, "COGNITO_RESET_AHEAD="+ahead)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), streams.Err, streams.Err
			cmd.WaitDelay = notifyLeast
			err = cmd.Run()
			if ctx.Err() != nil {
				err = fmt.Errorf("it was ended after %v, for --grace allows no more", time.Since(began).Round(time.Second))
			}
		}
		if err != nil {
			term.Linef(streams.Err, "cognito-reset: --notify-exec, %s: %v", event, err)
		}
	}
}

// withoutCredentials is an environment for a command that the run does not need AWS
// for: whoever writes it gets no power over accounts with it.
func withoutCredentials(env []string) []string {
	return slices.DeleteFunc(env, func(variable string) bool { return strings.HasPrefix(variable, "AWS_") })
}
