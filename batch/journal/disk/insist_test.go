package disk

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A rename waits for whoever has the file open, but not for ever, and not for
// other errors.
func TestWhatPassesIsTriedAgainForAShortTime(t *testing.T) {
	busy, broken := errors.New("in use"), errors.New("broken")
	for what, test := range map[string]struct {
		fails error
		until time.Duration // it succeeds then
		want  error
		least time.Duration
	}{
		"nothing fails":      {nil, 0, nil, 0},
		"in use for a while": {busy, time.Second, nil, time.Second},
		"in use for hours":   {busy, time.Hour, busy, inUsePatience},
		"another error":      {broken, time.Hour, broken, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			err := insist(func(err error) bool { return err == busy }, func() error {
				if time.Since(began) >= test.until {
					return nil
				}
				return test.fails
			})
			if took := time.Since(began); err != test.want || took < test.least || took > test.least+inUsePatience/4 {
				t.Errorf("%s: %v after %v", what, err, took)
			}
		})
	}
}
