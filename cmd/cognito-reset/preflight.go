package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
)

func (c *command) preflightCommand() *cli.Command {
	flags := append(configFlags()[:1], inputFlags()...)
	flags = append(flags, responseFlags()...)
	flags = append(flags, paceFlags()...)
	flags = append(flags, safetyFlags()...)
	flags = append(flags, forceFlag())
	flags = append(flags, stringFlag(groupAWS, "user-pool-id", "", "`ID` of the user pool, such as eu-west-1_AbCdEfGhI"))
	flags = append(flags, awsFlags()...)
	flags = append(flags, outputFlags()...)
	return &cli.Command{
		Name:      "preflight",
		Usage:     "look at a user pool and its account before a run",
		UsageText: "cognito-reset preflight --user-pool-id eu-west-1_AbCdEfGhI --input users.csv",
		Description: "Says of everything that a run depends on if it is ok, a warning or a blocker, as\n" +
			"run does before it begins. Takes the flags of run, and sends nothing. Without\n" +
			"--input it speaks of a run over the whole pool. Ends with 2 if there is a blocker.",
		Flags:  flags,
		Action: c.preflight,
	}
}

func forceFlag() cli.Flag {
	return &cli.StringSliceFlag{Category: groupSafety, Name: "force", Usage: "overrule the blocker `NAME` of the preflight (repeatable)", EnvVars: env("force")}
}

func (c *command) preflight(ctx *cli.Context) (err error) {
	if err := noArguments(ctx); err != nil {
		return err
	}
	job, _, err := c.configure(ctx)
	if err != nil {
		return err
	}
	if job.targets != nil {
		return usagef("%s has several targets, and a preflight is of one user pool: run --config %[1]s --dry-run looks at them all", job.file)
	}
	s := &session{command: c}
	r := &s.request
	r.UserPoolID = ctx.String("user-pool-id")
	if err := r.settings.read(ctx, true); err != nil {
		return err
	}
	if s.force, err = forced(ctx.StringSlice("force")); err != nil {
		return err
	}
	if s.log, err = logger(ctx, c.stderr); err != nil {
		return err
	}
	if !poolIDPattern.MatchString(r.UserPoolID) {
		return usagef("say which user pool with --user-pool-id ID, such as eu-west-1_AbCdEfGhI; %q is none", r.UserPoolID)
	}
	if err := r.source.read(ctx, time.Now()); err != nil && !errors.Is(err, errNobody) {
		return err
	}
	if err := r.response.read(ctx, r.told()); err != nil {
		return err
	}
	if !r.listed() {
		if err := s.countInput(ctx.Context); err != nil {
			return &exit{exitUsage, err}
		}
	}
	if err := s.connect(ctx.Context); err != nil {
		return &exit{exitUsage, err}
	}
	if err := s.checkExcluded(ctx.Context); err != nil && ctx.Context.Err() == nil {
		return &exit{exitUsage, err}
	}
	s.lookAround(ctx.Context)
	if ctx.Context.Err() != nil {
		return s.stopError(context.Cause(ctx.Context))
	}
	if ctx.Bool("json") {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(struct {
			UserPoolID string  `json:"user_pool_id"`
			Checks     []check `json:"checks"`
		}{r.UserPoolID, r.Preflight})
	} else {
		err = writeChecks(c.stdout, r.Preflight)
	}
	return cmp.Or(err, blocked(r.Preflight))
}

