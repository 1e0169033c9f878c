package report

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"time"

	"cognito-reset/batch"
)

// A Part is what one run tells of its rows.
type Part struct {
	Name    string // of the run, such as its directory
	Pool    string // whose users they are; users of two pools are never the same
	Rows    int64  // how many Results there are
	Ended   time.Time
	Kept    []string                       // columns that Results carry in Kept
	Results iter.Seq2[batch.Result, error] // the same, however often it is ranged over
}

// A Merged is the one report of several runs. Of what they say of a user of a pool
// the last word counts, by the time of its answer; a row
// without a call never counts against one with, whenever that was. Rows about no
// user, invalid ones and duplicates, are kept as they are, those that several runs
// have in common once.
type Merged struct {
	Pools     []string // of the runs, each once
	Kept      []string // columns that its results carry in Kept: [PoolColumn] if there are several pools, and those of all runs
	Conflicts int64    // users whose calls ended in different ways
	Calls     int64    // of all runs, as in the [Summary]
	Throttled int64    // likewise

	byPool bool // there is a PoolColumn
	parts  []*part
}

// PoolColumn is the column of the pool, in a report on several.
const PoolColumn = "user_pool_id"

type part struct {
	Part
	place       int    // of Pool among Merged.Pools
	kept        []int  // for each column of Merged.Kept its place in Part.Kept, or -1
	lost        bitmap // results that do not count, by number
	conflicting bitmap // results that another contradicts
}

// usersAtATime is how many usernames are compared in memory at a time, with some
// 100 bytes each. More of them take more passes over the results.
const usersAtATime = 1 << 21

// Merge finds out whose word counts. Two bits a result stay in memory.
func Merge(parts ...Part) (*Merged, error) { return merge(usersAtATime, false, parts) }

// MergePools does the same with a [PoolColumn] even if there is one pool alone.
func MergePools(parts ...Part) (*Merged, error) { return merge(usersAtATime, true, parts) }

