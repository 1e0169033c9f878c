package control

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// session works in a run directory until the test ends, and is controlled.
func session(t *testing.T, path string) (*Control, *journal.Dir, func()) {
	t.Helper()
	dir, err := journal.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dir.Spool(func(yield func(batch.Entry, error) bool) { yield(batch.Entry{Row: 1, Username: "alice"}, nil) })
	if err == nil {
		err = dir.WriteJSON(journal.RunFile, struct{}{})
	}
	var history *journal.History
	if err == nil {
		history, err = dir.Replay()
	}
	var j *journal.Journal
	if err == nil {
		j, err = history.Start("", "")
	}
	if err != nil {
		t.Fatal(err)
	}
	c := New(NewPaces(spec.Spec{Settings: spec.Settings{Rate: 1, UpdateRate: 1}}), j, func(error) {})
	l, err := Listen(dir, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	l.HandOver(c)
	t.Cleanup(func() {
		j.Close()
		dir.Close()
	})
	return c, dir, l.Close
}

// tooLong is a folder whose path no Unix socket takes.
func tooLong(t *testing.T) string {
	return filepath.Join(t.TempDir(), strings.Repeat("a long name/", 12), "run")
}

func TestARunIsSteeredHoweverLongItsPath(t *testing.T) {
	for what, path := range map[string]string{"short": filepath.Join(t.TempDir(), "run"), "long": tooLong(t)} {
		c, dir, end := session(t, path)
		file := map[bool]string{true: SocketFile, false: AddressFile}[hasSockets && what == "short"]
		if info, err := os.Stat(dir.File(file)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %s is %v, %v", what, file, info, err)
		}
		if done, err := Steer(t.Context(), dir, "pause"); err != nil || !strings.HasPrefix(done, "Paused") || !c.Resets.State().Paused {
			t.Errorf("%s: %q, %v", what, done, err)
		}
		if live, err := AskLive(t.Context(), dir); err != nil || live.Why != "paused" {
			t.Errorf("%s: %+v, %v", what, live, err)
		}
		if _, err := Steer(t.Context(), dir, "dance"); err == nil || !strings.Contains(err.Error(), "no command") {
			t.Errorf("%s: %v", what, err)
		}
		end()
		for _, file := range []string{SocketFile, AddressFile} {
			if _, err := os.Lstat(dir.File(file)); !os.IsNotExist(err) {
				t.Errorf("%s: a session that has ended leaves %s: %v", what, file, err)
			}
		}
		if _, err := Steer(t.Context(), dir, "pause"); err == nil {
			t.Errorf("%s: a session that has ended is steered", what)
		}
	}
}

// Whoever finds the port without the token learns and does nothing.
func TestAPortAnswersOnlyWhoHasTheToken(t *testing.T) {
	c, dir, end := session(t, tooLong(t))
	defer end()
	way, err := find(dir.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"", "Bearer ", "Bearer x", "Bearer " + way.token + "x", way.token, "bearer " + way.token} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			command := map[string]string{http.MethodGet: "status", http.MethodPost: "pause"}[method]
			req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://%s/%s", way.address, command), nil)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				req.Header.Set("Authorization", header)
			}
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if res.Body.Close(); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s by %q: %s", method, header, res.Status)
			}
			cancel()
		}
	}
	if c.Resets.State().Paused {
		t.Error("somebody without the token has paused the run")
	}
}

// What a session that was killed left is in nobody's way, and leads nobody astray.
func TestWhatAKilledSessionLeftIsReplaced(t *testing.T) {
	for what, path := range map[string]string{"short": filepath.Join(t.TempDir(), "run"), "long": tooLong(t)} {
		_, dir, end := session(t, path)
		defer end()
		for _, file := range []string{SocketFile, AddressFile} {
			os.Remove(dir.File(file))
			if err := os.WriteFile(dir.File(file), []byte(`{"address":"127.0.0.1:1","token":"old"}`), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		d, err := open(dir.Path)
		if err != nil {
			t.Fatal(err)
		}
		now, err := find(dir.Path)
		if err != nil || now.address != d.listener.Addr().String() || now.token != d.token || (d.token == "") != (now.network == "unix") {
			t.Errorf("%s: %+v, %v", what, now, err)
		}
		d.shut()
		entries, err := fs.Glob(os.DirFS(dir.Path), "control*")
		if err != nil || len(entries) != 0 {
			t.Errorf("%s: it leaves %v, %v", what, entries, err)
		}
	}
}

func TestAnAddressThatIsDamagedIsNotFollowed(t *testing.T) {
	for _, text := range []string{"", "{}", `{"address":"127.0.0.1:1"}`, `{"token":"x"}`, "\x00"} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, AddressFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if way, err := find(folder); err == nil || !strings.Contains(err.Error(), AddressFile) {
			t.Errorf("%q: %+v, %v", text, way, err)
		}
	}
}

// A run that is refused at once deletes its directory, in which nothing may be left.
func TestADoorThatIsShutAtOnceLeavesNothing(t *testing.T) {
	for range 200 {
		dir, err := journal.Create(filepath.Join(t.TempDir(), "run"))
		if err != nil {
			t.Fatal(err)
		}
		l, err := Listen(dir, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if err := dir.Remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir.Path); err == nil {
			t.Fatal("the directory is left")
		}
	}
}

// Before a run works, all that it can do is stop.
func TestARunThatIsBeingPreparedCanBeStopped(t *testing.T) {
	dir, err := journal.Create(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	ctx, stop := context.WithCancelCause(t.Context())
	l, err := Listen(dir, stop)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if live, err := AskLive(t.Context(), dir); err != nil || !strings.Contains(live.Why, "nothing was sent yet") {
		t.Errorf("%+v, %v", live, err)
	}
	if _, err := Steer(t.Context(), dir, "pause"); err == nil || ctx.Err() != nil {
		t.Errorf("it is paused: %v", err)
	}
	if done, err := Steer(t.Context(), dir, "stop"); err != nil || done != "Stopping: no call leaves." || ctx.Err() == nil {
		t.Errorf("%q, %v", done, err)
	}
	var stopped error
	l.HandOver(New(NewPaces(spec.Spec{}), nil, func(why error) { stopped = why }))
	if stopped == nil {
		t.Error("the session goes on all the same")
	}
}
