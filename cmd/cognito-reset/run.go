package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
)

// A request is run.json: what was asked, and of whom.
type request struct {
	Version    string          `json:"version"`
	CreatedAt  time.Time       `json:"created_at"`
	UserPoolID string          `json:"user_pool_id"`
	PoolName   string          `json:"user_pool_name"`
	Caller     userpool.Caller `json:"caller"`
	DryRun     bool            `json:"dry_run"`
	Sandbox    bool            `json:"sandbox"`

	Input          string            `json:"input"`        // path, or - for standard input
	InputSHA256    string            `json:"input_sha256"` // of its bytes
	Format         roster.Format     `json:"format"`
	UsernameColumn string            `json:"username_column"` // as asked for
	Delimiter      string            `json:"delimiter"`       // likewise
	NoHeader       bool              `json:"no_header"`
	ClientMetadata map[string]string `json:"client_metadata,omitempty"`
	Roster         journal.Survey    `json:"roster"`
	Preflight      []check           `json:"preflight,omitempty"`

	Coverage *userpool.Coverage `json:"coverage,omitempty"` // nil if input and pool were not compared

	approval

	settings
}

func (c *command) runCommand() *cli.Command {
	flags := append(inputFlags(), paceFlags()...)
	flags = append(flags, safetyFlags()...)
	flags = append(flags,
		boolFlag(groupSafety, "dry-run", "read and check everything, send nothing"),
		boolFlag(groupSafety, "yes", "do not ask before the first call"),
		forceFlag(),
		reconcileFlag(),
	)
	flags = append(flags, planFlags()...)
	flags = append(flags, stringFlag(groupAWS, "user-pool-id", "", "`ID` of the user pool, such as eu-west-1_AbCdEfGhI"))
	flags = append(flags, awsFlags()...)
	flags = append(flags,
		boolFlag(groupAWS, "sandbox", "use a user pool inside this process, filled from the input; no AWS account needed"),
		stringFlag(groupOutput, "run", "", "keep the record in `DIR` (default: cognito-reset-runs/<time>-<pool id>)"),
	)
	flags = append(flags, outputFlags()...)
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
	if err := noArguments(ctx); err != nil {
		return err
	}
	var planned *plan
	if path := ctx.String("plan"); path != "" && !ctx.Bool("dry-run") {
		if planned, err = openPlan(path, ctx.Duration("plan-max-age")); err != nil {
			return err
		}
		if err := planned.impose(ctx); err != nil {
			return err
		}
	}
	s := &session{command: c, json: ctx.Bool("json"), quiet: ctx.Bool("quiet"), comparePool: ctx.Bool("reconcile"), requireApproval: ctx.Bool("require-approval")}
	r := &s.request
	*r = request{
		Version: version(), CreatedAt: time.Now().UTC(), UserPoolID: ctx.String("user-pool-id"),
		DryRun: ctx.Bool("dry-run"), Sandbox: ctx.Bool("sandbox"),
		Input: ctx.String("input"), Format: roster.Format(ctx.String("format")),
		UsernameColumn: ctx.String("username-column"), Delimiter: ctx.String("delimiter"), NoHeader: ctx.Bool("no-header"),
		approval: approval{ApprovedBy: ctx.String("approved-by"), Reason: ctx.String("reason")},
	}
	if err := r.settings.read(ctx, true); err != nil {
		return err
	}
	force, err := forced(ctx.StringSlice("force"))
	if err != nil {
		return err
	}
	if r.ClientMetadata, err = keyValues("client-metadata", ctx.StringSlice("client-metadata")); err != nil {
		return err
	}
	if s.log, err = logger(ctx, c.stderr); err != nil {
		return err
	}
	if r.Sandbox && r.UserPoolID == "" {
		r.UserPoolID = "us-east-1_Sandbox"
	}
	switch {
	case r.UserPoolID == "":
		return usagef("say which user pool with --user-pool-id ID, or try it with --sandbox")
	case !poolIDPattern.MatchString(r.UserPoolID):
		return usagef("--user-pool-id: %q is not the id of a user pool; one looks like eu-west-1_AbCdEfGhI", r.UserPoolID)
	case r.Input == "":
		return usagef("say who with --input FILE; - is standard input")
	case r.Sandbox && r.EndpointURL != "":
		return usagef("--sandbox and --endpoint-url are two places; give one")
	}
	if r.Input != "-" { // a resume may be asked for from another folder
		if r.Input, err = filepath.Abs(r.Input); err != nil {
			return err
		}
	}
	s.ask = !ctx.Bool("yes") && !r.DryRun
	if s.ask && (r.Input == "-" || !term.IsTerminal(int(c.stdin.Fd()))) {
		return usagef("there is no terminal to ask on: look at a --dry-run first, then say --yes; nothing was sent")
	}

	if err := s.begin(ctx.Context, ctx.String("run")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.dir.Close()) }()
	if r.DryRun {
		if err := s.reconcileDryRun(ctx.Context); err != nil {
			return errors.Join(err, s.dir.Remove())
		}
		return s.writePlan(ctx, s.finish(nil))
	}
	if planned != nil {
		if err := planned.hold(*r, s.dir); err != nil {
			return errors.Join(err, s.dir.Remove())
		}
		r.PlanDigest = planned.Digest
	}
	if err := s.connect(ctx.Context); err != nil {
		return errors.Join(usagef("%w; nothing was sent", err), s.dir.Remove())
	}
	defer s.disconnect()
	if err := s.introduce(ctx.Context, force); err != nil {
		return errors.Join(err, s.dir.Remove())
	}
	if err := s.dir.WriteJSON(journal.RunFile, r); err != nil {
		return err
	}
	return s.work(ctx.Context, nil)
}

