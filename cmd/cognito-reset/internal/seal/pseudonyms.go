package seal

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report/evidence"
)

// pseudonymize puts another record, in an empty folder, in the place of the run's:
// one in which nobody is named.
func (s *sealing) pseudonymize(keyFile, folder string) error {
	key, err := evidence.OpenKey(keyFile)
	if err != nil {
		return exit.Usagef("--pseudonym-key: %w", err)
	}
	from, to, m := s.record.Dir, &journal.Dir{Path: folder}, &s.manifest
	m.Pseudonyms = &evidence.Pseudonyms{Key: key.ID(), Journal: m.Journal}
	if head := m.Journal.SHA256; head != "" {
		// As it is, names could be tried against it.
		m.Pseudonyms.Journal.SHA256 = key.Other("journal", head)
	}
	r := s.record.Unnamed()
	r.Dir = to
	m.Run = rundir.RunName(r.Spec.CreatedAt, r.Spec.UserPoolID)
	actor := func(who string) string { return key.Other("actor", who) }
	if r.Found.Roster, err = from.CopyMasked(to, journal.Mask{
		User: key.User, Actor: actor,
		Kept: func(value string) string { return key.Other("kept", value) },
	}); err != nil {
		return err
	}
	if sum := s.record.Found.InputSHA256; sum != "" {
		r.Found.InputSHA256 = key.Other("input", sum)
	}
	if who := s.record.Found.Caller; who.ARN != "" {
		r.Found.Caller = awsaccount.Caller{Account: who.Account, ARN: actor(who.ARN)}
		if who.Base != "" {
			r.Found.Caller.Base = actor(who.Base)
		}
	}
	if who := s.record.Spec.ApprovedBy; who != "" {
		r.Spec.ApprovedBy = actor(who)
	}
	if err := r.Save(); err != nil {
		return err
	}
	for _, name := range Carried {
		switch {
		case !from.Has(name):
		case name == rundir.UncoveredFile || name == rundir.VerifyFile:
			if err := pseudonymizeCSV(to, from, name, key); err != nil {
				return err
			}
		default:
			m.Pseudonyms.LeftOut = append(m.Pseudonyms.LeftOut, name)
		}
	}
	s.record = r
	if s.history, err = r.Replay(); err != nil {
		return err
	}
	m.Journal.Lines, m.Journal.SHA256 = s.history.Head()
	return nil
}

// pseudonymizeCSV copies a file of a run directory with other usernames.
func pseudonymizeCSV(to, from *journal.Dir, name string, key evidence.Key) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close() // it was only read
	return to.Write(name, func(out io.Writer) error {
		r, w := csv.NewReader(in), csv.NewWriter(out)
		column, sub := -1, -1
		for {
			cells, err := r.Read()
			switch {
			case errors.Is(err, io.EOF):
				w.Flush()
				return w.Error()
			case err != nil:
				return fmt.Errorf("%s: %w", from.File(name), err)
			case column >= 0:
				cells[column] = key.User(cells[column])
				if sub >= 0 && cells[sub] != "" {
					cells[sub] = key.User(cells[sub])
				}
			default:
				if column = slices.Index(cells, "username"); column < 0 {
					return fmt.Errorf("%s has no column username, so it cannot be told who is named there: delete it, or make it anew", from.File(name))
				}
				sub = slices.Index(cells, "sub")
			}
			if err := w.Write(cells); err != nil {
				return err
			}
		}
	})
}
