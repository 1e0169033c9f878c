package sandbox

import (
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

// A pageToken tells where a listing stands: after the user who has these. Users
// who come or go in between move nobody else to another page.
type pageToken struct {
	Filter             string
	Key, Sub, Username string
	Issued             int64 // Unix seconds
}

const (
	pageSize  = 60        // users a page, at most
	pageScan  = 5000      // users looked at for a page, at most
	tokenLife = time.Hour // of a page token
)

// listUsers lists in the order of what is filtered by: username, e-mail
// address or phone, otherwise sub. As in Cognito a filter on a state can give
// a page with few users, or none, and a token: the service gave up looking.
func (p *Pool) listUsers(in *listRequest, now time.Time) (any, *apiError) {
	if err := p.checkPool(in.PoolID); err != nil {
		return nil, err
	}
	limit := pageSize
	if in.Limit != nil {
		switch {
		case *in.Limit < 0:
			return nil, invalidNumber("limit", *in.Limit, "greater than or equal to 0")
		case *in.Limit > pageSize:
			return nil, invalidNumber("limit", *in.Limit, "less than or equal to 60")
		case *in.Limit > 0:
			limit = *in.Limit
		}
	}
	f, err := parseFilter(in.Filter)
	if err != nil {
		return nil, err
	}

	order, found, scan := p.candidates(f)
	if in.PaginationToken != "" {
		token, err := openToken(in, now)
		if err != nil {
			return nil, err
		}
		last := pageToken{Key: token.Key, Sub: token.Sub, Username: token.Username}
		key := p.indexes[order].key
		at, exact := slices.BinarySearchFunc(found, last, func(r *record, last pageToken) int {
			if c := strings.Compare(key(r), last.Key); c != 0 {
				return c
			}
			if c := strings.Compare(r.Sub, last.Sub); c != 0 {
				return c
			}
			return strings.Compare(r.Username, last.Username)
		})
		if exact {
			at++
		}
		found = found[at:]
	}

	reply := listReply{Users: make([]listedUser, 0, min(limit, len(found)))}
	seen := 0
	for seen < len(found) && seen < pageScan && len(reply.Users) < limit {
		r := found[seen]
		seen++
		if scan && !f.matches(&r.User) {
			continue
		}
		u := listed(&r.User)
		if in.AttributesToGet != nil {
			if u.Attributes, err = only(u.Attributes, in.AttributesToGet); err != nil {
				return nil, err
			}
		}
		reply.Users = append(reply.Users, u)
	}
	if seen < len(found) {
		r := found[seen-1]
		reply.PaginationToken = sealToken(pageToken{in.Filter, p.indexes[order].key(r), r.Sub, r.Username, now.Unix()})
	}
	return reply, nil
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
		order, f.value = byUsername, p.fold(f.value)
	case "email":
		order, f.value = byEmail, p.fold(f.value)
	case "phone_number":
		order = byPhone
	default:
		return bySub, p.ordered(bySub), true
	}
	if f.prefix {
		return order, p.withPrefix(order, f.value), false
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

func sealToken(t pageToken) string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and a number
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// openToken reads the token of a request. It is good for one hour, and for the
// filter that it was issued for.
func openToken(in *listRequest, now time.Time) (t pageToken, err *apiError) {
	b, bad := base64.RawURLEncoding.DecodeString(in.PaginationToken)
	if bad == nil {
		bad = json.Unmarshal(b, &t)
	}
	if bad != nil || t.Filter != in.Filter || now.Sub(time.Unix(t.Issued, 0)) > tokenLife {
		return t, refuse("InvalidParameterException", "Invalid pagination token")
	}
	return t, nil
}
