package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"

	"cognito-reset/batch"
)

// told is a row of the roster and where the last word on its user stands.
type told struct {
	batch.Entry
	mark
	history *History
	journal *window
}

func (h *History) each() iter.Seq2[told, error] {
	return func(yield func(told, error) bool) {
		f, err := h.dir.on().OpenFile(h.dir.File(JournalFile), os.O_RDONLY, 0)
		if err == nil {
			defer f.Close()
		} else if !errors.Is(err, fs.ErrNotExist) {
			yield(told{}, err)
			return
		}
		journal := &window{file: f}
		for e, err := range h.dir.Entries() {
			row := told{Entry: e, history: h, journal: journal}
			if err == nil && e.Row > h.marks.len {
				err = fmt.Errorf("%s grew while it was read", h.dir.File(RosterFile))
			} else if err == nil {
				row.mark = *h.marks.at(e.Row - 1)
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// last reads the last line about the row's user; a zero line if there is none.
func (t told) last() (l line, err error) {
	if t.state == untouched || t.state == uncalled {
		return line{}, nil
	}
	raw, err := t.journal.read(t.offset, int(t.size))
	if err != nil {
		return line{}, err
	}
	if sumOf(raw) != t.sum {
		return line{}, t.changed()
	}
	if what := decode(raw, t.history.sessionAt(t.offset).StartedAt, &l); what != "" {
		return line{}, fmt.Errorf("%s: at byte %d: %s", t.journal.file.Name(), t.offset, what)
	}
	if l.Username == "" && l.Event == eventResult {
		l.Username, l.Sub = cmp.Or(t.history.called[t.Row], t.Username), cmp.Or(l.Sub, t.Sub)
		return l, nil
	}
	if l.Username != t.Username && (l.Sub == "" || l.Sub != t.Sub) {
		return line{}, t.changed()
	}
	return l, nil
}

func (t told) changed() error {
	return fmt.Errorf("%s: at byte %d: the file changed while it was read", t.journal.file.Name(), t.offset)
}

func (t told) result(pending batch.Reason) (batch.Result, error) {
	res := batch.Result{Row: cmp.Or(t.InputRow, t.Row), Username: t.Username, Sub: t.Sub, Outcome: batch.NotAttempted, Reason: pending, Before: t.Before, Kept: t.Kept}
	if t.Outcome != "" {
		res.Outcome, res.Reason, res.ErrorMessage = t.Outcome, t.Reason, t.Detail
		return res, nil
	}
	l, err := t.last()
	switch t.state {
	case intended:
		res.Outcome, res.Reason = batch.Unknown, batch.Interrupted
		res.Attempts, res.StartedAt = 1, l.At
		res.ErrorMessage = "the run ended before the answer was seen; a resume reads it back"
		if res.Before = cmp.Or(l.Before, t.Before); l.Step != "" {
			res.Steps = append(steps[batch.StepResult](l.Steps), batch.StepResult{Step: l.Step, Outcome: res.Outcome, Reason: res.Reason, Attempts: 1, StartedAt: l.At})
			res.ErrorMessage = l.Step + ": " + res.ErrorMessage
		}
	case final, open:
		row, kept := res.Row, res.Kept
		res = l.result()
		res.Row, res.Kept, res.Sub = row, kept, cmp.Or(l.Sub, t.Sub)
	}
	return res, err
}
