package sandbox

import (
	"cmp"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// defaultClient is the id of the app client that a pool has unless told otherwise.
const defaultClient = "app"

// checkClient checks a ClientId: its form, then whether the pool has such a client.
func (p *Pool) checkClient(id string) *apiError {
	switch {
	case id == "":
		return invalid("clientId", "", "Member must have length greater than or equal to 1")
	case len(id) > 128:
		return invalid("clientId", id, "Member must have length less than or equal to 128")
	case !slices.Contains(p.cfg.Clients, id):
		return refuse("ResourceNotFoundException", "User pool client "+id+" does not exist.")
	}
	return nil
}

type tokenRequest struct {
	AccessToken string
}

// claims are what a token says.
type claims struct {
	Sub      string `json:"sub"`
	Username string `json:"username"`
	Use      string `json:"token_use"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	SignOuts uint32 `json:"sign_outs"` // that the user had had
}

// bearer is the user whose access token it is. That the password was reset since does
// not hinder it, only a sign-out or the end of its hour does: whether Cognito goes by the
// user's state is an open question, and this is the dangerous answer.
func (p *Pool) bearer(token string, now time.Time) (*record, *apiError) {
	signed, sum, _ := cutLast(token, ".")
	_, body, _ := strings.Cut(signed, ".")
	var c claims
	mac, err := base64.RawURLEncoding.DecodeString(sum)
	text, decodeErr := base64.RawURLEncoding.DecodeString(body)
	if err != nil || decodeErr != nil || !hmac.Equal(mac, p.mac(signed)) || json.Unmarshal(text, &c) != nil || c.Use != "access" {
		return nil, refuse("NotAuthorizedException", "Invalid Access Token")
	}
	found := p.equal(bySub, c.Sub)
	switch {
	case len(found) == 0:
		return nil, refuse("UserNotFoundException", "User does not exist.")
	case now.Unix() >= c.Expires:
		return nil, refuse("NotAuthorizedException", "Access Token has expired")
	case found[0].signOuts != c.SignOuts:
		return nil, refuse("NotAuthorizedException", "Access Token has been revoked")
	case !found[0].Enabled:
		return nil, refuse("NotAuthorizedException", "User is disabled.")
	}
	return found[0], nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// getUser tells a signed-in user of themselves.
func (p *Pool) getUser(in *tokenRequest, now time.Time) (any, *apiError) {
	r, err := p.bearer(in.AccessToken, now)
	if err != nil {
		return nil, err
	}
	return struct {
		Username       string
		UserAttributes []attribute
	}{r.Username, attributesOf(&r.User)}, nil
}

// globalSignOut is a sign-out that the user asks for.
func (p *Pool) globalSignOut(in *tokenRequest, now time.Time) (any, *apiError) {
	r, err := p.bearer(in.AccessToken, now)
	if err != nil {
		return nil, err
	}
	r.signOuts++
	return nil, nil
}

type changePasswordRequest struct {
	tokenRequest
	PreviousPassword, ProposedPassword string
}

// changePassword takes a new password of a user who knows the old one. Wrong ones
// count as wrong codes do.
func (p *Pool) changePassword(in *changePasswordRequest, now time.Time) (any, *apiError) {
	r, err := p.bearer(in.AccessToken, now)
	if err != nil {
		return nil, err
	}
	if err := p.mayGuess(r, now); err != nil {
		return nil, err
	}
	if r.Password == "" || in.PreviousPassword != r.Password {
		p.guessed(r, now)
		return nil, wrongPassword
	}
	if err := p.checkPassword(in.ProposedPassword); err != nil {
		return nil, err
	}
	r.Password, r.Modified, r.guesses = in.ProposedPassword, now, 0
	return nil, nil
}

// mayGuess refuses who was wrong too often within an hour of the first time, with a
// code or a password: as often as codes are sent.
func (p *Pool) mayGuess(r *record, now time.Time) *apiError {
	if limit := p.cfg.AttemptLimit; limit > 0 && int(r.guesses) >= limit && now.Sub(p.started)-r.guessAt < time.Hour {
		return refuse("LimitExceededException", "Attempt limit exceeded, please try after some time.")
	}
	return nil
}

// guessed counts a wrong code or password.
func (p *Pool) guessed(r *record, now time.Time) {
	at := now.Sub(p.started)
	if r.guesses == 0 || at-r.guessAt >= time.Hour {
		r.guesses, r.guessAt = 0, at
	}
	r.guesses++
}

type signUpRequest struct {
	ClientID           string `json:"ClientId"`
	Username, Password string
	UserAttributes     []attribute
}

// signUp makes an unconfirmed user, and sends a code to the contact that is to be
// verified, if there is one. Only an administrator confirms the user here.
func (p *Pool) signUp(in *signUpRequest, now time.Time) (any, *apiError) {
	if err := p.checkClient(in.ClientID); err != nil {
		return nil, err
	}
	if err := checkUsername(in.Username); err != nil {
		return nil, err
	}
	if err := p.checkPassword(in.Password); err != nil {
		return nil, err
	}
	if p.resolve(in.Username) != nil {
		return nil, refuse("UsernameExistsException", "User already exists")
	}
	u := User{Username: in.Username, Status: Unconfirmed, Enabled: true, Created: now, Password: in.Password}
	for _, a := range in.UserAttributes {
		switch a.Name {
		case "sub", "email_verified", "phone_number_verified":
			return nil, refuse("NotAuthorizedException", "A client attempted to write unauthorized attribute")
		}
		u.set(a)
	}
	r := &record{User: p.signsIn(u)}
	out := struct {
		UserConfirmed       bool
		UserSub             string
		CodeDeliveryDetails *delivery `json:",omitempty"`
	}{}
	if channel, ok := contactOf(&r.User); ok {
		if err := p.send(r, kindSignUp, channel, fmt.Sprintf("%06d", p.random.Uint32N(1_000_000)), now); err != nil {
			return nil, err
		}
		out.CodeDeliveryDetails = deliveryBy(&r.User, channel)
	}
	p.insert(r, now)
	out.UserSub = r.Sub
	return out, nil
}

// contactOf is where the code of a sign-up goes.
func contactOf(u *User) (channel uint8, ok bool) {
	switch {
	case u.Email != "":
		return channelEmail, true
	case u.Phone != "":
		return channelSMS, true
	}
	return 0, false
}

// adminConfirmSignUp makes an unconfirmed user a confirmed one. Contacts stay as
// they are.
func (p *Pool) adminConfirmSignUp(in *userRequest, now time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	if r.Status != Unconfirmed {
		return nil, refuse("NotAuthorizedException", "User cannot be confirmed. Current status is "+string(r.Status))
	}
	r.Status, r.Modified = Confirmed, now
	return nil, nil
}

type updateAttributesRequest struct {
	userRequest
	UserAttributes []attribute
}

// adminUpdateUserAttributes changes a user's attributes. A new contact is unverified
// unless the call says that it is verified.
func (p *Pool) adminUpdateUserAttributes(in *updateAttributesRequest, now time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	changed := r.User
	changed.Attributes = nil
	for name, value := range r.Attributes {
		changed.set(attribute{name, value})
	}
	for _, a := range in.UserAttributes {
		switch {
		case a.Name == "sub":
			return nil, refuse("InvalidParameterException", "Cannot modify the non-mutable attribute sub")
		case a.Name == "email" && a.Value != r.Email:
			changed.EmailVerified = false
		case a.Name == "phone_number" && a.Value != r.Phone:
			changed.PhoneVerified = false
		}
	}
	for _, contacts := range []bool{true, false} { // whatever their order
		for _, a := range in.UserAttributes {
			if strings.HasSuffix(a.Name, "_verified") != contacts {
				changed.set(a)
			}
		}
	}
	changed.Modified = now
	r.User = changed
	p.reindex()
	return nil, nil
}

type listClientsRequest struct {
	poolRequest
	MaxResults int
	NextToken  string
}

type listedClient struct {
	ClientID   string `json:"ClientId"`
	PoolID     string `json:"UserPoolId"`
	ClientName string
}

// listUserPoolClients lists the app clients, on one page.
func (p *Pool) listUserPoolClients(in *listClientsRequest, _ time.Time) (any, *apiError) {
	if err := p.checkPool(in.PoolID); err != nil {
		return nil, err
	}
	most := cmp.Or(in.MaxResults, 60)
	switch {
	case most < 1:
		return nil, invalidNumber("maxResults", in.MaxResults, "greater than or equal to 1")
	case most > 60:
		return nil, invalidNumber("maxResults", in.MaxResults, "less than or equal to 60")
	case in.NextToken != "":
		return nil, refuse("InvalidParameterException", "Invalid pagination token")
	}
	list := []listedClient{}
	for _, id := range p.cfg.Clients {
		list = append(list, listedClient{id, p.cfg.PoolID, id})
	}
	return struct{ UserPoolClients []listedClient }{list}, nil
}
