package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/report"
)

// A request is run.json: what was asked, and of whom.
type request struct {
	Version    string          `json:"version"`
	CreatedAt  time.Time       `json:"created_at"`
	UserPoolID string          `json:"user_pool_id"`
	PoolName   string          `json:"user_pool_name"`
	Caller     userpool.Caller `json:"caller"`
	DryRun     bool            `json:"dry_run"`
	Offline    bool            `json:"offline"` // a dry run of files alone
	Sandbox    bool            `json:"sandbox"`
	SignIn     string          `json:"sandbox_sign_in,omitempty"` // of the sandbox
	PoolUsers  string          `json:"sandbox_users,omitempty"`   // an absolute path: who is in the sandbox

	Roster    journal.Survey   `json:"roster"`
	Preflight []check          `json:"preflight,omitempty"`
	Forecast  *report.Forecast `json:"forecast,omitempty"`

	Coverage *userpool.Coverage `json:"coverage,omitempty"` // nil if input and pool were not compared

	source
	response
	settings
	approval

	Marked bool `json:"marked"` // the directory has a mark of how far its journal reaches

	PrunedAt time.Time `json:"pruned_at,omitzero"` // when all but numbers were deleted
}

func (c *command) runCommand() *cli.Command {
	flags := append(configFlags(), inputFlags()...)
	flags = append(flags, shardFlags()...)
	flags = append(flags, responseFlags()...)
	flags = append(flags, paceFlags()...)
	flags = append(flags, safetyFlags()...)
	flags = append(flags,
		stringFlag(groupSafety, "dry-run", "", "send nothing, and look in the pool how each user would fare; --dry-run=`offline` reads the files alone"),
		boolFlag(groupSafety, "read-each", "in a dry run, read users one by one, which bills each as an active user"),
		boolFlag(groupSafety, "yes", "do not ask before the first call"),
		forceFlag(),
		reconcileFlag(),
	)
	flags = append(flags, planFlags()...)
	flags = append(flags, stringFlag(groupAWS, "user-pool-id", "", "`ID` of the user pool, such as eu-west-1_AbCdEfGhI"))
	flags = append(flags, awsFlags()...)
	flags = append(flags,
		boolFlag(groupAWS, "sandbox", "use a user pool inside this process, filled from the input; no AWS account needed"),
		stringFlag(groupAWS, "pool-users", "", "`FILE` of the sandbox's users, as aws cognito-idp list-users prints them, in place of those of the input"),
		signInFlag(),
		stringFlag(groupOutput, "run", "", "keep the record in `DIR`, or s3://bucket/prefix (default: cognito-reset-runs/<time>-<pool id>)"),
		leaseFlag(),
		csvSafeFlag(),
	)
	flags = append(append(flags, watchFlags()...), outputFlags()...)
	return &cli.Command{
		Name:      "run",
		Usage:     "reset every user of an input",
		UsageText: "cognito-reset run --user-pool-id eu-west-1_AbCdEfGhI --input users.csv",
		Description: "Shows what it is about to do and asks for the pool id; then resets each user\n" +
			"once, at a steady rate, and leaves a record of every row in the run directory.\n" +
			"A run that was stopped, by whatever, goes on with cognito-reset resume DIR.",
		Flags:  flags,
		Action: c.run,
	}
}

var poolIDPattern = regexp.MustCompile(`^[\w-]{1,55}_[0-9a-zA-Z]+$`)

func (c *command) run(ctx *cli.Context) (err error) {
	job, from, err := c.configure(ctx)
	if err != nil {
		return err
	}
	if ctx.Bool("print-config") {
		return c.printConfig(ctx, c.stdout, job, from)
	}
	if err := c.observe(ctx); err != nil {
		return err
	}
	if job.targets != nil {
		return c.runFleet(ctx, job, from)
	}
	planned, err := c.readPlan(ctx)
	if err != nil {
		return err
	}
	shard, err := c.readShard(ctx)
	if err != nil {
		return err
	}
	s, err := c.newSession(ctx, shard)
	if err != nil {
		return err
	}
	s.planned = planned
	if begun, err := s.takeUp(ctx); err != nil {
		return err
	} else if begun {
		return c.goOn(ctx, s.path)
	}
	if s.ask, err = c.mustAsk(ctx, s.request.stdin()); err != nil {
		return err
	}
	if err := s.reach(ctx.Context); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if s.request.DryRun {
		return s.writePlan(ctx, s.finish(nil))
	}
	return s.work(ctx.Context)
}

