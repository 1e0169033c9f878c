package report

import (
	"fmt"
	"html/template"
	"strings"

	"cognito-reset/batch"
)

// A Now is how a run stands that works.
type Now struct {
	Why      string // what it waits for
	Ahead    string // the wave, and the end by the clock; "" if nothing tells
	InFlight int64  // calls
	Rate     string // of resets and other calls
}

// A Piece is a part of a page that is drawn anew by itself.
type Piece struct {
	ID   string `json:"id"` // of its element
	HTML string `json:"html"`
}

// A panel is what a page shows of one run, but for its rows.
type panel struct {
	*Page
	Summary
	Now *Now // nil of a run that does not work any more
}

// partNames are the parts of a panel, in order. The template has one for each.
var partNames = []string{"verdict", "outcomes", "reasons", "calls", "waves"}

// Pieces are the parts of the page, but for its rows, that show how a run stands whose
// results so far add up to a summary. Those of several runs on a page differ by their
// id. now is nil once the run has ended.
func (p *Page) Pieces(id string, s Summary, now *Now) (pieces []Piece, err error) {
	view := panel{p, s, now}
	for _, name := range partNames {
		var html strings.Builder
		if err := pageTemplates.ExecuteTemplate(&html, name, view); err != nil {
			return nil, err
		}
		name = id + name
		pieces = append(pieces, Piece{name, fmt.Sprintf(`<div id="%s">%s</div>`, name, html.String())})
	}
	return pieces, nil
}

// Badges say what kind of run it is that somebody may take for another.
func (v panel) Badges() (badges []string) {
	if v.DryRun {
		badges = append(badges, "DRY RUN")
	}
	if v.Sandbox {
		badges = append(badges, "REHEARSAL")
	}
	if v.Now != nil {
		badges = append(badges, "LIVE")
	} else if v.StoppedBecause != "" {
		badges = append(badges, "STOPPED")
	}
	return badges
}

// Name is what the pool is called.
func (v panel) Name() string {
	if v.UserPoolName != "" {
		return v.UserPoolName
	}
	return v.UserPoolID
}

// Where says which pool it is, who asked for it, and when.
func (v panel) Where() string {
	var parts []string
	for _, part := range [][2]string{
		{"", v.UserPoolID}, {"account ", v.Account}, {"", v.Region}, {"", v.Reason}, {"approved by ", v.ApprovedBy},
	} {
		if part[1] != "" {
			parts = append(parts, part[0]+part[1])
		}
	}
	return strings.Join(parts, " · ")
}

// Verdict says in a sentence or two who is safe, and who is not. Every row is counted
// once.
func (s Summary) Verdict() string {
	var clauses []string
	rest := s.Rows
	say := func(n int64, one, many string) {
		if n <= 0 {
			return
		}
		rest -= n
		words := many
		if n == 1 {
			words = one
		}
		clauses = append(clauses, number(n)+" "+words)
	}
	safe := s.Outcomes[batch.Reset] + s.Outcomes[batch.Locked] + s.Outcomes[batch.UserDisabled] + s.Outcomes[batch.Invited] + s.Outcomes[batch.SignedOut]
	what, still := "are safe", "reset but still signed in"
	if s.Steps.SignOutAlone() {
		what, still = "are signed out", "still signed in"
	}
	keep := s.KeepPassword
	if s.DryRun {
		safe = s.Outcomes[batch.WouldReset] + s.Outcomes[batch.WouldLock] + s.Outcomes[batch.WouldDisable] + s.Outcomes[batch.WouldInvite] + s.Outcomes[batch.WouldSignOut]
		what = strings.Replace(what, "are", "would be", 1)
		if s.Forecast != nil {
			keep = s.Forecast.KeepPassword
		}
	}
	rest -= safe
	disabled := min(keep, s.Reasons[batch.Disabled])
	keep -= disabled
	if s.waiting > 0 {
		say(s.waiting, "waits for its turn", "wait for their turn")
	}
	say(keep, "keeps the old password", "keep their old password")
	say(disabled, "comes back with the old password if enabled", "come back with their old password if enabled")
	say(s.Outcomes[batch.Unknown], "nobody knows of", "nobody knows of")
	if !s.DryRun {
		say(s.Remaining-s.KeepPassword-s.Outcomes[batch.Unknown], "is "+still, "are "+still)
	}
	say(s.Reasons[batch.ExternalProvider], "is federated", "are federated")
	say(s.Reasons[batch.UserNotFound], "is not in the pool", "are not in the pool")
	say(s.Outcomes[batch.Invalid], "row names nobody", "rows name nobody")
	say(rest, "is left out", "are left out")
	sentence := fmt.Sprintf("%s of %s %s.", number(safe), number(s.Rows), what)
	switch n := len(clauses); n {
	case 0:
	case 1:
		sentence += " " + clauses[0] + "."
	default:
		sentence += " " + strings.Join(clauses[:n-1], ", ") + " and " + clauses[n-1] + "."
	}
	return sentence
}

// Wait counts users who are still to be called: of a run that works they are not yet
// what they are in a report.
func (s *Summary) Wait(users int64) {
	s.begin()
	s.Rows += users
	s.waiting += users
}

