package journaltest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
)

func holders(t *testing.T, p Place) {
	newRun(t, p, "alice")
	d := must[*journal.Dir](t)(p.Open())
	me := fmt.Sprintf("process %d on ", os.Getpid())
	for name, take := range map[string]func() (*journal.Dir, error){"Open": p.Open, "Create": p.Create} {
		_, err := take()
		held, ok := errors.AsType[*journal.HeldError](err)
		if !ok || held.Path != d.String() || !strings.HasPrefix(held.Holder, me) || !strings.Contains(err.Error(), d.String()+" is in use by "+me) {
			t.Errorf("%s: %v", name, err)
		}
	}
	seen := must[*journal.Dir](t)(p.View())
	if left, _ := must[*journal.History](t)(seen.Replay()).Open(); left != 1 {
		t.Error("a directory in use cannot be looked at")
	}
	if !d.Held() || !seen.Held() || !strings.HasPrefix(seen.Holder(), me) {
		t.Errorf("held is %t to its holder, %t to others, by %s", d.Held(), seen.Held(), seen.Holder())
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d.Held() || seen.Held() {
		t.Error("it is still held")
	}
	again := must[*journal.Dir](t)(p.Open())
	if err := errors.Join(again.Close(), again.Close(), seen.Close()); err != nil {
		t.Error(err)
	}
}

func creators(t *testing.T, p Place) {
	var mu sync.Mutex
	var created []*journal.Dir
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			d, err := p.Create()
			mu.Lock()
			defer mu.Unlock()
			if _, held := errors.AsType[*journal.HeldError](err); err == nil {
				created = append(created, d)
			} else if !held && !errors.Is(err, journal.ErrExists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(created) != 1 {
		t.Errorf("%d got it", len(created))
	}
	for _, d := range created {
		d.Close()
	}
}

func litter(t *testing.T, p Place) {
	if _, err := p.Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open where there is nothing: %v", err)
	}
	if _, err := p.View(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("View where there is nothing: %v", err)
	}
	if err := p.Litter(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Create(); !errors.Is(err, journal.ErrExists) {
		t.Errorf("Create: %v", err)
	}
	if _, err := p.Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open: %v", err)
	}
}

func stale(t *testing.T, p Place) {
	newRun(t, p, "alice")
	d := must[*journal.Dir](t)(p.Open())
	old := must[*journal.History](t)(d.Replay())
	j := must[*journal.Journal](t)(must[*journal.History](t)(d.Replay()).Start("", ""))
	if err := errors.Join(j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}), j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Start("", ""); err == nil {
		t.Error("a session began from a history that is out of date")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	look(t, p, func(h *journal.History) {
		if _, err := h.Start("", ""); err == nil {
			t.Error("a session began in a directory that is only looked at")
		}
	})
	look(t, p, func(h *journal.History) {
		if len(h.Sessions) != 1 {
			t.Errorf("%d sessions", len(h.Sessions))
		}
	})
}

func files(t *testing.T, p Place) {
	newRun(t, p, "alice")
	d := must[*journal.Dir](t)(p.Open())
	for _, n := range []int{1, 2} {
		if err := d.WriteJSON("summary.json", map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
		var got map[string]int
		seen := must[*journal.Dir](t)(p.View())
		if err := errors.Join(seen.ReadJSON("summary.json", &got), seen.Close()); err != nil || got["n"] != n {
			t.Errorf("%v, %v", got, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func reports(t *testing.T, p Place) {
	newRun(t, p, "alice")
	d := must[*journal.Dir](t)(p.Open())
	if d.Has("report.csv") {
		t.Error("there is a report that nobody wrote")
	}
	for _, text := range []string{"small", strings.Repeat("a large one\n", 1<<20), strings.Repeat("another\n", 2<<20), ""} {
		if err := d.Write("report.csv", func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		seen := must[*journal.Dir](t)(p.View())
		for _, at := range []*journal.Dir{d, seen} {
			if !at.Has("report.csv") {
				t.Error("the report is not there")
			}
			f := must[io.ReadCloser](t)(at.Open("report.csv"))
			if got, err := io.ReadAll(f); err != nil || string(got) != text {
				t.Errorf("%d bytes come back, not %d: %v", len(got), len(text), err)
			}
			f.Close()
		}
		seen.Close()
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func removed(t *testing.T, p Place) {
	d := must[*journal.Dir](t)(p.Create())
	must[journal.Survey](t)(d.Spool(users("alice")))
	if err := errors.Join(d.WriteJSON(journal.RunFile, struct{}{}), d.Remove()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is still something: %v", err)
	}
	d = must[*journal.Dir](t)(p.Create())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func private(t *testing.T, p Place) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	newRun(t, p, "alice")
	resume(t, p, "", func(*journal.Journal) error { return nil })
	d := must[*journal.Dir](t)(p.Open())
	defer d.Close()
	files := 0
	if err := fs.WalkDir(os.DirFS(d.Path), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = fs.ModeDir | 0o700
		}
		if info.Mode() != want {
			t.Errorf("%s: %s, want %s", path, info.Mode(), want)
		}
		files++
		return nil
	}); err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}
