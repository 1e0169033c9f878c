package batch

import (
	"context"
	"time"
)

// A bill is what one step of a user takes of a [Budget], and how many messages its
// calls sent or may have sent.
type bill struct {
	budget Budget // nil if nothing bounds the step's calls
	sends  bool
	held   int // of the budget, by calls whose end is not known yet

	sent    int // calls that sent a message
	inDoubt int // calls that may have
}

func (r *runner) bill(step *Step) *bill {
	b := &bill{sends: step.Sends}
	if step.Sends {
		b.budget = r.Messages
	}
	return b
}

// inherit takes over a call in doubt of an earlier session.
func (b *bill) inherit(called time.Time) {
	b.inDoubt++
	if b.budget != nil && b.budget.Inherit(called) {
		b.held++
	}
}

// take comes before a call.
func (b *bill) take(ctx context.Context) error {
	if b.budget == nil {
		return nil
	}
	if err := b.budget.Take(ctx); err != nil {
		return err
	}
	b.held++
	return nil
}

// answered comes after a call that was taken: done if it sent a message, in doubt
// if nobody knows.
func (b *bill) answered(done, inDoubt bool) {
	switch {
	case done:
		b.sent++
		b.release(1, Budget.Spend)
	case inDoubt:
		b.inDoubt++
	default:
		b.release(1, Budget.Return)
	}
}

// nothingSent says that none of the calls in doubt did anything.
func (b *bill) nothingSent() {
	b.inDoubt = 0
	b.release(b.held, Budget.Return)
}

// giveUp counts the calls in doubt as messages for good.
func (b *bill) giveUp() { b.release(b.held, Budget.Spend) }

// close ends the step, and returns how many messages it sent or may have sent.
func (b *bill) close() (messages int) {
	b.giveUp()
	if !b.sends {
		return 0
	}
	return b.sent + b.inDoubt
}

func (b *bill) release(n int, how func(Budget)) {
	for range min(n, b.held) {
		how(b.budget)
		b.held--
	}
}
