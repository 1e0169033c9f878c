package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A document is what ListUsers answers. It may be the list alone.
type document struct{ Users []documentUser }

func (d *document) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, &d.Users)
	}
	type answer document
	return json.Unmarshal(b, (*answer)(d))
}

// A documentUser is one user of a document. Groups are no part of what
// ListUsers answers: here they may stand beside the rest.
type documentUser struct {
	Username             string
	Attributes           []attribute
	UserCreateDate       moment
	UserLastModifiedDate moment
	Enabled              *bool
	UserStatus           Status
	Groups               []string
}

// A moment is a time in a document: in seconds since 1970, as the service gives
// it, or in RFC 3339, as the AWS CLI prints it.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err == nil {
		m.Time = time.UnixMilli(int64(seconds * 1000))
		return nil
	}
	return json.Unmarshal(b, &m.Time)
}

// Load puts the users into the pool that a ListUsers document names, such as
//
//	aws cognito-idp list-users --user-pool-id eu-west-1_AbCdEfGhI
//
// prints, and says how many. Several documents may follow each other. Users
// are as the document has them; what it leaves out is that of an everyday user.
// A member "Groups" of a user, a list of names, says in which groups they are.
// After an error nobody was added.
func (p *Pool) Load(r io.Reader) (int, error) {
	var users []User
	for decoder := json.NewDecoder(r); ; {
		var d document
		if err := decoder.Decode(&d); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, fmt.Errorf("this is not what ListUsers answers: %w", err)
		}
		for _, u := range d.Users {
			loaded, err := u.user()
			if err != nil {
				return 0, fmt.Errorf("user %d: %w", len(users)+1, err)
			}
			users = append(users, loaded)
		}
	}
	if len(users) == 0 {
		return 0, errors.New(`there are no users: it should be what ListUsers answers, {"Users": […]}`)
	}
	p.Add(users...)
	return len(users), nil
}

func (d documentUser) user() (User, error) {
	if err := checkUsername(d.Username); err != nil {
		return User{}, errors.New(err.message)
	}
	u := User{
		Username: d.Username, Status: Confirmed, Enabled: d.Enabled == nil || *d.Enabled, Groups: d.Groups,
		Created: d.UserCreateDate.Time, Modified: d.UserLastModifiedDate.Time,
	}
	if d.UserStatus != "" {
		u.Status = d.UserStatus
	}
	switch u.Status {
	case Confirmed, Unconfirmed, ForceChangePassword:
		u.Password = DefaultPassword
	case ResetRequired, ExternalProvider, Archived, Compromised, UnknownStatus:
	default:
		return User{}, fmt.Errorf("there is no state %q", u.Status)
	}
	for _, a := range d.Attributes {
		u.set(a)
	}
	return u, nil
}

// set gives a user an attribute.
func (u *User) set(a attribute) {
	switch a.Name {
	case "sub":
		u.Sub = a.Value
	case "email":
		u.Email = a.Value
	case "email_verified":
		u.EmailVerified = a.Value == "true"
	case "phone_number":
		u.Phone = a.Value
	case "phone_number_verified":
		u.PhoneVerified = a.Value == "true"
	default:
		if u.Attributes == nil {
			u.Attributes = make(map[string]string)
		}
		u.Attributes[a.Name] = a.Value
	}
}
