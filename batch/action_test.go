package batch_test

import (
	"testing"
	"time"

	"cognito-reset/batch"
)

func TestARowIsOpenWhileAResumeWorksOnIt(t *testing.T) {
	ended := time.Now()
	for _, row := range []struct {
		batch.Result
		open bool
	}{
		{batch.Result{Outcome: batch.Reset, FinishedAt: ended}, false},
		{batch.Result{Outcome: batch.Failed, Reason: batch.UserNotFound, FinishedAt: ended}, false},
		{batch.Result{Outcome: batch.Failed, Reason: batch.MessageLimit, FinishedAt: ended}, true},
		{batch.Result{Outcome: batch.NotAttempted, Reason: batch.Stopped}, true},
		// An earlier session was killed: the read-back has told nothing, or is still to come.
		{batch.Result{Outcome: batch.Unknown, Reason: batch.Interrupted, FinishedAt: ended}, false},
		{batch.Result{Outcome: batch.Unknown, Reason: batch.Interrupted}, true},
	} {
		if row.Open() != row.open {
			t.Errorf("%s (%s), ended at %v: open is %v", row.Outcome, row.Reason, row.FinishedAt, row.Open())
		}
	}
}
