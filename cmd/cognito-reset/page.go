package main

import (
	"fmt"
	"strings"
	"time"

	"cognito-reset/report"
)

// newPage is a page for people about the run, without its rows.
func (r request) newPage() *report.Page {
	page := report.NewPage(r.Keep...)
	page.CSV, page.Facts = "report.csv", r.facts()
	if page.WaveSize = r.WaveSize; !r.CanaryRandom {
		page.Canary = r.Canary
	}
	return page
}

// facts say how the run was asked for. What was not is left out.
func (r request) facts() (facts []report.Fact) {
	say := func(name, value string) {
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
	say("user pool", strings.TrimSuffix(r.UserPoolID+", "+r.PoolName, ", "))
	say("caller", r.Caller.ARN)
	if r.CreatedAt.IsZero() { // of several runs
		return facts
	}
	say("asked for", r.CreatedAt.UTC().Format(time.RFC3339))
	say("users", r.source.String())
	say("input's SHA-256", r.InputSHA256)
	say("each user", r.response.String())
	if r.DryRun {
		say("dry run", "nothing was sent")
	}
	if r.Sandbox {
		say("sandbox", "a rehearsal: nobody was reset or mailed")
	}
	say("resets", perSecond(r.Rate, r.RateAuto))
	if !r.plain() {
		say("sign-outs and disablings", perSecond(r.UpdateRate, ""))
	}
	if r.Shard.Count > 0 {
		say("shard", r.Shard.String())
	}
	if r.Canary > 0 {
		say("canary", fmt.Sprintf("%d users", r.Canary))
	}
	if r.WaveSize > 0 {
		say("waves", fmt.Sprintf("%d users each", r.WaveSize))
	}
	say("approved by", r.ApprovedBy)
	say("reason", r.Reason)
	say("plan", r.PlanDigest)
	say("version", r.Version)
	return facts
}
