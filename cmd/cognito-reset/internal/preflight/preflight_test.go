package preflight

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// A grownPool is one that is well, and a run of so many users at a rate.
func grownPool(users int64, rate float64) facts {
	return facts{
		users: users, spec: spec.Spec{UserPoolID: "eu-west-1_AbCdEfGhI", Settings: spec.Settings{Rate: rate}},
		region: "eu-west-1", endpoint: "https://cognito-idp.eu-west-1.amazonaws.com",
		caller: awsaccount.Caller{Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/ann"},
		pool: userpool.Settings{
			Name: "customers", EstimatedUsers: 1_000_000, Recovery: true, RecoverBy: []string{"verified_email"},
			EmailSender: "DEVELOPER", MFA: "OFF", DeletionProtection: "ACTIVE",
		},
		email: awsaccount.EmailAccount{Region: "eu-west-1", DailyQuota: 1_000_000, Rate: 100},
		quota: awsaccount.Quota{Limit: 30, Peak: 2},
	}
}

func TestWhatThePreflightSays(t *testing.T) {
	for _, c := range []struct {
		check  string
		change func(*facts)
		level  rundir.Level
		text   string
	}{
		{"sender", func(f *facts) { f.pool.EmailSender = "COGNITO_DEFAULT" }, rundir.Warning, "COGNITO_DEFAULT, 50 mails a day: this run needs 8,000 days"},
		{"time", func(f *facts) { f.pool.EmailSender = "COGNITO_DEFAULT" }, rundir.Warning, "8,000 days, for the sender allows 50 a day"},
		{"sender", func(f *facts) { f.email.DailyQuota, f.email.Sent = 500_000, 100_001 }, rundir.Warning, "100,001 of them sent: 400,000 mails are too many for today"},
		{"sender", func(f *facts) { f.email.Sandbox = true }, rundir.Warning, "only verified addresses get a code"},
		{"sender", func(f *facts) { f.email.Rate = 14 }, rundir.Warning, "less than the rate of this run"},
		{"sender", func(f *facts) { f.email.Paused = true }, rundir.Blocker, "may not send"},
		{"sender", func(f *facts) { f.email.DailyQuota = -1 }, rundir.OK, "SES in eu-west-1, 100 mails a second"},
		{"sender", func(f *facts) { f.emailErr = errors.New("no answer") }, rundir.Warning, "not known (no answer)"},
		{"sender", func(f *facts) { f.pool.Triggers = []string{"CustomEmailSender"} }, rundir.Warning, "limits are not known"},
		{"recovery", func(f *facts) { f.pool.Recovery = false }, rundir.Blocker, "admin_only"},
		{"recovery", func(f *facts) { f.pool.RecoverBy = nil }, rundir.OK, "by SMS or else e-mail"},
		{"sms", func(f *facts) { f.pool.SMS = true }, rundir.OK, "not in play"},
		{"sms", func(f *facts) { f.pool.SMS, f.pool.RecoverBy = true, nil }, rundir.Warning, "to every user with a verified phone"},
		{"sms", func(f *facts) { f.pool.Triggers = []string{"CustomSMSSender"} }, rundir.Warning, "CustomSMSSender"},
		{"triggers", func(f *facts) { f.pool.Triggers = []string{"PreSignUp"} }, rundir.OK, "a reset does not call PreSignUp"},
		{"triggers", func(f *facts) { f.pool.Triggers = []string{"CustomMessage", "PreSignUp"} }, rundir.Warning, "sees each reset and may refuse it; a reset does not call PreSignUp"},
		{"mfa", func(f *facts) { f.pool.MFA = "ON" }, rundir.Warning, "on; left alone. The pool recovers by e-mail alone"},
		{"mfa", func(f *facts) { f.pool.MFA, f.pool.RecoverBy = "ON", nil }, rundir.OK, "on; left alone. A user whose"},
		{"mfa", func(f *facts) { f.pool.MFA, f.pool.EmailSender = "ON", "COGNITO_DEFAULT" }, rundir.OK, "on; left alone. A user whose"},
		{"mfa", func(f *facts) { f.pool.MFA, f.pool.RecoverBy = "OPTIONAL", []string{"verified_phone_number"} }, rundir.Warning, "optional; left alone. The pool recovers by SMS alone, so Cognito refuses every user whose second factor is SMS as well"},
		{"mfa", func(f *facts) { f.pool.RecoverBy = []string{"verified_phone_number"} }, rundir.OK, "off; left alone"},
		{"factors", func(f *facts) { f.pool.FirstFactors = []string{"SMS_OTP", "FACE"} }, rundir.Warning, "there is also a code by SMS and FACE. A reset closes none of these"},
		{"factors", func(f *facts) { f.pool.FirstFactors = nil }, rundir.OK, ""},
		{"deletion", func(f *facts) { f.pool.DeletionProtection = "INACTIVE" }, rundir.OK, "protection inactive; left alone"},
		{"endpoint", func(f *facts) { f.region = "us-east-1" }, rundir.Blocker, "this is a replica, which resets nobody. Ask the primary Region, such as by --region eu-west-1"},
		{"endpoint", func(f *facts) { f.region, f.spec.EndpointURL = "us-east-1", "http://localhost:5000" }, rundir.Warning, "in Region us-east-1, though the pool is of eu-west-1"},
		{"rate", func(f *facts) { f.spec.Rate = 40 }, rundir.Warning, "over the quota of 30"},
		{"rate", func(f *facts) { f.quota.Peak = 11 }, rundir.Warning, "the last day's peak of 11.0"},
		{"rate", func(f *facts) { f.spec.Rate = 0 }, rundir.Warning, "no limit"},
		{"rate", func(f *facts) { f.spec.RateAuto = "the quota" }, rundir.OK, "20 a second: the quota"},
		{"time", func(f *facts) { f.spec.MaxResets = 100_000 }, rundir.Warning, "4 days, for --max-resets allows 100,000 a day"},
		{"time", func(f *facts) { f.spec.WaveSize, f.spec.WavePause = 200_000, 3600 }, rundir.OK, "about 6h33m20s"},
		{"messages", func(*facts) {}, rundir.OK, "400,000 asked for"},
	} {
		found := grownPool(400_000, 20)
		c.change(&found)
		for _, p := range checks {
			if p.name != c.check {
				continue
			}
			if level, text := p.find(&found); level != c.level || !strings.Contains(text, c.text) {
				t.Errorf("%s: %s: %s, not %s: %s", p.name, level, text, c.level, c.text)
			}
		}
	}
}

// With room for the input, the record and the question.
func TestThePreflightFitsAScreen(t *testing.T) {
	calm := grownPool(400_000, 20)
	wild := grownPool(400_000, 40)
	wild.caller.ARN = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin/ann"
	wild.pool.EmailSender, wild.pool.RecoverBy, wild.pool.SMS, wild.pool.MFA = "COGNITO_DEFAULT", nil, true, "OPTIONAL"
	wild.pool.Triggers = []string{"CustomMessage", "PostConfirmation", "PreSignUp"}
	for name, found := range map[string]facts{"calm": calm, "wild": wild} {
		all := found.findings(nil)
		for _, c := range all {
			if name == "calm" && c.Level != rundir.OK {
				t.Errorf("%s: %s: %s", c.Name, c.Level, c.Text)
			}
		}
		var b strings.Builder
		if err := Write(&b, all); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) > 24-5 {
			t.Errorf("%s takes %d lines:\n%s", name, len(lines), b.String())
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("too wide: %s", line)
			}
		}
	}
}
