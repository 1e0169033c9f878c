package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/config"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/fleet"
	"cognito-reset/cmd/cognito-reset/internal/manual"
	"cognito-reset/cmd/cognito-reset/internal/plan"
	"cognito-reset/cmd/cognito-reset/internal/preflight"
	"cognito-reset/cmd/cognito-reset/internal/run"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

func (a *app) runCommand() *cli.Command {
	all := slices.Concat(flags.Config(), flags.Source(), flags.Shards(), flags.Answer(), flags.Rates(), flags.Guards(), []cli.Flag{
		flags.String(flags.Safety, "dry-run", "", "send nothing: look in the pool how each user would fare, or by `MODE` offline read the files alone"),
		flags.Bool(flags.Safety, "read-each", "in a dry run, read users one by one, which bills each as an active user"),
		flags.Bool(flags.Safety, "yes", "do not ask before the first call"),
		flags.Force(),
		flags.Bool(flags.Safety, "reconcile", "list the pool first and tell whom the input leaves out, in uncovered.csv"),
	}, flags.Approval(), []cli.Flag{flags.UserPoolID()}, flags.Account(), []cli.Flag{
		flags.Bool(flags.AWS, "sandbox", "use a user pool inside this process, filled from the input; no AWS account needed"),
		flags.String(flags.AWS, "pool-users", "", "`FILE` of the sandbox's users, as aws cognito-idp list-users prints them, in place of those of the input"),
		flags.SignInFlag(),
		flags.String(flags.Output, "run", "", "keep the record in `DIR`, or s3://bucket/prefix (default: cognito-reset-runs/<time>-<pool id>)"),
		flags.Lease(),
		flags.CSVSafe(),
		flags.Workbook(),
	}, flags.Watch(), flags.Display())
	return &cli.Command{
		Name:      "run",
		Usage:     "reset every user of an input",
		UsageText: "cognito-reset run --user-pool-id eu-west-1_AbCdEfGhI --input users.csv",
		Description: "Shows what it is about to do and asks for the pool id; then resets each user\n" +
			"once, at a steady rate, and leaves a record of every row in the run directory.\n" +
			"A run that was stopped, by whatever, goes on with cognito-reset resume DIR.",
		Flags:  all,
		Action: a.run,
	}
}

// runHelp is the help of run on one screen.
func runHelp(run *cli.Command) string {
	return manual.Short(run, []string{
		"cognito-reset run --sandbox --input users.csv --yes         (no AWS account)",
		"cognito-reset run --user-pool-id ID --input users.csv --dry-run --run look",
		"cognito-reset run --user-pool-id ID --input users.csv --run monday",
		"cognito-reset resume monday               (goes on, whatever stopped it)",
	}, usual)
}

// usual are the flags that most runs need.
var usual = []manual.Group{
	{Question: "Who?", Flags: []string{"user-pool-id", "input", "all-users", "exclude"}},
	{Question: "How fast?", Flags: []string{"rate", "until"}},
	{Question: "What, and whom first?", Flags: []string{"steps", "if-unresettable", "canary", "wave-size", "wave-pause"}},
	{Question: "How safe?", Flags: []string{"dry-run", "yes"}},
	{Question: "Where to?", Flags: []string{"run"}},
}

func (a *app) run(ctx *cli.Context) (err error) {
	job, from, err := a.configure(ctx)
	if err != nil {
		return err
	}
	if ctx.Bool("print-config") {
		return a.printConfig(ctx, a.Out, job, from)
	}
	if err := a.observe(ctx); err != nil {
		return err
	}
	a.openStore(ctx)
	if job.Targets != nil {
		return a.runFleet(ctx, job, from)
	}
	s, err := a.newRun(ctx)
	if err != nil {
		return err
	}
	if begun, err := a.takeUp(ctx, s); err != nil {
		return err
	} else if begun {
		return a.goOn(ctx, s.Path)
	}
	if s.Ask, err = a.mustAsk(ctx, s.Record.Spec.Stdin()); err != nil {
		return err
	}
	if err := s.Reach(ctx.Context); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Prepare(ctx.Context); err != nil {
		return err
	}
	if s.Record.Spec.DryRun {
		return a.writePlan(ctx, s, s.Finish(nil))
	}
	return work(ctx.Context, s)
}

// work does what is left of a run, and reports.
func work(ctx context.Context, s *run.Session) error {
	stopped, err := s.Work(ctx)
	if err != nil {
		return err
	}
	return s.Finish(stopped)
}

