package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"cognito-reset/batch"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// Add takes the counts of a run, and how it stands, into what is shown of the fleet.
func (f *fleet) Add(counts func() batch.Counts, live func() control.Live) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts, f.lives = append(f.counts, counts), append(f.lives, live)
}

// ahead is when the last of all ends; nothing before all work.
func (f *fleet) ahead() control.Live {
	f.mu.Lock()
	lives := slices.Clone(f.lives)
	f.mu.Unlock()
	working := 0
	for _, g := range f.groups {
		for _, m := range g.able() {
			if m.s.Left > 0 {
				working++
			}
		}
	}
	if len(lives) < working {
		return control.Live{}
	}
	var all []control.Live
	for _, live := range lives {
		all = append(all, live())
	}
	return control.Together(all)
}

// sum adds up the counts of all.
func (f *fleet) sum() (all batch.Counts) {
	f.mu.Lock()
	counts := slices.Clone(f.counts)
	f.mu.Unlock()
	for _, of := range counts {
		all.Add(of())
	}
	return all
}

// asked is what is done to the users of all targets, as far as they are alike.
func (f *fleet) asked() (r spec.Response) {
	for _, g := range f.groups {
		for _, m := range g.able() {
			return m.s.Record.Spec.Response
		}
	}
	return r
}

// work works on all targets side by side, and reports.
func (f *fleet) work(ctx context.Context) error {
	if !f.Quiet {
		term.Linef(f.Err, "")
		defer context.AfterFunc(ctx, func() {
			term.Linef(f.Err, "%v: calls under way finish; a second signal ends this at once, and no record is lost.", context.Cause(ctx))
		})()
	}
	if !f.Dry {
		f.WarnOfConnection(f.Folder.Path)
	}
	shown := term.NoProgress(f.Err)
	if !f.Quiet && !f.Dry {
		shown = term.Show(f.Err, f.Progress, f.users(), func() term.View {
			counts, live := f.sum(), f.ahead()
			return term.View{Done: counts.Settled(), State: control.State(counts, f.asked()), Ahead: live.Ahead(), Attrs: append(control.Tallied(counts), live.Ends()...)}
		})
	}
	var working sync.WaitGroup
	for _, g := range f.groups {
		for _, m := range g.able() {
			working.Go(func() { f.workOn(ctx, m) })
		}
	}
	working.Wait()
	shown.End()
	return f.finish(ctx)
}

// workOn works on one target. What becomes of it does not touch the others.
func (f *fleet) workOn(ctx context.Context, m *member) {
	var err error
	if m.s.Left > 0 && !f.Dry {
		m.stopped, err = m.s.Work(ctx)
	}
	if err == nil {
		m.summary, err = m.s.Conclude(m.stopped)
	}
	if m.stopped = cmp.Or(m.stopped, err); m.stopped != nil && ctx.Err() == nil {
		_ = term.Write(f.Err, "\n"+term.Hang(f.Err, "STOPPED   ", m.PoolID+": "+term.Visible(m.stopped.Error()))+"\n")
	}
	if err := m.s.Close(); m.stopped == nil {
		m.stopped = err
	}
}

// finish makes one report of all, and returns the worst exit.
func (f *fleet) finish(ctx context.Context) error {
	merged := render.NewMerging(f.Store)
	var paths, unfinished []string
	var elapsed float64
	sum := &merged.Summary
	for _, m := range f.members {
		t := m.target()
		sum.Targets = append(sum.Targets, t)
		sum.ExitCode = worse(sum.ExitCode, t.ExitCode)
		if m.summary != nil {
			paths, elapsed = append(paths, m.path), max(elapsed, m.summary.ElapsedSeconds)
		}
		if t.ExitCode != exit.Done && t.ExitCode != exit.SomeFailed {
			unfinished = append(unfinished, m.PoolID)
		}
	}
	if err := merged.Read(ctx, paths, report.MergePools); err != nil {
		return err
	}
	merged.Spec.CSVSafe = slices.ContainsFunc(f.members, func(m *member) bool { return m.s != nil && m.s.Record.Spec.CSVSafe })
	sum.ElapsedSeconds, sum.RateAsked = elapsed, f.rate() // they worked side by side
	if unfinished != nil && !f.Dry && !merged.Spec.Sandbox {
		sum.StoppedBecause = fmt.Sprintf("%d of %d user pools are not done: %s", len(unfinished), len(f.members), strings.Join(unfinished, ", "))
		if sum.Next = "cognito-reset resume " + term.Quote(f.Folder.Path); f.inS3() {
			sum.StoppedBecause += "; the same command goes on"
			sum.Next = ""
		}
	}
	write := func() (report.Summary, error) { return merged.Files(f.Folder.Path, f.Folder.Path) }
	if f.inS3() {
		write = func() (report.Summary, error) { return f.upload(ctx, merged) }
	}
	all, err := write()
	if err != nil {
		return err
	}
	f.Observer.Ended(all)
	if err := render.Print(f.Streams, all, f.JSON); err != nil {
		return err
	}
	return exit.Silent(all.ExitCode)
}

// upload writes the report of all beside the runs in S3.
func (f *fleet) upload(ctx context.Context, merged *render.Merging) (sum report.Summary, err error) {
	folder, drop, err := disk.TempDir(disk.OS)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	reports := filepath.Join(folder, "reports")
	if sum, err = merged.Files(reports, f.Folder.Path); err != nil {
		return sum, err
	}
	if err := s3run.Upload(ctx, f.Folder.Path, f.Store.S3, reports); err != nil {
		return sum, fmt.Errorf("the report of all user pools could not be written, but each has its own: %w", err)
	}
	return sum, nil
}

// target says what became of a target.
func (m *member) target() report.Target {
	t := report.Target{UserPoolID: m.PoolID, RunDirectory: m.path}
	if m.summary != nil {
		t.Rows, t.ExitCode = m.summary.Rows, m.summary.ExitCode
	}
	switch ended, chosen := errors.AsType[*exit.Error](m.stopped); {
	case m.out != nil:
		t.ExitCode, t.StoppedBecause = exit.Stopped, m.out.Error()
	case chosen:
		t.ExitCode, t.StoppedBecause = ended.Code, ended.Error()
	case m.stopped != nil:
		t.ExitCode, t.StoppedBecause = exit.Failed, m.stopped.Error()
	}
	return t
}

// worse is the exit code that stands for those of two targets.
func worse(a, b int) int {
	order := []int{exit.Done, exit.SomeFailed, exit.Stopped, exit.Usage, exit.Failed} // then the signals
	rank := func(code int) int {
		if i := slices.Index(order, code); i >= 0 {
			return i
		}
		return len(order)
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}
