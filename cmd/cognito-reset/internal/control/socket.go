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
	"time"

	"cognito-reset/batch/journal"
)

// Serve answers those who may read the run directory, until end is called.
func (c *Control) Serve(dir *journal.Dir) (end func(), err error) {
	if !dir.OnMachine() {
		return nil, fmt.Errorf("%s is on no disk of this machine: %w", dir, errors.ErrUnsupported)
	}
	door, err := open(dir.Path)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(c.Live())
	})
	mux.HandleFunc("POST /{command}", func(w http.ResponseWriter, r *http.Request) {
		done, err := c.do(r.FormValue("by"), r.PathValue("command"), r.FormValue("value"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, done)
	})
	server := &http.Server{Handler: door.guard(mux), ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(door.listener) // until it is shut down
	return func() {
		door.hide()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		server.Shutdown(ctx) // who asked for the end is answered
	}, nil
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
