package batch

import (
	"fmt"
	"sync/atomic"
)

// A contact is whether the service was ever reached. Where none of the first calls
// leaves, for want of a network, a name or a certificate, the others would not either.
type contact struct {
	made   atomic.Bool
	missed atomic.Int64 // calls before it was made
}

// firstCalls is how many calls may fail to leave before the service was reached once.
const firstCalls = 5

// note takes in how a call was met, and stops the run if it is time.
func (c *contact) note(answer *Error, stop func(error)) {
	if c.made.Load() {
		return
	}
	if answer == nil || answer.Code != "" || answer.Reason != Network || answer.Class != ClassMoment {
		c.made.Store(true)
		return
	}
	if c.missed.Add(1) == firstCalls {
		stop(&Stop{Reason: Network, Message: fmt.Sprintf("none of the first %d calls reached the service: %v", firstCalls, answer.Brief()), Err: answer})
	}
}
