package render

import (
	"fmt"
	"strings"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
)

// Page is a page for people about a run, without its rows. history is what the journal
// says; nil of several runs.
func Page(r *rundir.Record, history *journal.History) *report.Page {
	page := report.NewPage(r.Spec.Keep...)
	page.CSV, page.Facts = "report.csv", facts(r)
	page.Reason, page.ApprovedBy = r.Spec.Reason, r.Spec.ApprovedBy
	if history != nil {
		waves, rests := Timeline(history)
		page.Went(waves...)
		page.Rests = rests
	}
	return page
}

// facts say how the run was asked for. What was not is left out.
func facts(record *rundir.Record) (facts []report.Fact) {
	r, found := record.Spec, record.Found
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, report.Fact{Name: name, Value: value})
		}
	}
	perSecond := func(rate float64, how string) string {
		if rate == 0 {
			return "no limit"
		}
		return strings.TrimSuffix(fmt.Sprintf("%.4g a second, %s", rate, how), ", ")
	}
	add("user pool", strings.TrimSuffix(r.UserPoolID+", "+found.PoolName, ", "))
	add("caller", found.Caller.ARN)
	if r.CreatedAt.IsZero() { // of several runs
		return facts
	}
	add("asked for", r.CreatedAt.UTC().Format(time.RFC3339))
	add("users", r.Source.String())
	add("input's SHA-256", found.InputSHA256)
	add("each user", r.Response.String())
	if r.DryRun {
		add("dry run", "nothing was sent")
	}
	if r.Sandbox {
		add("sandbox", "a rehearsal: nobody was reset or mailed")
	}
	if !r.SignOutAlone() {
		add("resets", perSecond(r.Rate, r.RateAuto))
	}
	if !r.Plain() {
		add("sign-outs and disablings", perSecond(r.UpdateRate, ""))
	}
	if r.Shard.Count > 0 {
		add("shard", r.Shard.String())
	}
	if r.Canary > 0 {
		add("canary", fmt.Sprintf("%d users", r.Canary))
	}
	if r.WaveSize > 0 {
		add("waves", fmt.Sprintf("%d users each", r.WaveSize))
	}
	add("approved by", r.ApprovedBy)
	add("reason", r.Reason)
	add("plan", r.PlanDigest)
	add("version", r.Version)
	return facts
}