// begin reads the whole input into a new run directory. Where the input cannot
// be used, it leaves none.
func (s *session) begin(ctx context.Context, path string) (err error) {
	r := &s.request
	in, err := s.openInput(ctx)
	if err != nil {
		return cmp.Or(s.readNoFurther(ctx), error(&exit{exitUsage, err}))
	}
	defer in.Close()
	if path == "" {
		path = newRunPath(r.CreatedAt, r.UserPoolID)
	}
	if s.dir, err = journal.Create(path); err != nil {
		if errors.Is(err, journal.ErrExists) {
			err = fmt.Errorf("%w: name a new folder, or go on with that run by cognito-reset resume %s", err, quotePath(path))
		}
		return &exit{exitUsage, fmt.Errorf("--run: %w; nothing was sent", err)}
	}
	r.Roster, err = s.dir.Spool(roster.Unique(in.roster.Entries(), nil))
	if stopped := s.readNoFurther(ctx); stopped != nil {
		return errors.Join(stopped, s.dir.Remove())
	}
	if err != nil {
		code := exitFailed
		if _, ok := errors.AsType[*roster.InputError](err); ok {
			code = exitUsage
		}
		return &exit{code, errors.Join(fmt.Errorf("%w; nothing was sent", err), s.dir.Remove())}
	}
	r.InputSHA256 = in.sum()
	s.understood = in.roster
	if s.history, err = s.dir.Replay(); err != nil {
		return err
	}
	if r.DryRun {
		return s.dir.WriteJSON(journal.RunFile, r)
	}
	return nil
}

// readNoFurther tells that a signal came while the input was read. Even what
// then looks whole is not: whoever writes into a pipe gets the same Ctrl-C.
func (s *session) readNoFurther(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return s.stopError(fmt.Errorf("%w while the input was read; nothing was sent", context.Cause(ctx)))
}

// newRunPath names a run by when and on what.
func newRunPath(at time.Time, poolID string) string {
	path := filepath.Join("cognito-reset-runs", at.Format("20060102T150405Z")+"-"+poolID)
	for n := 2; ; n++ {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return path
		}
		path = fmt.Sprintf("%s-%d", strings.TrimSuffix(path, fmt.Sprintf("-%d", n-1)), n)
	}
}

// An input is read once, and hashed as it is read.
type input struct {
	io.Closer
	roster *roster.Roster
	hash   hash.Hash
}

func (in *input) sum() string { return hex.EncodeToString(in.hash.Sum(nil)) }

// openInput opens the request's input and finds out how to read it.
func (s *session) openInput(ctx context.Context) (*input, error) {
	r := s.request
	comma, err := delimiter(r.Delimiter)
	if err != nil {
		return nil, err
	}
	file, name := s.stdin, "standard input"
	if r.Input != "-" {
		name = s.inputName()
		if file, err = os.Open(r.Input); err != nil {
			return nil, fmt.Errorf("--input: %w", err)
		}
	}
	if info, err := file.Stat(); err != nil {
		return nil, fmt.Errorf("--input: %w", err)
	} else if info.IsDir() {
		return nil, fmt.Errorf("--input: %s is a directory; name a CSV or JSONL file in it", name)
	}
	in := &input{Closer: file, hash: sha256.New()}
	source := io.Reader(file)
	if r.Input == "-" {
		source = interruptible(ctx, file)
	}
	in.roster, err = roster.Open(io.TeeReader(source, in.hash), roster.Options{
		Name: name, Format: r.Format, Column: r.UsernameColumn, Delimiter: comma, NoHeader: r.NoHeader,
		PoolID: r.UserPoolID, ClientMetadata: r.ClientMetadata,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w; nothing was sent", err), file.Close())
	}
	return in, nil
}

// interruptible reads until ctx is done. A read of a terminal or a pipe cannot
// be cancelled; it ends with the process.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	return out
}

// inputName is how people know the input: by a path from here, where it is short.
func (s *session) inputName() string {
	here, err := os.Getwd()
	if err != nil {
		return s.request.Input
	}
	if name, err := filepath.Rel(here, s.request.Input); err == nil && !strings.HasPrefix(name, "..") {
		return name
	}
	return s.request.Input
}

// introduce shows what the run would meet and lets a person say no.
func (s *session) introduce(ctx context.Context, force []string) error {
	r := &s.request
	s.lookAround(ctx, force)
	if ctx.Err() != nil {
		return s.stopError(context.Cause(ctx))
	}
	if !s.quiet || s.ask {
		rows := fmt.Sprintf("%s rows, %s users to reset", comma(r.Roster.Rows), comma(r.Roster.Users))
		if other := r.Roster.Rows - r.Roster.Users; other > 0 {
			rows += fmt.Sprintf(", %s not (%s)", comma(other), counted(r.Roster.Reasons))
		}
		source := fmt.Sprintf("%s (%s, %s)", s.inputName(), s.understood.Format, cmp.Or(s.understood.Column, "username"))
		_ = writeChecks(s.stderr, append(slices.Clone(r.Preflight), // a closed stream is no reason to stop
			check{Name: "input", Level: fine, Text: source + ": " + rows},
			check{Name: "record", Level: fine, Text: s.dir.Path}))
	}
	if err := blocked(r.Preflight); err != nil {
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
	say(s.stderr, "Each of these users loses the current password and is sent a code.")
	fmt.Fprint(s.stderr, "Type the pool id to go on: ")
	answer := make(chan string, 1)
	go func() { // a read of a terminal cannot be cancelled; it ends with the process
		line, _ := bufio.NewReader(s.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case typed := <-answer:
		if typed == r.UserPoolID {
			return nil
		}
		return usagef("that is not the pool id; nothing was sent")
	case <-ctx.Done():
		return s.stopError(context.Cause(ctx))
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
}
