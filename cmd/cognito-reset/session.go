package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/batch/pace"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
)

// A session is one process's work on a run.
type session struct {
	*command
	request    request
	dir        *journal.Dir
	history    *journal.History
	understood string             // how the input of a first session is read
	described  *userpool.Settings // of the pool, once it told
	prior      []batch.Entry      // the users of a run whose input has changed since
	leaveOut   []leftOut          // whom --exclude and --exclude-group name
	firstNames []string           // of the input, for a preflight alone, which keeps no roster
	past       *rundir.History    // whom earlier runs have reset; nil if that does not count
	excluded   check              // what was found out of them; zero if there are none
	unnamed    string             // why it is not known which names are one user; "" if it is
	s3         s3run.Options
	pool       *userpool.Pool
	sandbox    *http.Server
	log        *slog.Logger
	json       bool
	quiet      bool
	ask        bool // a person at the terminal decides

	left  int64                   // users to work on
	retry func(batch.Result) bool // of those who are settled, whom to take up again; nil is nobody
	paces *paces                  // that the calls keep
	fleet *fleet                  // that the run is of; nil if it is alone
	own   *cli.Context            // with the flags that replace the run's; nil means the command's

	reclock atomic.Pointer[func()] // writes into the journal how the service's clock stands; nil without one

	path            string   // of the run directory; "" is a new one's
	live            bool     // the pool is asked
	planned         *plan    // that is carried out; nil if there is none
	force           []string // blockers of the preflight to overrule
	comparePool     bool     // with the input, before anything else
	several         []int64  // rows of the input whose value several users have
	requireApproval bool     // by somebody who is not the caller
}

// connect prepares the user pool, or starts one of its own.
func (s *session) connect(ctx context.Context) (err error) {
	r := s.request
	if s.path != "" {
		s.log = s.log.With("run", s.path)
	}
	o := userpool.Options{
		PoolID: r.UserPoolID, Profile: r.Profile, Region: r.Region, EndpointURL: r.EndpointURL, RoleARN: r.RoleARN, ExternalID: r.ExternalID, PhoneCountry: r.PhoneCountry,
		Connections: r.workers(), Share: r.Shard.Of(1), Log: s.log, UsernameCase: r.UsernameCase,
		Observe: s.observer.calls(r.UserPoolID), ClockJumped: s.clockJumped,
	}
	if r.Rate == 0 && !r.findRate { // no limit at all
		o.ListRate = math.MaxFloat64
	}
	if r.Sandbox {
		if o.EndpointURL, err = s.startSandbox(); err != nil {
			return err
		}
		o.Profile, o.RoleARN, o.Region = "", "", userpool.RegionOf(r.UserPoolID)
		o.Credentials = awscredentials.NewStaticCredentialsProvider("sandbox", "sandbox", "")
	}
	s.pool, err = userpool.Open(ctx, o)
	return err
}

// sandboxLatency is what a call to the pool inside the process takes.
const sandboxLatency = 50 * time.Millisecond

// startSandbox serves a user pool filled from --pool-users, or else from the roster.
func (s *session) startSandbox() (url string, err error) {
	r := s.request
	pool := sandbox.New(sandbox.Config{PoolID: r.UserPoolID, Quotas: sandbox.DefaultQuotas(), Latency: sandboxLatency, SignIn: r.SignIn})
	if r.PoolUsers != "" {
		err = load(pool, r.PoolUsers)
	} else {
		err = s.populate(pool)
	}
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.sandbox = &http.Server{Handler: pool}
	go s.sandbox.Serve(listener) // until close
	if !s.quiet {
		say(s.stderr, "This is a rehearsal against a sandbox in this process: nobody is reset or mailed.\n%s", madeOf(r, pool.Len(), len(s.leaveOut)))
	}
	return "http://" + listener.Addr().String(), nil
}

// madeOf says whom the sandbox has.
func madeOf(r request, users, excluded int) string {
	if r.PoolUsers != "" {
		return fmt.Sprintf("It has the %d users of %s.\n", users, r.PoolUsers)
	}
	if excluded > 0 {
		return fmt.Sprintf("It made %d users of the input's %d and the %d to leave out, in a mix of states that a grown pool might have.\n", users, r.Roster.Users, excluded)
	}
	return fmt.Sprintf("It made %d of the %d users, in a mix of states that a grown pool might have.\n", users, r.Roster.Users)
}

