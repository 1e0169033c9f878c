package journal

import (
	"errors"
	"fmt"
	"os"

	"cognito-reset/batch/journal/disk"
)

// Start begins a session: it cuts off a torn last line and appends behind it.
// The directory must be held, and its journal be as [Dir.Replay] found it. What
// [History.Begin] does is done, if it was not.
func (h *History) Start(version, rosterSHA256 string) (*Journal, error) {
	d := h.dir
	if d.lock == nil {
		return nil, fmt.Errorf("%s is not locked: open it to go on with it", d.Path)
	}
	if h.place == "" {
		if err := h.Begin(false); err != nil {
			return nil, err
		}
	}
	f, writer, err := h.openJournal()
	if err != nil {
		return nil, err
	}
	reserve := d.File(reserveFile)
	if err := d.on().Reserve(reserve, reserveSize); err != nil {
		return nil, errors.Join(err, f.Close(), writer.Unlock())
	}
	marker, err := h.marker()
	if err != nil {
		return nil, errors.Join(err, f.Close(), writer.Unlock(), d.on().Remove(reserve))
	}
	session := line{Event: eventSession, ServiceAhead: serviceAhead(h.Clock), Format: formatVersion, Version: version, PID: os.Getpid(), Roster: rosterSHA256}
	session.Host, _ = os.Hostname()
	var file appendFile = f
	if d.remote != nil {
		file, session.Fence = &copied{Appender: f, remote: d.remote, size: h.size}, d.remote.Fence()
	}
	j := start(d.on(), file, h.size, h.chain, reserve)
	j.writer, j.own, j.marker, session.At = writer, f, marker, j.now()
	j.mark = Mark{Lines: h.lines, Bytes: h.size, Head: h.head, Place: h.place}
	if err := j.append(true, session); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// openJournal opens the journal to append behind its whole lines. It is locked as
// well, for the lock file can be deleted by whom it is in the way of.
func (h *History) openJournal() (f *disk.Appender, writer disk.Lock, err error) {
	d, path := h.dir, h.dir.File(JournalFile)
	if f, err = disk.OpenAppend(d.on(), path); err != nil {
		return nil, nil, err
	}
	writer, err = d.on().Lock(path)
	if writer == nil {
		return nil, nil, errors.Join(&HeldError{d.Path, "another process, though its lock file is gone"}, err, f.Close())
	}
	now, err := f.Stat()
	if err == nil && now.Size() != h.seen {
		err = fmt.Errorf("%s was written to since it was read", path)
	}
	if err == nil {
		err = errors.Join(f.Truncate(h.size), d.on().SyncDir(d.Path))
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close(), writer.Unlock())
	}
	return f, writer, nil
}

// End records that a session left the run in good order.
func (j *Journal) End(exitCode int, stopped string) error {
	return j.append(true, line{Event: eventEnded, At: j.now(), ExitCode: exitCode, Stopped: stopped})
}
