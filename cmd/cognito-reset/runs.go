package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
)

func (c *command) runsCommand() *cli.Command {
	return &cli.Command{
		Name:      "runs",
		Usage:     "list the runs that are recorded, and delete the personal data of old ones",
		ArgsUsage: "[DIR] | prune [DIR]",
		UsageText: "cognito-reset runs\n" +
			"cognito-reset runs prune --older-than 90d --dry-run\n" +
			"cognito-reset runs prune --older-than 90d",
		Description: "DIR is a folder with run directories at any depth (default: " + runsFolder + ")\n" +
			"or one of them. The list goes by summary.json where that is newer than the\n" +
			"journal, and checks nothing; cognito-reset status does.\n\n" +
			"prune asks, and then deletes all that is in the run directories but folders,\n" +
			"lock, summary.json, what run.json says without names, paths and free text, and\n" +
			"history.idx: hashes by which a later --history knows whom the run reset. Anyone\n" +
			"who guesses a username can confirm it there; --forget deletes that, too. The\n" +
			"merged reports of these runs in the folders above them are deleted as well.",
		Flags: []cli.Flag{
			stringFlag(groupSafety, "older-than", "", "prune: runs that ended so long ago, `AGE`, such as 90d, 12w or 24h"),
			boolFlag(groupSafety, "include-open", "prune: also runs that a resume would go on with, and damaged ones"),
			boolFlag(groupSafety, "forget", "prune: also history.idx, without which --history refuses these runs"),
			boolFlag(groupSafety, "dry-run", "prune: only show what would be deleted"),
			boolFlag(groupSafety, "yes", "prune: do not ask"),
			boolFlag(groupOutput, "json", "print the list as JSON"),
		},
		Action: func(ctx *cli.Context) error {
			if ctx.Args().First() == "prune" {
				return c.prune(ctx)
			}
			return c.listRuns(ctx)
		},
	}
}

// A pastRun is a run directory in the list.
type pastRun struct {
	Path       string                  `json:"path"`
	State      string                  `json:"state"` // finished, open, in use, damaged or pruned
	StartedAt  time.Time               `json:"started_at,omitzero"`
	EndedAt    time.Time               `json:"ended_at,omitzero"` // by its last event
	UserPoolID string                  `json:"user_pool_id,omitzero"`
	DryRun     bool                    `json:"dry_run"`
	Sandbox    bool                    `json:"sandbox"`
	Rows       int64                   `json:"rows"`
	Outcomes   map[batch.Outcome]int64 `json:"outcomes"` // those that there are
	Bytes      int64                   `json:"bytes"`    // of all files
	PrunedAt   time.Time               `json:"pruned_at,omitzero"`

	dir     *journal.Dir
	request request
	summary report.Summary
	files   []string // that pruning deletes
}

// The states of a run.
const (
	runFinished = "finished"
	runOpen     = "open" // a resume would go on, or some users are in doubt
	runInUse    = "in use"
	runDamaged  = "damaged"
	runPruned   = "pruned"
)

