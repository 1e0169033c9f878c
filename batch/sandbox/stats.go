package sandbox

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
)

// What [Stats] counts a call under when its answer is no error code.
const (
	OK         = "OK"
	LostBefore = "lost_before" // cut before the work was done
	LostAfter  = "lost_after"  // cut after the work was done, or refused
)

// Stats is what the pool has seen so far.
type Stats struct {
	Users    int `json:"users"`
	Messages int `json:"messages"`

	// Calls counts by operation, then by answer: OK, LostBefore, LostAfter or
	// an error code.
	Calls map[string]map[string]int `json:"calls"`

	// Peak is the most calls of a category, throttled ones included, that
	// arrived in any one second, those of the pools beside this one as well.
	Peak map[Category]int `json:"peak"`
}

// Stats tells what the pool has seen so far.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{
		Users:    len(p.users),
		Messages: len(p.outbox),
		Calls:    make(map[string]map[string]int, len(p.calls)),
		Peak:     p.quotas.peaks(),
	}
	for op, answers := range p.calls {
		s.Calls[op] = make(map[string]int, len(answers))
		for code, n := range answers {
			s.Calls[op][code] = n
		}
	}
	return s
}

// tally counts a call that was refused, or done if err is nil.
func (p *Pool) tally(op string, err *apiError) {
	code := OK
	if err != nil {
		code = err.code
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(op, code)
}

// count counts one call. The lock is held.
func (p *Pool) count(op, code string) {
	answers := p.calls[op]
	if answers == nil {
		answers = make(map[string]int)
		p.calls[op] = answers
	}
	answers[code]++
}

// introspect answers the sandbox's own questions.
func (p *Pool) introspect(w http.ResponseWriter, r *http.Request, question string) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "GET alone", http.StatusMethodNotAllowed)
		return
	}
	out := bufio.NewWriter(w)
	defer out.Flush()
	lines := json.NewEncoder(out)
	switch question {
	case "stats":
		w.Header().Set("Content-Type", "application/json")
		_ = lines.Encode(p.Stats())
	case "outbox":
		w.Header().Set("Content-Type", "application/jsonl")
		p.mu.Lock()
		kept := slices.Clip(p.outbox)
		p.mu.Unlock()
		for _, m := range kept {
			_ = lines.Encode(p.public(m))
		}
	case "users":
		w.Header().Set("Content-Type", "application/jsonl")
		type line struct {
			Username string `json:"username"`
			Status   Status `json:"status"`
			Enabled  bool   `json:"enabled"`
			Resets   int    `json:"resets"`
			Messages int    `json:"messages"`
		}
		p.EachUser(func(u User, resets, messages int) {
			_ = lines.Encode(line{u.Username, u.Status, u.Enabled, resets, messages})
		})
	default:
		http.NotFound(w, r)
	}
}
