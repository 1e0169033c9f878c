package sim

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A service is a user pool with a quota, latencies, a clock of its own, and users
// who choose new passwords. It counts what it does.
type service struct {
	w        *world
	mu       sync.Mutex
	accounts map[string]*account
	ahead    time.Duration // its clock of the machines'
	shown    time.Time     // the latest that it showed
	resets   int           // calls that came
	reads    int
	lookups  int
	recent   []time.Time // calls of the last second
}

// An account is a user of the pool.
type account struct {
	name    string
	number  int
	refusal *refusal
	now     state
	before  []state // older ones, which a stale read may see

	resets  int      // done, or sign-outs where that is all
	pending int      // calls that may still be done
	lost    bool     // an answer, of any call
	by      *process // that called last
}

// A state is what a read-back sees of an account.
type state struct {
	since    time.Time // by the machines' clock
	status   string
	modified time.Time // by the service's
}

type refusal struct{ code, message string }

const (
	confirmed     = "CONFIRMED"
	resetRequired = "RESET_REQUIRED"
)

func username(number int) string { return fmt.Sprintf("user-%02d", number) }

func newService(w *world) *service {
	s := &service{w: w, accounts: make(map[string]*account)}
	s.mu.Lock() // an application may touch a user at once
	defer s.mu.Unlock()
	past := time.Now().Add(-240 * time.Hour)
	for n := 1; n <= w.plan.Users; n++ {
		a := &account{name: username(n), number: n, now: state{past, confirmed, past}}
		for _, f := range w.plan.Faults {
			if f.User != n {
				continue
			}
			switch f.Kind {
			case absent:
				a.refusal = &refusal{"UserNotFoundException", "User does not exist."}
			case disabled:
				a.refusal = &refusal{"NotAuthorizedException", "User is disabled."}
			case refused:
				a.refusal = &refusal{"UserLambdaValidationException", "CustomMessage failed with error no."}
			case waiting:
				a.now.status = resetRequired
			case touched:
				w.after(f.At, func() { s.touch(a) })
			}
		}
		s.accounts[a.name] = a
	}
	return s
}

// clock is what the service's clock shows, which never goes back. The service's
// mutex is held.
func (s *service) clock() time.Time {
	if now := time.Now().Add(s.ahead); now.After(s.shown) {
		s.shown = now
	}
	return s.shown
}

// setClock has the machines' clocks be so far ahead of the service's. Which of the
// two is set makes no difference to those who compare them; but a service's clock
// goes on. It returns how long that takes to get where it was.
func (s *service) setClock(machines time.Duration) (catchUp time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock()
	s.ahead = -machines
	return max(0, s.shown.Sub(time.Now().Add(s.ahead)))
}

func (s *service) become(a *account, status string, modified bool) {
	a.before = append(a.before, a.now)
	a.now.since, a.now.status = time.Now(), status
	if modified {
		a.now.modified = s.clock()
	}
}

// touch modifies a user as an application might.
func (s *service) touch(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.become(a, a.now.status, true)
	s.w.tell("%s is modified by an application", a.name)
}

// operation is the one call that changes users in the plan.
func (s *service) operation() string {
	if s.w.plan.SignsOut {
		return "AdminUserGlobalSignOut"
	}
	return "AdminResetUserPassword"
}

// reset does the work of a call. Nobody is reset twice, unless that was asked for
// where nobody can say how a call ended: its answer was lost, or whoever got it may
// not have written it down. A sign-out is asked for again then by itself.
func (s *service) reset(a *account, by *process) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.refusal != nil {
		return a.refusal
	}
	if !s.w.plan.SignsOut {
		s.become(a, resetRequired, s.w.plan.MovesDate)
	}
	a.resets++
	s.w.tell("%s is reset, or signed out", a.name)
	if a.resets > 1 && !((s.w.plan.RetryUnknown || s.w.plan.SignsOut) && (a.lost || a.by != by)) {
		s.w.violated("%s was reset twice", a.name)
	}
	a.by = by
	for _, f := range s.w.plan.Faults {
		if f.Kind == chooses && f.User == a.number {
			s.w.after(f.At, func() { s.choose(a) })
		}
	}
	return nil
}

func (s *service) choose(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.now.status == resetRequired {
		s.become(a, confirmed, true)
		s.w.tell("%s chooses a new password", a.name)
	}
}

