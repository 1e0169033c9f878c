package userpool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
)

const (
	// listRate keeps listings, in calls a second, under the 30 of the category
	// UserList.
	listRate = 27

	// pagesInFlight saturates listRate though a page takes half a second.
	pagesInFlight = 16

	// pageUsers is how many users a full page holds.
	pageUsers = 60

	// partUsers is how many users make a part of their own. Each part's last
	// page is half full on average, so fewer would cost more calls.
	partUsers = 8 * pageUsers

	// pageTries is how often a page is asked for before the listing fails.
	// Throttled tries do not count.
	pageTries = 10

	// restarts is how often a listing may begin again in a row without coming
	// any further.
	restarts = 10

	// maxPause bounds the pause before a page is asked for again.
	maxPause = 20 * time.Second
)

// A User is one user, as a listing tells of them.
type User struct {
	Username          string
	Sub               string
	Email             string
	Phone             string
	PreferredUsername string
	Status            types.UserStatusType
	Enabled           bool
	EmailVerified     bool
	PhoneVerified     bool
	Created           time.Time
	Modified          time.Time
}

func userOf(t types.UserType) User {
	u := User{
		Username: aws.ToString(t.Username),
		Status:   t.UserStatus,
		Enabled:  t.Enabled,
		Created:  aws.ToTime(t.UserCreateDate),
		Modified: aws.ToTime(t.UserLastModifiedDate),
	}
	for _, a := range t.Attributes {
		value := aws.ToString(a.Value)
		switch aws.ToString(a.Name) {
		case "sub":
			u.Sub = value
		case "email":
			u.Email = value
		case "email_verified":
			u.EmailVerified = value == "true"
		case "phone_number":
			u.Phone = value
		case "phone_number_verified":
			u.PhoneVerified = value == "true"
		case "preferred_username":
			u.PreferredUsername = value
		}
	}
	return u
}

// attribute is the value of a user's attribute, "" if there is none.
func attribute(u types.UserType, name string) string {
	for _, a := range u.Attributes {
		if aws.ToString(a.Name) == name {
			return aws.ToString(a.Value)
		}
	}
	return ""
}

// Users lists the users whom the filter names, in no particular order, each
// once. An error is the last thing it yields; without one the listing is whole,
// but for users who came or went meanwhile.
//
// The whole pool (the zero Filter) is listed in parts side by side, split by
// the first digits of the sub, which Cognito makes and spreads evenly. Cognito
// takes one filter alone, so a listing by any other goes page after page.
func (p *Pool) Users(ctx context.Context, f Filter) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		filters := []Filter{f}
		if f == (Filter{}) {
			s, err := p.Settings(ctx)
			if err != nil {
				s.EstimatedUsers = 0 // unknown
			}
			if filters, err = p.trusted(ctx, split(s.EstimatedUsers)); err != nil {
				yield(User{}, err)
				return
			}
		}
		p.list(ctx, filters)(yield)
	}
}

// A GroupError is a group that the pool does not have.
type GroupError struct{ Pool, Name string }

func (e *GroupError) Error() string {
	return fmt.Sprintf("there is no group %q in user pool %s", e.Name, e.Pool)
}

// Group lists the members of a group, page after page, as [Pool.Users] lists
// the pool. Where there is no such group, the error is a [*GroupError].
func (p *Pool) Group(ctx context.Context, name string) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		for u, err := range p.members(ctx, name) {
			if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Code == "ResourceNotFoundException" && strings.Contains(strings.ToLower(answer.Message), "group") {
				err = &GroupError{p.ID, name}
			} else if err != nil {
				err = fmt.Errorf("group %q: %w", name, err)
			}
			if !yield(u, err) {
				return
			}
		}
	}
}