// mustAsk tells that a person has to agree, for which there must be a terminal
// that is nobody's input.
func (c *command) mustAsk(ctx *cli.Context, taken bool) (bool, error) {
	if dry, _, err := dryRun(ctx); err != nil || dry || ctx.Bool("yes") {
		return false, err
	}
	if taken || !term.IsTerminal(int(c.stdin.Fd())) {
		return false, usagef("there is no terminal to ask on: look at a --dry-run first, then say --yes; nothing was sent")
	}
	return true, nil
}

// newSession is what the command line asks for, of a shard. Nothing has been done.
func (c *command) newSession(ctx *cli.Context, shard roster.Shard) (*session, error) {
	if err := noArguments(ctx); err != nil {
		return nil, err
	}
	s := &session{command: c, s3: c.inS3(ctx), json: ctx.Bool("json"), quiet: ctx.Bool("quiet"), comparePool: ctx.Bool("reconcile"), requireApproval: ctx.Bool("require-approval"), path: ctx.String("run")}
	dryRun, live, err := dryRun(ctx)
	if err != nil {
		return nil, err
	}
	s.live = !dryRun || live
	r := &s.request
	*r = request{
		Version: version(), CreatedAt: time.Now().UTC(), UserPoolID: ctx.String("user-pool-id"),
		DryRun: dryRun, Offline: dryRun && !live, Sandbox: ctx.Bool("sandbox"), PoolUsers: ctx.String("pool-users"),
		approval: approval{ApprovedBy: ctx.String("approved-by"), Reason: ctx.String("reason")},
	}
	r.Shard = shard
	if err := r.settings.read(ctx, true); err != nil {
		return nil, err
	}
	if s.force, err = forced(ctx.StringSlice("force")); err != nil {
		return nil, err
	}
	if s.log, err = logger(ctx, c.stderr); err != nil {
		return nil, err
	}
	if r.SignIn, err = signIn(ctx); err != nil {
		return nil, err
	}
	if r.Sandbox && r.UserPoolID == "" {
		r.UserPoolID = "us-east-1_Sandbox"
	}
	switch {
	case r.UserPoolID == "":
		return nil, usagef("say which user pool with --user-pool-id ID, or try it with --sandbox")
	case !poolIDPattern.MatchString(r.UserPoolID):
		return nil, usagef("--user-pool-id: %q is not the id of a user pool; one looks like eu-west-1_AbCdEfGhI", r.UserPoolID)
	case r.Sandbox && r.EndpointURL != "":
		return nil, usagef("--sandbox and --endpoint-url are two places; give one")
	}
	if err := r.source.read(ctx, r.CreatedAt); err != nil {
		return nil, err
	}
	if s.path == "" && shard.Count == 0 {
		s.path = newRunPath(r.CreatedAt, r.UserPoolID)
	}
	if err := r.response.read(ctx, r.told() || ctx.String("plan") != ""); err != nil {
		return nil, err
	}
	switch {
	case r.Offline && (r.Snapshot || r.IfResetRequired == "skip" && !r.told()):
		return nil, usagef("--dry-run=offline asks the pool nothing: --snapshot and --if-reset-required skip need its answers")
	case !r.Sandbox && (r.PoolUsers != "" || ctx.IsSet("sign-in")):
		return nil, usagef("--pool-users and --sign-in say how the pool of --sandbox is")
	case r.Sandbox && r.PoolUsers == "" && (r.listed() || len(r.ExcludeGroups) > 0 || r.Match == "preferred_username" || r.Offline && r.Match != ""):
		return nil, usagef("--sandbox makes its users from the names of an --input; for a pool with users of its own give --pool-users FILE, or start cognito-reset sandbox")
	case r.Shard.Count > 0 && (s.comparePool || s.path == ""):
		return nil, usagef("a shard is compared with no pool, and its record stands beside those of the others: leave --reconcile out, and give --run DIR")
	}
	return s, nil
}

