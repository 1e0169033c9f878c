package journal

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/names"
	"cognito-reset/batch/internal/relay"
	"cognito-reset/batch/journal/disk"
)

// A row is a line of roster.jsonl.
type row struct {
	Row            int64             `json:"row"`
	InputRow       int64             `json:"input_row,omitzero"`
	Username       string            `json:"username,omitzero"`
	Sub            string            `json:"sub,omitzero"`
	ClientMetadata map[string]string `json:"client_metadata,omitempty"`
	Kept           []string          `json:"kept,omitempty"`
	Before         *batch.Snapshot   `json:"before,omitzero"`
	Outcome        batch.Outcome     `json:"outcome,omitzero"`
	Reason         batch.Reason      `json:"reason,omitzero"`
	Detail         string            `json:"detail,omitzero"`
}

func (r *row) decode(raw []byte) error {
	if r.scan(raw) {
		return nil
	}
	*r = row{}
	return json.Unmarshal(raw, r)
}

// scan reads a row, if it is as plain as nearly all of them are.
func (r *row) scan(raw []byte) bool {
	s := scan(raw, "{", "}\n")
	for s.next() {
		switch string(s.name) {
		case "row":
			r.Row = s.integer()
		case "input_row":
			r.InputRow = s.integer()
		case "username":
			r.Username = s.text()
		case "sub":
			r.Sub = s.text()
		case "outcome":
			r.Outcome = batch.Outcome(s.word())
		case "reason":
			r.Reason = batch.Reason(s.word())
		case "detail":
			r.Detail = s.text()
		case "before":
			s.into(&r.Before)
		default:
			return false
		}
	}
	return !s.odd
}

