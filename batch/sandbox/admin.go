package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// adminResetUserPassword checks in this order: that the user exists, is
// enabled, is in a state to be reset, has a verified contact, was not reset
// too often this hour, and that the day's messages are not used up. The old
// password is gone; tokens live on.
func (p *Pool) adminResetUserPassword(in *userRequest, now time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	if err := p.recoverable(r); err != nil {
		return nil, err
	}
	if code := p.cfg.Trigger; code != "" {
		return nil, refuse(code, "CustomMessage failed with error refused.")
	}
	if err := p.sendCode(r, kindReset, now); err != nil {
		return nil, err
	}
	r.resets++
	r.Status = ResetRequired
	r.Password = ""
	if p.cfg.ResetMovesModified {
		r.Modified = now
	}
	return nil, nil
}

// recoverable says what of a user's own stands against a new code.
func (p *Pool) recoverable(r *record) *apiError {
	switch {
	case p.cfg.AdminOnlyRecovery:
		return refuse("OperationNotEnabledException", "Self-service account recovery is not enabled for this user pool.")
	case !r.Enabled:
		return refuse("NotAuthorizedException", "User is disabled.")
	case r.Status != Confirmed && r.Status != ResetRequired:
		return refuse("NotAuthorizedException", "User password cannot be reset in the current state.")
	}
	return nil
}

type setPasswordRequest struct {
	userRequest
	Password  string
	Permanent bool
}

// adminSetUserPassword makes any user CONFIRMED (Permanent), or
// FORCE_CHANGE_PASSWORD: federated and unconfirmed ones too, which is why a
// mass run must never ask for it on those.
func (p *Pool) adminSetUserPassword(in *setPasswordRequest, now time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	if err := p.checkPassword(in.Password); err != nil {
		return nil, err
	}
	r.Password, r.code, r.Modified = in.Password, "", now
	r.Status = ForceChangePassword
	if in.Permanent {
		r.Status = Confirmed
	}
	return nil, nil
}

// adminUserGlobalSignOut revokes every token that was issued so far.
func (p *Pool) adminUserGlobalSignOut(in *userRequest, _ time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	r.signOuts++
	return nil, nil
}

// adminDisableUser revokes the user's tokens as well. The password stays:
// enabling the user brings it back.
func (p *Pool) adminDisableUser(in *userRequest, now time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	r.signOuts++
	r.Enabled, r.Modified = false, now
	return nil, nil
}

func (p *Pool) adminEnableUser(in *userRequest, now time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	r.Enabled, r.Modified = true, now
	return nil, nil
}

func (p *Pool) adminDeleteUser(in *userRequest, _ time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	p.remove(r)
	return nil, nil
}

type createUserRequest struct {
	userRequest
	UserAttributes         []attribute
	TemporaryPassword      string
	MessageAction          string   // "", "RESEND" or "SUPPRESS"
	DesiredDeliveryMediums []string // "EMAIL", "SMS"
}

// adminCreateUser makes a user in FORCE_CHANGE_PASSWORD, or sends one who is
// in that state a new invitation. A user without the contact that a medium asks for
// is made, but sent nothing by it. No address is refused for being another user's alias.
// It is a list of the rules of one operation, and as long as there are.
func (p *Pool) adminCreateUser(in *createUserRequest, now time.Time) (any, *apiError) {
	if err := p.checkPool(in.PoolID); err != nil {
		return nil, err
	}
	if err := checkUsername(in.Username); err != nil {
		return nil, err
	}
	if a := in.MessageAction; a != "" && a != "RESEND" && a != "SUPPRESS" {
		return nil, invalid("messageAction", a, "Member must satisfy enum value set: [RESEND, SUPPRESS]")
	}
	for _, m := range in.DesiredDeliveryMediums {
		if m != "EMAIL" && m != "SMS" {
			return nil, invalid("desiredDeliveryMediums", m, "Member must satisfy enum value set: [SMS, EMAIL]")
		}
	}
	password := in.TemporaryPassword
	if password == "" {
		const prefix = "Temporary-"
		password = fmt.Sprintf("%s%0*d", prefix, max(8, p.minimumPassword()-len(prefix)), p.random.Uint32N(100_000_000))
	}
	if err := p.checkPassword(password); err != nil {
		return nil, err
	}

	r := p.resolve(in.Username)
	kind := kindInvitation
	if in.MessageAction == "RESEND" {
		kind = kindResend
		switch {
		case r == nil:
			return nil, refuse("UserNotFoundException", "User does not exist.")
		case r.Status != ForceChangePassword:
			return nil, refuse("UnsupportedUserStateException",
				fmt.Sprintf("Resend not possible. %s status is not FORCE_CHANGE_PASSWORD", in.Username))
		}
	} else if r != nil {
		return nil, refuse("UsernameExistsException", "User account already exists")
	}

	if r == nil {
		u := User{Username: in.Username, Status: ForceChangePassword, Enabled: true, Created: now}
		for _, a := range in.UserAttributes {
			if a.Name != "sub" { // which is the pool's to give
				u.set(a)
			}
		}
		r = &record{User: p.signsIn(u)}
	}
	if in.MessageAction != "SUPPRESS" {
		for _, channel := range invitationChannels(&r.User, in.DesiredDeliveryMediums) {
			if err := p.send(r, kind, channel, password, now); err != nil {
				return nil, err
			}
		}
	}
	if kind == kindInvitation {
		p.insert(r, now)
	}
	r.Password, r.Modified = password, now

	return struct {
		User listedUser
	}{listed(&r.User)}, nil
}

