package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// A Listener answers those who may read a run directory, from before its run is
// prepared until its session has ended.
type Listener struct {
	door   *door
	server *http.Server
	stop   context.CancelCauseFunc // of the preparation

	mu      sync.Mutex
	control *Control    // nil while the run is being prepared
	stopped *batch.Stop // why it was stopped meanwhile; nil if it was not
}

// Listen opens the ways to steer what is about to begin in a directory. Until there is
// a [Control], stop is all that it can be told.
func Listen(dir *journal.Dir, stop context.CancelCauseFunc) (*Listener, error) {
	if !dir.OnMachine() {
		return nil, fmt.Errorf("%s is on no disk of this machine: %w", dir, errors.ErrUnsupported)
	}
	door, err := open(dir.Path)
	if err != nil {
		return nil, err
	}
	l := &Listener{door: door, stop: stop}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(l.live())
	})
	mux.HandleFunc("POST /{command}", func(w http.ResponseWriter, r *http.Request) {
		done, err := l.do(r.FormValue("by"), r.PathValue("command"), r.FormValue("value"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, done)
	})
	l.server = &http.Server{Handler: door.guard(mux), ReadHeaderTimeout: 5 * time.Second}
	go l.server.Serve(door.listener) // until it is closed
	return l, nil
}

// HandOver has a session's control decide from now on. A session that was stopped while
// it was prepared makes no call.
func (l *Listener) HandOver(c *Control) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.control = c; l.stopped != nil {
		c.stop(l.stopped)
	}
}

func (l *Listener) handedOver() *Control {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.control
}

// Close answers nobody any more.
func (l *Listener) Close() {
	l.door.shut() // by the server alone a listener stays that it has not begun to serve
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.server.Shutdown(ctx) // who asked for the end is answered
}

func (l *Listener) live() Live {
	if c := l.handedOver(); c != nil {
		return c.Live()
	}
	return Live{Why: "the run to be prepared; nothing was sent yet", Resting: true}
}

func (l *Listener) do(by, command, value string) (done string, err error) {
	if c := l.handedOver(); c != nil {
		return c.do(by, command, value)
	}
	if command != "stop" {
		return "", exit.Usagef("the run is being prepared, and nothing was sent yet: all that it can do is stop")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = &batch.Stop{Reason: batch.Stopped, Message: "stopped by " + by + " before the first call"}
	if l.control != nil {
		l.control.stop(l.stopped)
	}
	l.stop(l.stopped)
	return "Stopping: no call leaves.", nil
}

// Steer tells the session that works in a run directory what to do, and returns
// what it did.
func Steer(ctx context.Context, dir *journal.Dir, command string, value ...string) (string, error) {
	return ask(ctx, dir, http.MethodPost, command, url.Values{"by": {Whoami()}, "value": value})
}

// AskLive asks the session that works in a run directory how it stands.
func AskLive(ctx context.Context, dir *journal.Dir) (l Live, err error) {
	text, err := ask(ctx, dir, http.MethodGet, "status", nil)
	if err != nil {
		return l, err
	}
	return l, json.Unmarshal([]byte(text), &l)
}

func ask(ctx context.Context, dir *journal.Dir, method, command string, form url.Values) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	way, err := find(dir.Path)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: way.dial}}
	req, err := http.NewRequestWithContext(ctx, method, "http://run/"+command+"?"+form.Encode(), nil)
	if err != nil {
		return "", err
	}
	way.sign(req)
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