func merge(atATime int64, byPool bool, parts []Part) (*Merged, error) {
	m := &Merged{byPool: byPool}
	rows := int64(0)
	for _, p := range parts {
		rows += p.Rows
		if !slices.Contains(m.Pools, p.Pool) {
			m.Pools = append(m.Pools, p.Pool)
		}
		for _, column := range p.Kept {
			if !slices.Contains(m.Kept, column) {
				m.Kept = append(m.Kept, column)
			}
		}
	}
	m.byPool = m.byPool || len(m.Pools) > 1
	if m.byPool && slices.Contains(m.Kept, PoolColumn) {
		return nil, fmt.Errorf("one of the runs keeps a column %s of its input: the report has one of its own", PoolColumn)
	} else if m.byPool {
		m.Kept = slices.Insert(m.Kept, 0, PoolColumn)
	}
	for _, p := range parts {
		part := &part{Part: p, place: slices.Index(m.Pools, p.Pool)}
		for _, column := range m.Kept {
			part.kept = append(part.kept, slices.Index(p.Kept, column))
		}
		m.parts = append(m.parts, part)
	}
	seed, passes := maphash.MakeSeed(), uint64(1+rows/atATime)
	for pass := range passes {
		if err := m.judge(func(key string) bool { return passes == 1 || maphash.String(seed, key)%passes == pass }); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// ByPool reports whether the results carry the id of their pool first in Kept, under
// [PoolColumn].
func (m *Merged) ByPool() bool { return m.byPool }

// A word is the one that counts, so far, of a user or of a row without one.
type word struct {
	number      int64 // of the result in its part
	at          int64 // ns since 1970
	part        uint32
	verdict     uint16
	called      bool
	conflicting bool
}

// judge compares the results whose keys are of this pass.
func (m *Merged) judge(mine func(key string) bool) error {
	words := make(map[string]word)
	verdicts := make(map[[2]string]uint16)
	for i, p := range m.parts {
		number := int64(-1)
		for r, err := range p.Results {
			if err != nil {
				return err
			}
			number++
			key := keyOf(r)
			if m.byPool {
				key = p.Pool + "\x00" + key
			}
			if !mine(key) {
				continue
			}
			m.Calls, m.Throttled = m.Calls+int64(r.Attempts), m.Throttled+int64(r.Throttled)
			verdict := [2]string{string(r.Outcome), string(r.Reason)}
			if _, known := verdicts[verdict]; !known {
				verdicts[verdict] = uint16(len(verdicts))
			}
			now := word{part: uint32(i), number: number, called: !r.StartedAt.IsZero(), verdict: verdicts[verdict]}
			if now.at = p.Ended.UnixNano(); now.called {
				now.at = later(r.StartedAt, r.FinishedAt).UnixNano()
			}
			if before, found := words[key]; found {
				now = m.compare(before, now)
			}
			words[key] = now
		}
	}
	return nil
}

// keyOf is what rows have in common of which one counts. That of a row about no
// user is no username.
func keyOf(r batch.Result) string {
	if r.Outcome == batch.Invalid || r.Reason == batch.Duplicate {
		return fmt.Sprintf("\x00%d\x00%s\x00%s", r.Row, r.ErrorMessage, r.Username)
	}
	return r.Username
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// compare returns the word that counts of two, and notes that the other is lost.
func (m *Merged) compare(before, now word) word {
	if before.called && now.called && before.verdict != now.verdict {
		if !before.conflicting {
			m.Conflicts++
		}
		m.parts[before.part].conflicting.set(before.number)
		m.parts[now.part].conflicting.set(now.number)
		before.conflicting = true
	}
	now.conflicting = before.conflicting
	last, lost := now, before
	if before.called != now.called && before.called || before.called == now.called && before.at > now.at {
		last, lost = before, now
	}
	m.parts[lost.part].lost.set(lost.number)
	return last
}

// Results yields what counts of every row, pool by pool, in the order of the rows as
// far as the runs have them in order.
func (m *Merged) Results() iter.Seq2[batch.Result, error] {
	return m.inOrder(func(p *part, number int64, r *batch.Result) bool {
		if p.lost.has(number) {
			return false
		}
		if r.Kept == nil && !m.byPool {
			return true
		}
		kept := make([]string, len(m.Kept))
		for i, at := range p.kept {
			if at >= 0 && r.Kept != nil {
				kept[i] = r.Kept[at]
			}
		}
		if m.byPool {
			kept[0] = p.Pool
		}
		r.Kept = kept
		return true
	})
}

// Contradictions yields the results that contradict each other, in the order of
// Results. Each carries in Kept the name of its run.
func (m *Merged) Contradictions() iter.Seq2[batch.Result, error] {
	return m.inOrder(func(p *part, number int64, r *batch.Result) bool {
		r.Kept = []string{p.Name}
		return p.conflicting.has(number)
	})
}

// A taker says whether a result of a part is taken, and may change it.
type taker func(p *part, number int64, r *batch.Result) bool

// inOrder yields the results that are taken, by pool and row; of the same row, in
// the order of the parts.
func (m *Merged) inOrder(take taker) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		var cursors []*cursor
		for _, p := range m.parts {
			next, stop := iter.Pull2(p.taken(take))
			defer stop()
			if c := (&cursor{place: p.place, next: next}); c.step() {
				cursors = append(cursors, c)
			}
		}
		for len(cursors) > 0 {
			first := slices.MinFunc(cursors, func(a, b *cursor) int {
				return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.result.Row, b.result.Row))
			})
			if !yield(first.result, first.err) || first.err != nil {
				return
			}
			if !first.step() {
				cursors = slices.DeleteFunc(cursors, func(c *cursor) bool { return c == first })
			}
		}
	}
}

// taken are the results of a part that are taken.
func (p *part) taken(take taker) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		number := int64(0)
		for r, err := range p.Results {
			if (err != nil || take(p, number, &r)) && !yield(r, err) {
				return
			}
			number++
		}
	}
}

// A cursor stands on a result.
type cursor struct {
	place  int // of the pool
	next   func() (batch.Result, error, bool)
	result batch.Result
	err    error
}

func (c *cursor) step() (more bool) {
	c.result, c.err, more = c.next()
	return more
}

// A bitmap is a set of numbers.
type bitmap []uint64

func (b *bitmap) set(i int64) {
	for i/64 >= int64(len(*b)) {
		*b = append(*b, 0)
	}
	(*b)[i/64] |= 1 << (i % 64)
}

func (b bitmap) has(i int64) bool { return i/64 < int64(len(b)) && b[i/64]&(1<<(i%64)) != 0 }
