package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/go-json-experiment/json"

	"cognito-reset/batch/journal/disk"
)

// MarkFile says how far the journal is known to reach, and where it is kept.
const MarkFile = "mark.json"

// A Mark is how far a journal is known to reach: it is kept apart from the
// journal, so that one that was cut short, emptied or deleted is noticed. The
// journal may be ahead of its mark, never behind it.
type Mark struct {
	Lines int64  `json:"lines"`
	Bytes int64  `json:"bytes"`
	Head  string `json:"head,omitzero"` // the SHA-256 that seals the last line; "" if there is none

	// Place is what a copy of the run directory does not keep: the number and
	// the time of birth of its journal's file, or the name of the prefix in S3.
	// It is "" where the system tells neither.
	Place string `json:"place,omitzero"`
}

// A CutError is a journal that has fewer lines than were written to it.
type CutError struct {
	Path string
	What string // what is wrong with it
}

func (e *CutError) Error() string {
	return fmt.Sprintf("%s %s; restore it from a copy that is whole: without it nobody can say who was called, and to go on could call users twice", e.Path, e.What)
}

// A MovedError is a run directory that is not where its run was worked on last.
type MovedError struct {
	Path string
	What string // how that shows
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("%s %s: it was copied, moved or restored; if its run goes on in two places, users are reset twice, and if this is an older copy, so are those whom the newer one has", e.Path, e.What)
}

// A slot is one of the two places in the file of a mark that are written in turn,
// so that a crash while one is written leaves the other.
const (
	slotSize = 512
	slots    = 2
)

// seal is the mark as it stands in a slot: JSON, and spaces up to a sum of it.
func (m Mark) seal() ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	tail := " " + hex.EncodeToString(sum[:]) + "\n"
	room := slotSize - len(tail) - len(text)
	if room < 0 {
		return nil, fmt.Errorf("a mark of %d bytes is too long", len(text))
	}
	return append(append(text, bytes.Repeat([]byte(" "), room)...), tail...), nil
}

// unseal reads a slot, unless it was torn.
func unseal(slot []byte) (m Mark, ok bool) {
	tail := bytes.LastIndexByte(bytes.TrimRight(slot, "\n"), ' ')
	if tail < 0 {
		return m, false
	}
	text := bytes.TrimRight(slot[:tail], " ")
	sum := sha256.Sum256(text)
	if hex.EncodeToString(sum[:]) != string(bytes.TrimSpace(slot[tail:])) {
		return m, false
	}
	return m, json.Unmarshal(text, &m) == nil
}

// A marker keeps the mark of a journal up to date.
type marker interface {
	// set notes that the journal reaches as far, durably if that is asked.
	set(m Mark, durable bool) error
	Close() error
}

// A markFile is a marker on a disk. The system keeps what is written to it if
// only this process dies; it is synced once in a while, for a machine that does.
type markFile struct {
	file   disk.File
	next   int // slot
	synced time.Time
}

// markSync is how far the mark on the disk may be behind, should the machine die.
const markSync = time.Second

func (f *markFile) set(m Mark, durable bool) error {
	slot, err := m.seal()
	if err != nil {
		return err
	}
	if _, err := f.file.WriteAt(slot, int64(f.next)*slotSize); err != nil {
		return err
	}
	f.next = (f.next + 1) % slots
	if now := time.Now(); durable || now.Sub(f.synced) >= markSync {
		f.synced = now
		return f.file.Sync()
	}
	return nil
}

func (f *markFile) Close() error { return f.file.Close() }

// A remoteMark is the marker of a journal that is a copy.
type remoteMark struct{ remote Remote }

func (r remoteMark) set(m Mark, durable bool) error { return r.remote.Mark(m, durable) }
func (r remoteMark) Close() error                   { return nil }

