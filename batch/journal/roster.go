package journal

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/names"
)

// A row is a line of roster.jsonl.
type row struct {
	Row            int64             `json:"row"`
	Username       string            `json:"username,omitzero"`
	ClientMetadata map[string]string `json:"client_metadata,omitempty"`
	Outcome        batch.Outcome     `json:"outcome,omitzero"`
	Reason         batch.Reason      `json:"reason,omitzero"`
	Detail         string            `json:"detail,omitzero"`
}

// A Survey says what a roster holds.
type Survey struct {
	Rows    int64                  `json:"rows"`              // all of them
	Users   int64                  `json:"users"`             // rows to work on
	SHA256  string                 `json:"sha256"`            // of roster.jsonl
	Reasons map[batch.Reason]int64 `json:"reasons,omitempty"` // why the other rows need no call
}

// Spool copies the entries of a run into its directory, so that whatever
// becomes of the input, a resume works on the same people. The first error
// among the entries ends it, and leaves no roster.
func (d *Dir) Spool(entries iter.Seq2[batch.Entry, error]) (Survey, error) {
	survey := Survey{Reasons: make(map[batch.Reason]int64)}
	sum := sha256.New()
	err := d.Write(RosterFile, func(f *os.File) error {
		w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<16)
		enc := jsontext.NewEncoder(w, jsontext.AllowInvalidUTF8(true))
		for e, err := range entries {
			if err != nil {
				return err
			}
			survey.Rows++
			if e.Outcome == "" {
				survey.Users++
			} else {
				survey.Reasons[e.Reason]++
			}
			if err := json.MarshalEncode(enc, row{e.Row, e.Username, e.ClientMetadata, e.Outcome, e.Reason, e.Detail}); err != nil {
				return err
			}
		}
		return w.Flush()
	})
	survey.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return survey, err
}

// Entries yields the roster as it was spooled.
func (d *Dir) Entries() iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		path := d.File(RosterFile)
		f, err := os.Open(path)
		if err != nil {
			yield(batch.Entry{}, err)
			return
		}
		defer f.Close()
		lines := bufio.NewReaderSize(f, maxLine)
		for n := int64(1); ; n++ {
			raw, err := lines.ReadSlice('\n')
			if err == io.EOF && len(raw) == 0 {
				return
			}
			var r row
			if err == nil {
				err = json.Unmarshal(raw, &r)
			}
			if err == nil && r.Row != n {
				err = fmt.Errorf("this is row %d", r.Row)
			}
			if err != nil {
				yield(batch.Entry{}, &DamageError{path, int(n), err.Error()})
				return
			}
			if !yield(batch.Entry{Row: r.Row, Username: r.Username, ClientMetadata: r.ClientMetadata, Outcome: r.Outcome, Reason: r.Reason, Detail: r.Detail}, nil) {
				return
			}
		}
	}
}

// Compare counts the users that only the one or only the other names.
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
	total := known.Len()
	stayed := 0
	for e, err := range after {
		if err != nil {
			return 0, 0, err
		}
		if e.Outcome != "" {
			continue
		}
		if id, ok := known.Find(e.Username); ok && id < total {
			stayed++
		} else {
			added++
		}
	}
	return added, int64(total - stayed), nil
}
