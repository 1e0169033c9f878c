package userpool

import (
	"cmp"
	"context"
	"iter"

	"cognito-reset/batch"
)

// A Coverage is how many users an input and a pool have in common. Two names of
// one user in the input are two in Both, of one user in the pool.
type Coverage struct {
	Both      int64 `json:"both"`       // names in the input of users in the pool
	InputOnly int64 `json:"input_only"` // names in the input of nobody in the pool
	PoolOnly  int64 `json:"pool_only"`  // users in the pool whom the input does not name

	// LeftOut are those of Both whom the run leaves out all the same: by --where,
	// --exclude, --limit and the like.
	LeftOut int64 `json:"left_out,omitempty"`
}

// Coverage compares the users whom an input names, invalid rows aside, with all
// of the pool, by one listing. A name is anything that the pool knows of a user, as
// in [People]; letter case counts as it does in the pool. Each user whom
// the input does not name is given to uncovered, in no particular order. The
// names of the input are held in memory.
func (p *Pool) Coverage(ctx context.Context, entries iter.Seq2[batch.Entry, error], uncovered func(User) error) (Coverage, error) {
	settings, err := p.Compared(ctx)
	if err != nil {
		return Coverage{}, err
	}
	w := p.nobody(settings, looked)
	var leftOut []bool // by number of the name
	for e, err := range entries {
		if err != nil {
			return Coverage{}, err
		}
		if e.Outcome == batch.Invalid {
			continue
		}
		name := cmp.Or(e.Sub, e.Username)
		if w.add(name) {
			leftOut = append(leftOut, isLeftOut(e))
		} else if id, _ := w.names.Find(name); !isLeftOut(e) && e.Reason != batch.Duplicate {
			leftOut[id] = false
		}
	}
	parts, err := p.trusted(ctx, split(settings.EstimatedUsers))
	if err != nil {
		return Coverage{}, err
	}
	c := Coverage{InputOnly: int64(w.names.Len())}
	found := make([]bool, w.names.Len())
	for u, err := range p.list(ctx, parts) {
		if err != nil {
			return Coverage{}, err
		}
		covered := false
		for id := range w.named(u) {
			covered = true
			if !found[id] {
				found[id] = true
				c.Both++
				c.InputOnly--
				if leftOut[id] {
					c.LeftOut++
				}
			}
		}
		if covered {
			continue
		}
		c.PoolOnly++
		if err := uncovered(u); err != nil {
			return Coverage{}, err
		}
	}
	return c, nil
}

// isLeftOut reports whether whoever chose the rows left this one out.
func isLeftOut(e batch.Entry) bool {
	switch e.Reason {
	case batch.Excluded, batch.OverLimit, batch.RecentlyReset:
		return e.Outcome == batch.Skipped
	}
	return false
}