// invitationChannels is where an invitation goes: to each contact that a medium
// asks for. Text messages are the documented default; that a user who has only
// an e-mail address is then sent an e-mail is what people report.
func invitationChannels(u *User, mediums []string) (channels []uint8) {
	if len(mediums) == 0 {
		mediums = []string{"SMS"}
		if u.Phone == "" {
			mediums = []string{"EMAIL"}
		}
	}
	if u.Email != "" && slices.Contains(mediums, "EMAIL") {
		channels = append(channels, channelEmail)
	}
	if u.Phone != "" && slices.Contains(mediums, "SMS") {
		channels = append(channels, channelSMS)
	}
	return channels
}

func (p *Pool) adminGetUser(in *userRequest, _ time.Time) (any, *apiError) {
	r, err := p.find(in.PoolID, in.Username)
	if err != nil {
		return nil, err
	}
	return struct {
		Username             string
		UserAttributes       []attribute
		UserCreateDate       seconds
		UserLastModifiedDate seconds
		Enabled              bool
		UserStatus           Status
	}{r.Username, attributesOf(&r.User), seconds(r.Created), seconds(r.Modified), r.Enabled, r.Status}, nil
}

// An attribute is one of a user's, as the protocol writes it.
type attribute struct {
	Name, Value string
}

func attributesOf(u *User) []attribute {
	list := make([]attribute, 0, 5+len(u.Attributes))
	list = append(list, attribute{"sub", u.Sub})
	if u.Email != "" {
		list = append(list, attribute{"email", u.Email}, attribute{"email_verified", fmt.Sprint(u.EmailVerified)})
	}
	if u.Phone != "" {
		list = append(list, attribute{"phone_number", u.Phone}, attribute{"phone_number_verified", fmt.Sprint(u.PhoneVerified)})
	}
	for _, name := range slices.Sorted(maps.Keys(u.Attributes)) {
		list = append(list, attribute{name, u.Attributes[name]})
	}
	return list
}

// checkPassword holds a password against the policy that DescribeUserPool
// tells.
func (p *Pool) checkPassword(password string) *apiError {
	lacks := ""
	switch {
	case utf8.RuneCountInString(password) < p.minimumPassword():
		lacks = "Password not long enough"
	case !strings.ContainsFunc(password, unicode.IsLower):
		lacks = "Password must have lowercase characters"
	case !strings.ContainsFunc(password, unicode.IsUpper):
		lacks = "Password must have uppercase characters"
	case !strings.ContainsFunc(password, unicode.IsDigit):
		lacks = "Password must have numeric characters"
	case !strings.ContainsAny(password, "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-"):
		lacks = "Password must have symbol characters"
	default:
		return nil
	}
	return refuse("InvalidPasswordException", "Password did not conform with policy: "+lacks)
}

// minimumPassword is the least length of a password, in characters.
func (p *Pool) minimumPassword() int { return cmp.Or(p.cfg.PasswordMinLength, 8) }
