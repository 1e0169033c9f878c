package status

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// watch watches what the looks see, one after the other, into a file.
func watch(t *testing.T, ctx context.Context, looks ...Status) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	watched := Watch(ctx, f, func(context.Context) ([]Status, error) {
		now := looks[0]
		if len(looks) > 1 {
			looks = looks[1:]
		}
		return []Status{now}, nil
	})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), watched
}

func TestAFileIsGivenALineALookAndThenTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, err := watch(t, t.Context(), OfPrepared("night"),
			Status{Path: "night", State: Running, Users: 4000, Left: 3988, Outcomes: map[batch.Outcome]int64{batch.Reset: 12}, UsersPerSecond: 3.25, Why: "waits for rate, 3/s"},
			Status{Path: "night", State: "finished", UserPoolID: "us-east-1_x", Rows: 4000, Users: 4000, Outcomes: map[batch.Outcome]int64{batch.Reset: 4000}})
		want := `2000-01-01T00:00:00Z night: preparing; nothing was sent yet
2000-01-01T00:00:10Z night: running, 12 of 4,000 users, 3.2/s, 12 reset; waits for rate, 3/s
2000-01-01T00:00:20Z night: finished, 4,000 of 4,000 users, 4,000 reset
night: finished
Pool   us-east-1_x
   4,000  reset
   4,000  rows
`
		if err != nil || text != want {
			t.Errorf("%v\n%s", err, text)
		}
	})
}

func TestWhoeverStopsWatchingStopsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			synctest.Wait()
			cancel(&batch.Stop{Reason: batch.Interrupted, Message: "interrupted by SIGINT", Err: exit.Signal{Signal: syscall.SIGINT}})
		}()
		_, err := watch(t, ctx, Status{Path: "night", State: Running})
		if exit.Of(err) != 130 || !strings.Contains(err.Error(), "the run goes on") {
			t.Errorf("%v", err)
		}
	})
}

func TestARunThatCannotBeReadEndsTheWatching(t *testing.T) {
	gone := errors.New("gone")
	if err := Watch(t.Context(), os.Stderr, func(context.Context) ([]Status, error) { return nil, gone }); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

func TestALineThatIsTooLongIsBrokenBetweenWords(t *testing.T) {
	st := Status{Path: "night", State: "stopped", Why: "stopped by ann at the terminal of the machine", UserPoolID: "us-east-1_x", Left: 3, InDoubt: 2}
	want := `night: stopped
Why    stopped by ann at the terminal of
       the machine
Pool   us-east-1_x
       0  rows
Left   3 users, 2 of them in doubt:
       cognito-reset resume night
`
	if got := texts([]Status{st}, 40); got != want {
		t.Errorf("\n%s", got)
	}
}
