package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cognito-reset/batch/journal"
)

// SocketFile is the socket's name in the run directory.
const SocketFile = "control.sock"

// socketPath is how to reach the socket: systems take about 100 bytes of path,
// so the shorter way there is taken.
func socketPath(dir *journal.Dir) string {
	path := dir.File(SocketFile)
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

// Serve listens on the socket until end is called. The directory is ours alone, and so
// is the socket.
func (c *Control) Serve(dir *journal.Dir) (end func(), err error) {
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
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener) // until it is shut down
	return func() {
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
