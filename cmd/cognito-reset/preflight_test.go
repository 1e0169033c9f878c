package main

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
)

// A grownPool is one that is well, and a run of so many users at a rate.
func grownPool(users int64, rate float64) surroundings {
	return surroundings{
		request: &request{
			UserPoolID: "eu-west-1_AbCdEfGhI", Roster: journal.Survey{Rows: users, Users: users}, settings: settings{Rate: rate},
		},
		region: "eu-west-1", endpoint: "https://cognito-idp.eu-west-1.amazonaws.com",
		caller: userpool.Caller{Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/ann"},
		pool: userpool.Settings{
			Name: "customers", EstimatedUsers: 1_000_000, Recovery: true, RecoverBy: []string{"verified_email"},
			EmailSender: "DEVELOPER", MFA: "OFF", DeletionProtection: "ACTIVE",
		},
		email: userpool.EmailAccount{Region: "eu-west-1", DailyQuota: 1_000_000, Rate: 100},
		quota: userpool.Quota{Limit: 30, Peak: 2},
	}
}

func TestWhatThePreflightSays(t *testing.T) {
	for _, c := range []struct {
		check  string
		change func(*surroundings)
		level  level
		text   string
	}{
		{"sender", func(f *surroundings) { f.pool.EmailSender = "COGNITO_DEFAULT" }, warning, "COGNITO_DEFAULT, 50 mails a day: this run needs 8,000 days"},
		{"time", func(f *surroundings) { f.pool.EmailSender = "COGNITO_DEFAULT" }, warning, "8,000 days, for the sender allows 50 a day"},
		{"sender", func(f *surroundings) { f.email.DailyQuota, f.email.Sent = 500_000, 100_001 }, warning, "of which 100,001 are sent: 400,000 mails are too many for today"},
		{"sender", func(f *surroundings) { f.email.Sandbox = true }, warning, "only verified addresses get a code"},
		{"sender", func(f *surroundings) { f.email.Rate = 14 }, warning, "less than the rate of this run"},
		{"sender", func(f *surroundings) { f.email.Paused = true }, blocker, "may not send"},
		{"sender", func(f *surroundings) { f.email.DailyQuota = -1 }, fine, "SES in eu-west-1, 100 mails a second"},
		{"sender", func(f *surroundings) { f.emailErr = errors.New("no answer") }, warning, "not known (no answer)"},
		{"sender", func(f *surroundings) { f.pool.Triggers = []string{"CustomEmailSender"} }, warning, "limits are not known"},
		{"recovery", func(f *surroundings) { f.pool.Recovery = false }, blocker, "admin_only"},
		{"recovery", func(f *surroundings) { f.pool.RecoverBy = nil }, fine, "by SMS or else e-mail"},
		{"sms", func(f *surroundings) { f.pool.SMS = true }, fine, "not in play"},
		{"sms", func(f *surroundings) { f.pool.SMS, f.pool.RecoverBy = true, nil }, warning, "all who have a verified phone"},
		{"sms", func(f *surroundings) { f.pool.Triggers = []string{"CustomSMSSender"} }, warning, "CustomSMSSender"},
		{"triggers", func(f *surroundings) { f.pool.Triggers = []string{"PreSignUp"} }, fine, "a reset does not call PreSignUp"},
		{"triggers", func(f *surroundings) { f.pool.Triggers = []string{"CustomMessage", "PreSignUp"} }, warning, "sees each reset and may refuse it; a reset does not call PreSignUp"},
		{"mfa", func(f *surroundings) { f.pool.MFA = "ON" }, fine, "on; left alone. Who"},
		{"deletion", func(f *surroundings) { f.pool.DeletionProtection = "INACTIVE" }, fine, "protection inactive; left alone"},
		{"endpoint", func(f *surroundings) { f.region = "us-east-1" }, warning, "in Region us-east-1, though the pool is of eu-west-1"},
		{"rate", func(f *surroundings) { f.request.Rate = 40 }, warning, "more than the quota of 30"},
		{"rate", func(f *surroundings) { f.quota.Peak = 11 }, warning, "the last day's peak of 11.0"},
		{"rate", func(f *surroundings) { f.request.Rate = 0 }, warning, "no limit"},
		{"rate", func(f *surroundings) { f.request.RateAuto = "the quota" }, fine, "20 a second: the quota"},
		{"time", func(f *surroundings) { f.request.MaxResets = 100_000 }, warning, "4 days, for --max-resets allows 100,000 a day"},
		{"time", func(f *surroundings) { f.request.WaveSize, f.request.WavePause = 200_000, 3600 }, fine, "about 6h33m20s"},
		{"messages", func(*surroundings) {}, fine, "400,000 asked for"},
	} {
		found := grownPool(400_000, 20)
		c.change(&found)
		for _, p := range preflights {
			if p.name != c.check {
				continue
			}
			if level, text := p.say(&found); level != c.level || !strings.Contains(text, c.text) {
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
	for name, found := range map[string]surroundings{"calm": calm, "wild": wild} {
		checks := found.checks(nil)
		for _, c := range checks {
			if name == "calm" && c.Level != fine {
				t.Errorf("%s: %s: %s", c.Name, c.Level, c.Text)
			}
		}
		var b strings.Builder
		if err := writeChecks(&b, checks); err != nil {
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
