// Package seal puts the record of a run into one file, from which later nobody can
// change a byte unnoticed, and checks such a file.
package seal

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
	"cognito-reset/report/evidence"
)

// Options are how a run is sealed.
type Options struct {
	Output  string
	Signer  ssh.Signer // nil for no signature
	KeyFile string     // of pseudonyms; "" for usernames
	Tool    evidence.Tool
}

// Sealed is what was sealed. Its bundle can be read no more.
type Sealed struct {
	Bundle *evidence.Bundle
	Open   bool // a resume would find users to work on
	Stale  bool // the run directory's report is not what the journal says
}

// sealing is the record that goes into a bundle, under a name.
type sealing struct {
	run   *journal.Dir // the one that was asked for
	size  int64        // of its journal
	stale bool         // its report is not what the journal says

	record   *rundir.Record // that is sealed
	history  *journal.History
	manifest evidence.Manifest
}

// Seal seals a run that nobody works on.
func Seal(ctx context.Context, record *rundir.Record, path string, o Options) (*Sealed, error) {
	s := &sealing{manifest: evidence.Manifest{SealedAt: time.Now().UTC().Truncate(time.Second), Tool: o.Tool}}
	if err := s.read(record, path); err != nil {
		return nil, err
	}
	if o.KeyFile != "" {
		folder, err := os.MkdirTemp(filepath.Dir(o.Output), "pseudonymized-*.tmp") // mode 0700
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(folder)
		if err := s.pseudonymize(o.KeyFile, folder); err != nil {
			return nil, err
		}
	}
	bundle, err := s.write(ctx, o.Output, o.Signer)
	switch {
	case ctx.Err() != nil:
		return nil, exit.Early(context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("%s was not written: %w", o.Output, err)
	}
	return &Sealed{bundle, s.manifest.State == "open", s.stale}, nil
}

// read takes in the record of a run.
func (s *sealing) read(record *rundir.Record, path string) (err error) {
	s.record, s.run, s.size = record, record.Dir, rundir.JournalSize(record.Dir)
	if s.history, err = record.Replay(); err != nil {
		return exit.With(exit.Usage, err)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	m := &s.manifest
	m.Run, m.State = filepath.Base(absolute), "finished"
	if left, _ := s.history.Open(); left > 0 && record.Spec.ForReal() {
		m.State = "open"
	}
	m.Journal.Lines, m.Journal.SHA256 = s.history.Head()
	return nil
}

// Carried are the files of a run directory that do not follow from its record. A
// bundle has them as they are.
var Carried = []string{rundir.PlanFile, "report.html", rundir.UncoveredFile, rundir.VerifyFile}

// members are the files of the bundle.
func (s *sealing) members() []evidence.Member {
	dir := s.record.Dir
	members := rendered(s.record, s.history, s.manifest.Run)
	for _, name := range append([]string{journal.RunFile, journal.RosterFile, journal.JournalFile}, Carried...) {
		if dir.Has(name) {
			members = append(members, evidence.Member{Name: name, Write: func(w io.Writer) error { return copyFile(w, dir, name) }})
		}
	}
	return members
}

func copyFile(w io.Writer, from *journal.Dir, name string) error {
	f, err := from.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	_, err = io.Copy(w, f)
	return err
}

// rendered are the files that follow from the record of a run, in its directory
// under that name.
func rendered(record *rundir.Record, history *journal.History, name string) []evidence.Member {
	var known atomic.Pointer[report.Summary] // by whoever came to the last row first
	write := func(writers ...report.Writer) (report.Summary, error) {
		rows := record.Rows(history, nil)
		rows.Summary.RunDirectory = name
		err := rows.Write(writers...)
		if err == nil {
			known.Store(&rows.Summary)
		}
		return rows.Summary, err
	}
	return []evidence.Member{
		{Name: "preflight.json", Write: func(w io.Writer) error {
			return render.JSON(w, struct {
				UserPoolID string           `json:"user_pool_id"`
				Checks     []rundir.Finding `json:"checks"`
			}{record.Spec.UserPoolID, record.Found.Findings})
		}},
		{Name: "report.csv", Write: func(w io.Writer) error {
			_, err := write(render.CSV(w, record.Spec))
			return err
		}},
		{Name: "report.jsonl", Write: func(w io.Writer) error {
			_, err := write(report.NewJSONL(w, record.Spec.Keep...))
			return err
		}},
		{Name: rundir.SummaryFile, Write: func(w io.Writer) error {
			if summary := known.Load(); summary != nil {
				return render.JSON(w, *summary)
			}
			summary, err := write()
			return cmp.Or(err, render.JSON(w, summary))
		}},
	}
}

// write seals the record into a file, whole or not at all, and reads it back. What
// it returns tells of the file, and can read it no more.
func (s *sealing) write(ctx context.Context, output string, signer ssh.Signer) (bundle *evidence.Bundle, err error) {
	err = disk.Replace(disk.OS, output, func(f disk.File) error {
		if err := evidence.Write(f, s.manifest, signer, during(ctx, s.members())...); err != nil {
			return err
		}
		if s.run.Held() || rundir.JournalSize(s.run) != s.size {
			return fmt.Errorf("%s was taken up in the meantime: seal it when that has ended", s.run.Path)
		}
		if bundle, err = Open(f); err != nil {
			return err
		}
		if s.record.Dir == s.run {
			sum := sha256.New()
			s.stale = copyFile(sum, s.run, "report.csv") == nil && !bundle.Manifest.Holds("report.csv", sum.Sum(nil))
		}
		return nil
	})
	return bundle, err
}

// during lets the writing of members end with a context.
func during(ctx context.Context, members []evidence.Member) []evidence.Member {
	for i, m := range members {
		members[i].Write = func(w io.Writer) error {
			return m.Write(writerFunc(func(p []byte) (int, error) {
				if err := context.Cause(ctx); err != nil {
					return 0, err
				}
				return w.Write(p)
			}))
		}
	}
	return members
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Open opens a bundle.
func Open(f disk.File) (*evidence.Bundle, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return evidence.Open(f, info.Size())
}
