package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"
)

type authRequest struct {
	PoolID         string `json:"UserPoolId"`
	ClientID       string `json:"ClientId"`
	AuthFlow       string
	AuthParameters map[string]string
}

// tokenLifetime is how long access and ID tokens are good, in seconds.
const tokenLifetime = 3600

type authReply struct {
	AuthenticationResult *tokens `json:",omitempty"`
	ChallengeName        string  `json:",omitempty"`
	Session              string  `json:",omitempty"`
	ChallengeParameters  map[string]string
}

type tokens struct {
	AccessToken  string
	IDToken      string `json:"IdToken"`
	RefreshToken string `json:",omitempty"`
	TokenType    string
	ExpiresIn    int
}

var (
	wrongPassword = refuse("NotAuthorizedException", "Incorrect username or password.")
	wrongSession  = refuse("NotAuthorizedException", "Invalid session for the user.")
)

func (p *Pool) adminInitiateAuth(in *authRequest, now time.Time) (any, *apiError) {
	if err := p.checkPool(in.PoolID); err != nil {
		return nil, err
	}
	return p.auth(in, now, "ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH")
}

func (p *Pool) initiateAuth(in *authRequest, now time.Time) (any, *apiError) {
	return p.auth(in, now, "USER_PASSWORD_AUTH")
}

func (p *Pool) auth(in *authRequest, now time.Time, passwordFlows ...string) (any, *apiError) {
	if err := p.checkClient(in.ClientID); err != nil {
		return nil, err
	}
	switch in.AuthFlow {
	case "REFRESH_TOKEN_AUTH", "REFRESH_TOKEN":
		return p.refresh(in.AuthParameters["REFRESH_TOKEN"], now)
	}
	for _, flow := range passwordFlows {
		if in.AuthFlow == flow {
			return p.signIn(in.AuthParameters["USERNAME"], in.AuthParameters["PASSWORD"], now)
		}
	}
	return nil, refuse("InvalidParameterException", "Unsupported authentication flow: "+in.AuthFlow)
}

// signIn tells an unknown user apart from a wrong password, as an app client
// with PreventUserExistenceErrors LEGACY does. A user whose password was reset
// has none to be wrong: any one gives PasswordResetRequiredException.
func (p *Pool) signIn(username, password string, now time.Time) (any, *apiError) {
	r, err := p.findUser(username)
	if err != nil {
		return nil, err
	}
	switch {
	case !r.Enabled:
		return nil, refuse("NotAuthorizedException", "User is disabled.")
	case r.Status == ResetRequired:
		return nil, refuse("PasswordResetRequiredException", "Password reset required for the user")
	case r.Password == "" || r.Password != password:
		return nil, wrongPassword
	case r.Status == Unconfirmed:
		return nil, refuse("UserNotConfirmedException", "User is not confirmed.")
	case r.Status == ForceChangePassword:
		return authReply{
			ChallengeName:       "NEW_PASSWORD_REQUIRED",
			Session:             p.seal("session", r),
			ChallengeParameters: map[string]string{"USER_ID_FOR_SRP": r.Username, "userAttributes": "{}", "requiredAttributes": "[]"},
		}, nil
	case r.Status != Confirmed:
		return nil, wrongPassword
	}
	return p.signedIn(r, now, true), nil
}

// refresh gives new access and ID tokens. A reset does not hinder it, only a
// sign-out does: whether Cognito refuses one that must reset is an open
// question, and this is the dangerous answer.
func (p *Pool) refresh(token string, now time.Time) (any, *apiError) {
	r, current := p.open("refresh", token)
	switch {
	case r == nil:
		return nil, refuse("NotAuthorizedException", "Invalid Refresh Token")
	case !current:
		return nil, refuse("NotAuthorizedException", "Refresh Token has been revoked")
	case !r.Enabled:
		return nil, refuse("NotAuthorizedException", "User is disabled.")
	}
	return p.signedIn(r, now, false), nil
}

type challengeRequest struct {
	ClientID           string `json:"ClientId"`
	ChallengeName      string
	Session            string
	ChallengeResponses map[string]string
}

// respondToAuthChallenge takes the first own password of a user who had a
// temporary one.
func (p *Pool) respondToAuthChallenge(in *challengeRequest, now time.Time) (any, *apiError) {
	if err := p.checkClient(in.ClientID); err != nil {
		return nil, err
	}
	if in.ChallengeName != "NEW_PASSWORD_REQUIRED" {
		return nil, refuse("InvalidParameterException", "Unsupported challenge: "+in.ChallengeName)
	}
	r, current := p.open("session", in.Session)
	if r == nil || !current || r.Status != ForceChangePassword || p.resolve(in.ChallengeResponses["USERNAME"]) != r {
		return nil, wrongSession
	}
	if !r.Enabled {
		return nil, refuse("NotAuthorizedException", "User is disabled.")
	}
	password := in.ChallengeResponses["NEW_PASSWORD"]
	if err := p.checkPassword(password); err != nil {
		return nil, err
	}
	r.Password, r.Status, r.Modified = password, Confirmed, now
	return p.signedIn(r, now, true), nil
}