// appendRow appends an entry as a line, in the order of [row]. It is made by hand, in a
// sixth of the time that reflection takes.
func appendRow(dst []byte, e *batch.Entry) (_ []byte, err error) {
	text := func(name, s string) {
		if s != "" {
			dst, _ = jsontext.AppendQuote(append(dst, name...), s) // replaces what is not UTF-8
		}
	}
	value := func(name string, v any) {
		raw, wrong := json.Marshal(v, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
		dst, err = append(append(dst, name...), raw...), cmp.Or(err, wrong)
	}
	dst = strconv.AppendInt(append(dst, `{"row":`...), e.Row, 10)
	if e.InputRow != 0 {
		dst = strconv.AppendInt(append(dst, `,"input_row":`...), e.InputRow, 10)
	}
	text(`,"username":`, e.Username)
	text(`,"sub":`, e.Sub)
	if len(e.ClientMetadata) > 0 {
		value(`,"client_metadata":`, e.ClientMetadata)
	}
	if len(e.Kept) > 0 {
		value(`,"kept":`, e.Kept)
	}
	if e.Before != nil {
		value(`,"before":`, e.Before)
	}
	text(`,"outcome":`, string(e.Outcome))
	text(`,"reason":`, string(e.Reason))
	text(`,"detail":`, e.Detail)
	return append(dst, "}\n"...), err
}

// A Survey says what a roster holds.
type Survey struct {
	Rows    int64                  `json:"rows"`              // all of them
	Users   int64                  `json:"users"`             // rows to work on
	SHA256  string                 `json:"sha256"`            // of roster.jsonl
	Reasons map[batch.Reason]int64 `json:"reasons,omitempty"` // why the other rows need no call
}

// Spool copies the entries of a run into its directory, so that whatever
// becomes of the input, a resume works on the same people. Rows must come in
// order, counted from 1. The first error among the entries ends it, and leaves
// no roster but an earlier one. Where the directory is a copy, the roster is kept
// with the run.json that is written next.
func (d *Dir) Spool(entries iter.Seq2[batch.Entry, error]) (Survey, error) {
	survey := Survey{Reasons: make(map[batch.Reason]int64)}
	sum := sha256.New()
	err := d.keep(RosterFile, func(file disk.File) error {
		w := bufio.NewWriterSize(io.MultiWriter(file, sum), 1<<16)
		var line []byte
		for e, err := range relay.Ahead(entries) {
			if err != nil {
				return err
			}
			if survey.Rows++; e.Row != survey.Rows {
				return fmt.Errorf("row %d comes where row %d should", e.Row, survey.Rows)
			}
			if e.Outcome == "" {
				survey.Users++
			} else {
				survey.Reasons[e.Reason]++
			}
			if line, err = appendRow(line[:0], &e); err != nil {
				return err
			}
			if len(line) > maxLine {
				return fmt.Errorf("row %d takes a line of %d bytes, and %d is the most", e.Row, len(line), maxLine)
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		return w.Flush()
	})
	survey.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return survey, err
}

// Entries yields the roster as it was spooled.
func (d *Dir) Entries() iter.Seq2[batch.Entry, error] { return d.entries(io.Discard) }

// entries yields the roster, and writes its bytes to sum as they are read.
func (d *Dir) entries(sum io.Writer) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		path := d.File(RosterFile)
		f, err := d.on().OpenFile(path, os.O_RDONLY, 0)
		if err != nil {
			yield(batch.Entry{}, err)
			return
		}
		defer f.Close()
		n := 0
		for raw, err := range split(path, io.TeeReader(f, sum)) {
			n++
			var r row
			switch {
			case err != nil:
			case raw[len(raw)-1] != '\n':
				err = &DamageError{path, n, "this is not a whole line"}
			default:
				if wrong := r.decode(raw); wrong != nil {
					err = &DamageError{path, n, wrong.Error()}
				} else if r.Row != int64(n) {
					err = &DamageError{path, n, fmt.Sprintf("this is row %d", r.Row)}
				}
			}
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
			if !yield(batch.Entry{Row: r.Row, InputRow: r.InputRow, Username: r.Username, Sub: r.Sub, ClientMetadata: r.ClientMetadata, Kept: r.Kept, Before: r.Before, Outcome: r.Outcome, Reason: r.Reason, Detail: r.Detail}, nil) {
				return
			}
		}
	}
}

// Compare counts the users that only the one or only the other names, each of
// them once.
func Compare(before, after iter.Seq2[batch.Entry, error]) (added, gone int64, err error) {
	var known names.Set
	for e, err := range before {
		if err != nil {
			return 0, 0, err
		}
		if e.Outcome == "" {
			known.Add(e.Username)
		}
	}
	stayed := make([]bool, known.Len())
	gone = int64(len(stayed))
	for e, err := range after {
		if err != nil {
			return 0, 0, err
		}
		if e.Outcome != "" {
			continue
		}
		switch id, fresh := known.Add(e.Username); {
		case fresh:
			added++
		case id < len(stayed) && !stayed[id]:
			stayed[id] = true
			gone--
		}
	}
	return added, gone, nil
}

// Named yields the users that the journal names, by the names that it has for them
// and, where it has one, their sub; each of them as often as it is named. It
// does not check the journal, as [Dir.Replay] does.
func (d *Dir) Named() iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		f, err := os.Open(d.File(JournalFile))
		if errors.Is(err, fs.ErrNotExist) {
			return
		} else if err != nil {
			yield(batch.Entry{}, err)
			return
		}
		defer f.Close() // only read
		for raw, err := range split(f.Name(), f) {
			var l line
			if err == nil && (raw[len(raw)-1] != '\n' || decode(raw, time.Time{}, &l) != "" || l.Username == "") {
				continue
			}
			if !yield(batch.Entry{Row: l.Row, Username: l.Username, Sub: l.Sub}, err) || err != nil {
				return
			}
		}
	}
}

// Aside keeps the roster while another takes its place. Of the two functions that
// it returns, back puts it back, and drop lets go of it.
func (d *Dir) Aside() (back func() error, drop func() error, err error) {
	folder, err := os.MkdirTemp(d.Path, ".roster-")
	if err != nil {
		return nil, nil, err
	}
	kept := &Dir{Path: folder}
	drop = func() error { return os.RemoveAll(folder) }
	if os.Link(d.File(RosterFile), kept.File(RosterFile)) != nil { // not every file system has links
		if _, err := kept.Spool(d.Entries()); err != nil {
			return nil, nil, errors.Join(err, drop())
		}
	}
	back = func() error {
		_, err := d.Spool(kept.Entries())
		return errors.Join(err, drop())
	}
	return back, drop, nil
}