// reach prepares the user pool, unless it takes the users to make one, or none is
// asked.
func (s *session) reach(ctx context.Context) error {
	if r := s.request; r.Sandbox && r.PoolUsers == "" || !s.live && !r.ofPool() { // whose users, and how they compare, the pool tells
		return nil
	}
	if err := s.connect(ctx); err != nil {
		return usagef("%w; nothing was sent", err)
	}
	return nil
}

// prepare does all that comes before the first call: it reads who is meant, looks
// at the pool, and asks. Where it fails it leaves no run directory.
func (s *session) prepare(ctx *cli.Context) error {
	r := &s.request
	if err := s.begin(ctx.Context); err != nil {
		return err
	}
	undo := func(err error) error { return errors.Join(err, s.dir.Remove()) }
	if err := s.lookFirst(ctx.Context); err != nil {
		return undo(err)
	}
	if r.DryRun {
		if s.live {
			if err := s.foretell(ctx.Context, ctx.Bool("read-each")); err != nil {
				return undo(err)
			}
		}
		if err := s.reconcileDryRun(ctx.Context); err != nil {
			return undo(err)
		}
		return nil
	}
	if s.planned != nil {
		if err := s.planned.hold(*r, s.dir); err != nil {
			return undo(err)
		}
		if err := s.planned.write(s.dir, planFile); err != nil {
			return undo(err)
		}
		r.PlanDigest = s.planned.Digest
	}
	if err := s.introduce(ctx.Context); err != nil {
		return undo(err)
	}
	if err := s.history.Begin(false); err != nil {
		return undo(fmt.Errorf("%w; nothing was sent", err))
	}
	r.Marked = true
	return s.dir.WriteJSON(journal.RunFile, r)
}

// begin reads who is meant into a new run directory. Where that cannot be used,
// it leaves none.
func (s *session) begin(ctx context.Context) (err error) {
	r, path := &s.request, s.path
	var in *roster.Inputs
	if !r.listed() {
		if in, err = s.openInputs(ctx); err != nil {
			return cmp.Or(s.readNoFurther(ctx), error(&exit{exitUsage, fmt.Errorf("%w; nothing was sent", err)}))
		}
		defer in.Close()
		s.understood = column(in)
	}
	if s.dir, err = s.createRun(ctx, path); err != nil {
		if stopped := s.readNoFurther(ctx); stopped != nil {
			return stopped
		}
		if _, none := os.Stat(filepath.Join(path, journal.RunFile)); errors.Is(err, journal.ErrExists) && none != nil && !errors.Is(err, s3run.ErrBegun) {
			err = fmt.Errorf("%w, but no run that began: name a new folder, or delete this one", err)
		} else if errors.Is(err, journal.ErrExists) {
			err = fmt.Errorf("%w: name a new folder, or go on with that run by cognito-reset resume %s", err, quotePath(path))
		}
		return &exit{exitUsage, fmt.Errorf("--run: %w; nothing was sent", err)}
	}
	err = s.spool(ctx, in)
	if stopped := s.readNoFurther(ctx); stopped != nil {
		return errors.Join(stopped, s.dir.Remove())
	}
	if err != nil {
		code := exitFailed
		if e, ok := errors.AsType[*exit](err); ok {
			code = e.code
		} else if _, ok := errors.AsType[*roster.InputError](err); ok {
			code = exitUsage
		} else if _, ok := errors.AsType[*userpool.GroupError](err); ok {
			code = exitUsage
		} else if denied(err) {
			code, err = exitUsage, caseUnknown(err)
		} else if _, ok := errors.AsType[*batch.Error](err); ok {
			code = exitStopped // the pool could not be asked
		}
		return &exit{code, errors.Join(fmt.Errorf("%w; nothing was sent", err), s.dir.Remove())}
	}
	s.left = r.Roster.Users
	if r.DryRun {
		return s.dir.WriteJSON(journal.RunFile, r)
	}
	s.history, err = s.dir.Replay()
	return err
}