type recoveryRequest struct {
	ClientID         string `json:"ClientId"`
	Username         string
	ConfirmationCode string
	Password         string
}

// forgotPassword is how a user gets a code: because they forgot, or because
// the reset's own is older than an hour. It counts against the same attempts
// an hour as a reset.
func (p *Pool) forgotPassword(in *recoveryRequest, now time.Time) (any, *apiError) {
	if err := p.checkClient(in.ClientID); err != nil {
		return nil, err
	}
	r, err := p.findUser(in.Username)
	if err != nil {
		return nil, err
	}
	if err := p.recoverable(r); err != nil {
		return nil, err
	}
	if err := p.sendCode(r, kindForgot, now); err != nil {
		return nil, err
	}
	channel, _ := recoveryChannel(&r.User)
	return struct{ CodeDeliveryDetails *delivery }{deliveryBy(&r.User, channel)}, nil
}

// A delivery says where a code was sent.
type delivery struct{ Destination, DeliveryMedium, AttributeName string }

func deliveryBy(u *User, channel uint8) *delivery {
	if channel == channelSMS {
		return &delivery{"+*******" + u.Phone[max(0, len(u.Phone)-4):], "SMS", "phone_number"}
	}
	return &delivery{masked(u.Email), "EMAIL", "email"}
}

// masked is an address as CodeDeliveryDetails shows it: a***@e***.
func masked(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	return local[:min(1, len(local))] + "***@" + domain[:min(1, len(domain))] + "***"
}

// confirmForgotPassword sets the password of whoever has the code. Who was wrong too
// often must wait.
func (p *Pool) confirmForgotPassword(in *recoveryRequest, now time.Time) (any, *apiError) {
	if err := p.checkClient(in.ClientID); err != nil {
		return nil, err
	}
	r, err := p.findUser(in.Username)
	if err != nil {
		return nil, err
	}
	if err := p.mayGuess(r, now); err != nil {
		return nil, err
	}
	switch {
	case !r.Enabled:
		return nil, refuse("NotAuthorizedException", "User is disabled.")
	case r.code == "" || now.Sub(p.started)-r.codeAt > codeLife:
		return nil, refuse("ExpiredCodeException", "Invalid code provided, please request a code again.")
	case r.code != in.ConfirmationCode:
		p.guessed(r, now)
		return nil, refuse("CodeMismatchException", "Invalid verification code provided, please try again.")
	}
	if err := p.checkPassword(in.Password); err != nil {
		return nil, err
	}
	r.code, r.guesses = "", 0
	r.Password, r.Status, r.Modified = in.Password, Confirmed, now
	return nil, nil
}

// signedIn is the answer to a sign-in. Access and ID tokens have the form of
// a JWT, with a signature that nobody can verify.
func (p *Pool) signedIn(r *record, now time.Time, withRefresh bool) authReply {
	t := &tokens{
		AccessToken: p.jwt(r, "access", now),
		IDToken:     p.jwt(r, "id", now),
		TokenType:   "Bearer",
		ExpiresIn:   tokenLifetime,
	}
	if withRefresh {
		t.RefreshToken = p.seal("refresh", r)
	}
	return authReply{AuthenticationResult: t, ChallengeParameters: map[string]string{}}
}

func (p *Pool) jwt(r *record, use string, now time.Time) string {
	text, err := json.Marshal(claims{r.Sub, r.Username, use, now.Unix(), now.Unix() + tokenLifetime, r.signOuts})
	if err != nil {
		panic(err) // strings and numbers
	}
	enc := base64.RawURLEncoding
	s := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc.EncodeToString(text)
	return s + "." + enc.EncodeToString(p.mac(s))
}

// A grant is what a refresh token or a session is made of.
type grant struct {
	Use, Sub string
	SignOuts uint32 // how many the user had had
}

// seal makes a token that only this pool, or one of the same seed, can open.
func (p *Pool) seal(use string, r *record) string {
	b, err := json.Marshal(grant{use, r.Sub, r.signOuts})
	if err != nil {
		panic(err) // strings and a number
	}
	s := base64.RawURLEncoding.EncodeToString(b)
	return s + "." + base64.RawURLEncoding.EncodeToString(p.mac(s))
}

// open finds whose token it is, nil if it is none, and whether it was issued
// after the user's last sign-out.
func (p *Pool) open(use, token string) (r *record, current bool) {
	s, sum, _ := strings.Cut(token, ".")
	if have, err := base64.RawURLEncoding.DecodeString(sum); err != nil || !hmac.Equal(have, p.mac(s)) {
		return nil, false
	}
	var g grant
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(b, &g) != nil || g.Use != use {
		return nil, false
	}
	found := p.equal(bySub, g.Sub)
	if len(found) == 0 {
		return nil, false
	}
	return found[0], found[0].signOuts == g.SignOuts
}

func (p *Pool) mac(s string) []byte {
	h := hmac.New(sha256.New, binary.BigEndian.AppendUint64(nil, p.cfg.Seed))
	h.Write([]byte(s))
	return h.Sum(nil)
}
