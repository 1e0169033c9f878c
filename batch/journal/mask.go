package journal

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"

	"cognito-reset/batch"
)

// A Mask has other words for what tells who somebody is. It is never asked about
// an empty text, and has the same word for the same text each time.
type Mask struct {
	User  func(string) string // for a username, or what stands in its place
	Kept  func(string) string // for a value of a column that is kept
	Actor func(string) string // for who steered the run
}

// withheld takes the place of a text of which it must be told that there was one.
const withheld = "withheld"

// CopyMasked writes the roster and the journal into another directory with the
// words of a mask. The journal is sealed anew, so its hashes are others. What a
// mask has no words for is left out: messages and details, what was handed to
// triggers, hosts, and the hashes of rosters, by which names could be tried. A torn
// last line is left out as well.
func (d *Dir) CopyMasked(to *Dir, m Mask) (Survey, error) {
	survey, err := to.Spool(func(yield func(batch.Entry, error) bool) {
		for e, err := range d.Entries() {
			if err == nil {
				e = m.entry(e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	})
	if err != nil {
		return survey, err
	}
	f, err := d.on().OpenFile(d.File(JournalFile), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return survey, nil
	} else if err != nil {
		return survey, err
	}
	defer f.Close()
	return survey, to.Write(JournalFile, func(out io.Writer) error {
		w, sealed := bufio.NewWriterSize(out, 1<<16), newChain()
		var size int64
		var text []byte
		for rec, err := range read(f.Name(), f, newChain(), &size) {
			if err != nil {
				return err
			}
			masked := m.line(rec.line)
			if text, err = sealed.append(text[:0], &masked); err != nil {
				return err
			}
			if rec.sealed {
				text = sealed.finish(text)
			}
			if _, err := w.Write(text); err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

func (m Mask) entry(e batch.Entry) batch.Entry {
	e.Username, e.Sub = apply(m.User, e.Username), apply(m.User, e.Sub)
	for i, value := range e.Kept {
		e.Kept[i] = apply(m.Kept, value)
	}
	e.ClientMetadata, e.Detail = nil, ""
	return e
}

func (m Mask) line(l line) line {
	l.Username, l.Sub, l.By = apply(m.User, l.Username), apply(m.User, l.Sub), apply(m.Actor, l.By)
	l.ErrorMessage, l.Host, l.Roster = "", "", ""
	if l.Stopped != "" {
		l.Stopped = withheld
	}
	return l
}

func apply(word func(string) string, text string) string {
	if text == "" {
		return ""
	}
	return word(text)
}