// close gives up the sandbox and the run directory, if there are any.
func (s *session) close() (err error) {
	if s.sandbox != nil {
		err = s.sandbox.Close()
	}
	if s.dir != nil {
		err = errors.Join(err, s.dir.Close())
	}
	return err
}

// The garbage collector's percentages. While calls are made the heap is small
// and garbage is most of what a call costs; otherwise, with all usernames in
// memory, the heap is what a small machine lacks.
const (
	callGC  = 400
	usualGC = 20
)

// calling is how many sessions make calls.
var calling atomic.Int32

// beginCalls sets the garbage collector for calls until endCalls.
func beginCalls() {
	if calling.Add(1) == 1 {
		debug.SetGCPercent(callGC)
	}
}

func endCalls() {
	if calling.Add(-1) == 0 {
		debug.SetGCPercent(usualGC)
	}
}

// Paces are how fast the calls of each of Cognito's categories go.
type paces struct {
	pace      *pace.Pace // of resets and locks
	updates   *pace.Pace // of sign-outs and disablings
	creations *pace.Pace // of invitations
}

func (s *settings) newPaces() *paces {
	return &paces{pace.New(s.Rate), pace.New(s.UpdateRate), pace.New(s.Shard.Of(inviteRate))}
}

// work resets the users who are left, and ends the session.
func (s *session) work(ctx context.Context) error {
	stopped, err := s.reset(ctx)
	if err != nil {
		return err
	}
	return s.finish(stopped)
}

