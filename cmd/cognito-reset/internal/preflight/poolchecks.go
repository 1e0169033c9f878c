package preflight

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// untold is said of what only the pool's settings tell, where they are not known.
const untold = "not known: the pool does not tell its settings"

func (f *facts) recoveryCheck() (rundir.Level, string) {
	switch {
	case f.poolErr != nil:
		return rundir.Warning, untold
	case !f.pool.Recovery:
		return rundir.Blocker, "by administrators alone (admin_only), so Cognito refuses every reset; allow recovery by e-mail or SMS in the pool"
	case f.pool.RecoverBy == nil:
		return rundir.OK, "by SMS or else e-mail: the pool never chose"
	}
	names := map[string]string{"verified_email": "e-mail", "verified_phone_number": "SMS"}
	var ways []string
	for _, way := range f.pool.RecoverBy {
		ways = append(ways, cmp.Or(names[way], way))
	}
	return rundir.OK, "by " + strings.Join(ways, " or else ")
}

// defaultSenderMails is how many e-mails a day Cognito's own sender sends for an
// account.
const defaultSenderMails = 50

func (f *facts) has(trigger string) bool { return slices.Contains(f.pool.Triggers, trigger) }

func (f *facts) sendsBySES() bool {
	return f.poolErr == nil && f.pool.EmailSender != "COGNITO_DEFAULT" && !f.has("CustomEmailSender")
}

// mailsADay is how many e-mails the sender sends in a day, 0 if no limit is known.
func (f *facts) mailsADay() int64 {
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
	return term.Comma((n+aDay-1)/aDay) + " days"
}

func (f *facts) senderCheck() (rundir.Level, string) {
	users, mail := f.users, f.email
	switch {
	case f.poolErr != nil:
		return rundir.Warning, untold
	case f.has("CustomEmailSender"):
		return rundir.Warning, "the CustomEmailSender trigger, whose limits are not known"
	case !f.sendsBySES() && users > defaultSenderMails:
		return rundir.Warning, fmt.Sprintf("COGNITO_DEFAULT, %d mails a day: this run needs %s", defaultSenderMails, days(users, defaultSenderMails))
	case !f.sendsBySES():
		return rundir.OK, fmt.Sprintf("COGNITO_DEFAULT, %d mails a day for the whole account", defaultSenderMails)
	case f.emailErr != nil:
		return rundir.Warning, "SES; what it may send is " + gap(f.emailErr, "ses:GetAccount")
	case mail.Paused:
		return rundir.Blocker, fmt.Sprintf("SES in %s may not send now: nobody would get a code", mail.Region)
	}
	text := fmt.Sprintf("SES in %s, %.4g mails a second", mail.Region, mail.Rate)
	if mail.DailyQuota >= 0 {
		text = fmt.Sprintf("%s, %s in 24 h, %s of them sent", text, term.Comma(int64(mail.DailyQuota)), term.Comma(int64(mail.Sent)))
	}
	switch {
	case mail.Sandbox:
		return rundir.Warning, text + ". The account is in the SES sandbox: only verified addresses get a code"
	case mail.DailyQuota >= 0 && users > int64(mail.DailyQuota-mail.Sent):
		return rundir.Warning, fmt.Sprintf("%s: %s mails are too many for today", text, term.Comma(users))
	case f.spec.Rate == 0 || f.spec.Rate > mail.Rate:
		return rundir.Warning, text + ": less than the rate of this run"
	}
	return rundir.OK, text
}

func (f *facts) smsCheck() (rundir.Level, string) {
	switch by := f.pool.RecoverBy; {
	case f.poolErr != nil:
		return rundir.Warning, untold
	case f.has("CustomSMSSender"):
		return rundir.Warning, "sent by the CustomSMSSender trigger, whose failures nobody sees"
	case by != nil && !slices.Contains(by, "verified_phone_number"):
		return rundir.OK, "not in play: nobody recovers by SMS"
	case !f.pool.SMS:
		return rundir.OK, "not in play: the pool is not set up for it"
	case by == nil || by[0] == "verified_phone_number":
		return rundir.Warning, "to every user with a verified phone; past SNS's monthly spend limit none arrives, and no error says so"
	}
	return rundir.Warning, "to users without a verified e-mail; past SNS's monthly spend limit none arrives, and no error says so"
}

