package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

func (a *app) runsCommand() *cli.Command {
	return &cli.Command{
		Name:      "runs",
		Usage:     "list the runs that are recorded, and delete the personal data of old ones",
		ArgsUsage: "[DIR] | prune [DIR]",
		UsageText: "cognito-reset runs\n" +
			"cognito-reset runs prune --older-than 90d --dry-run\n" +
			"cognito-reset runs prune --older-than 90d",
		Description: "DIR is a folder with run directories at any depth (default: " + rundir.RunsFolder + "),\n" +
			"one of them, or s3://BUCKET/PREFIX. The list has the newest first, goes by summary.json where that is\n" +
			"newer than the journal, and checks nothing; cognito-reset status does.\n\n" +
			"prune asks, and then deletes all that is in the run directories but folders,\n" +
			"lock, summary.json, what run.json says without names, paths and free text, and\n" +
			"history.idx: hashes by which a later --history knows whom the run reset. Anyone\n" +
			"who guesses a username can confirm it there; --forget deletes that, too. The\n" +
			"merged reports of these runs in the folders above them are deleted as well.",
		Flags: append(flags.Record(), flags.Lease(),
			flags.String(flags.Safety, "older-than", "", "prune: runs that ended this long ago, `AGE`, such as 90d, 12w or 24h"),
			flags.Bool(flags.Safety, "include-open", "prune: also runs that a resume would go on with, and damaged ones"),
			flags.Bool(flags.Safety, "forget", "prune: also history.idx, without which --history refuses these runs"),
			flags.Bool(flags.Safety, "dry-run", "prune: only show what would be deleted"),
			flags.Bool(flags.Safety, "yes", "prune: do not ask"),
			flags.Bool(flags.Output, "json", "print the list as JSON"),
		),
		Action: func(ctx *cli.Context) error {
			if ctx.Args().First() == "prune" {
				return a.prune(ctx)
			}
			return a.listRuns(ctx)
		},
	}
}

// reach are the flags by which S3 is reached.
var reach = []string{"profile", "region", "endpoint-url", "expected-bucket-owner", "s3-kms-key", "lease"}

// pastRuns are those in the folder that an argument names.
func (a *app) pastRuns(ctx *cli.Context, args []string) (runs []rundir.Run, err error) {
	path := rundir.RunsFolder
	switch len(args) {
	case 0:
	case 1:
		path = args[0]
	default:
		return nil, exit.Usagef("%q is one argument too many; give one folder", args[1])
	}
	runs, err = a.openStore(ctx).List(ctx.Context, path)
	if len(args) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	return runs, nil
}

func (a *app) listRuns(ctx *cli.Context) error {
	if err := flags.Only(ctx, append(reach, "json")...); err != nil {
		return err
	}
	runs, err := a.pastRuns(ctx, ctx.Args().Slice())
	if err != nil {
		return err
	}
	slices.SortStableFunc(runs, func(a, b rundir.Run) int { return b.StartedAt.Compare(a.StartedAt) })
	if ctx.Bool("json") {
		return render.JSON(a.Out, runs)
	}
	found := "There are no runs"
	if len(runs) > 0 {
		found = "These are the runs"
		if err := a.tabulate(runs); err != nil {
			return err
		}
		term.Linef(a.Err, "")
	}
	a.notLookedIn(found, ctx.Args().Slice())
	return nil
}

func (a *app) tabulate(runs []rundir.Run) error {
	return render.Runs(a.Out, runs, term.Screen(a.Out))
}

// notLookedIn says where runs may be that a list of those in a folder has not.
func (a *app) notLookedIn(found string, given []string) {
	folder, beside, elsewhere := rundir.RunsFolder, "", "in other folders, in s3://, or on other machines"
	if len(given) > 0 {
		if folder = given[0]; s3run.Named(folder) {
			elsewhere = "below other prefixes, or on the disks of machines"
		}
	} else if names := rundir.Beside(); len(names) > 0 {
		beside = fmt.Sprintf(" This folder has %s as well: cognito-reset runs . lists them.", someOf(names))
	}
	text := fmt.Sprintf("%s in %s, at any depth.%s It did not look %s.", found, term.Visible(folder), term.Visible(beside), elsewhere)
	for _, line := range term.Wrap(text, term.Columns(a.Err)) {
		term.Linef(a.Err, "%s", line)
	}
}

