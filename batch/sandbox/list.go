package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

type listRequest struct {
	PoolID          string `json:"UserPoolId"`
	AttributesToGet []string
	Limit           *int
	PaginationToken string
	Filter          string
}

type listedUser struct {
	Username             string
	Attributes           []attribute
	UserCreateDate       seconds
	UserLastModifiedDate seconds
	Enabled              bool
	UserStatus           Status
}

func listed(u *User) listedUser {
	return listedUser{u.Username, attributesOf(u), seconds(u.Created), seconds(u.Modified), u.Enabled, u.Status}
}

type listReply struct {
	Users           []listedUser
	PaginationToken string `json:",omitempty"`
}

type groupRequest struct {
	PoolID    string `json:"UserPoolId"`
	GroupName string
	Limit     *int
	NextToken string
}

type groupReply struct {
	Users     []listedUser
	NextToken string `json:",omitempty"`
}

// A pageToken tells where a listing stands: after the user who has these. Users
// who come or go in between move nobody else to another page.
type pageToken struct {
	Of                 string // the listing that it is good for
	Key, Sub, Username string
	Issued             int64  // Unix seconds
	Serial             uint64 // no two tokens are alike
}

const (
	pageSize  = 60        // users a page, at most
	pageScan  = 5000      // users looked at for a page, at most
	tokenLife = time.Hour // of a page token
)

// listUsers lists in the order of what is filtered by: username, e-mail
// address or phone, otherwise sub.
func (p *Pool) listUsers(in *listRequest, now time.Time) (any, *apiError) {
	if err := p.checkPool(in.PoolID); err != nil {
		return nil, err
	}
	f, err := parseFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	l := listing{of: in.Filter, passes: func(u *User) bool { return f.matches(u, p.filterFold) }}
	var scan bool
	if l.order, l.found, scan = p.candidates(f); !scan {
		l.passes = nil
	}
	found, token, err := p.page(l, in.Limit, in.PaginationToken, now)
	if err != nil {
		return nil, err
	}
	if in.AttributesToGet != nil {
		for i := range found {
			if found[i].Attributes, err = only(found[i].Attributes, in.AttributesToGet); err != nil {
				return nil, err
			}
		}
	}
	return listReply{found, token}, nil
}

// listUsersInGroup lists a group in the order of subs. The service documents
// no order, and a group there can be empty; here one exists once it had a member.
func (p *Pool) listUsersInGroup(in *groupRequest, now time.Time) (any, *apiError) {
	if err := p.checkPool(in.PoolID); err != nil {
		return nil, err
	}
	if in.GroupName == "" {
		return nil, invalid("groupName", "", "Member must have length greater than or equal to 1")
	}
	if !p.groups[in.GroupName] {
		return nil, refuse("ResourceNotFoundException", "Group not found.")
	}
	found, token, err := p.page(listing{
		of: "group " + in.GroupName, order: bySub, found: p.ordered(bySub),
		passes: func(u *User) bool { return slices.Contains(u.Groups, in.GroupName) },
	}, in.Limit, in.NextToken, now)
	if err != nil {
		return nil, err
	}
	return groupReply{found, token}, nil
}

// A listing is users in the order of one attribute, of whom those come who pass.
type listing struct {
	of     string
	order  int
	found  []*record
	passes func(*User) bool // nil: all do
}

// page is the users from where the token stands, and the next page's token. As
// in Cognito there may be few on a page, or none, and a token nevertheless: the
// service gave up looking.
func (p *Pool) page(l listing, most *int, token string, now time.Time) (users []listedUser, next string, err *apiError) {
	limit := pageSize
	if most != nil {
		switch {
		case *most < 0:
			return nil, "", invalidNumber("limit", *most, "greater than or equal to 0")
		case *most > pageSize:
			return nil, "", invalidNumber("limit", *most, "less than or equal to 60")
		case *most > 0:
			limit = *most
		}
	}
	found := l.found
	last := pageToken{Of: l.of}
	if token != "" {
		if last, err = p.openToken(token, l.of, now); err != nil {
			return nil, "", err
		}
		found = found[p.after(last, l.order, found):]
	}

	users = make([]listedUser, 0, min(limit, len(found)))
	if p.chance(p.cfg.Faults.EmptyPage) && len(found) > 0 {
		return users, p.sealToken(last, now), nil
	}
	seen := 0
	for seen < len(found) && seen < pageScan && len(users) < limit {
		r := found[seen]
		seen++
		if l.passes == nil || l.passes(&r.User) {
			users = append(users, listed(&r.User))
		}
	}
	if seen < len(found) {
		r := found[seen-1]
		next = p.sealToken(pageToken{Of: l.of, Key: p.indexes[l.order].key(r), Sub: r.Sub, Username: r.Username}, now)
	}
	return users, next, nil
}

// after is how many of the found come before the place that a token tells, and
// at it.
func (p *Pool) after(last pageToken, order int, found []*record) int {
	key := p.indexes[order].key
	at, exact := slices.BinarySearchFunc(found, last, func(r *record, last pageToken) int {
		return cmp.Or(strings.Compare(key(r), last.Key), strings.Compare(r.Sub, last.Sub), strings.Compare(r.Username, last.Username))
	})
	if exact {
		at++
	}
	return at
}

// candidates is the users among whom those who pass f are found, by which
// attribute they are ordered, and whether they have yet to be held against f.
func (p *Pool) candidates(f filter) (order int, found []*record, scan bool) {
	switch f.attribute {
	case "":
		return bySub, p.ordered(bySub), false
	case "sub":
		order = bySub
	case "username":
		order = byUsername
	case "email":
		order = byEmail
	case "phone_number":
		order = byPhone
	default:
		return bySub, p.ordered(bySub), true
	}
	if f.prefix {
		return order, p.withPrefix(order, p.filterFold(f.value)), false
	}
	return order, p.equal(order, f.value), false
}

// only keeps the attributes that were asked for. A user who lacks one fails
// the whole call, as in Cognito.
func only(have []attribute, names []string) ([]attribute, *apiError) {
	kept := make([]attribute, 0, len(names))
	for _, name := range names {
		at := slices.IndexFunc(have, func(a attribute) bool { return a.Name == name })
		if at < 0 {
			return nil, refuse("InvalidParameterException", "One or more requested attributes do not exist.")
		}
		kept = append(kept, have[at])
	}
	return kept, nil
}

func (p *Pool) sealToken(t pageToken, now time.Time) string {
	t.Issued, t.Serial = now.Unix(), p.requests
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and numbers
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// openToken reads a token. It is good for one hour, and for the listing that it
// was issued for.
func (p *Pool) openToken(token, of string, now time.Time) (t pageToken, err *apiError) {
	b, bad := base64.RawURLEncoding.DecodeString(token)
	if bad == nil {
		bad = json.Unmarshal(b, &t)
	}
	if bad != nil || t.Of != of || now.Sub(time.Unix(t.Issued, 0)) > tokenLife || p.chance(p.cfg.Faults.DeadToken) {
		return t, refuse("InvalidParameterException", "Invalid pagination token")
	}
	return t, nil
}
