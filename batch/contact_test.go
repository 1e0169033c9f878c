package batch_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
)

// Where no call leaves, the run stops after a few, and a resume works on everybody.
func TestARunThatReachesNobodyStopsAfterAFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		counts, err := batch.Run(t.Context(), users(1000), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			calls.Add(1)
			return &batch.Error{Class: batch.ClassMoment, Reason: batch.Network, Err: errors.New("x509: unknown authority")}
		}}, nil), batch.Options{Workers: 4, Journal: newLedger(), Grace: time.Minute})
		stop, ok := errors.AsType[*batch.Stop](err)
		if !ok || stop.Reason != batch.Network || !strings.Contains(stop.Message, "x509: unknown authority") {
			t.Errorf("%v", err)
		}
		if calls.Load() > 8 || counts.Outcomes[batch.NotAttempted] != 1000 {
			t.Errorf("%d calls, %v", calls.Load(), counts.Outcomes)
		}
	})
}

// An outage later is the moment's, however many calls it takes.
func TestARunThatReachedTheServiceWaitsForItAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		counts, err := batch.Run(t.Context(), users(20), batch.ResetOnly(fake{do: func(context.Context, batch.Entry) error {
			if n := calls.Add(1); n > 1 && n < 30 {
				return &batch.Error{Class: batch.ClassMoment, Reason: batch.Network, Err: errors.New("connection refused")}
			}
			return nil
		}}, nil), batch.Options{Workers: 20, Journal: newLedger(), Grace: time.Minute})
		if err != nil || counts.Outcomes[batch.Reset] != 20 {
			t.Errorf("%v, %v", err, counts.Outcomes)
		}
	})
}
