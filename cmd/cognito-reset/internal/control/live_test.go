package control

import (
	"testing"
	"testing/synctest"
	"time"
)

// Sessions side by side end with the last of them, and nobody can tell when where one cannot.
func TestTogetherSessionsEndWithTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soon, late := time.Now().Add(time.Minute), time.Now().Add(90*time.Minute+time.Second/4)
		l := Together([]Live{{DoneAt: late}, {DoneAt: soon}})
		if !l.DoneAt.Equal(late) || l.Ahead() != "done ≈ "+day(late) {
			t.Errorf("it is %+v", l)
		}
		if ends := l.Ends(); len(ends) != 2 || ends[1].Key != "eta_seconds" || ends[1].Value.Int64() != 5400 {
			t.Errorf("a log has %v", ends)
		}
		if l := Together([]Live{{DoneAt: late}, {StopsAt: soon}}); l.Ahead() != "stops "+day(soon)+", not done" {
			t.Errorf("where one stops before its end it is %+v", l)
		}
		if l := Together([]Live{{DoneAt: late}, {}}); l.Ahead() != "" || l.Ends() != nil {
			t.Errorf("where one cannot tell it is %+v", l)
		}
	})
}