// prune is runs prune [DIR].
func (a *app) prune(ctx *cli.Context) error {
	if err := flags.Only(ctx, append(reach, "older-than", "include-open", "forget", "dry-run", "yes")...); err != nil {
		return err
	}
	before, ok := spec.Ago(ctx.String("older-than"), time.Now())
	if !ok {
		return exit.Usagef("say how old with --older-than AGE, such as 90d, 12w or 24h; %q is no age", ctx.String("older-than"))
	}
	runs, err := a.pastRuns(ctx, ctx.Args().Tail())
	if err != nil {
		return err
	}
	forget := ctx.Bool("forget")
	old, kept := rundir.Old(runs, before, ctx.Bool("include-open"), forget)
	for _, why := range kept {
		term.Linef(a.Err, "%s", why)
	}
	path := cmp.Or(ctx.Args().Get(1), rundir.RunsFolder)
	beside, err := a.store.Leftovers(ctx.Context, path, runs, old, before)
	if err != nil {
		return err
	}
	if len(old) == 0 && !slices.ContainsFunc(beside, rundir.Leftover.Any) {
		term.Linef(a.Err, "Nothing to delete.")
		return nil
	}
	if err := a.tabulate(old); err != nil {
		return err
	}
	for _, l := range beside {
		for _, path := range l.Paths() {
			term.Linef(a.Out, "%s", path)
		}
	}
	if ctx.Bool("dry-run") {
		term.Linef(a.Err, "%s would be pruned, and %s beside them deleted; nothing was deleted.", term.Plural(len(old), "run"), term.Plural(rundir.Doomed(beside), "file"))
		return nil
	}
	if !ctx.Bool("yes") {
		if err := a.confirmPrune(ctx.Context, len(old)+rundir.Doomed(beside)); err != nil {
			return err
		}
	}
	return a.pruneAll(ctx.Context, old, beside, forget)
}

// pruneAll prunes runs and deletes what was made of them, and says what it did.
func (a *app) pruneAll(ctx context.Context, old []rundir.Run, beside []rundir.Leftover, forget bool) error {
	var freed int64
	for i, run := range old {
		n, err := a.store.Prune(ctx, run, time.Now().UTC().Truncate(time.Second), forget)
		if err != nil {
			return fmt.Errorf("%s pruned, and no reports beside them; %s was not: %w", term.Plural(i, "run"), run.Path, err)
		}
		freed += n
	}
	for _, l := range beside {
		n, err := a.store.PruneBeside(ctx, l)
		if err != nil {
			return fmt.Errorf("%s pruned; what was made of them in %s was not deleted: %w", term.Plural(len(old), "run"), l.Folder, err)
		}
		freed += n
	}
	left := "run.json, summary.json and history.idx"
	if forget {
		left = "run.json and summary.json"
	}
	term.Linef(a.Err, "%s pruned, and %s freed; of each, %s are left.", term.Plural(len(old), "run"), humanize.Bytes(uint64(freed)), left)
	if n := rundir.Doomed(beside); n > 0 {
		term.Linef(a.Err, "%s beside them deleted.", term.Plural(n, "file"))
	}
	for _, l := range beside {
		if len(l.Others) > 0 {
			term.Linef(a.Err, "In %s other files are left, which may name users: %s.", l.Folder, someOf(l.Others))
		}
	}
	return nil
}

func (a *app) confirmPrune(ctx context.Context, runs int) error {
	if !term.IsTerminal(a.In) {
		return exit.Usagef("there is no terminal to ask on: look at a --dry-run first, then say --yes; nothing was deleted")
	}
	term.Linef(a.Err, "Users, journals and reports of these runs, and the files listed, are deleted and cannot be made again.")
	switch typed, err := a.Prompt(ctx, fmt.Sprintf("Type %d, their number, to go on: ", runs)); {
	case err != nil:
		return exit.Early(err)
	case typed != fmt.Sprint(runs):
		return exit.Usagef("that is not their number; nothing was deleted")
	}
	return nil
}

// someOf lists the first of names.
func someOf(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
