package rundir

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
)

// IndexFile is the index of a run, in its directory: a line of JSON, and then 24
// bytes for each name of a user who was reset, a hash and a time.
const IndexFile = "history.idx"

const indexVersion = 1

// A Header is the first line of an index.
type Header struct {
	Version      int       `json:"version"`
	UserPoolID   string    `json:"user_pool_id"`
	JournalBytes int64     `json:"journal_bytes"` // of the journal that it was made of
	Users        int64     `json:"users"`
	Names        int64     `json:"names"` // of these users: a user may have several
	First        time.Time `json:"first,omitzero"`
	Last         time.Time `json:"last,omitzero"` // of the resets
}

// A hash stands for a name in a user pool. It is plain SHA-256, cut to 16 bytes:
// whoever guesses a name can tell whether it is there, and nobody can read names.
type hash [16]byte

// How a name is compared: as it is, or in the form that a pool goes by to which
// letters' case means nothing.
const (
	exact  = 'e'
	folded = 'f'
)

func hashOf(poolID string, how byte, name string) hash {
	sum := sha256.Sum256([]byte(poolID + "\x00" + string(how) + name))
	return hash(sum[:16])
}

// Write makes the index of a run on a pool from its resets: results whose password
// was replaced. journalBytes is the size of the journal that they were read from.
func Write(dir *journal.Dir, poolID string, journalBytes int64, resets iter.Seq2[batch.Result, error]) error {
	h := Header{Version: indexVersion, UserPoolID: poolID, JournalBytes: journalBytes}
	var body []byte
	add := func(how byte, name string, at time.Time) {
		sum := hashOf(poolID, how, name)
		body = binary.BigEndian.AppendUint64(append(body, sum[:]...), uint64(at.UnixMilli()))
		h.Names++
	}
	for r, err := range resets {
		if err != nil {
			return err
		}
		at := r.FinishedAt
		h.Users++
		if h.First.IsZero() || at.Before(h.First) {
			h.First = at
		}
		if at.After(h.Last) {
			h.Last = at
		}
		for _, name := range r.Names() {
			add(exact, name, at)
			if lower := strings.ToLower(name); lower != name {
				add(folded, lower, at)
			}
		}
	}
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return dir.Write(IndexFile, func(f io.Writer) error {
		_, err := f.Write(append(append(line, '\n'), body...))
		return err
	})
}

// ReadHeader reads the first line of a run's index. It fails with [fs.ErrNotExist]
// if there is none.
func ReadHeader(dir *journal.Dir) (h Header, err error) {
	f, err := dir.Open(IndexFile)
	if err != nil {
		return h, err
	}
	defer f.Close()
	return readHeader(bufio.NewReader(f), dir)
}

func readHeader(r *bufio.Reader, dir *journal.Dir) (h Header, err error) {
	line, err := r.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &h)
	}
	if err == nil && h.Version != indexVersion {
		err = fmt.Errorf("its version is %d", h.Version)
	}
	if err != nil {
		return h, fmt.Errorf("%s is not an index that can be read: %w", dir.File(IndexFile), err)
	}
	return h, nil
}

// A History is whom earlier runs on a pool have reset since a time.
type History struct {
	poolID string
	since  time.Time
	fold   func(string) string
	reset  map[hash]struct{}
}

// NewHistory makes a history of no runs. fold is the form in which the pool compares
// usernames; nil if as they are.
func NewHistory(poolID string, since time.Time, fold func(string) string) *History {
	return &History{poolID: poolID, since: since, fold: fold, reset: make(map[hash]struct{})}
}

// Counts are of the resets of a run: the names of users reset before the time of a
// history, and since.
type Counts struct{ Before, Since int64 }

// Add takes the index of a run in. An index that is cut short is an error.
func (h *History) Add(dir *journal.Dir) (n Counts, err error) {
	f, err := dir.Open(IndexFile)
	if err != nil {
		return n, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	head, err := readHeader(r, dir)
	if err != nil || head.UserPoolID != h.poolID {
		return n, err
	}
	if head.Last.Before(h.since) {
		n.Before = head.Users
		return n, nil
	}
	var record [24]byte
	for range head.Names {
		if _, err := io.ReadFull(r, record[:]); err != nil {
			return n, fmt.Errorf("%s is cut short: %w", dir.File(IndexFile), err)
		}
		if at := time.UnixMilli(int64(binary.BigEndian.Uint64(record[16:]))); at.Before(h.since) {
			n.Before++
			continue
		}
		n.Since++
		h.reset[hash(record[:16])] = struct{}{}
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("%s is longer than it says", dir.File(IndexFile))
	}
	return n, nil
}

// Has reports whether one of the runs has reset a user since, by any of the user's
// names. A name that is empty is none.
func (h *History) Has(names ...string) bool {
	if len(h.reset) == 0 {
		return false
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		if h.has(exact, name) {
			return true
		}
		if h.fold == nil {
			continue
		}
		if name = h.fold(name); h.has(exact, name) || h.has(folded, name) {
			return true
		}
	}
	return false
}

func (h *History) has(how byte, name string) bool {
	_, found := h.reset[hashOf(h.poolID, how, name)]
	return found
}