// reset resets the users who are left, and tells why it stopped before the last.
func (s *session) reset(ctx context.Context) (stopped, err error) {
	r, began := s.request, time.Now()
	s.history.Clock = s.pool.LearnClock(ctx, began)
	s.compareClocks()
	j, err := s.history.Start(version(), r.Roster.SHA256)
	if err != nil {
		return nil, fmt.Errorf("the journal cannot be written, so nothing was sent: %w", err)
	}
	s.reclock.Store(new(func() { _ = j.Clock(s.pool.Clock(began)) })) // a journal that fails says so at the next call
	defer s.reclock.Store(nil)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ctx, cancel := r.within(ctx, passed)
	defer cancel()
	if s.paces == nil {
		s.paces = r.newPaces()
	}
	ctl := &control{paces: s.paces, tally: new(batch.Tally), journal: j, stop: stop, nextWave: make(chan struct{}, 1)}
	waves := s.waves(ctl)
	options := s.options(ctl, waves)
	if options.Messages, err = s.messages(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	remaining := s.history.Remaining(s.retry)
	if r.CanaryRandom && waves.canary > 0 {
		remaining = canaryFirst(remaining, waves.canary)
	}
	s.observer.allow(r.Grace.duration())
	defer s.observer.over(s, ctl)()
	s.log.Info("session begins", "user_pool_id", r.UserPoolID, "region", s.pool.Region, "users", s.left, "rate", r.Rate)
	beginCalls()
	defer context.AfterFunc(ctx, func() { s.sayFinishing(context.Cause(ctx)) })()
	steered := s.steer(ctl)
	bar := s.showProgress(ctl)
	var open atomic.Int64 // users settled, but to be attempted again
	note := options.OnResult
	options.OnResult = func(r batch.Result) {
		if !r.Final() || r.Reason == batch.Interrupted {
			open.Add(1)
		}
		note(r)
	}
	counts, stopped := batch.Run(ctx, remaining, s.steps(ctl), options)
	bar.end(stopped == nil)
	steered()
	s.log.Info("session ends", "outcomes", counts.Outcomes, "reasons", counts.Reasons, "calls", counts.Calls, "throttled", counts.Throttled)

	if _, early := errors.AsType[*batch.Stop](stopped); early && open.Load() == 0 && doneOf(counts) == s.left {
		stopped = nil // it came when nobody was left
	}
	if stopped != nil {
		stopped = s.stopError(stopped)
	}
	code, because := exitDone, ""
	if e, ok := errors.AsType[*exit](stopped); ok {
		code, because = e.code, e.Error()
	}
	// A journal that failed has said so in stopped already.
	if err := errors.Join(j.End(code, because), j.Close()); err != nil && stopped == nil {
		stopped = s.stopError(&batch.JournalError{Err: err})
	}
	endCalls()
	return stopped, nil
}

// options are how the session's calls are made.
func (s *session) options(ctl *control, waves *waves) batch.Options {
	r := s.request
	o := batch.Options{
		Journal: ctl.journal, Tally: ctl.tally, Workers: r.workers(), MaxAttempts: r.MaxAttempts,
		Linger: r.SettleAfter.duration(), RetryUnknown: r.OnUnknown == "retry", Grace: r.Grace.duration(),
		NextWave: waves.next, MayCall: ctl.journal.MayCall, Standby: s.standby(),
	}
	o.Failures, _ = r.failureGuard() // which was read before
	if r.OnMessageLimit == "wait" {
		o.WaitOut = func(answer *batch.Error) bool {
			if answer.Reason != batch.MessageLimit {
				return false
			}
			again := nextMessages(time.Now())
			ctl.pace.Hold(again)
			ctl.creations.Hold(again)
			return true
		}
	}
	debugging := s.log.Enabled(context.Background(), slog.LevelDebug)
	o.OnResult = func(r batch.Result) {
		waves.note(r)
		ctl.watched.settled(r)
		if debugging {
			s.log.Debug("user", "row", r.Row, "username", r.Username, "outcome", r.Outcome, "reason", r.Reason,
				"attempts", r.Attempts, "error_code", r.ErrorCode, "request_id", r.RequestID)
		}
	}
	return o
}

// steer opens the ways to steer the session, until the returned function.
func (s *session) steer(ctl *control) (end func()) {
	hangUp, err := ctl.serve(s.dir)
	if err != nil {
		s.log.Warn("cognito-reset ctl cannot reach this run", "error", err)
	}
	if s.fleet == nil && term.IsTerminal(int(s.stdin.Fd())) && term.IsTerminal(int(s.stderr.Fd())) {
		ctl.byKeys(s.stdin, func(done string) { say(s.stderr, "\n%s", done) })
	}
	return func() {
		if hangUp != nil {
			hangUp()
		}
		restoreTerminal()
	}
}

// sayFinishing tells whoever sent a signal what happens now, which may take the
// whole grace.
func (s *session) sayFinishing(cause error) {
	if s.quiet {
		return
	}
	if term.IsTerminal(int(s.stderr.Fd())) {
		say(s.stderr, "") // below the bar
	}
	say(s.stderr, "%v: calls under way have %v to finish; a second signal ends this at once, and no record is lost.", cause, s.request.Grace.duration())
}

// stopError says why a session ended early, with the exit code for it.
func (s *session) stopError(cause error) error {
	if signal, ok := errors.AsType[signalled](cause); ok {
		return &exit{exitInterrupted + int(signal.signal), cause}
	}
	if stop, ok := errors.AsType[*batch.Stop](cause); ok {
		if advice := report.Advice(stop.Reason); advice != "" {
			return &exit{exitStopped, fmt.Errorf("%w (%s)", cause, advice)}
		}
		return &exit{exitStopped, cause}
	}
	if cut, ok := errors.AsType[*journal.CutError](cause); ok {
		return &exit{exitFailed, cut}
	}
	if _, ok := errors.AsType[*s3run.Error](cause); ok {
		return &exit{exitFailed, fmt.Errorf("%w; mend that: no call was made that is not recorded", cause)}
	}
	if broken, ok := errors.AsType[*batch.JournalError](cause); ok {
		return &exit{exitFailed, fmt.Errorf("%w; make room or mend the disk: no call was made that is not recorded", broken)}
	}
	return &exit{exitFailed, cause}
}

// summaryFile is the run in numbers. It stays when the rest is pruned.
const summaryFile = "summary.json"

// replay reads the record of a run, and sees to it that it is all of it: the
// users are those of run.json, and the journal is no shorter than when the
// summary was made of it.
func replay(dir *journal.Dir, r request) (*journal.History, error) {
	history, err := dir.Replay()
	if err != nil {
		return nil, err
	}
	const restore = "restore it from a copy; without it nobody can say who was reset, and to go on could reset users twice"
	if history.RosterSHA256 != r.Roster.SHA256 {
		return nil, fmt.Errorf("%s is not what run.json says: it was changed, or cut short, after it was written; %s", dir.File(journal.RosterFile), restore)
	}
	var last report.Summary
	if err := dir.ReadJSON(summaryFile, &last); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, err := os.Stat(dir.File(journal.JournalFile)); r.Marked && errors.Is(err, fs.ErrNotExist) {
		return nil, &journal.CutError{Path: dir.File(journal.JournalFile), What: "is not there, though the run began"}
	}
	if size := history.Size(); size < last.JournalBytes {
		return nil, fmt.Errorf("%s has %d bytes, and had %d when summary.json was made of it: it was cut short; %s", dir.File(journal.JournalFile), size, last.JournalBytes, restore)
	}
	return history, nil
}

// finish renders the reports, prints the summary and returns the exit.
func (s *session) finish(stopped error) error {
	summary, err := s.conclude(stopped)
	if summary == nil {
		return errors.Join(stopped, err)
	}
	code := summary.ExitCode
	if err == nil {
		if err = s.print(*summary); err != nil {
			err = fmt.Errorf("the summary could not be printed: %w; it stands in %s", err, s.dir.File(summaryFile))
		}
	}
	if stopped == nil && err != nil {
		code = exitFailed
	}
	if err = errors.Join(stopped, err); err != nil {
		say(s.stderr, "cognito-reset: %v", err)
	}
	if stopped != nil && !s.request.Sandbox {
		say(s.stderr, "To go on: cognito-reset resume %s", quotePath(s.dir.String()))
	}
	s.observer.ended(*summary)
	return &exit{code: code}
}

// conclude renders the reports. There is no summary where the record cannot be
// read.
func (s *session) conclude(stopped error) (*report.Summary, error) {
	s.history = nil // of ten million rows, two would be a lot
	history, err := replay(s.dir, s.request)
	if err != nil {
		return nil, err
	}
	summary, err := render(s.dir, history, s.request, stopped)
	if stopped != nil && errors.Is(err, s3run.ErrLost) {
		err = nil // and who took the run over writes its reports
	}
	if err != nil {
		err = fmt.Errorf("the reports could not be written: %w; the journal is whole: make room, then run cognito-reset report %s", err, quotePath(s.dir.String()))
	}
	return &summary, err
}

func (s *session) print(summary report.Summary) error {
	if s.json {
		enc := json.NewEncoder(s.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(summary)
	}
	return summary.Text(s.stdout, coloured(s.stdout))
}

// coloured tells that a stream shows colours and nobody minds (no-color.org).
func coloured(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// A record is the rows of a run and, once they were poured out, their sum.
type record struct {
	history *journal.History
	request request
	results iter.Seq2[batch.Result, error]
	summary report.Summary
}

// newRecord tells of a run what its journal says, but for why it stopped now.
func newRecord(dir *journal.Dir, history *journal.History, r request, stopped error) *record {
	rec := &record{history: history, request: r}
	summary := &rec.summary
	*summary = report.Summary{DryRun: r.DryRun, Forecast: r.Forecast, Coverage: (*report.Coverage)(r.Coverage), RunDirectory: dir.String(), JournalBytes: history.Known(), RateAsked: r.Rate, StartedAt: r.CreatedAt.Truncate(time.Millisecond), FinishedAt: r.CreatedAt.Truncate(time.Millisecond)}
	pending := batch.Interrupted
	for i, session := range history.Sessions {
		if i == 0 {
			summary.StartedAt = session.StartedAt.Truncate(time.Millisecond)
		}
		summary.FinishedAt = session.LastSeenAt.Truncate(time.Millisecond)
		summary.ElapsedSeconds += session.LastSeenAt.Sub(session.StartedAt).Seconds()
		summary.ExitCode, summary.StoppedBecause = session.ExitCode, session.Stopped
		if pending = batch.Interrupted; session.ExitCode == exitStopped || session.ExitCode == exitFailed {
			pending = batch.Stopped
		}
	}
	if left, _ := history.Open(); left == 0 { // the code comes from the rows
		summary.ExitCode, summary.StoppedBecause = exitDone, ""
	} else if n := len(history.Sessions); !r.DryRun && (n == 0 || !history.Sessions[n-1].Ended) {
		summary.ExitCode, summary.StoppedBecause = exitStopped, "the process ended without a word"
	} else if !r.DryRun && summary.ExitCode == exitDone {
		summary.ExitCode = exitStopped
	}
	if e, ok := errors.AsType[*exit](stopped); ok {
		summary.ExitCode, summary.StoppedBecause = e.code, e.Error()
	}
	if rec.results = history.Results(pending); r.Offline {
		rec.results = forecast(rec.results)
	}
	return rec
}

// pour writes every row to the writers, and sums up.
func (rec *record) pour(writers ...report.Writer) error {
	summary, retry := &rec.summary, make(retryKinds)
	if err := pour(rec.results, append(writers, summary, retry)...); err != nil {
		return err
	}
	if summary.ExitCode == exitDone && !summary.Well() {
		summary.ExitCode = exitSomeFailed
	}
	summary.Next = next(summary.RunDirectory, rec.history, rec.request, retry, summary.Outcomes[batch.Reset] > 0)
	return nil
}

// pour writes every row to every writer, and closes them.
func pour(results iter.Seq2[batch.Result, error], writers ...report.Writer) error {
	for result, err := range results {
		if err != nil {
			return err
		}
		for _, w := range writers {
			if err := w.Write(result); err != nil {
				return err
			}
		}
	}
	var errs []error
	for _, w := range writers {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

// retryKinds are the --retry that would take somebody up again.
type retryKinds map[string]bool

func (k retryKinds) Write(r batch.Result) error {
	if kind := retryKind(r); kind != "" {
		k[kind] = true
	}
	return nil
}

func (k retryKinds) Close() error { return nil }

// render writes the reports of a run from its record.
func render(dir *journal.Dir, history *journal.History, r request, stopped error) (report.Summary, error) {
	rec := newRecord(dir, history, r, stopped)
	page := r.newPage()
	err := dir.Write("report.csv", func(csv *os.File) error {
		return dir.Write("report.jsonl", func(jsonl *os.File) error {
			return rec.pour(r.newCSV(csv), report.NewJSONL(jsonl, r.Keep...), page)
		})
	})
	if err != nil {
		return rec.summary, err
	}
	if err := dir.Write("report.html", func(html *os.File) error { return page.Render(html, rec.summary) }); err != nil {
		return rec.summary, err
	}
	if !r.DryRun && !r.Sandbox {
		if err := rundir.Write(dir, r.UserPoolID, history.Size(), replaced(history.Results(batch.Interrupted))); err != nil {
			return rec.summary, err
		}
	}
	return rec.summary, dir.WriteJSON(summaryFile, rec.summary)
}

// next is the command to run after a session; "" if there is none.
func next(path string, history *journal.History, r request, retry retryKinds, reset bool) string {
	path = quotePath(path)
	left, _ := history.Open()
	var kinds []string
	for _, kind := range []string{"failed", "unknown"} {
		if retry[kind] {
			kinds = append(kinds, kind)
		}
	}
	switch {
	case r.DryRun || r.Sandbox:
		return ""
	case left > 0:
		return "cognito-reset resume " + path
	case kinds != nil:
		return "cognito-reset resume " + path + " --retry " + strings.Join(kinds, ",")
	case reset:
		return "cognito-reset verify " + path
	}
	return ""
}

// forecast is what a dry run of files alone says of users that nothing there
// stands against.
func forecast(results iter.Seq2[batch.Result, error]) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for r, err := range results {
			if r.Outcome == batch.NotAttempted {
				r.Outcome, r.Reason = batch.WouldReset, ""
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// counted lists reasons with their counts.
func counted(reasons map[batch.Reason]int64) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		list = append(list, fmt.Sprintf("%d %s", reasons[reason], reason))
	}
	return strings.Join(list, ", ")
}

// quotePath makes a path safe to paste into a shell.
func quotePath(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:+,@%", r)
	}) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
