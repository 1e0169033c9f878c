package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"cognito-reset/batch"
)

func TestARealFullDiskTakesTheResultOfEachIntent(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1536k,mode=700"); err != nil {
		t.Skipf("no small tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	d, err := Create(filepath.Join(disk, "run"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	const workers, most = 16, 10_000 // more than there is room for
	var usernames []string
	for i := range most {
		usernames = append(usernames, fmt.Sprint("user", i))
	}
	spool(t, d, usersOf(usernames...))
	j, err := replay(t, d).Start("", "")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	kept := make(map[string]bool)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			var mine []batch.Entry
			for i := w; i < most; i += workers {
				e := batch.Entry{Row: int64(i + 1), Username: usernames[i]}
				if err := j.WriteIntent(e); errors.Is(err, ErrFull) {
					break
				} else if err != nil {
					t.Error(err)
					return
				}
				mine = append(mine, e)
			}
			for _, e := range mine {
				if err := j.WriteResult(batch.Result{Row: e.Row, Username: e.Username, Outcome: batch.Reset}); err != nil {
					t.Error(err)
				}
				mu.Lock()
				kept[e.Username] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if err := errors.Join(j.End(4, ErrFull.Error()), j.Close()); err != nil {
		t.Fatal(err)
	}
	if len(kept) == 0 || len(kept) == most {
		t.Fatalf("%d of %d intents found room", len(kept), most)
	}
	h := replay(t, d)
	for _, r := range collect(t, h.Results(batch.Stopped)) {
		if kept[r.Username] != (r.Outcome == batch.Reset) {
			t.Errorf("promised is %t, and %+v", kept[r.Username], r)
		}
	}
	if _, doubts := h.Open(); doubts != 0 || h.Torn || !h.Sessions[0].Ended {
		t.Errorf("%d doubts, Torn is %t, ended is %t", doubts, h.Torn, h.Sessions[0].Ended)
	}
}