// pastRuns are those in the folder that an argument names.
func pastRuns(args []string) (runs []pastRun, err error) {
	path := runsFolder
	switch len(args) {
	case 0:
	case 1:
		path = args[0]
	default:
		return nil, usagef("%q is one argument too many; give one folder", args[1])
	}
	if s3run.Named(path) {
		return nil, usagef("runs in S3 are not listed here: aws s3 ls %s/ names them, and cognito-reset status tells of each; a lifecycle rule of the bucket deletes old ones", strings.TrimRight(path, "/"))
	}
	dirs, err := rundir.Find(path)
	if len(args) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, &exit{exitUsage, err}
	}
	for _, dir := range dirs {
		run, err := lookAt(dir)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// lookAt tells of a run what can be told without reading much.
func lookAt(dir *journal.Dir) (run pastRun, err error) {
	run = pastRun{Path: dir.Path, dir: dir, Outcomes: make(map[batch.Outcome]int64)}
	entries, err := os.ReadDir(dir.Path)
	if err != nil {
		return run, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || e.IsDir() {
			continue // it was deleted just now, or is not of the run
		}
		run.Bytes += info.Size()
		switch name := e.Name(); name {
		case journal.RunFile:
			run.EndedAt = info.ModTime() // unless better is known
		case summaryFile, journal.LockFile, rundir.IndexFile:
		default:
			run.files = append(run.files, name)
		}
	}
	r := &run.request
	if err := dir.ReadJSON(journal.RunFile, r); err != nil {
		run.State = runDamaged
		return run, nil
	}
	run.StartedAt, run.EndedAt, run.UserPoolID, run.DryRun, run.Sandbox, run.PrunedAt = r.CreatedAt, r.CreatedAt, r.UserPoolID, r.DryRun, r.Sandbox, r.PrunedAt
	run.Rows = r.Roster.Rows
	run.State = run.stand()
	if run.summary.Outcomes != nil {
		run.Rows, run.EndedAt = run.summary.Rows, run.summary.FinishedAt
	}
	for outcome, n := range run.summary.Outcomes {
		if n > 0 {
			run.Outcomes[outcome] = n
		}
	}
	return run, nil
}

// stand says in which state a run is, and finds its summary. That is in its file,
// unless the journal went on after it was written.
func (run *pastRun) stand() string {
	if run.dir.Held() {
		return runInUse
	}
	known := run.dir.ReadJSON(summaryFile, &run.summary) == nil && run.summary.JournalBytes == journalSize(run.dir)
	switch {
	case !run.PrunedAt.IsZero():
		return runPruned
	case !known:
		history, err := replay(run.dir, run.request)
		if err != nil {
			return runDamaged
		}
		rec := newRecord(run.dir, history, run.request, nil)
		if err := rec.pour(); err != nil {
			return runDamaged
		}
		run.summary = rec.summary
	}
	if !run.DryRun && !run.Sandbox && leftOpen(run.summary) {
		return runOpen
	}
	return runFinished
}

// leftOpen tells that somebody is left to be called, or in doubt.
func leftOpen(s report.Summary) bool {
	for reason, n := range s.Reasons {
		if n > 0 && (reason.StopsRun() || reason == batch.Stopped || reason == batch.Interrupted) {
			return true
		}
	}
	return s.Outcomes[batch.NotAttempted]+s.Outcomes[batch.Unknown] > 0
}

func (c *command) listRuns(ctx *cli.Context) error {
	if err := only(ctx, "json"); err != nil {
		return err
	}
	runs, err := pastRuns(ctx.Args().Slice())
	if err != nil {
		return err
	}
	if ctx.Bool("json") {
		return writeJSON(c.stdout, runs)
	}
	return c.tabulate(runs)
}

func (c *command) tabulate(runs []pastRun) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STARTED\tSTATE\tSIZE\tROWS\tOUTCOMES\tRUN")
	for _, run := range runs {
		started := run.StartedAt.Format("2006-01-02 15:04")
		if run.StartedAt.IsZero() {
			started = "?"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", started, run.State, humanize.Bytes(uint64(run.Bytes)), comma(run.Rows), run.outcomes(), run.Path)
	}
	return w.Flush()
}

func (run pastRun) outcomes() string {
	var list []string
	for _, o := range batch.Outcomes {
		if n := run.Outcomes[o]; n > 0 {
			list = append(list, fmt.Sprintf("%s %s", comma(n), o))
		}
	}
	return cmp.Or(strings.Join(list, ", "), "-")
}

// prune is runs prune [DIR].
func (c *command) prune(ctx *cli.Context) error {
	if err := only(ctx, "older-than", "include-open", "forget", "dry-run", "yes"); err != nil {
		return err
	}
	before, ok := ago(ctx.String("older-than"), time.Now())
	if !ok {
		return usagef("say how old with --older-than AGE, such as 90d, 12w or 24h; %q is no age", ctx.String("older-than"))
	}
	runs, err := pastRuns(ctx.Args().Tail())
	if err != nil {
		return err
	}
	forget := ctx.Bool("forget")
	old, kept := choose(runs, before, ctx.Bool("include-open"), forget)
	for _, why := range kept {
		say(c.stderr, "%s", why)
	}
	path := cmp.Or(ctx.Args().Get(1), runsFolder)
	beside, err := leftoversIn(path, runs, old, before)
	if err != nil {
		return err
	}
	if len(old) == 0 && !slices.ContainsFunc(beside, leftover.any) {
		say(c.stderr, "Nothing to delete.")
		return nil
	}
	if err := c.tabulate(old); err != nil {
		return err
	}
	for _, l := range beside {
		for _, name := range l.files {
			fmt.Fprintln(c.stdout, filepath.Join(l.folder, name))
		}
	}
	if ctx.Bool("dry-run") {
		say(c.stderr, "%s would be pruned, and %s beside them deleted; nothing was deleted.", plural(len(old), "run"), plural(doomed(beside), "file"))
		return nil
	}
	if !ctx.Bool("yes") {
		if err := c.confirmPrune(ctx.Context, len(old)+doomed(beside)); err != nil {
			return err
		}
	}
	return c.pruneAll(old, beside, forget)
}

// pruneAll prunes runs and deletes what was made of them, and says what it did.
func (c *command) pruneAll(old []pastRun, beside []leftover, forget bool) error {
	var freed int64
	for i, run := range old {
		n, err := run.prune(time.Now().UTC().Truncate(time.Second), forget)
		if err != nil {
			return fmt.Errorf("%s pruned, and no reports beside them; %s was not: %w", plural(i, "run"), run.Path, err)
		}
		freed += n
	}
	for _, l := range beside {
		n, err := l.prune()
		if err != nil {
			return fmt.Errorf("%s pruned; what was made of them in %s was not deleted: %w", plural(len(old), "run"), l.folder, err)
		}
		freed += n
	}
	left := "run.json, summary.json and history.idx"
	if forget {
		left = "run.json and summary.json"
	}
	say(c.stderr, "%s pruned, and %s freed; of each, %s are left.", plural(len(old), "run"), humanize.Bytes(uint64(freed)), left)
	if n := doomed(beside); n > 0 {
		say(c.stderr, "%s beside them deleted.", plural(n, "file"))
	}
	for _, l := range beside {
		if len(l.others) > 0 {
			say(c.stderr, "In %s other files are left, which may name users: %s.", l.folder, someOf(l.others))
		}
	}
	return nil
}

// choose picks the runs that ended before a time and have something to delete, and
// says of other old ones why they are kept.
func choose(runs []pastRun, before time.Time, includeOpen, forget bool) (old []pastRun, kept []string) {
	for _, run := range runs {
		switch {
		case !run.EndedAt.Before(before) || run.State == runPruned && len(run.files) == 0 && !(forget && exists(run.dir.File(rundir.IndexFile))):
		case run.State == runInUse:
			kept = append(kept, fmt.Sprintf("%s is kept: it is in use by %s.", run.Path, run.dir.Holder()))
		case (run.State == runOpen || run.State == runDamaged) && !includeOpen:
			kept = append(kept, fmt.Sprintf("%s is kept: it is %s; --include-open takes it as well.", run.Path, run.State))
		default:
			old = append(old, run)
		}
	}
	return old, kept
}

func (c *command) confirmPrune(ctx context.Context, runs int) error {
	if !term.IsTerminal(int(c.stdin.Fd())) {
		return usagef("there is no terminal to ask on: look at a --dry-run first, then say --yes; nothing was deleted")
	}
	say(c.stderr, "Users, journals and reports of these runs, and the files listed, are deleted and cannot be made again.")
	switch typed, err := c.prompt(ctx, fmt.Sprintf("Type %d, their number, to go on: ", runs)); {
	case err != nil:
		return (&session{command: c}).stopError(err)
	case typed != fmt.Sprint(runs):
		return usagef("that is not their number; nothing was deleted")
	}
	return nil
}

// prune deletes what is personal, and returns how many bytes that were. The numbers
// are safe before the record goes.
func (run pastRun) prune(now time.Time, forget bool) (freed int64, err error) {
	dir, err := journal.Open(run.Path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if run.summary.Outcomes != nil {
		if err := dir.WriteJSON(summaryFile, unnamed(run.summary)); err != nil {
			return 0, err
		}
	} else if err := os.Remove(dir.File(summaryFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err // what cannot be read cannot be believed to name nobody
	}
	if err := run.keepIndex(dir, forget); err != nil {
		return 0, err
	}
	r := run.request.unnamed()
	if r.PrunedAt.IsZero() {
		r.PrunedAt = now
	}
	if err := dir.WriteJSON(journal.RunFile, r); err != nil {
		return 0, err
	}
	for _, name := range run.files {
		if err := os.Remove(dir.File(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	left, err := lookAt(dir)
	return run.Bytes - left.Bytes, err
}

// keepIndex sees to it that the index of a run is of all that its journal says. If
// that cannot be told, there is none: a later --history then refuses the run rather
// than take somebody again unnoticed.
func (run pastRun) keepIndex(dir *journal.Dir, forget bool) error {
	if run.State == runPruned && !forget {
		return nil
	}
	if !forget {
		if run.DryRun || run.Sandbox {
			return nil
		}
		head, err := rundir.ReadHeader(dir)
		if err == nil && head.JournalBytes >= journalSize(dir) || run.State != runDamaged && indexInto(dir, dir, run.request) == nil {
			return nil
		}
	}
	if err := os.Remove(dir.File(rundir.IndexFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unnamed is a request without names, paths and texts that people wrote. What is
// added to a request is not in it unless it is added here.
func (r request) unnamed() request {
	u := request{
		Version: r.Version, CreatedAt: r.CreatedAt, UserPoolID: r.UserPoolID, DryRun: r.DryRun, Offline: r.Offline, Sandbox: r.Sandbox,
		Roster: r.Roster, Forecast: r.Forecast, Coverage: r.Coverage, PrunedAt: r.PrunedAt,
		response: r.response, settings: r.settings, approval: approval{PlanDigest: r.PlanDigest},
		source: source{
			InputSHA256: r.InputSHA256, reading: reading{Format: r.Format, NoHeader: r.NoHeader}, UsernameCase: r.UsernameCase, ExcludeOnly: r.ExcludeOnly, Match: r.Match,
			FromReport: r.FromReport, Only: r.Only, Keep: r.Keep, Sample: r.Sample, Seed: r.Seed, Limit: r.Limit,
			ResetBefore: r.ResetBefore, RotateEvery: r.RotateEvery, AllUsers: r.AllUsers, Statuses: r.Statuses, Disabled: r.Disabled,
			CreatedAfter: r.CreatedAfter, CreatedBefore: r.CreatedBefore, ModifiedAfter: r.ModifiedAfter, ModifiedBefore: r.ModifiedBefore,
		},
	}
	u.Profile, u.EndpointURL, u.RateAuto = "", "", ""
	u.Caller.Account = r.Caller.Account
	for _, p := range r.Preflight {
		u.Preflight = append(u.Preflight, check{Name: p.Name, Level: p.Level, Forced: p.Forced})
	}
	return u
}

// withheld stands for a text in a summary that was pruned.
const withheld = "withheld"

// unnamed is a summary without paths and texts.
func unnamed(s report.Summary) report.Summary {
	s.RunDirectory, s.Next = filepath.Base(s.RunDirectory), ""
	if s.StoppedBecause != "" {
		s.StoppedBecause = withheld
	}
	s.Targets = slices.Clone(s.Targets)
	for i, t := range s.Targets {
		if s.Targets[i].RunDirectory = filepath.Base(t.RunDirectory); t.StoppedBecause != "" {
			s.Targets[i].StoppedBecause = withheld
		}
	}
	return s
}