// The triggers that a reset calls, and what they do.
var triggered = []struct{ name, does string }{
	{"CustomMessage", "sees each reset and may refuse it"},
	{"CustomEmailSender", "sends each e-mail"},
	{"CustomSMSSender", "sends each SMS"},
}

func (f *facts) triggersCheck() (rundir.Level, string) {
	if f.poolErr != nil {
		return rundir.Warning, untold
	}
	if len(f.pool.Triggers) == 0 {
		return rundir.OK, "none"
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
		return rundir.Warning, strings.Join(parts, "; ")
	}
	unseen := "a reset does not call " + strings.Join(others, ", ")
	if parts == nil {
		return rundir.OK, unseen
	}
	return rundir.Warning, strings.Join(append(parts, unseen), "; ")
}

func (f *facts) mfaCheck() (rundir.Level, string) {
	mfa := strings.ToLower(f.pool.MFA)
	switch by := f.pool.RecoverBy; {
	case f.poolErr != nil:
		return rundir.Warning, untold
	case mfa == "off" || mfa == "":
		return rundir.OK, "off; left alone"
	case len(by) == 1 && by[0] == "verified_phone_number":
		return rundir.Warning, mfa + "; left alone. " + refusedByMFA("SMS")
	case len(by) == 1 && by[0] == "verified_email" && f.pool.EmailSender == "DEVELOPER": // no other sender sends MFA codes
		return rundir.Warning, mfa + "; left alone. " + refusedByMFA("e-mail")
	}
	return rundir.OK, mfa + "; left alone. A user whose only recovery contact is also the second factor is refused"
}

// refusedByMFA says who cannot be reset where users recover by one channel alone. Which
// users have a second factor, and which, no listing shows.
func refusedByMFA(channel string) string {
	return fmt.Sprintf("The pool recovers by %s alone, so Cognito refuses every user whose second factor is %s as well (no_verified_contact), and no forecast can tell; allow another way of recovery in the pool", channel, channel)
}

// factorNames are what people call the ways to sign in without a password.
var factorNames = map[string]string{
	"EMAIL_OTP": "a code by e-mail", "SMS_OTP": "a code by SMS", "WEB_AUTHN": "a passkey",
}

// factorsCheck says where a password is not the only way in. It has nothing to say
// where it is.
func (f *facts) factorsCheck() (rundir.Level, string) {
	if f.poolErr != nil || len(f.pool.FirstFactors) == 0 {
		return rundir.OK, ""
	}
	var ways []string
	for _, factor := range f.pool.FirstFactors {
		ways = append(ways, cmp.Or(factorNames[factor], factor))
	}
	stays := "A reset closes none of these and ends no session: add --steps reset,sign-out"
	if f.spec.SignsOut() {
		stays = "Neither a reset nor a sign-out closes these"
	}
	return rundir.Warning, fmt.Sprintf("a password is not the only way in, there is also %s. %s. Disable users whose other ways in may be in the wrong hands", strings.Join(ways, " and "), stays)
}

func (f *facts) deletionCheck() (rundir.Level, string) {
	if f.poolErr != nil {
		return rundir.Warning, untold
	}
	return rundir.OK, "protection " + strings.ToLower(cmp.Or(f.pool.DeletionProtection, "inactive")) + "; left alone"
}

func (f *facts) permissionsCheck() (rundir.Level, string) {
	var allowed, missing []string
	worst := rundir.Warning
	for _, p := range []struct {
		action string
		err    error
		loss   string
	}{
		{"ListUsers", f.listErr, "the pool cannot be compared"},
		{"AdminGetUser", f.readErr, "who is in doubt stays unknown"},
	} {
		if p.action == "AdminGetUser" && f.spec.SignOutAlone() { // it was not asked
			continue
		}
		if p.err == nil {
			allowed = append(allowed, p.action)
		} else {
			missing = append(missing, fmt.Sprintf("%s is %s; without it %s", p.action, gap(p.err, "cognito-idp:"+p.action), p.loss))
		}
	}
	for _, operation := range slices.Sorted(maps.Keys(f.stepErrs)) {
		action := string(operation)
		if err := f.stepErrs[operation]; err == nil {
			allowed = append(allowed, action)
		} else {
			missing = append(missing, fmt.Sprintf("%s is %s; without it the run stops", action, gap(err, "cognito-idp:"+action)))
			if answer, ok := errors.AsType[*batch.Error](err); ok && (answer.Reason == batch.AccessDenied || answer.Reason == batch.UnsupportedOperation) {
				worst = rundir.Blocker
			}
		}
	}
	if missing != nil {
		return worst, strings.Join(missing, ". ")
	}
	text := strings.Join(allowed, ", ")
	if !f.spec.SignOutAlone() {
		text += "; a reset shows at its first call"
	}
	return rundir.OK, text
}