// newRun is the run that the command line asks for, of a plan if there is one.
// Nothing has been done.
func (a *app) newRun(ctx *cli.Context) (*run.Session, error) {
	planned, err := a.readPlan(ctx)
	if err != nil {
		return nil, err
	}
	shard, err := flags.Shard(ctx, a.store)
	if err != nil {
		return nil, err
	}
	asked, o, err := a.ask(ctx, shard)
	if err != nil {
		return nil, err
	}
	o.Plan = planned
	if o.Path == "" && shard.Count == 0 {
		o.Path = rundir.NewPath(asked.CreatedAt, asked.UserPoolID)
	}
	if shard.Count > 0 {
		if o.Reconcile || o.Path == "" {
			return nil, exit.Usagef("a shard is compared with no pool, and its record stands beside those of the others: leave --reconcile out, and give --run DIR")
		}
		o.Path = rundir.ShardPath(o.Path, shard)
	}
	a.observer.About(report.Summary{
		UserPoolID: asked.UserPoolID, Region: cmp.Or(asked.Region, userpool.RegionOf(asked.UserPoolID)), Sandbox: asked.Sandbox, DryRun: asked.DryRun, Steps: asked.Steps, RunDirectory: o.Path,
	})
	env, err := a.env(ctx)
	if err != nil {
		return nil, err
	}
	return run.New(asked, o, env), nil
}

// ask is what a command line asks for, of a shard, and how.
func (a *app) ask(ctx *cli.Context, shard roster.Shard) (asked spec.Spec, o run.Options, err error) {
	if err := flags.NoArguments(ctx); err != nil {
		return asked, o, err
	}
	if asked, err = flags.ReadSpec(ctx, a.version, shard); err != nil {
		return asked, o, err
	}
	o = run.Options{
		Path: ctx.String("run"), ReadEach: ctx.Bool("read-each"), Reconcile: ctx.Bool("reconcile"), RequireApproval: ctx.Bool("require-approval"),
	}
	o.Force, err = preflight.ParseForce(ctx.StringSlice("force"))
	return asked, o, err
}

// env is where the sessions of a command work.
func (a *app) env(ctx *cli.Context) (env run.Env, err error) {
	env = run.Env{
		Streams: a.Streams, Quiet: ctx.Bool("quiet"), JSON: ctx.Bool("json"), Store: a.store, Observer: a.observer, Version: a.version, Calls: a.Calls,
	}
	if env.Log, err = flags.Logger(ctx, a.Err); ctx.String("log-format") == "json" {
		env.Progress = slog.New(slog.NewJSONHandler(a.Err, nil))
	}
	return env, err
}

// takeUp reports whether an engine started this process again, so that the run in
// its directory is to be resumed. Where there should be a run, and is none, nobody
// can say who was reset, so nothing is begun.
func (a *app) takeUp(ctx *cli.Context, s *run.Session) (begun bool, err error) {
	asked := s.Record.Spec
	again := asked.Shard.Count > 0 && ctx.String("shard") == "auto"
	gone := spec.Lost(s.Path, asked.Shard, again)
	if asked.DryRun || !again && gone == nil {
		return false, nil
	}
	if _, err := a.store.View(ctx.Context, s.Path); err == nil {
		return again, nil
	}
	return false, gone
}

// readPlan is the plan that a run is to carry out, with its flags set; nil if there
// is none.
func (a *app) readPlan(ctx *cli.Context) (*plan.Plan, error) {
	dry, _, err := flags.DryRun(ctx)
	path := ctx.String("plan")
	if err != nil || dry || path == "" {
		return nil, err
	}
	p, err := plan.Read(path, ctx.Duration("plan-max-age"))
	if err != nil {
		return nil, err
	}
	return p, p.Apply(planFlags(ctx), func() (roster.Shard, error) { return flags.Shard(ctx, a.store) })
}

// planFlags are the flags of a command line as a plan has them.
func planFlags(ctx *cli.Context) plan.Flags {
	f := plan.Flags{Values: make(map[string][]string), IsSet: ctx.IsSet, Set: ctx.Set}
	for _, flag := range ctx.Command.Flags {
		name := flag.Names()[0]
		f.Names = append(f.Names, name)
		if _, list := flag.(*cli.StringSliceFlag); list {
			f.Values[name] = ctx.StringSlice(name)
		} else {
			f.Values[name] = []string{plan.Text(ctx.Value(name))}
		}
	}
	return f
}

// writePlan ends a dry run by writing its plan, if one is asked for.
func (a *app) writePlan(ctx *cli.Context, s *run.Session, done error) error {
	path := ctx.String("plan")
	if code := exit.Of(done); path == "" || code != exit.Done && code != exit.SomeFailed {
		return done
	}
	p, err := plan.Make(s.Record, planFlags(ctx), path)
	if err != nil {
		return err
	}
	if !s.Quiet {
		what, record := "", ""
		if shard := s.Record.Spec.Shard; shard.Count > 0 {
			what, record = fmt.Sprintf(", and is of shard %s alone", shard), " --run DIR"
		}
		term.Linef(a.Err, "Plan %s has the digest %s%s.\nTo do exactly that: cognito-reset run --plan %s%s", path, p.Digest, what, term.Quote(path), record)
	}
	return done
}

