package journal

import (
	"testing"
	"time"

	"cognito-reset/batch"
)

// Each message counts once, and each call that may have sent one, whatever has
// become of the session that made it.
func TestMessagesAreCountedFromTheRecord(t *testing.T) {
	day := time.Now()
	at, before := day.Add(time.Minute), day.Add(-time.Minute)
	result := func(name string, o batch.Outcome, sent int, at time.Time) batch.Result {
		return batch.Result{Row: 1, Username: name, Outcome: o, Sent: sent, FinishedAt: at}
	}
	reset := []batch.StepResult{{Step: "reset", Outcome: batch.Reset, Sent: 1, FinishedAt: at}}
	for _, c := range []struct {
		name string
		act  func(*Journal) error
		want int
	}{
		{"an intent may be a call", func(j *Journal) error { return j.WriteIntent(batch.Entry{Username: "a"}) }, 1},
		{"a reset", func(j *Journal) error { return j.WriteResult(result("a", batch.Reset, 1, at)) }, 1},
		{"a reset of yesterday", func(j *Journal) error { return j.WriteResult(result("a", batch.Reset, 1, before)) }, 0},
		{"a refusal", func(j *Journal) error { return j.WriteResult(result("a", batch.Failed, 0, at)) }, 0},
		{"a doubt", func(j *Journal) error { return j.WriteResult(result("a", batch.Unknown, 1, at)) }, 1},
		{"a reset that took two calls in doubt", func(j *Journal) error { return j.WriteResult(result("a", batch.Reset, 3, at)) }, 3},
		{"what an earlier version wrote", func(j *Journal) error { return j.WriteResult(result("a", batch.Reset, 0, at)) }, 1},
		{"an intent of a step that sends nothing", func(j *Journal) error {
			return j.WriteIntent(batch.Entry{Username: "a", Step: "sign-out", Steps: reset})
		}, 1},
		{"a row that failed after its reset", func(j *Journal) error {
			r := result("a", batch.Failed, 1, at)
			r.Steps = append(reset, batch.StepResult{Step: "sign-out", Outcome: batch.Failed, FinishedAt: at})
			return j.WriteResult(r)
		}, 1},
		{"a doubt that is called again", func(j *Journal) error { return j.Again(batch.Entry{Username: "a"}) }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newRun(t, "a")
			count := NewSent(d.Path, func(step string) bool { return step == "" })
			session(t, d, func(j *Journal) error {
				if err := j.WriteIntent(batch.Entry{Username: "a"}); err != nil {
					return err
				}
				if n, err := count.Since(day.Add(-time.Hour)); n != 1 || err != nil {
					t.Errorf("%d after the intent, %v", n, err)
				}
				return c.act(j)
			})
			for range 2 { // what was counted is not counted again
				if n, err := count.Since(day); n != c.want || err != nil {
					t.Errorf("%d messages, want %d; %v", n, c.want, err)
				}
			}
		})
	}
}