// serveReset answers a call in due time, whoever waits for it.
func (s *service) serveReset(a *account, p *process, answers chan<- answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resets++
	f, _ := s.w.plan.answer(s.resets, lostRequest, lostAnswer, lateWork, broken, brokenAfter, throttled, noID, noIDAfter, page, limited)
	now, latency := time.Now(), s.w.plan.Latency
	s.recent = lastSecond(append(s.recent, now), now)
	if f.Kind == "" && len(s.recent) > s.w.plan.Quota {
		f.Kind = throttled
	}
	s.w.tell("call %d, %s: %s", s.resets, a.name, f.Kind)
	work := latency / 2
	if got, only := onlyAnswer(f.Kind); only {
		s.w.after(latency, func() { answers <- got })
		return
	}
	if f.Kind == lateWork {
		work = f.At
		s.w.after(latency, func() { answers <- answer{lost: true} })
	}
	a.pending++
	s.w.after(work, func() {
		refused := s.reset(a, p)
		s.mu.Lock()
		a.pending--
		s.mu.Unlock()
		got := answer{status: http.StatusOK, body: "{}"}
		switch {
		case f.Kind == lateWork:
			return
		case f.Kind == lostAnswer:
			got = answer{lost: true}
		case refused != nil:
			got = fails(http.StatusBadRequest, refused.code, refused.message)
		case f.Kind == brokenAfter:
			got = fails(http.StatusInternalServerError, "InternalErrorException", "Something went wrong")
			s.loseAnswer(a)
		case f.Kind == noIDAfter:
			got.noID = true
		}
		s.w.after(latency-latency/2, func() { answers <- got })
	})
}

// onlyAnswer is how a call is answered that changes nobody.
func onlyAnswer(k kind) (got answer, only bool) {
	switch k {
	case lostRequest:
		return answer{lost: true}, true
	case broken:
		return fails(http.StatusInternalServerError, "InternalErrorException", "Something went wrong"), true
	case throttled:
		return fails(http.StatusBadRequest, "TooManyRequestsException", "Rate exceeded"), true
	case limited:
		return fails(http.StatusBadRequest, "LimitExceededException", "Exceeded daily email limit for the operation or the account."), true
	case noID:
		return answer{status: http.StatusOK, body: "{}", noID: true}, true
	case page:
		return answer{status: http.StatusOK, body: "<html>Sign in to the network</html>", noID: true}, true
	}
	return answer{}, false
}

// serveRead answers a read-back.
func (s *service) serveRead(a *account, answers chan<- answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	f, _ := s.w.plan.answer(s.reads, readBroken, readStale, readDenied)
	seen := a.now
	if f.Kind == readStale {
		for i := len(a.before) - 1; i >= 0 && time.Since(seen.since) < staleness; i-- {
			seen = a.before[i]
		}
	}
	s.w.tell("read-back %d, %s: %s %s", s.reads, a.name, seen.status, f.Kind)
	got := answer{status: http.StatusOK, body: fmt.Sprintf(`{"Username":%q,"Enabled":true,"UserStatus":%q,"UserLastModifiedDate":%.3f}`,
		a.name, seen.status, float64(seen.modified.UnixMilli())/1000)}
	switch {
	case f.Kind == readBroken:
		got = fails(http.StatusInternalServerError, "InternalErrorException", "Something went wrong")
	case f.Kind == readDenied:
		got = fails(http.StatusBadRequest, "AccessDeniedException", "User is not authorized to perform: cognito-idp:AdminGetUser")
	case a.refusal != nil && a.refusal.code == "UserNotFoundException":
		got = fails(http.StatusBadRequest, a.refusal.code, a.refusal.message)
	}
	s.w.after(s.w.plan.Latency, func() { answers <- got })
}

// list is what ListUsers says of those whom a filter names, of everybody without one.
// What it says of one user may be as old as the user.
func (s *service) list(filter string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := false
	if filter != "" {
		s.lookups++
		_, old = s.w.plan.answer(s.lookups, listOld)
	}
	var users []string
	for _, name := range sorted(s.accounts) {
		a := s.accounts[name]
		if gone := a.refusal != nil && a.refusal.code == "UserNotFoundException"; gone || filter != "" && filter != fmt.Sprintf("username = %q", name) {
			continue
		}
		seen := a.now
		if old && len(a.before) > 0 {
			seen = a.before[0]
		}
		users = append(users, fmt.Sprintf(`{"Username":%q,"Enabled":%t,"UserStatus":%q,"UserLastModifiedDate":%.3f,"Attributes":[{"Name":"email_verified","Value":"true"}]}`,
			name, a.refusal == nil, seen.status, float64(seen.modified.UnixMilli())/1000))
	}
	return `{"Users":[` + strings.Join(users, ",") + `]}`
}

// calledAnybody reports whether a reset was done, or may still be.
func (s *service) calledAnybody() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.resets+a.pending > 0 {
			return true
		}
	}
	return false
}

// staleness is how old at most what a read-back sees is.
const staleness = 3 * time.Second

func lastSecond(times []time.Time, now time.Time) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) >= time.Second {
		times = times[1:]
	}
	return times
}

// answer is the fault of the nth of what the kinds befall.
func (p *plan) answer(n int, kinds ...kind) (fault, bool) {
	for _, f := range p.Faults {
		if f.N == n && f.Process == 0 {
			for _, k := range kinds {
				if f.Kind == k {
					return f, true
				}
			}
		}
	}
	return fault{}, false
}
