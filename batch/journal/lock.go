package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"cognito-reset/batch/journal/disk"
)

// A holder is what the process that took the lock last writes of itself. It is beside
// the lock, for on Windows nobody else can read what is locked.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host,omitzero"`
	Since time.Time `json:"since"`
}

func (h holder) String() string {
	return fmt.Sprintf("process %d on %s since %s", h.PID, h.Host, h.Since.UTC().Format(time.RFC3339))
}

// IsOfLock reports whether a file of that name tells who works in a run directory,
// and nothing of its run.
func IsOfLock(name string) bool { return name == LockFile || name == HolderFile }

// patience is how long a lock must have been held for it to be somebody's work
// and not a look by [Dir.Held].
const patience = 100 * time.Millisecond

// acquire takes the lock, which the kernel releases however this process ends.
func (d *Dir) acquire() (*Dir, error) {
	var lock disk.Lock
	for began := time.Now(); lock == nil; {
		var err error
		if lock, err = d.on().Lock(d.File(LockFile)); err != nil {
			return nil, fmt.Errorf("lock %s: %w", d.Path, err)
		} else if lock == nil && time.Since(began) >= patience {
			return nil, &HeldError{d.Path, d.Holder()}
		} else if lock == nil {
			time.Sleep(patience / 20)
		}
	}
	if err := d.writeHolder(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	d.lock = lock
	return d, nil
}

// writeHolder writes who has the lock: this process. That need not outlive a crash,
// which ends the lock, too.
func (d *Dir) writeHolder() error {
	if d.oldHolder() != "" { // it works here no more
		if err := disk.WriteFile(d.on(), d.File(LockFile), nil); err != nil {
			return err
		}
	}
	me := holder{PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)}
	me.Host, _ = os.Hostname()
	text, err := json.Marshal(me)
	if err != nil {
		return err
	}
	return disk.WriteFile(d.on(), d.File(HolderFile), append(text, '\n'))
}

// Holder is what the last process to lock the directory wrote of itself.
func (d *Dir) Holder() string {
	const unknown = "an unknown process"
	if d.remote != nil {
		return cmp.Or(d.remote.Holder(), unknown)
	}
	if old := d.oldHolder(); old != "" {
		return old
	}
	var h holder
	if d.ReadJSON(HolderFile, &h) != nil || h.PID == 0 {
		return unknown
	}
	return short(h.String())
}

// longestHolder is how many bytes are shown of what a process says of itself.
const longestHolder = 300

func short(holder string) string {
	if len(holder) > longestHolder {
		return strings.ToValidUTF8(holder[:longestHolder], "") + "…"
	}
	return holder
}

// oldHolder is what an earlier version of this tool wrote of itself: into the lock.
func (d *Dir) oldHolder() string {
	if d.isEmpty(LockFile) {
		return ""
	}
	text, err := disk.ReadFile(d.on(), d.File(LockFile))
	if err != nil {
		return ""
	}
	return short(strings.TrimSpace(string(text)))
}
