package sandbox

import (
	"fmt"
	"slices"
	"time"
)

// A Message is what a user would have been sent.
type Message struct {
	At       time.Time `json:"at"`
	Username string    `json:"username"`
	Channel  string    `json:"channel"` // "email" or "sms"
	Kind     string    `json:"kind"`    // one of the kinds below
	Code     string    `json:"code"`    // six digits; a temporary password in an invitation
}

// The kinds of message.
const (
	ResetMessage      = "reset"      // AdminResetUserPassword
	ForgotMessage     = "forgot"     // ForgotPassword
	InvitationMessage = "invitation" // AdminCreateUser
	ResendMessage     = "resend"     // AdminCreateUser with MessageAction RESEND
	SignUpMessage     = "sign-up"    // SignUp
)

// message is a Message as it is kept: a run makes one a user.
type message struct {
	at      time.Duration
	to      *record
	code    string
	kind    uint8 // index of messageKinds
	channel uint8 // index of channels
}

var (
	messageKinds = [...]string{ResetMessage, ForgotMessage, InvitationMessage, ResendMessage, SignUpMessage}
	channels     = [...]string{"email", "sms"}
)

const (
	kindReset uint8 = iota
	kindForgot
	kindInvitation
	kindResend
	kindSignUp
)

const (
	channelEmail uint8 = iota
	channelSMS
)

// Outbox is every message so far, oldest first.
func (p *Pool) Outbox() []Message {
	p.mu.Lock()
	kept := p.outbox[:len(p.outbox):len(p.outbox)] // only ever appended to
	p.mu.Unlock()
	all := make([]Message, len(kept))
	for i, m := range kept {
		all[i] = p.public(m)
	}
	return all
}

func (p *Pool) public(m message) Message {
	return Message{
		At:       p.started.Add(m.at).UTC(),
		Username: m.to.Username,
		Channel:  channels[m.channel],
		Kind:     messageKinds[m.kind],
		Code:     m.code,
	}
}

// codeLife is how long a code can be used.
const codeLife = time.Hour

// sendCode sends the user a fresh code, which takes the place of an older one
// (whether Cognito lets the older live is an open question). The user's
// attempts are checked first, then the day's messages. On refusal nothing has
// changed.
func (p *Pool) sendCode(r *record, kind uint8, now time.Time) *apiError {
	channel, ok := recoveryChannel(&r.User)
	if !ok {
		return refuse("InvalidParameterException", "Cannot reset password for the user as there is no registered/verified email or phone_number")
	}
	at := now.Sub(p.started)
	attempts := r.attempts
	if at-r.attemptAt >= time.Hour {
		attempts = 0
	}
	if limit := p.cfg.AttemptLimit; limit > 0 && int(attempts) >= limit {
		return refuse("LimitExceededException", "Attempt limit exceeded, please try after some time.")
	}
	code := fmt.Sprintf("%06d", p.random.Uint32N(1_000_000))
	if err := p.send(r, kind, channel, code, now); err != nil {
		return err
	}
	if attempts == 0 {
		r.attemptAt = at
	}
	r.attempts = attempts + 1
	r.code, r.codeAt = code, at
	return nil
}

// send puts a message into the outbox, if the day's e-mails are not used up.
// The day begins at 09:00 UTC.
func (p *Pool) send(r *record, kind, channel uint8, code string, now time.Time) *apiError {
	const newDay = 9 * time.Hour
	if day := now.UTC().Add(-newDay).Truncate(24 * time.Hour); !day.Equal(p.mailDay) {
		p.mailDay, p.mailCount = day, 0
	}
	if limit := p.cfg.DailyMessages; channel == channelEmail && limit > 0 && p.mailCount >= limit {
		return refuse("LimitExceededException", "Exceeded daily email limit for the operation or the account. If a higher limit is required, please configure your user pool to use your own Amazon SES configuration for sending email.")
	}
	if channel == channelEmail {
		p.mailCount++
	}
	r.messages++
	p.outbox = append(p.outbox, message{at: now.Sub(p.started), to: r, code: code, kind: kind, channel: channel})
	return nil
}

// sendsBySES says whether e-mails go out by the account's SES, or by Cognito's
// own sender.
func (p *Pool) sendsBySES() bool { return p.cfg.DailyMessages == 0 }

// emailsSince is how many e-mails went out since then.
func (p *Pool) emailsSince(then time.Time) (n int) {
	p.mu.Lock()
	kept := p.outbox[:len(p.outbox):len(p.outbox)] // only ever appended to
	p.mu.Unlock()
	for _, m := range slices.Backward(kept) {
		if m.at < then.Sub(p.started) {
			break
		}
		if m.channel == channelEmail {
			n++
		}
	}
	return n
}

// recoveryChannel is where a user's codes go: to the verified e-mail address,
// else to the verified phone, as the pool's AccountRecoverySetting says.
func recoveryChannel(u *User) (channel uint8, ok bool) {
	switch {
	case u.Email != "" && u.EmailVerified:
		return channelEmail, true
	case u.Phone != "" && u.PhoneVerified:
		return channelSMS, true
	}
	return 0, false
}