// readNoFurther tells that a signal came while the input was read. Even what
// then looks whole is not: whoever writes into a pipe gets the same Ctrl-C.
func (s *session) readNoFurther(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return s.stopError(fmt.Errorf("%w while the input was read; nothing was sent", context.Cause(ctx)))
}

// runsFolder is where runs are recorded unless they are told where.
const runsFolder = "cognito-reset-runs"

func runName(at time.Time, poolID string) string { return at.Format("20060102T150405Z") + "-" + poolID }

// newRunPath names a run by when and on what.
func newRunPath(at time.Time, poolID string) string {
	path := filepath.Join(runsFolder, runName(at, poolID))
	for n := 2; ; n++ {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return path
		}
		path = fmt.Sprintf("%s-%d", strings.TrimSuffix(path, fmt.Sprintf("-%d", n-1)), n)
	}
}

// introduce shows what the run would meet and lets a person say no.
func (s *session) introduce(ctx context.Context) error {
	r := &s.request
	s.lookAround(ctx)
	if ctx.Err() != nil {
		return s.stopError(context.Cause(ctx))
	}
	if !s.quiet || s.ask {
		rows := fmt.Sprintf("%s rows, %s users to reset", comma(r.Roster.Rows), comma(r.Roster.Users))
		if other := r.Roster.Rows - r.Roster.Users; other > 0 {
			rows += fmt.Sprintf(", %s not (%s)", comma(other), counted(r.Roster.Reasons))
		}
		source := r.source.String()
		if s.understood != "" {
			source += " (" + s.understood + ")"
		}
		if r.Shard.Count > 0 {
			source += ", shard " + r.Shard.String()
		}
		_ = writeChecks(s.stderr, append(slices.Clone(r.Preflight), // a closed stream is no reason to stop
			check{Name: "users", Level: fine, Text: source + ": " + rows},
			check{Name: "record", Level: fine, Text: s.dir.String()}))
	}
	// A pool that is not there stops the run at its first call, with a record.
	if err := blocked(slices.DeleteFunc(slices.Clone(r.Preflight), func(c check) bool { return c.Name == "pool" })); err != nil {
		return err
	}
	if s.requireApproval {
		if err := r.approval.missing(r.Caller); err != nil {
			return err
		}
	}
	if !s.quiet || s.ask {
		say(s.stderr, "")
	}
	if err := s.reconcile(ctx); err != nil {
		return err
	}
	if !s.ask {
		return nil
	}
	say(s.stderr, "Each of these users loses the current password and is sent a code%s.", map[bool]string{true: ", and is signed out"}[r.signsOut()])
	switch typed, err := s.prompt(ctx, "Type the pool id to go on: "); {
	case err != nil:
		return s.stopError(err)
	case typed != r.UserPoolID:
		return usagef("that is not the pool id; nothing was sent")
	}
	return nil
}

// prompt returns the line that a person types, without spaces around it.
func (c *command) prompt(ctx context.Context, question string) (string, error) {
	fmt.Fprint(c.stderr, question)
	answer := make(chan string, 1)
	go func() { // a read of a terminal cannot be cancelled; it ends with the process
		line, _ := bufio.NewReader(c.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case typed := <-answer:
		return typed, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// rateFrom is what --rate auto stands for.
func (r *request) rateFrom(q userpool.Quota) {
	leave := fmt.Sprintf("less %.0f%% headroom", 100*r.Headroom)
	switch {
	case q.LimitErr != nil:
		r.Rate, r.RateAuto = defaultRate, fmt.Sprintf("the default: the quota is not known (%v)", q.LimitErr)
	case q.PeakErr != nil:
		r.Rate = q.Limit * (1 - r.Headroom)
		r.RateAuto = fmt.Sprintf("the quota of %g %s; what live users take is not known (%v)", q.Limit, leave, q.PeakErr)
	default:
		r.Rate = max(1, (q.Limit-q.Peak)*(1-r.Headroom))
		r.RateAuto = fmt.Sprintf("the quota of %g, less the last day's peak of %.1f, %s", q.Limit, q.Peak, leave)
	}
	r.Rate = r.Shard.Of(r.Rate)
}
