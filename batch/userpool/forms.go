package userpool

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch/internal/contact"
)

// form is how values of an attribute are compared. E-mail addresses are one
// whatever their case, in every pool: people write them in any. Phone numbers
// are compared in E.164.
func (s Settings) form(attribute string) func(string) string {
	switch attribute {
	case "email":
		return contact.Email
	case "phone_number":
		return number
	}
	return s.Fold
}

// number is a phone number in E.164, or what was given if it is none.
func number(value string) string {
	if n, err := contact.Phone(value, ""); err == nil {
		return n
	}
	return value
}

// spellings are how the service may have kept a value of an attribute, the
// likeliest first. Where case does not count it keeps values in lower case, or
// as they were given: which one, it does not say.
func (s Settings) spellings(attribute, value string) []string {
	switch folded := s.Fold(value); {
	case attribute == "email":
		return contact.EmailForms(value)
	case attribute == "phone_number":
		return []string{number(value)}
	case folded != value:
		return []string{value, folded}
	}
	return []string{value}
}

// cheapest is how users are found in the fewest calls: by the lookups, or by whole,
// which lists the pool in most calls. Addresses are looked up only where that
// finds them in any case.
func (p *Pool) cheapest(ctx context.Context, lookups, whole []Filter, most int) ([]Filter, error) {
	if len(lookups) > most || slices.ContainsFunc(lookups, tooLong) {
		return p.trusted(ctx, whole)
	}
	if slices.ContainsFunc(lookups, func(f Filter) bool { return f.Attribute == "email" }) {
		if folds, err := p.filtersFold(ctx); err != nil {
			return nil, err
		} else if !folds {
			return p.trusted(ctx, whole)
		}
	}
	return lookups, nil
}

// filtersFold reports whether ListUsers finds e-mail addresses in any case, as
// the service is said to do. It asks for some user's address in the other case.
// A pool of which no such user is at hand is taken for one that minds case.
func (p *Pool) filtersFold(ctx context.Context) (bool, error) {
	list := func(filter *string) (*cognito.ListUsersOutput, error) {
		out, err := ask(ctx, p.lists, func(ctx context.Context) (*cognito.ListUsersOutput, error) {
			return p.client.ListUsers(ctx, &cognito.ListUsersInput{UserPoolId: &p.ID, Filter: filter})
		})
		if err != nil {
			return nil, p.listError(ctx, "ListUsers", err)
		}
		return out, nil
	}
	some, err := list(nil)
	if err != nil {
		return false, err
	}
	for _, u := range some.Users {
		address := userOf(u).Email
		f := Filter{Attribute: "email", Value: otherCase(address)}
		if f.Value == address || tooLong(f) {
			continue
		}
		found, err := list(aws.String(f.String()))
		return err == nil && slices.ContainsFunc(found.Users, func(same types.UserType) bool {
			return aws.ToString(same.Username) == aws.ToString(u.Username)
		}), err
	}
	return false, nil
}

// otherCase turns lower case into upper, and the reverse, in ASCII.
func otherCase(value string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, value)
}