func (f *facts) rateCheck() (rundir.Level, string) {
	rate, q := f.spec.FirstRate(), f.quota
	text := fmt.Sprintf("%.4g a second", rate)
	switch {
	case f.spec.RateAuto != "":
		return rundir.OK, text + ": " + f.spec.RateAuto
	case rate == 0:
		return rundir.Warning, "no limit: live users are throttled with the run"
	case q.LimitErr != nil:
		return rundir.Warning, text + "; the quota is " + gap(q.LimitErr, "servicequotas:GetServiceQuota")
	case rate > q.Limit:
		return rundir.Warning, fmt.Sprintf("%s, over the quota of %g shared with live users", text, q.Limit)
	case q.PeakErr == nil && rate+q.Peak > q.Limit:
		return rundir.Warning, fmt.Sprintf("%s; with the last day's peak of %.1f it is more than the quota of %g", text, q.Peak, q.Limit)
	}
	return rundir.OK, fmt.Sprintf("%s of the quota of %g, shared with live users", text, q.Limit)
}

func (f *facts) stepsCheck() (rundir.Level, string) {
	switch r := f.spec; {
	case r.SignOutAlone():
		return rundir.Warning, "sign-out alone: nobody is reset, and whoever knows a password signs in again"
	case !r.Plain():
		return rundir.OK, r.Response.String()
	}
	return rundir.OK, "" // a reset
}

// billCheck tells of whom Cognito bills as active because of the run.
func (f *facts) billCheck() (rundir.Level, string) {
	switch r := f.spec; {
	case r.SignsOut():
		return rundir.Warning, fmt.Sprintf("each sign-out bills its user as active this month: up to %s more", term.Plural(f.users, "user"))
	case r.Uses(spec.DoLock) || r.Uses(spec.DoInvite):
		return rundir.Warning, fmt.Sprintf("each user locked or invited is billed as active this month: at most %s more", term.Plural(f.users, "user"))
	}
	return rundir.OK, fmt.Sprintf("a reset is free; each user who then chooses a new password is billed as active this month: at most %s more", term.Plural(f.users, "user"))
}

func (f *facts) timeCheck() (rundir.Level, string) {
	r := f.spec
	aDay, why := f.mailsADay(), "the sender"
	if r.SignOutAlone() {
		aDay = 0
	}
	if most := int64(r.MaxResets); most > 0 && (aDay == 0 || most < aDay) {
		aDay, why = most, "--max-resets"
	}
	switch {
	case aDay > 0 && f.users > aDay:
		return rundir.Warning, fmt.Sprintf("%s, for %s allows %s a day", days(f.users, aDay), why, term.Comma(aDay))
	case r.FirstRate() == 0:
		return rundir.OK, "as fast as the pool answers"
	}
	return rundir.OK, fmt.Sprintf("about %v", r.TimeFor(f.users))
}

func (f *facts) messagesCheck() (rundir.Level, string) {
	return rundir.OK, fmt.Sprintf("%s asked for, one a reset; which arrive is not told", term.Comma(f.users))
}

func (f *facts) earlierCheck() (rundir.Level, string) {
	switch {
	case f.earlierDone:
		return rundir.Warning, fmt.Sprintf("%s worked on the same input, and is finished: a new run calls everybody again", f.earlier)
	case f.earlier != "":
		return rundir.Warning, fmt.Sprintf("%s worked on the same input: a new run calls everybody again; cognito-reset resume %s goes on with it", f.earlier, term.Quote(f.earlier))
	}
	return rundir.OK, "" // which nobody needs to be told
}

func (f *facts) namesCheck() (rundir.Level, string) {
	if f.unnamed != "" {
		return rundir.Blocker, "compared as they are written: " + f.unnamed
	}
	return rundir.OK, ""
}

func (f *facts) excludeCheck() (rundir.Level, string) { return f.excluded.Level, f.excluded.Text }
