package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"
)

// SES is what the account may send by Amazon SES, as GetAccount tells it. The
// pool tells it but does not enforce it.
type SES struct {
	Sandbox bool // has no production access yet
	Paused  bool // may not send now

	DailyQuota float64 // e-mails in any 24 hours, -1 no limit; if 0, 50,000, or 200 in SES's sandbox
	Rate       float64 // e-mails a second; if 0, 14, or 1 in SES's sandbox
	Sent       float64 // e-mails sent in the last 24 hours, beside the pool's own
}

const sesAccountPath = "/v2/email/account"

// An emailAccount is GetAccount's answer, as far as the sandbox has it.
type emailAccount struct {
	ProductionAccessEnabled bool
	SendingEnabled          bool
	EnforcementStatus       string
	SendQuota               struct {
		Max24HourSend, MaxSendRate, SentLast24Hours float64
	}
}

// serveSES answers SES GetAccount, REST with JSON. It takes no time and knows
// no quota.
func (p *Pool) serveSES(w http.ResponseWriter, r *http.Request) {
	status, reply := http.StatusOK, any(p.emailAccount(time.Now()))
	err := p.authorize(r, "ses", "ses:GetAccount")
	p.tally("GetAccount", err)
	if err != nil {
		status, reply = http.StatusForbidden, map[string]string{"message": err.message}
		w.Header().Set("x-amzn-ErrorType", err.code)
	}
	body, failed := json.Marshal(reply)
	if failed != nil {
		panic(failed) // replies are plain structs of the sandbox's own
	}
	write(w, status, "application/json", body)
}

func (p *Pool) emailAccount(now time.Time) emailAccount {
	ses := p.cfg.SES
	daily, rate := 50_000.0, 14.0
	if ses.Sandbox {
		daily, rate = 200, 1
	}
	a := emailAccount{ProductionAccessEnabled: !ses.Sandbox, SendingEnabled: !ses.Paused, EnforcementStatus: "HEALTHY"}
	a.SendQuota.Max24HourSend = cmp.Or(ses.DailyQuota, daily)
	a.SendQuota.MaxSendRate = cmp.Or(ses.Rate, rate)
	a.SendQuota.SentLast24Hours = ses.Sent
	if p.sendsBySES() {
		a.SendQuota.SentLast24Hours += float64(p.emailsSince(now.Add(-24 * time.Hour)))
	}
	return a
}