// mark reads the mark; there is none in a directory of an earlier version.
func (d *Dir) mark() (m Mark, ok bool, err error) {
	if d.remote != nil {
		m, ok = d.remote.Marked()
		return m, ok, nil
	}
	text, err := disk.ReadFile(d.on(), d.File(MarkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	} else if err != nil {
		return m, false, err
	}
	m, _, ok = newest(text)
	if !ok {
		return m, false, &CutError{d.File(MarkFile), "was changed, or rotted, after it was written, so that it does not say how far the journal reached"}
	}
	return m, true, nil
}

// newest is the mark that reaches furthest of those that are whole, and its slot.
func newest(text []byte) (m Mark, slot int, ok bool) {
	for i := 0; len(text) > 0; i++ {
		size := min(slotSize, len(text))
		if now, whole := unseal(text[:size]); whole && (!ok || now.Bytes >= m.Bytes) {
			m, slot, ok = now, i, true
		}
		text = text[size:]
	}
	return m, slot, ok
}

// place is what a copy of the directory would not keep.
func (d *Dir) place() (string, error) {
	if d.remote != nil {
		return d.remote.String(), nil
	}
	f, err := d.on().OpenFile(d.File(JournalFile), os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return d.on().Birth(f)
}

// writeMark begins the file of the mark anew.
func (d *Dir) writeMark(m Mark) error {
	if d.remote != nil {
		return d.remote.Mark(m, true)
	}
	slot, err := m.seal()
	if err != nil {
		return err
	}
	return d.keep(MarkFile, func(w disk.File) error {
		_, err := w.Write(bytes.Repeat(slot, slots))
		return err
	})
}

// reaches fails if the journal, whose whole lines are known to be good,
// does not come as far as its mark, or not by the same lines.
func (h *History) reaches(m Mark) error {
	path := h.dir.File(JournalFile)
	if h.dir.remote != nil {
		path = "the journal of " + h.dir.String()
	}
	switch {
	case h.size < m.Bytes:
		return &CutError{path, fmt.Sprintf("has %d lines, and had %d when it was written last: it was cut short, emptied or deleted", h.lines, m.Lines)}
	case m.Bytes == 0:
		return nil
	}
	head, err := h.dir.sumAt(m.Bytes)
	if err != nil {
		return err
	}
	if head != m.Head {
		return &CutError{path, fmt.Sprintf("is another journal than the one that was written last: its line %d is not the one that stood there", m.Lines)}
	}
	return nil
}

// sumAt is the SHA-256 that seals the line of the journal which ends after so many bytes.
func (d *Dir) sumAt(bytes int64) (string, error) {
	f, err := d.on().OpenFile(d.File(JournalFile), os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, sumLen)
	if _, err := f.ReadAt(head, bytes-int64(len(sealClose)+sumLen)); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(head), nil
}

// EndsAt reports whether the journal has so many bytes, its mark says the same, and its
// last line is the one that the mark names. It reads no other line: what stands before
// is for [Dir.Replay] to check. Of a copy, and without a mark, it does not.
func (d *Dir) EndsAt(bytes int64) (bool, error) {
	if d.remote != nil || bytes <= 0 {
		return false, nil
	}
	m, marked, err := d.mark()
	if err != nil || !marked || m.Bytes != bytes {
		return false, err
	}
	info, err := d.Stat(JournalFile)
	if err != nil || info.Size() != bytes {
		return false, err
	}
	head, err := d.sumAt(bytes)
	return head == m.Head, err
}

// Marked reports whether the directory has a mark, which [History.Begin] makes.
func (h *History) Marked() bool { return h.marked }

// Begin prepares the directory, which must be held, for a session: it makes the
// journal and its mark where there are none. It comes before anything says that
// the run began, so that a journal that is missing later was deleted. A
// directory that was copied, moved or restored is a [*MovedError], unless moved
// says that this is known.
func (h *History) Begin(moved bool) error {
	d := h.dir
	if err := disk.Ensure(d.on(), d.File(JournalFile)); err != nil {
		return err
	}
	place, err := d.place()
	if err != nil {
		return err
	}
	m, marked, err := d.mark()
	if err != nil {
		return err
	}
	if marked && m.Place != place && m.Place != "" && !moved {
		return &MovedError{d.String(), "is not where its run was worked on last"}
	}
	// The mark of a process that was killed may be behind the journal.
	if now := (Mark{Lines: h.lines, Bytes: h.size, Head: h.head, Place: place}); !marked || moved || m != now {
		if err := d.writeMark(now); err != nil {
			return err
		}
	}
	h.marked, h.place = true, place
	return nil
}

// marker opens the mark for a session, which begins to write in the slot that says
// less: the other one may be torn.
func (h *History) marker() (marker, error) {
	if h.dir.remote != nil {
		return remoteMark{h.dir.remote}, nil
	}
	text, err := disk.ReadFile(h.dir.on(), h.dir.File(MarkFile))
	if err != nil {
		return nil, err
	}
	_, slot, _ := newest(text)
	f, err := h.dir.on().OpenFile(h.dir.File(MarkFile), os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &markFile{file: f, next: (slot + 1) % slots}, nil
}