func (p *Pool) members(ctx context.Context, name string) iter.Seq2[User, error] {
	return p.sideBySide(ctx, []chain{{
		operation: "ListUsersInGroup",
		fetch: func(ctx context.Context, token *string) (page, error) {
			out, err := p.client.ListUsersInGroup(ctx, &cognito.ListUsersInGroupInput{
				UserPoolId: &p.ID, GroupName: &name, NextToken: token,
			})
			if err != nil {
				return page{}, err
			}
			return page{out.Users, out.NextToken}, nil
		},
	}})
}

// split makes filters that together name every user once, for a pool of about
// that many users; 0 is unknown.
func split(users int) []Filter {
	const digits, most = "0123456789abcdef", 3
	if users == 0 {
		users = len(digits) * partUsers
	}
	prefixes := []string{""}
	for n := 0; n < most && users >= len(digits)*partUsers; n++ {
		var longer []string
		for _, prefix := range prefixes {
			for _, digit := range digits {
				longer = append(longer, prefix+string(digit))
			}
		}
		prefixes, users = longer, users/len(digits)
	}
	if len(prefixes) == 1 {
		return []Filter{{}}
	}
	filters := make([]Filter, len(prefixes))
	for i, prefix := range prefixes {
		filters[i] = Filter{Attribute: "sub", Prefix: true, Value: prefix}
	}
	return filters
}

// sampled is how many users of a plain page must come back by their own prefix before
// a listing by parts is believed.
const sampled = 3

// trusted returns the parts of the pool, or one plain listing where the service does
// not find by a prefix of the sub those whom one plain page shows. Some servers answer
// such a filter with nobody.
func (p *Pool) trusted(ctx context.Context, parts []Filter) ([]Filter, error) {
	if len(parts) == 1 {
		return parts, nil
	}
	plain := Filter{}
	some, err := p.firstPage(ctx, plain)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(some); i += max(1, len(some)/sampled) {
		sub := some[i].Sub
		if len(sub) < subDigits {
			p.log.Warn("the pool does not give every user's sub, so it is listed plainly, page after page", "user_pool_id", p.ID)
			return []Filter{plain}, nil
		}
		found, err := p.firstPage(ctx, Filter{Attribute: "sub", Prefix: true, Value: sub[:subDigits]})
		if err != nil && !errors.Is(err, errUnfiltered) {
			return nil, err
		}
		if !slices.ContainsFunc(found, func(u User) bool { return u.Sub == sub }) {
			p.log.Warn("ListUsers by a prefix of the sub does not find users whom a plain listing shows, so the pool is listed plainly, page after page", "user_pool_id", p.ID)
			return []Filter{plain}, nil
		}
	}
	return parts, nil
}

// errUnfiltered is why a listing by a filter is no such listing.
var errUnfiltered = errors.New("this endpoint cannot be relied on for listing")

// subDigits are enough digits of a sub to share them with few others.
const subDigits = 8

// firstPage is the first page of users that a filter names, which is not empty if any
// page is not.
func (p *Pool) firstPage(ctx context.Context, f Filter) (users []User, err error) {
	for u, err := range p.list(ctx, []Filter{f}) {
		if err != nil {
			return nil, err
		}
		if users = append(users, u); len(users) == pageUsers {
			break
		}
	}
	return users, nil
}

// list lists whom any of the filters names, which must not overlap.
func (p *Pool) list(ctx context.Context, filters []Filter) iter.Seq2[User, error] {
	chains := make([]chain, len(filters))
	for i, f := range filters {
		chains[i] = chain{operation: "ListUsers", filter: f, fetch: func(ctx context.Context, token *string) (page, error) {
			in := cognito.ListUsersInput{UserPoolId: &p.ID, PaginationToken: token}
			if f != (Filter{}) {
				in.Filter = aws.String(f.String())
			}
			out, err := p.client.ListUsers(ctx, &in)
			if err != nil {
				return page{}, err
			}
			return page{out.Users, out.PaginationToken}, nil
		}}
	}
	return p.sideBySide(ctx, chains)
}
