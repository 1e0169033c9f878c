package userpool

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"cognito-reset/batch"
)

// MatchAttributes are the attributes that [Pool.Match] finds users by.
var MatchAttributes = []string{"username", "email", "phone_number", "sub", "preferred_username"}

// AnyName, in place of an attribute, stands for whatever names a user in a call:
// the username, the sub, and the aliases that the pool signs in with, if the
// user has them verified.
const AnyName = ""

// Match yields, for every entry whose Username is a value of the attribute, the
// users who have it, in the order of their usernames: all of them, for an e-mail
// address may be several users'. E-mail addresses are compared without case and
// whatever their Unicode form, phone numbers in E.164; in the other attributes
// letter case counts as it does in the pool.
// Rows are numbered anew; InputRow is the row of the value. Users whom s would
// skip or does not mean are skipped, and a value that nobody has failed. Entries
// that need no call come through as they are.
//
// Values are read twice, so they must be an iterator that can be, such as a
// roster spooled in the run's directory; in between, they and the usernames
// found are all that is in memory. Users are looked up one value after another
// or by listing the pool once, whichever takes fewer calls.
//
// An error is the last thing it yields.
func (p *Pool) Match(ctx context.Context, attribute string, s Selection, values iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		if attribute != AnyName && !slices.Contains(MatchAttributes, attribute) {
			yield(batch.Entry{}, fmt.Errorf("users cannot be found by %q; they can by %s", attribute, strings.Join(MatchAttributes, ", ")))
			return
		}
		row := int64(0)
		keep := func(u User) hit { return hit{Person: Person{Sub: u.Sub, Before: u.snapshot()}, skip: s.skips(u)} }
		for found, err := range p.join(ctx, attribute, keep, values) {
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
			for _, e := range matched(found, attribute) {
				row++
				e.Row, e.InputRow = row, found.Row
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// matched is the rows that a row of the values becomes.
func matched(found joined, attribute string) []batch.Entry {
	e := found.Entry
	if e.Outcome == "" && len(found.users) == 0 {
		e.Outcome, e.Reason, e.Detail = batch.Failed, batch.UserNotFound, "nobody in the user pool goes by this name"
		if attribute != AnyName {
			e.Detail = "nobody in the user pool has this " + attribute
		}
	}
	if e.Outcome != "" {
		return []batch.Entry{e}
	}
	rows := make([]batch.Entry, len(found.users))
	for i, u := range found.users {
		rows[i] = passOver(e, u.skip)
		rows[i].Username, rows[i].Sub, rows[i].Before = u.username, u.Sub, u.Before
	}
	return rows
}

// aliases are the attributes that name a user beside username and sub.
func (s Settings) aliases() []string { return slices.Concat(s.AliasAttributes, s.UsernameAttributes) }

// names are what the pool knows a user by; one may be "".
func (s Settings) names(u User) []string {
	found := []string{u.Username, u.Sub}
	for _, alias := range s.aliases() {
		unverified := alias == "email" && !u.EmailVerified || alias == "phone_number" && !u.PhoneVerified
		if !unverified || slices.Contains(s.UsernameAttributes, alias) {
			found = append(found, u.value(alias))
		}
	}
	return found
}

// value is the user's value of one of MatchAttributes.
func (u User) value(attribute string) string {
	switch attribute {
	case "username":
		return u.Username
	case "email":
		return u.Email
	case "phone_number":
		return u.Phone
	case "sub":
		return u.Sub
	case "preferred_username":
		return u.PreferredUsername
	}
	return ""
}
