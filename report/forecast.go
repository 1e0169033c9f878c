package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cognito-reset/batch"
)

// A Forecast is what a dry run found in the pool.
type Forecast struct {
	States       map[string]int64 `json:"states"`        // of the users whom a run would call
	Channels     map[string]int64 `json:"channels"`      // by which those to be reset would be sent a code
	KeepPassword int64            `json:"keep_password"` // users whose old password a run would leave working, or able to work again
	Seconds      float64          `json:"seconds"`       // that the calls of a run would take at its rate; 0 without one
	SignsOut     bool             `json:"signs_out"`     // whether a run would end the users' sessions
	Billed       int64            `json:"billed"`        // users whom the run would make billed active users of the month
	BilledReads  int64            `json:"billed_reads"`  // users read one by one, each a billed active user
	Time         string           `json:"time"`          // that a run would take, in words: messages may be fewer a day than calls

	Warnings []string `json:"warnings,omitempty"` // checks of the preflight to look at
	Blockers []string `json:"blockers,omitempty"` // and those that would stop the run
}

// tell tells of a forecast what the counts by outcome and reason do not.
func (f *Forecast) tell(p *page, s Summary) {
	p.blank()
	p.tell(plain, "States", listed(f.States))
	if !s.Steps.SignOutAlone() {
		messages := fmt.Sprintf("%s asked for (%s)", comma(s.Outcomes[batch.WouldReset]), listed(f.Channels))
		if n := s.Outcomes[batch.WouldInvite]; n > 0 {
			messages += fmt.Sprintf(", invitations: %d", n)
		}
		p.tell(plain, "Messages", messages)
	}
	if f.Time != "" {
		p.tell(plain, "Time", f.Time)
	}
	sessions := "a reset signs nobody out: tokens already issued live on"
	switch {
	case s.Steps.SignOutAlone():
		sessions = "passwords stay as they are, and access tokens live on until they expire"
	case f.SignsOut:
		sessions = "access tokens live on until they expire"
	}
	if f.KeepPassword > 0 {
		p.tell(loud, "DANGER", fmt.Sprintf("%s KEEP THEIR OLD PASSWORD; %s", comma(f.KeepPassword), sessions))
	} else {
		p.tell(plain, "Danger", sessions)
	}
	switch {
	case f.BilledReads > 0:
		p.tell(plain, "Cost", comma(f.BilledReads)+" users were read one by one, and each is billed as active")
	case f.Billed > 0:
		p.tell(plain, "Cost", fmt.Sprintf("up to %s users more are billed as active: sign-out, lock, invite", comma(f.Billed)))
	default:
		p.tell(plain, "Cost", "resets are free; whoever then chooses a password is billed as active")
	}
	if f.Warnings != nil {
		p.tell(yellow, "Warnings", strings.Join(f.Warnings, ", ")+"; see cognito-reset preflight")
	}
	if f.Blockers != nil {
		p.tell(red, "BLOCKED", "by "+strings.Join(f.Blockers, ", ")+"; see cognito-reset preflight")
	}
}

// listed are counts, the largest first.
func listed(counts map[string]int64) string {
	var list []string
	for _, name := range slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	}) {
		list = append(list, comma(counts[name])+" "+name)
	}
	return cmp.Or(strings.Join(list, ", "), "none")
}
