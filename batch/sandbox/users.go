package sandbox

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// A Status is a user's UserStatus.
type Status string

// The statuses that a user can be in.
const (
	Unconfirmed         Status = "UNCONFIRMED"
	Confirmed           Status = "CONFIRMED"
	ResetRequired       Status = "RESET_REQUIRED"
	ForceChangePassword Status = "FORCE_CHANGE_PASSWORD"
	ExternalProvider    Status = "EXTERNAL_PROVIDER"
	Archived            Status = "ARCHIVED"
	Compromised         Status = "COMPROMISED"
	UnknownStatus       Status = "UNKNOWN"
)

// DefaultPassword is the password of every user that [NewUser] and
// [Pool.Populate] make, where the user's state has one.
const DefaultPassword = "Breached-Password-1"

// A User is one user of the pool.
type User struct {
	Username string // unique, 1 to 128 characters
	Sub      string // unique; a UUID made from the seed and the username if empty
	Status   Status // Confirmed if empty
	Enabled  bool   // mind the zero value; see NewUser

	Email, Phone                 string // Phone as in "+15550100"
	EmailVerified, PhoneVerified bool

	// Attributes are any others, such as preferred_username, given_name or
	// custom:tier. The pool keeps the map itself.
	Attributes map[string]string

	Groups []string // that the user is in; they need no making

	// Password is in the clear; this is a sandbox. A reset empties it.
	Password string

	Created, Modified time.Time // now if zero; Modified is Created if zero
}

// NewUser is an everyday user to [Pool.Add]: confirmed, enabled, with a
// verified e-mail address and the [DefaultPassword].
func NewUser(username string) User {
	return User{
		Username: username, Status: Confirmed, Enabled: true,
		Email: address(username), EmailVerified: true, Password: DefaultPassword,
	}
}

// address is an e-mail address for a user who is not to be mailed: the domain
// is reserved (RFC 2606).
func address(username string) string {
	if strings.Contains(username, "@") {
		return username
	}
	return username + "@example.com"
}

// A record is a user and what the pool keeps of them. There may be a million.
type record struct {
	User
	resets    uint32 // AdminResetUserPassword calls that were accepted
	messages  uint32
	signOuts  uint32 // tokens issued before the last one are revoked
	attempts  int32  // codes asked for in the hour from attemptAt
	attemptAt time.Duration
	code      string // the last one sent; "" if none or used
	codeAt    time.Duration
	guesses   int32 // wrong codes and passwords in the hour from guessAt
	guessAt   time.Duration
}

// Add puts users into the pool. One whose username is taken replaces the user
// who had it.
func (p *Pool) Add(users ...User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for _, u := range users {
		p.insert(&record{User: p.signsIn(u)}, now)
	}
}

// insert puts a record into the pool, with what its user was left without.
func (p *Pool) insert(r *record, now time.Time) {
	if r.Sub == "" {
		r.Sub = subOf(p.cfg.Seed, r.Username)
	}
	if r.Status == "" {
		r.Status = Confirmed
	}
	if r.Created.IsZero() {
		r.Created = now
	}
	if r.Modified.IsZero() {
		r.Modified = r.Created
	}
	p.meet(r.Groups)
	name := p.fold(r.Username)
	if old := p.byName[name]; old != nil {
		*old = *r
		p.reindex()
		return
	}
	p.users = append(p.users, r)
	p.byName[name] = r
}

// meet makes the groups that a user is in.
func (p *Pool) meet(groups []string) {
	for _, name := range groups {
		p.groups[name] = true
	}
}

func (p *Pool) remove(r *record) {
	delete(p.byName, p.fold(r.Username))
	p.users = slices.DeleteFunc(p.users, func(have *record) bool { return have == r })
	p.reindex()
}

// Get finds a user by username, alias or sub.
func (p *Pool) Get(username string) (User, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.resolve(username)
	if r == nil {
		return User{}, false
	}
	return r.User, true
}

// Update changes a user behind the tool's back, and says whether there is one
// of that username, alias or sub. The Username and the Sub stay what they are.
func (p *Pool) Update(username string, change func(*User)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.resolve(username)
	if r == nil {
		return false
	}
	was := r.User
	change(&r.User)
	r.Username, r.Sub = was.Username, was.Sub
	p.meet(r.Groups)
	if r.Email != was.Email || r.Phone != was.Phone {
		p.reindex()
	}
	return true
}

// Len is how many users there are.
func (p *Pool) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.users)
}

// Resets is how many AdminResetUserPassword calls were accepted for a user.
// More than one is what a mass run must never do.
func (p *Pool) Resets(username string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.resolve(username); r != nil {
		return int(r.resets)
	}
	return 0
}

// SignOuts is how often the tokens of a user were revoked, by whatever call.
func (p *Pool) SignOuts(username string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.resolve(username); r != nil {
		return int(r.signOuts)
	}
	return 0
}

// EachUser calls f with every user, in the order of usernames, the resets that
// were accepted for them and the messages that went to them. f may call the
// pool.
func (p *Pool) EachUser(f func(u User, resets, messages int)) {
	p.mu.Lock()
	all := slices.Clone(p.ordered(byUsername))
	p.mu.Unlock()
	for _, r := range all {
		p.mu.Lock()
		u, resets, messages := r.User, int(r.resets), int(r.messages)
		p.mu.Unlock()
		f(u, resets, messages)
	}
}

// signsIn is the user as the pool keeps them who was given the username that
// they sign in with.
func (p *Pool) signsIn(u User) User {
	if p.cfg.SignIn == "email" && strings.Contains(u.Username, "@") {
		u.Email = u.Username
		u.Username = cmp.Or(u.Sub, subOf(p.cfg.Seed, p.fold(u.Email)))
	}
	return u
}

// resolve finds whom a Username parameter names. An alias names only a user
// who has verified it, as at sign-in.
func (p *Pool) resolve(name string) *record {
	if r := p.byName[p.fold(name)]; r != nil {
		return r
	}
	if isUUID(name) {
		if found := p.equal(bySub, name); len(found) > 0 {
			return found[0]
		}
	}
	aliases := p.cfg.Aliases
	if p.cfg.SignIn != "" {
		aliases = []string{p.cfg.SignIn}
	}
	for _, alias := range aliases {
		switch {
		case alias == "email" && strings.Contains(name, "@"):
			for _, r := range p.equal(byEmail, name) {
				if (r.EmailVerified || p.cfg.SignIn == "email") && p.fold(r.Email) == p.fold(name) {
					return r
				}
			}
		case alias == "phone_number" && strings.HasPrefix(name, "+"):
			for _, r := range p.equal(byPhone, name) {
				if r.PhoneVerified {
					return r
				}
			}
		}
	}
	return nil
}

// digest is what all that is decided by a seed and a username is drawn from.
func digest(seed uint64, username string) [sha256.Size]byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 64), seed)
	return sha256.Sum256(append(b, username...))
}

// subOf makes a user's sub, a version 4 UUID. Subs spread evenly over their
// first digits, which makes prefixes of them fit to split a listing by.
func subOf(seed uint64, username string) string {
	if isUUID(username) {
		return username // pools that sign in by e-mail use the sub as username
	}
	h := digest(seed, username)
	return uuid([16]byte(h[:16]))
}

func uuid(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
