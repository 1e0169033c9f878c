// Package preflight says of everything that a run depends on whether it is ok, a
// warning or a blocker: facts about the pool and its account, and pure checks of
// them.
package preflight

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"cognito-reset/batch"
	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"
)

// Known is what was found out before about who is meant.
type Known struct {
	Excluded   rundir.Finding           // of those to leave out
	Unnamed    string                   // why it is not known which names are one user; "" if it is
	FirstNames func() ([]string, error) // of the input
	Force      []string                 // blockers to overrule
	InFleet    bool                     // the runs beside this one are of other pools
}

// facts are what a run would meet. Each part may be missing for a reason of its
// own.
type facts struct {
	spec        spec.Spec
	users       int64 // that the run means
	region      string
	endpoint    string
	endpointErr error
	caller      awsaccount.Caller
	callerErr   error
	pool        userpool.Settings
	poolErr     error
	email       awsaccount.EmailAccount // where the pool sends by SES
	emailErr    error
	quota       awsaccount.Quota
	listErr     error                          // why the caller may not list users
	readErr     error                          // why the caller may not read them
	stepErrs    map[awsaccount.Operation]error // why the caller may not take a step or what replaces it, of those tried
	excluded    rundir.Finding                 // what was found out of those to leave out
	naming      naming                         // how the first rows name users
	unnamed     string                         // why it is not known which names are one user
	earlier     string                         // the run directory of an earlier run of the same input; "" if none is beside this one
	earlierDone bool                           // nobody of that run is left
}

// Look asks what a run would meet, all side by side, and notes it in the record.
// What cannot be read is a gap, not an error.
func Look(ctx context.Context, pool *userpool.Pool, r *rundir.Record, known Known) {
	f := facts{region: pool.Region, excluded: known.Excluded, unnamed: known.Unnamed}
	var asked sync.WaitGroup
	account := awsaccount.Of(pool)
	asked.Go(func() { f.caller, f.callerErr = account.Caller(ctx) })
	asked.Go(func() {
		if f.pool, f.poolErr = pool.Settings(ctx); f.sendsBySES() {
			f.email, f.emailErr = account.EmailAccount(ctx, f.pool)
		}
		if f.poolErr == nil {
			f.naming = lookAtNames(ctx, pool, r.Spec, f.pool, known.FirstNames)
		}
	})
	asked.Go(func() { f.quota = account.Quota(ctx, category(r.Spec)) })
	asked.Go(func() { f.listErr = account.May(ctx, awsaccount.ListUsers) })
	if !r.Spec.SignOutAlone() { // which reads nobody: a call in doubt is made again
		asked.Go(func() { f.readErr = account.May(ctx, awsaccount.GetUser) })
	}
	asked.Go(func() { f.stepErrs = tryPermissions(ctx, account, r.Spec) })
	f.endpoint, f.endpointErr = pool.Endpoint(ctx)
	asked.Wait()
	if !known.InFleet { // each of 500 would read the records of all
		f.earlier, f.earlierDone = earlierRun(r)
	}

	found := &r.Found
	found.Caller, found.PoolName = f.caller, f.pool.Name
	if r.Spec.FindRate {
		r.Spec = FindRate(r.Spec, f.quota)
	}
	if found.Roster.Rows == 0 && r.Spec.Listed() { // a preflight alone, which lists nobody
		found.Roster.Users = int64(f.pool.EstimatedUsers)
	}
	f.spec, f.users = r.Spec, found.Roster.Users
	found.Findings = f.findings(known.Force)
}

// category is that of the run's first step.
func category(s spec.Spec) awsaccount.Category {
	if s.SignOutAlone() {
		return awsaccount.Update
	}
	return awsaccount.Recovery
}

// FindRate is the spec at the rate that --rate auto stands for.
func FindRate(s spec.Spec, q awsaccount.Quota) spec.Spec {
	leave := fmt.Sprintf("less %.0f%% headroom", 100*s.Headroom)
	rate, how := float64(spec.DefaultRate), ""
	switch {
	case q.LimitErr != nil:
		how = fmt.Sprintf("the default: the quota is not known (%v)", q.LimitErr)
	case q.PeakErr != nil:
		rate = q.Limit * (1 - s.Headroom)
		how = fmt.Sprintf("the quota of %g %s; what live users take is not known (%v)", q.Limit, leave, q.PeakErr)
	default:
		rate = max(1, (q.Limit-q.Peak)*(1-s.Headroom))
		how = fmt.Sprintf("the quota of %g, less the last day's peak of %.1f, %s", q.Limit, q.Peak, leave)
	}
	return s.AtRate(s.Shard.Of(rate), how)
}

// tryPermissions tries what else the run may have to call. Why it may not, if it may
// not, comes by the operation.
func tryPermissions(ctx context.Context, account *awsaccount.Account, s spec.Spec) map[awsaccount.Operation]error {
	errs := make(map[awsaccount.Operation]error)
	for operation, wanted := range map[awsaccount.Operation]bool{
		awsaccount.SignOut:      s.SignsOut(),
		awsaccount.Disable:      s.Uses(spec.DoDisable),
		awsaccount.SetPassword:  s.Uses(spec.DoLock),
		awsaccount.ResendInvite: s.Uses(spec.DoInvite),
	} {
		if wanted {
			errs[operation] = account.May(ctx, operation)
		}
	}
	return errs
}

// earlierRun is the directory of a run that really did the same with the same input and
// pool, the last by name, among those beside this run's own, and whether nobody of it is
// left. A sign-out after a reset is something else.
func earlierRun(r *rundir.Record) (path string, finished bool) {
	if r.Dir == nil || r.Found.InputSHA256 == "" {
		return "", false
	}
	folder := filepath.Dir(r.Dir.Path)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		dir, err := journal.View(filepath.Join(folder, e.Name()))
		if err != nil || e.Name() == filepath.Base(r.Dir.Path) {
			continue
		}
		if other, err := rundir.Load(dir); err == nil && other.Spec.UserPoolID == r.Spec.UserPoolID &&
			other.Found.InputSHA256 == r.Found.InputSHA256 && other.Spec.Shard == r.Spec.Shard && other.Spec.SignOutAlone() == r.Spec.SignOutAlone() && other.Spec.ForReal() && reached(dir) {
			path = dir.Path
			_, finished = other.Finished()
		}
	}
	return path, finished
}

// reached reports whether a run has reached anybody, as far as is known. Calls that
// never left, or that ended with everybody still to be called, reached nobody.
func reached(dir *journal.Dir) bool {
	var sum report.Summary
	if err := dir.ReadJSON(rundir.SummaryFile, &sum); err == nil && sum.JournalBytes == rundir.JournalSize(dir) {
		return sum.Rows > sum.Outcomes[batch.Skipped]+sum.Outcomes[batch.Invalid]+sum.Outcomes[batch.NotAttempted]
	}
	return rundir.JournalSize(dir) > 0
}