// countInput reads the input for its numbers alone.
func (s *session) countInput(ctx context.Context) error {
	in, err := s.openInputs(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	rows, users, err := s.request.choices()
	if err != nil {
		return err
	}
	survey := &s.request.Roster
	survey.Reasons = make(map[batch.Reason]int64)
	for e, err := range users.Apply(rows.Choose(in.Entries())) {
		if err != nil {
			return err
		}
		if survey.Rows++; e.Outcome == "" {
			if survey.Users++; survey.Users <= firstRows {
				s.firstNames = append(s.firstNames, e.Username)
			}
		} else {
			survey.Reasons[e.Reason]++
		}
	}
	s.notices(in)
	s.understood = column(in)
	return nil
}

// A check is a line of the preflight.
type check struct {
	Name   string `json:"name"`
	Level  level  `json:"level"`
	Text   string `json:"text"`
	Forced bool   `json:"forced,omitzero"` // a blocker that was overruled
}

// A level is how a check turned out.
type level string

const (
	fine    level = "ok"
	warning level = "warning"
	blocker level = "blocker"
)

// preflights are the checks of a preflight by their names, which never change,
// in the order in which they are shown.
var preflights = []struct {
	name string
	say  func(*surroundings) (level, string)
}{
	{"caller", (*surroundings).callerCheck},
	{"endpoint", (*surroundings).endpointCheck},
	{"pool", (*surroundings).poolCheck},
	{"recovery", (*surroundings).recoveryCheck},
	{"sender", (*surroundings).senderCheck},
	{"sms", (*surroundings).smsCheck},
	{"triggers", (*surroundings).triggersCheck},
	{"mfa", (*surroundings).mfaCheck},
	{"deletion", (*surroundings).deletionCheck},
	{"permissions", (*surroundings).permissionsCheck},
	{"rate", (*surroundings).rateCheck},
	{"steps", (*surroundings).stepsCheck},
	{"bill", (*surroundings).billCheck},
	{"time", (*surroundings).timeCheck},
	{"messages", (*surroundings).messagesCheck},
	{"earlier", (*surroundings).earlierCheck},
	{"match", (*surroundings).matchCheck},
	{"names", (*surroundings).namesCheck},
	{"exclude", (*surroundings).excludeCheck},
}

// forced are the names of blockers to overrule.
func forced(names []string) ([]string, error) {
	var known []string
	for _, p := range preflights {
		known = append(known, p.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, usagef("--force: there is no check %q; they are %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}

// Surroundings are what a run would meet. Each part may be missing for a reason
// of its own.
type surroundings struct {
	request     *request
	region      string
	endpoint    string
	endpointErr error
	caller      userpool.Caller
	callerErr   error
	pool        userpool.Settings
	poolErr     error
	email       userpool.EmailAccount // where the pool sends by SES
	emailErr    error
	quota       userpool.Quota
	listErr     error            // why the caller may not list users
	readErr     error            // why the caller may not read them
	stepErrs    map[string]error // why the caller may not take a step or what replaces it, of those tried
	excluded    check            // what was found out of those to leave out
	naming      naming           // how the first rows name users
	unnamed     string           // why it is not known which names are one user
	earlier     string           // the run directory of an earlier run of the same input; "" if none is beside this one
}

// lookAround asks what a run would meet, all side by side, and makes the
// request's preflight of it. What cannot be read is a gap, not an error.
func (s *session) lookAround(ctx context.Context) {
	r := &s.request
	found := surroundings{request: r, region: s.pool.Region}
	var asked sync.WaitGroup
	asked.Go(func() { found.caller, found.callerErr = s.pool.Caller(ctx) })
	asked.Go(func() {
		if found.pool, found.poolErr = s.pool.Settings(ctx); found.sendsBySES() {
			found.email, found.emailErr = s.pool.EmailAccount(ctx, found.pool)
		}
		if found.poolErr == nil {
			found.naming = s.lookAtNames(ctx, found.pool)
		}
	})
	asked.Go(func() { found.quota = s.pool.RecoveryQuota(ctx) })
	asked.Go(func() { found.listErr = s.pool.MayList(ctx) })
	asked.Go(func() { found.readErr = s.pool.MayRead(ctx) })
	asked.Go(func() { found.stepErrs = s.tryPermissions(ctx) })
	found.endpoint, found.endpointErr = s.pool.Endpoint(ctx)
	asked.Wait()
	found.earlier, found.excluded, found.unnamed = s.earlierRun(), s.excluded, s.unnamed

	r.Caller, r.PoolName = found.caller, found.pool.Name
	if r.findRate {
		r.rateFrom(found.quota)
	}
	if r.Roster.Rows == 0 && r.listed() { // a preflight alone, which lists nobody
		r.Roster.Users = int64(found.pool.EstimatedUsers)
	}
	r.Preflight = found.checks(s.force)
}

// checks are the preflight of what was found. One that has nothing to say is
// left out.
func (f *surroundings) checks(force []string) (checks []check) {
	for _, p := range preflights {
		if level, text := p.say(f); text != "" {
			checks = append(checks, check{p.name, level, text, level == blocker && slices.Contains(force, p.name)})
		}
	}
	return checks
}

// writeChecks shows a preflight, 80 columns wide where the words allow.
func writeChecks(w io.Writer, checks []check) error {
	const width = 80 - len("blocker  permissions  ")
	var b strings.Builder
	for _, c := range checks {
		level, name := string(c.Level), c.Name
		if c.Forced {
			level = "forced"
		}
		for _, line := range wrap(c.Text, width) {
			fmt.Fprintf(&b, "%-7s  %-11s  %s\n", level, name, line)
			level, name = "", ""
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// blocked is the error of the blockers that nobody overruled.
func blocked(checks []check) error {
	var why, force []string
	for _, c := range checks {
		if c.Level == blocker && !c.Forced {
			why = append(why, c.Name+": "+c.Text)
			force = append(force, "--force "+c.Name)
		}
	}
	if why == nil {
		return nil
	}
	return usagef("%s; nothing was sent. Mend it, or go on regardless with %s", strings.Join(why, "; "), strings.Join(force, " "))
}

// gap says that something is not known, and what to allow where it was denied.
func gap(err error, permission string) string {
	answer, found := errors.AsType[*batch.Error](err)
	switch {
	case found && answer.Reason == batch.AccessDenied:
		return "not known: allow " + permission
	case found:
		return fmt.Sprintf("not known (%s)", cmp.Or(answer.Code, string(answer.Reason)))
	}
	return fmt.Sprintf("not known (%v)", err)
}

func comma[N int | int64](n N) string { return humanize.Comma(int64(n)) }

func (f *surroundings) callerCheck() (level, string) {
	if f.callerErr != nil {
		return warning, gap(f.callerErr, "sts:GetCallerIdentity")
	}
	who := f.caller.ARN
	if parsed, err := arn.Parse(who); err == nil {
		who = parsed.Resource
	}
	return fine, fmt.Sprintf("%s, account %s", who, f.caller.Account)
}

func (f *surroundings) endpointCheck() (level, string) {
	if f.endpointErr != nil {
		return warning, gap(f.endpointErr, "")
	}
	if home := userpool.RegionOf(f.request.UserPoolID); home != f.region {
		return warning, fmt.Sprintf("%s, in Region %s, though the pool is of %s", f.endpoint, f.region, home)
	}
	return fine, fmt.Sprintf("%s (%s)", f.endpoint, f.region)
}

func (f *surroundings) poolCheck() (level, string) {
	id := f.request.UserPoolID
	if answer, found := errors.AsType[*batch.Error](f.poolErr); found && answer.Reason == batch.PoolNotFound {
		return blocker, fmt.Sprintf("%s is not in this account and Region (%v)", id, f.poolErr)
	}
	if f.poolErr != nil {
		return warning, fmt.Sprintf("%s, %s", id, gap(f.poolErr, "cognito-idp:DescribeUserPool"))
	}
	return fine, fmt.Sprintf("%s, %s, about %s users", id, f.pool.Name, comma(f.pool.EstimatedUsers))
}

// untold is said of what only the pool's settings tell, where they are not known.
const untold = "not known: the pool does not tell its settings"

func (f *surroundings) recoveryCheck() (level, string) {
	switch {
	case f.poolErr != nil:
		return warning, untold
	case !f.pool.Recovery:
		return blocker, "by administrators alone (admin_only), so Cognito refuses every reset; allow recovery by e-mail or SMS in the pool"
	case f.pool.RecoverBy == nil:
		return fine, "by SMS or else e-mail: the pool never chose"
	}
	names := map[string]string{"verified_email": "e-mail", "verified_phone_number": "SMS"}
	var ways []string
	for _, way := range f.pool.RecoverBy {
		ways = append(ways, cmp.Or(names[way], way))
	}
	return fine, "by " + strings.Join(ways, " or else ")
}

// defaultSenderMails is how many e-mails a day Cognito's own sender sends for an
// account.
const defaultSenderMails = 50

func (f *surroundings) has(trigger string) bool { return slices.Contains(f.pool.Triggers, trigger) }

func (f *surroundings) sendsBySES() bool {
	return f.poolErr == nil && f.pool.EmailSender != "COGNITO_DEFAULT" && !f.has("CustomEmailSender")
}

// mailsADay is how many e-mails the sender sends in a day, 0 if no limit is known.
func (f *surroundings) mailsADay() int64 {
	switch {
	case f.poolErr != nil || f.has("CustomEmailSender"):
		return 0
	case !f.sendsBySES():
		return defaultSenderMails
	case f.emailErr != nil:
		return 0
	}
	return max(0, int64(f.email.DailyQuota))
}

// days is how many days so many take, at most so many a day.
func days(n, aDay int64) string {
	if n <= aDay {
		return "1 day"
	}
	return comma((n+aDay-1)/aDay) + " days"
}

func (f *surroundings) senderCheck() (level, string) {
	users, mail := f.request.Roster.Users, f.email
	switch {
	case f.poolErr != nil:
		return warning, untold
	case f.has("CustomEmailSender"):
		return warning, "the CustomEmailSender trigger, whose limits are not known"
	case !f.sendsBySES() && users > defaultSenderMails:
		return warning, fmt.Sprintf("COGNITO_DEFAULT, %d mails a day: this run needs %s", defaultSenderMails, days(users, defaultSenderMails))
	case !f.sendsBySES():
		return fine, fmt.Sprintf("COGNITO_DEFAULT, %d mails a day for the whole account", defaultSenderMails)
	case f.emailErr != nil:
		return warning, "SES; what it may send is " + gap(f.emailErr, "ses:GetAccount")
	case mail.Paused:
		return blocker, fmt.Sprintf("SES in %s may not send at present: nobody would get a code", mail.Region)
	}
	text := fmt.Sprintf("SES in %s, %.4g mails a second", mail.Region, mail.Rate)
	if mail.DailyQuota >= 0 {
		text = fmt.Sprintf("%s, %s in 24 h, of which %s are sent", text, comma(int64(mail.DailyQuota)), comma(int64(mail.Sent)))
	}
	switch {
	case mail.Sandbox:
		return warning, text + ". The account is in the SES sandbox: only verified addresses get a code"
	case mail.DailyQuota >= 0 && users > int64(mail.DailyQuota-mail.Sent):
		return warning, fmt.Sprintf("%s: %s mails are too many for today", text, comma(users))
	case f.request.Rate == 0 || f.request.Rate > mail.Rate:
		return warning, text + ": less than the rate of this run"
	}
	return fine, text
}

func (f *surroundings) smsCheck() (level, string) {
	switch by := f.pool.RecoverBy; {
	case f.poolErr != nil:
		return warning, untold
	case f.has("CustomSMSSender"):
		return warning, "sent by the CustomSMSSender trigger, whose failures nobody sees"
	case by != nil && !slices.Contains(by, "verified_phone_number"):
		return fine, "not in play: nobody recovers by SMS"
	case !f.pool.SMS:
		return fine, "not in play: the pool is not set up for it"
	case by == nil || by[0] == "verified_phone_number":
		return warning, "to all who have a verified phone; past SNS's monthly limit none arrives, and nobody says so"
	}
	return warning, "to whom has no verified e-mail; past SNS's monthly limit none arrives, and nobody says so"
}

// The triggers that a reset calls, and what they do.
var triggered = []struct{ name, does string }{
	{"CustomMessage", "sees each reset and may refuse it"},
	{"CustomEmailSender", "sends each e-mail"},
	{"CustomSMSSender", "sends each SMS"},
}

func (f *surroundings) triggersCheck() (level, string) {
	if f.poolErr != nil {
		return warning, untold
	}
	if len(f.pool.Triggers) == 0 {
		return fine, "none"
	}
	var parts []string
	others := slices.Clone(f.pool.Triggers)
	for _, t := range triggered {
		if f.has(t.name) {
			parts = append(parts, t.name+" "+t.does)
			others = slices.DeleteFunc(others, func(name string) bool { return name == t.name })
		}
	}
	if len(others) == 0 {
		return warning, strings.Join(parts, "; ")
	}
	unseen := "a reset does not call " + strings.Join(others, ", ")
	if parts == nil {
		return fine, unseen
	}
	return warning, strings.Join(append(parts, unseen), "; ")
}

func (f *surroundings) mfaCheck() (level, string) {
	switch mfa := strings.ToLower(f.pool.MFA); {
	case f.poolErr != nil:
		return warning, untold
	case mfa == "off" || mfa == "":
		return fine, "off; left alone"
	default:
		return fine, mfa + "; left alone. Who recovers and confirms by the same contact is refused"
	}
}

func (f *surroundings) deletionCheck() (level, string) {
	if f.poolErr != nil {
		return warning, untold
	}
	return fine, "protection " + strings.ToLower(cmp.Or(f.pool.DeletionProtection, "inactive")) + "; left alone"
}

func (f *surroundings) permissionsCheck() (level, string) {
	var allowed, missing []string
	worst := warning
	for _, p := range []struct {
		action string
		err    error
		loss   string
	}{
		{"ListUsers", f.listErr, "the pool cannot be compared"},
		{"AdminGetUser", f.readErr, "who is in doubt stays unknown"},
	} {
		if p.err == nil {
			allowed = append(allowed, p.action)
		} else {
			missing = append(missing, fmt.Sprintf("%s is %s; without it %s", p.action, gap(p.err, "cognito-idp:"+p.action), p.loss))
		}
	}
	for _, action := range slices.Sorted(maps.Keys(f.stepErrs)) {
		if err := f.stepErrs[action]; err == nil {
			allowed = append(allowed, action)
		} else {
			missing = append(missing, fmt.Sprintf("%s is %s; without it the run stops", action, gap(err, "cognito-idp:"+action)))
			if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Reason == batch.AccessDenied {
				worst = blocker
			}
		}
	}
	if missing != nil {
		return worst, strings.Join(missing, ". ")
	}
	return fine, strings.Join(allowed, ", ") + "; the reset itself shows at the first call"
}

func (f *surroundings) rateCheck() (level, string) {
	rate, q := f.request.Rate, f.quota
	text := fmt.Sprintf("%.4g a second", rate)
	switch {
	case f.request.RateAuto != "":
		return fine, text + ": " + f.request.RateAuto
	case rate == 0:
		return warning, "no limit: live users are throttled with the run"
	case q.LimitErr != nil:
		return warning, text + "; the quota is " + gap(q.LimitErr, "servicequotas:GetServiceQuota")
	case rate > q.Limit:
		return warning, fmt.Sprintf("%s, more than the quota of %g, which live users share", text, q.Limit)
	case q.PeakErr == nil && rate+q.Peak > q.Limit:
		return warning, fmt.Sprintf("%s; with the last day's peak of %.1f it is more than the quota of %g", text, q.Peak, q.Limit)
	}
	return fine, fmt.Sprintf("%s of the quota of %g, shared with live users", text, q.Limit)
}

func (f *surroundings) stepsCheck() (level, string) {
	if r := f.request; !r.plain() {
		return fine, r.response.String()
	}
	return fine, "" // a reset
}

// billCheck tells of whom Cognito bills as active because of the run.
func (f *surroundings) billCheck() (level, string) {
	switch r := f.request; {
	case r.signsOut():
		return warning, fmt.Sprintf("each sign-out bills its user as active this month: up to %s users more", comma(r.Roster.Users))
	case r.uses(doLock) || r.uses(doInvite):
		return warning, fmt.Sprintf("each user locked or invited is billed as active this month: at most %s users more", comma(r.Roster.Users))
	}
	return fine, "" // resets are free
}

func (f *surroundings) timeCheck() (level, string) {
	r := f.request
	aDay, why := f.mailsADay(), "the sender"
	if most := int64(r.MaxResets); most > 0 && (aDay == 0 || most < aDay) {
		aDay, why = most, "--max-resets"
	}
	switch {
	case aDay > 0 && r.Roster.Users > aDay:
		return warning, fmt.Sprintf("%s, for %s allows %s a day", days(r.Roster.Users, aDay), why, comma(aDay))
	case r.Rate == 0:
		return fine, "as fast as the pool answers"
	}
	return fine, fmt.Sprintf("about %v", r.expected())
}

func (f *surroundings) messagesCheck() (level, string) {
	return fine, fmt.Sprintf("%s asked for, one a reset; which arrive is not told", comma(f.request.Roster.Users))
}

func (f *surroundings) earlierCheck() (level, string) {
	if f.earlier != "" {
		return warning, fmt.Sprintf("%s worked on the same input: a new run calls everybody again; cognito-reset resume %s goes on with it", f.earlier, quotePath(f.earlier))
	}
	return fine, "" // which nobody needs to be told
}

func (f *surroundings) namesCheck() (level, string) {
	if f.unnamed != "" {
		return blocker, "compared as they are written: " + f.unnamed
	}
	return fine, ""
}

func (f *surroundings) excludeCheck() (level, string) { return f.excluded.Level, f.excluded.Text }

// earlierRun is the directory of a run that really worked on the same input and
// pool, the last by name, among those beside this run's own.
func (s *session) earlierRun() (path string) {
	r := s.request
	if s.dir == nil || r.InputSHA256 == "" {
		return ""
	}
	folder := filepath.Dir(s.dir.Path)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		dir, err := journal.View(filepath.Join(folder, e.Name()))
		if err != nil || e.Name() == filepath.Base(s.dir.Path) {
			continue
		}
		var other request
		if err := dir.ReadJSON(journal.RunFile, &other); err == nil && other.UserPoolID == r.UserPoolID &&
			other.InputSHA256 == r.InputSHA256 && other.Shard == r.Shard && !other.DryRun && !other.Sandbox {
			path = dir.Path
		}
	}
	return path
}

// expected is how long the run takes at its rate, in waves if it has any.
func (r *request) expected() time.Duration { return r.timeFor(r.Roster.Users) }

func (r *request) timeFor(users int64) time.Duration {
	rate := r.Rate
	if r.signsOut() && r.UpdateRate > 0 {
		rate = min(rate, r.UpdateRate)
	}
	d := time.Duration(math.Ceil(float64(users)/rate)) * time.Second
	if r.WaveSize > 0 && users > 0 {
		d += time.Duration((users-1)/int64(r.WaveSize)) * r.WavePause.duration()
	}
	return d
}
