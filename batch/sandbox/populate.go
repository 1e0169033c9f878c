package sandbox

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
	"time"
)

// Populate fills the pool with a believable mix of the users that entries
// name, and says how many it added. In what state a user is, is decided by the
// seed and the username alone, not by their order. Of 100 names
//
//	90 are CONFIRMED and can be reset: 88 by e-mail, 2 by phone
//	 2 are not in the pool
//	 2 are CONFIRMED without a verified e-mail address or phone
//	 1 is disabled
//	 2 are FORCE_CHANGE_PASSWORD
//	 1 is UNCONFIRMED
//	 1 is EXTERNAL_PROVIDER
//	 1 is RESET_REQUIRED already
//
// on average, and one of ten is in the group "staff". A name such as +15550100 is
// the phone number of a user as well. In a pool that signs in by e-mail a name is
// an address, name@example.com if it is none. Names that are already in the pool,
// and those that no user can have, are passed over.
func (p *Pool) Populate(entries iter.Seq[string], seed uint64) int {
	now := time.Now().Truncate(time.Millisecond)
	added := 0
	for name := range entries {
		u, there := believable(name, seed, now)
		if !there || checkUsername(name) != nil {
			continue
		}
		p.mu.Lock()
		if p.cfg.SignIn == "email" {
			u.Email = cmp.Or(u.Email, address(strings.TrimPrefix(name, "+")))
			u.Username = u.Email
		}
		u = p.signsIn(u)
		if p.byName[p.fold(u.Username)] == nil {
			p.insert(&record{User: u}, now)
			added++
		}
		p.mu.Unlock()
	}
	return added
}

// PopulateN fills the pool with the believable mix of user-0000001 to the
// n-th, by the pool's own seed, and says how many of them exist.
func (p *Pool) PopulateN(n int) int {
	return p.Populate(func(yield func(string) bool) {
		for i := 1; i <= n && yield(fmt.Sprintf("user-%07d", i)); i++ {
		}
	}, p.cfg.Seed)
}

var staff = []string{"staff"}

// believable is the user of that name, if there is one.
func believable(name string, seed uint64, now time.Time) (u User, there bool) {
	h := digest(seed, name)
	die := binary.BigEndian.Uint64(h[16:]) % 100
	age := time.Duration(binary.BigEndian.Uint32(h[24:])) * time.Second / 50 // up to 2.7 years
	u = NewUser(name)
	u.Created = now.Add(-age)
	if h[31]%10 == 0 {
		u.Groups = staff
	}
	switch {
	case die < 88:
	case die < 90:
		u.Phone, u.PhoneVerified = phone(h[28:]), true
		u.Email, u.EmailVerified = "", false
	case die < 92:
		return User{}, false
	case die < 94:
		u.EmailVerified = false
	case die < 95:
		u.Enabled = false
	case die < 97:
		u.Status = ForceChangePassword
	case die < 98:
		u.Status = Unconfirmed
		u.EmailVerified = false
	case die < 99:
		u.Status = ExternalProvider
		u.Password = ""
	default:
		u.Status = ResetRequired
		u.Password = ""
	}
	if dialled(name) {
		u.Phone, u.PhoneVerified = name, u.EmailVerified || u.PhoneVerified
		u.Email, u.EmailVerified = "", false
	}
	return u, true
}

// dialled reports whether a name is a phone number in E.164.
func dialled(name string) bool {
	digits, plus := strings.CutPrefix(name, "+")
	return plus && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// phone is a number in the range that is reserved for fiction, as far as that
// goes: area code and the last two digits vary.
func phone(h []byte) string {
	n := binary.BigEndian.Uint32(h)
	return fmt.Sprintf("+1%03d55501%02d", 200+n%800, n/800%100)
}