// Add takes in the counts of another run, on another pool.
func (s *Summary) Add(o Summary) {
	s.begin()
	for outcome, n := range o.Outcomes {
		s.Outcomes[outcome] += n
	}
	for reason, n := range o.Reasons {
		s.Reasons[reason] += n
	}
	s.Rows += o.Rows
	s.waiting += o.waiting
	s.Calls += o.Calls
	s.Throttled += o.Throttled
	s.KeepPassword += o.KeepPassword
	s.Remaining += o.Remaining
	s.DryRun, s.Sandbox, s.Steps = o.DryRun, o.Sandbox, o.Steps
	if s.StartedAt.IsZero() || o.StartedAt.Before(s.StartedAt) {
		s.StartedAt = o.StartedAt
	}
}

// A share is one outcome among all rows.
type share struct {
	Outcome batch.Outcome // "" of those who wait
	Words   string
	Count   int64
	Class   string
	Of      int64
	before  int64 // rows of the outcomes to its left
}

// X and Width are where the share stands in a bar, as SVG takes it.
func (s share) X() string     { return percent(float64(s.before) / float64(max(s.Of, 1))) }
func (s share) Width() string { return percent(float64(s.Count) / float64(max(s.Of, 1))) }

// Percent is the share for people.
func (s share) Percent() string {
	switch p := 100 * float64(s.Count) / float64(max(s.Of, 1)); {
	case p > 0 && p < 1:
		return "< 1 %"
	case p > 99 && p < 100:
		return "> 99 %"
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// outcomeClasses are the colours of outcomes; those that are not here have none.
var outcomeClasses = map[batch.Outcome]string{
	batch.Reset: "good", batch.Locked: "good", batch.UserDisabled: "good", batch.Invited: "good", batch.SignedOut: "good",
	batch.WouldReset: "good", batch.WouldLock: "good", batch.WouldDisable: "good", batch.WouldInvite: "good", batch.WouldSignOut: "good",
	batch.Failed: "bad", batch.Invalid: "bad", batch.Unknown: "doubt", batch.NotAttempted: "doubt",
}

// Shares are the outcomes that rows have, and those who wait.
func (v panel) Shares() (shares []share) {
	before := int64(0)
	add := func(o batch.Outcome, words string, n int64, class string) {
		if n > 0 {
			shares = append(shares, share{o, words, n, class, v.Rows, before})
			before += n
		}
	}
	for _, o := range batch.Outcomes {
		add(o, v.meaning(o), v.Outcomes[o], outcomeClasses[o])
	}
	add("", "still to be called", v.waiting, "waits")
	return shares
}

// A cause is a reason why nothing was done for users, and what helps them.
type cause struct {
	Reason  batch.Reason
	Count   int64
	Class   string
	Words   string // what it means
	Help    string // what a person can do; "" if nothing need be done, or a command does it
	Command string // that does it; "" if none does
}

// Speeds says how fast each kind of calls went; "" where nothing tells.
func (v panel) Speeds() (words string) {
	first, what, others := v.ResetsHeld, "resets", v.OthersHeld
	if v.Steps.SignOutAlone() {
		first, what, others = others, "sign-outs", 0
	}
	if first > 0 {
		words = fmt.Sprintf(": %.1f %s a second", first, what)
		if v.RateAsked > 0 {
			words += fmt.Sprintf(", of at most %.4g", v.RateAsked)
		}
	}
	if others > 0 {
		words += fmt.Sprintf(", and %.1f other calls", others)
	}
	return words
}

// Causes are the reasons that rows have, the most urgent first.
func (v panel) Causes() (causes []cause) {
	for _, r := range v.byUrgency() {
		c := cause{Reason: r, Count: v.Reasons[r], Words: v.advise(r)}
		if v.Steps.alarms(r) {
			c.Class = "bad"
		}
		if c.Help, c.Command = v.help(r); v.Now != nil || v.DryRun || v.Sandbox || v.RunDirectory == "" {
			c.Command = ""
		}
		causes = append(causes, c)
	}
	return causes
}

// help is what a person can do about a reason, and the command that does it.
func (v panel) help(r batch.Reason) (words, command string) {
	resume := "cognito-reset resume " + v.RunDirectory
	of := Subject{Run: v.RunDirectory, Pool: v.UserPoolID, Steps: v.Steps}
	if a, ok := of.act(r); ok {
		return a.words, of.again(r, a.instead)
	}
	switch {
	case r.StopsRun() || r == batch.Stopped || r == batch.Interrupted:
		return "", resume
	case r.Passes():
		return "", resume + " --retry failed,unknown"
	}
	return "", ""
}

// Charts are those for which there are figures.
func (v panel) Charts() []chart { return v.charts(v.Summary) }

// Waves are what became of each wave, of those that called anybody.
func (v panel) Waves() []waveSum { return v.figures.waves }

// A tally is how many users took so many calls.
type tally struct{ Calls, Resets, Others string }

// Tries are how many calls users took.
func (v panel) Tries() (tries []tally) {
	lower := 1
	for i := range v.figures.resets {
		name := fmt.Sprintf("more than %d", attemptCounts[len(attemptCounts)-1])
		if i < len(attemptCounts) {
			if name = fmt.Sprint(attemptCounts[i]); attemptCounts[i] > lower {
				name = fmt.Sprintf("%d to %d", lower, attemptCounts[i])
			}
			lower = attemptCounts[i] + 1
		}
		if r, o := v.figures.resets[i], v.figures.others[i]; r+o > 0 {
			tries = append(tries, tally{name, number(r), number(o)})
		}
	}
	return tries
}

// pageTemplates are those of html/page.tmpl.
var pageTemplates = template.Must(template.New("").Funcs(template.FuncMap{"number": number, "clock": clock, "took": took}).Parse(pageTemplate))
