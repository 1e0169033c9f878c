package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"cognito-reset/batch/pace"
	"cognito-reset/batch/roster"
)

// A budget is what an account has to spend in a Region, and who shares it.
type budget struct {
	account, region string
	members         []*member
	shard           roster.Shard // the part of it that is this process's
}

// region is where the target's calls go.
func (m *member) region() string {
	region, _, _ := strings.Cut(m.id, "_")
	return cmp.Or(m.ctx.String("region"), region)
}

// payer is whose quotas the target's calls take from: an account's in a Region.
// Where the account is not known, the same credentials are taken for the same.
func (m *member) payer() string {
	account := m.account
	if account == "" {
		account = "unknown\x00" + m.ctx.String("profile") + "\x00" + m.ctx.String("role-arn")
	}
	return account + "\x00" + m.region()
}

// deal is the part that a shard has of a budget of so many: whole budgets while
// there is one for each shard, and otherwise an equal part of one.
func deal(budget, budgets int, shard roster.Shard) (part roster.Shard, mine bool) {
	i := shard.Index - 1
	switch {
	case shard.Count == 0:
		return roster.Shard{}, true
	case budgets >= shard.Count:
		return roster.Shard{}, budget%shard.Count == i
	case i%budgets != budget:
		return roster.Shard{}, false
	}
	part = roster.Shard{Index: i/budgets + 1, Count: (shard.Count - budget + budgets - 1) / budgets}
	if part.Count == 1 {
		part = roster.Shard{}
	}
	return part, true
}

// able are the members who can work.
func (b *budget) able() []*member {
	return slices.DeleteFunc(slices.Clone(b.members), func(m *member) bool { return m.out != nil })
}

// share gives each member a lane of the budget, which is as wide as the widest.
func (b *budget) share() {
	able := b.able()
	widest := func(rate func(*member) float64) *pace.Pace {
		most := 0.0
		for _, m := range able {
			r := rate(m)
			if r == 0 { // no limit
				return pace.New(0)
			}
			most = max(most, r)
		}
		return pace.New(most)
	}
	road := paces{
		widest(func(m *member) float64 { return m.s.request.Rate }),
		widest(func(m *member) float64 { return m.s.request.UpdateRate }),
		widest(func(m *member) float64 { return m.s.request.Shard.Of(inviteRate) }),
	}
	for _, m := range able {
		r := m.s.request
		m.s.paces = &paces{road.pace.Lane(r.Rate), road.updates.Lane(r.UpdateRate), road.creations.Lane(r.Shard.Of(inviteRate))}
		if m.s.pool != nil && able[0].s.pool != nil {
			m.s.pool.Beside(able[0].s.pool)
		}
	}
}

// introduce shows what a budget's targets would meet. Who is left out is told in
// any case.
func (f *fleet) introduce(b *budget) error {
	users, rate, seconds := int64(0), 0.0, 0.0
	for _, m := range b.able() {
		users += m.s.left
		rate = max(rate, m.s.request.Rate)
		if m.s.request.Rate > 0 {
			seconds += m.s.request.timeFor(m.s.left).Seconds()
		}
	}
	pace := "no limit"
	if rate > 0 {
		pace = fmt.Sprintf("%.4g a second", rate)
	}
	part := ""
	if b.shard.Count > 0 {
		part = ", shard " + b.shard.String()
	}
	switch whose := fmt.Sprintf("%s, %s%s", cmp.Or(b.account, "unknown account"), b.region, part); {
	case f.quiet:
	case len(b.able()) == 0:
		say(f.stderr, "\n%s: no target can begin", whose)
	default:
		say(f.stderr, "\n%s: %s users, %s, about %v", whose, comma(users), pace, time.Duration(seconds+0.5)*time.Second)
	}
	for _, m := range b.members {
		switch {
		case m.out != nil:
			say(f.stderr, "%s", hang("LEFT OUT  ", m.id+": "+m.out.Error()))
		case f.quiet:
		case m.begun && m.s.left == 0:
			say(f.stderr, "  %s  nobody of %s rows is left", m.id, comma(m.s.request.Roster.Rows))
		case m.begun:
			say(f.stderr, "  %s  going on: %s users of %s rows are left", m.id, comma(m.s.left), comma(m.s.request.Roster.Rows))
		default:
			r := &m.s.request
			say(f.stderr, "  %s  %s users of %s rows, %s", m.id, comma(m.s.left), comma(r.Roster.Rows), &r.source)
			for _, c := range r.Preflight {
				if c.Level != fine {
					say(f.stderr, "%s", hang("    "+string(c.Level)+"  ", c.Name+": "+c.Text))
				}
			}
		}
	}
	return f.ctx.Context.Err()
}

// rate is how many calls a second all budgets take together; 0 is no limit.
func (f *fleet) rate() (sum float64) {
	for _, b := range f.budgets {
		most := 0.0
		for _, m := range b.able() {
			if m.s.request.Rate == 0 {
				return 0
			}
			most = max(most, m.s.request.Rate)
		}
		sum += most
	}
	return sum
}
