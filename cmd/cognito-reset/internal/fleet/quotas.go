package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// quotaGroup is the targets of one account and Region, which share its quotas.
type quotaGroup struct {
	account, region string
	members         []*member
	shard           roster.Shard // the part of it that is this process's
}

// quota is the same text for targets whose calls take from the same quotas. Where
// the account is not known, the same credentials are taken for the same.
func (m *member) quota() string {
	account := m.account
	if account == "" {
		account = "unknown\x00" + m.Credentials
	}
	return account + "\x00" + m.Region
}

// part is the part that a shard has of a quota group of so many: whole groups while
// there is one for each shard, and otherwise an equal part of one.
func part(group, groups int, shard roster.Shard) (part roster.Shard, mine bool) {
	i := shard.Index - 1
	switch {
	case shard.Count == 0:
		return roster.Shard{}, true
	case groups >= shard.Count:
		return roster.Shard{}, group%shard.Count == i
	case i%groups != group:
		return roster.Shard{}, false
	}
	part = roster.Shard{Index: i/groups + 1, Count: (shard.Count - group + groups - 1) / groups}
	if part.Count == 1 {
		part = roster.Shard{}
	}
	return part, true
}

// able are the members who can work.
func (g *quotaGroup) able() []*member {
	return slices.DeleteFunc(slices.Clone(g.members), func(m *member) bool { return m.out != nil })
}

// beside has the members list and read at the rates of one of them: they share the
// quotas for that, too.
func (g *quotaGroup) beside() {
	var first *userpool.Pool
	for _, m := range g.able() {
		switch pool := m.pool(); {
		case pool == nil:
		case first == nil:
			first = pool
		default:
			pool.Beside(first)
		}
	}
}

// pool is the user pool of a member; nil where none is asked, or it is not reached yet.
func (m *member) pool() *userpool.Pool {
	if m.s == nil {
		return nil
	}
	return m.s.Pool()
}

// share gives each member a part of the paces of the group, which are as fast as
// the fastest.
func (g *quotaGroup) share() {
	able := g.able()
	if len(able) == 0 {
		return
	}
	var specs []spec.Spec
	for _, m := range able {
		specs = append(specs, m.s.Record.Spec)
	}
	for i, paces := range control.SharePaces(specs) {
		able[i].s.Paces = paces
	}
	g.beside() // with those that were reached only when they were prepared
}

// rate is how many users a second all groups begin with together; 0 is no limit.
func (f *fleet) rate() (sum float64) {
	for _, g := range f.groups {
		most := 0.0
		for _, m := range g.able() {
			rate := m.s.Record.Spec.FirstRate()
			if rate == 0 {
				return 0
			}
			most = max(most, rate)
		}
		sum += most
	}
	return sum
}

// users is how many there are to work on.
func (f *fleet) users() (n int64) {
	for _, g := range f.groups {
		for _, m := range g.able() {
			n += m.s.Left
		}
	}
	return n
}

// print shows what a group's targets would meet. Who is left out is shown in any
// case.
func (f *fleet) print(g *quotaGroup) {
	users, rate, seconds := int64(0), 0.0, 0.0
	for _, m := range g.able() {
		sp := m.s.Record.Spec
		users += m.s.Left
		rate = max(rate, sp.FirstRate())
		if sp.FirstRate() > 0 {
			seconds += sp.TimeFor(m.s.Left).Seconds()
		}
	}
	pace := "no limit"
	if rate > 0 {
		pace = fmt.Sprintf("%.4g a second", rate)
	}
	part := ""
	if g.shard.Count > 0 {
		part = ", shard " + g.shard.String()
	}
	switch whose := fmt.Sprintf("%s, %s%s", cmp.Or(g.account, "unknown account"), g.region, part); {
	case f.Quiet:
	case len(g.able()) == 0:
		term.Linef(f.Err, "\n%s: no target can begin", whose)
	default:
		term.Linef(f.Err, "\n%s: %s users, %s, about %v", whose, term.Comma(users), pace, time.Duration(seconds+0.5)*time.Second)
	}
	for _, m := range g.members {
		f.printMember(m)
	}
}

// printMember shows what one target would meet.
func (f *fleet) printMember(m *member) {
	if m.out != nil {
		_ = term.Write(f.Err, term.Hang(f.Err, "LEFT OUT  ", m.PoolID+": "+term.Visible(m.out.Error()))+"\n")
		return
	}
	if f.Quiet {
		return
	}
	rows, left := term.Comma(m.s.Record.Found.Roster.Rows), term.Comma(m.s.Left)
	switch {
	case m.begun && m.s.Left == 0:
		term.Linef(f.Err, "  %s  nobody of %s rows is left", m.PoolID, rows)
	case m.begun:
		term.Linef(f.Err, "  %s  going on: %s users of %s rows are left", m.PoolID, left, rows)
	default:
		term.Linef(f.Err, "  %s  %s users of %s rows, %s", m.PoolID, left, rows, m.s.Record.Spec.Source)
		for _, found := range m.s.Record.Found.Findings {
			if found.Level != rundir.OK {
				_ = term.Write(f.Err, term.Hang(f.Err, "    "+string(found.Level)+"  ", found.Name+": "+term.Visible(found.Text))+"\n")
			}
		}
	}
}