// configure sets the flags of a command that neither command line nor environment
// gives to those of --config. It returns that job, an empty one without.
func (a *app) configure(ctx *cli.Context) (*config.Job, config.Origins, error) {
	from := make(config.Origins)
	path := ctx.String("config")
	if path == "" {
		return new(config.Job), from, nil
	}
	j, err := config.Read(path, a.runCommand().Flags)
	if err != nil {
		return nil, nil, err
	}
	has := func(s config.Setting) bool { // preflight has not all flags of run
		return slices.ContainsFunc(ctx.Command.Flags, func(f cli.Flag) bool { return f.Names()[0] == s.Flag })
	}
	common := slices.DeleteFunc(slices.Clone(j.Common), func(s config.Setting) bool { return !has(s) })
	a.from = from
	return j, from, config.Set(ctx, common, from)
}

func (a *app) printConfig(ctx *cli.Context, w io.Writer, j *config.Job, from config.Origins) error {
	return config.Printer{
		Typed: a.typed,
		Target: func(t config.Target) (*cli.Context, config.Origins, error) {
			return a.targetContext(ctx.Context, a.args, j, t)
		},
	}.Print(ctx, w, j, from)
}

// keepConfig is printConfig into the file of a job.
func (a *app) keepConfig(ctx *cli.Context, j *config.Job, from config.Origins, shard roster.Shard) func(io.Writer) error {
	return func(f io.Writer) error {
		if shard.Count > 0 { // whatever told of it
			if err := ctx.Set("shard", shard.String()); err != nil {
				return err
			}
		}
		return a.printConfig(ctx, f, j, from)
	}
}

// runFleet is run with a job of several targets.
func (a *app) runFleet(ctx *cli.Context, j *config.Job, from config.Origins) error {
	shard, err := flags.Shard(ctx, a.store)
	if err != nil {
		return err
	}
	if ctx.IsSet("user-pool-id") {
		return exit.Usagef("%s has targets, and each target names its own user pool: leave --user-pool-id out", j.File)
	}
	dry, _, err := flags.DryRun(ctx)
	if err != nil {
		return err
	}
	folder, begun, err := fleet.Place(ctx.String("run"), shard, ctx.String("shard") == "auto", dry)
	if err != nil {
		return err
	}
	if begun {
		return a.resumeFleet(ctx, folder.Path)
	}
	if err := flags.CheckResets(ctx, flags.Steps(ctx)); err != nil { // before the job is kept
		return err
	}
	job := fleet.Job{Folder: folder, Shard: shard, Dry: dry, Keep: a.keepConfig(ctx, j, from, shard)}
	if job.Resume, err = a.memberResumption(ctx, a.args); err != nil {
		return err
	}
	if job.Targets, err = a.targets(ctx.Context, j, a.args); err != nil {
		return err
	}
	if job.Ask, err = a.mustAsk(ctx, false); err != nil {
		return err
	}
	env, err := a.env(ctx)
	if err != nil {
		return err
	}
	return fleet.Run(ctx.Context, job, env)
}

// targets are those of a job.
func (a *app) targets(ctx context.Context, j *config.Job, args []string) (all []fleet.Target, err error) {
	for _, t := range j.Targets {
		own, _, err := a.targetContext(ctx, args, j, t)
		if err != nil {
			return nil, err
		}
		if err := t.Check(own); err != nil {
			return nil, fmt.Errorf("%s: %w", t.At, err)
		}
		id := own.String("user-pool-id")
		region, _, _ := strings.Cut(id, "_")
		all = append(all, fleet.Target{
			At: t.At, PoolID: id, Region: cmp.Or(own.String("region"), region),
			Credentials: own.String("profile") + "\x00" + own.String("role-arn"),
			Ask:         func(shard roster.Shard) (spec.Spec, run.Options, error) { return a.ask(own, shard) },
		})
	}
	return all, nil
}

// A targetLine is the command line of a target, and where its flags are from.
type targetLine struct {
	own  *cli.Context
	from config.Origins
}

// targetContext is the command line of a target: that of all, with the flags of its own.
// It is read once: the job is written into its folder from it, too.
func (a *app) targetContext(ctx context.Context, args []string, j *config.Job, t config.Target) (*cli.Context, config.Origins, error) {
	if read, ok := a.lines[t.At]; ok {
		return read.own, read.from, nil
	}
	from := make(config.Origins)
	own, err := a.runContext(ctx, args)
	if err != nil {
		return nil, nil, err
	}
	if err := config.Set(own, t.Settings, from); err != nil {
		return nil, nil, err
	}
	if err := config.Set(own, j.Common, from); err != nil {
		return nil, nil, err
	}
	a.lines[t.At] = targetLine{own, from}
	return own, from, nil
}

// errParsed ends a command line that was only to be read.
var errParsed = errors.New("the command line was read")

// runContext is what a command line of run says, with nothing done. It ends before the
// library looks for what a flag does by itself, which takes as long as all the rest, and
// knows of no other command: a fleet reads one for each target.
func (a *app) runContext(ctx context.Context, args []string) (parsed *cli.Context, err error) {
	command := a.runCommand()
	command.Before = func(ctx *cli.Context) error {
		parsed = ctx
		return errParsed
	}
	if err = a.appOf(command).RunContext(ctx, args); errors.Is(err, errParsed) {
		err = nil
	}
	return parsed, err
}
