package render

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"
)

// A Merging makes one report of several runs.
type Merging struct {
	*report.Merged
	rundir.Record                // what all runs have in common, and how to write reports
	Summary       report.Summary // but for what the rows tell
	Apart         bool           // each run goes on by itself, and not all of them by the folder of the reports

	store *rundir.Store
}

// NewMerging merges runs of a store.
func NewMerging(store *rundir.Store) *Merging { return &Merging{store: store} }

// Read finds out what counts of the runs. merge is one of [report.Merge] and
// [report.MergePools].
func (m *Merging) Read(ctx context.Context, paths []string, merge func(...report.Part) (*report.Merged, error)) error {
	var parts []report.Part
	for i, path := range paths {
		r, err := m.store.Ended(ctx, path)
		if err != nil {
			return err
		}
		if i == 0 {
			m.Spec = spec.Spec{UserPoolID: r.Spec.UserPoolID, DryRun: r.Spec.DryRun, Sandbox: r.Spec.Sandbox, Response: spec.Response{Steps: r.Spec.Steps}}
		}
		if r.Spec.DryRun != m.Spec.DryRun || r.Spec.Sandbox != m.Spec.Sandbox {
			return exit.Usagef("of %s and %s only one reset anybody: the other is a dry run, or was against a sandbox", paths[0], path)
		}
		if r.Spec.SignOutAlone() != m.Spec.SignOutAlone() {
			return exit.Usagef("of %s and %s one resets users and the other signs them out alone: one report cannot say both of a user; make one of each kind", paths[0], path)
		}
		history, err := r.Replay()
		if err != nil {
			return err
		}
		rows := r.Rows(history, nil)
		parts = append(parts, report.Part{Name: path, Pool: r.Spec.UserPoolID, Rows: r.Found.Roster.Rows, Ended: rows.Summary.FinishedAt, Kept: r.Spec.Keep, Results: rows.Results})
		m.add(rows.Summary)
	}
	var err error
	if m.Merged, err = merge(parts...); err != nil {
		return err
	}
	m.Spec.UserPoolID, m.Spec.Keep = strings.Join(m.Pools, ", "), m.Kept
	return nil
}

// add takes a run's times into the summary.
func (m *Merging) add(run report.Summary) {
	s, first := &m.Summary, m.Summary.StartedAt.IsZero()
	s.DryRun, s.Sandbox, s.Steps = run.DryRun, run.Sandbox, run.Steps
	for _, of := range []struct {
		to  *string
		own string
	}{{&s.UserPoolID, run.UserPoolID}, {&s.UserPoolName, run.UserPoolName}, {&s.Account, run.Account}, {&s.Region, run.Region}} {
		if first {
			*of.to = of.own
		} else if *of.to != of.own {
			*of.to = "" // there are several
		}
	}
	s.ElapsedSeconds += run.ElapsedSeconds
	s.RateAsked = max(s.RateAsked, run.RateAsked)
	s.JournalBytes += run.JournalBytes
	if s.StartedAt.IsZero() || run.StartedAt.Before(s.StartedAt) {
		s.StartedAt = run.StartedAt
	}
	if run.FinishedAt.After(s.FinishedAt) {
		s.FinishedAt = run.FinishedAt
	}
}

// Write writes what counts of every row to the writers, and sums up.
func (m *Merging) Write(writers ...report.Writer) (report.Summary, error) {
	sum := m.Summary
	if err := report.WriteAll(m.Results(), append(writers, &sum)...); err != nil {
		return sum, err
	}
	sum.CountCalls(m.Calls, m.Throttled)
	switch {
	case sum.ExitCode != exit.Done: // who had the runs made knows it
	case sum.Outcomes[batch.NotAttempted] > 0:
		sum.ExitCode = exit.Stopped
	case !sum.Well():
		sum.ExitCode = exit.SomeFailed
	}
	return sum, sum.Close()
}

// Files writes the reports into a folder, for runs that people know by a name: its
// path, or where the folder is copied to.
func (m *Merging) Files(path, name string) (sum report.Summary, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("the reports could not be written: %w", err)
		}
	}()
	if err := disk.MkdirAll(disk.OS, path); err != nil {
		return sum, err
	}
	dir := &journal.Dir{Path: path}
	page := Page(&m.Record, nil)
	of := subject(&m.Record, name)
	of.ByPool, of.Merged = m.ByPool(), m.Apart
	err = lists(dir, &m.Record, of, func(writers ...report.Writer) (err error) {
		sum, err = m.Write(append(writers, page)...)
		return err
	})
	if err == nil {
		err = dir.Write("report.html", func(html io.Writer) error { return page.Render(html, sum) })
	}
	if err != nil {
		return sum, err
	}
	if err := m.writeConflicts(dir); err != nil {
		return sum, err
	}
	sum.RunDirectory = name
	return sum, dir.WriteJSON(rundir.SummaryFile, sum)
}

// writeConflicts writes the rows that contradict each other, each with its run.
func (m *Merging) writeConflicts(dir *journal.Dir) error {
	if m.Conflicts == 0 { // nor must those of an earlier merging stay
		if err := os.Remove(dir.File(rundir.ConflictsFile)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	as := spec.Spec{Settings: m.Spec.Settings, Source: spec.Source{Keep: []string{"run"}}}
	return dir.Write(rundir.ConflictsFile, func(f io.Writer) error { return report.WriteAll(m.Contradictions(), CSV(f, as)) })
}
