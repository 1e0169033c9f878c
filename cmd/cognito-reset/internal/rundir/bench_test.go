package rundir_test

import (
	"fmt"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
)

// BenchmarkHistory is what 16 runs of 100,000 users each cost, and a look for each user.
func BenchmarkHistory(b *testing.B) {
	const runs, users = 16, 100_000
	at := time.Now()
	var dirs []*journal.Dir
	for range runs {
		dir := &journal.Dir{Path: b.TempDir()}
		if err := rundir.Write(dir, "p_1", 7, func(yield func(batch.Result, error) bool) {
			for i := range users {
				if !yield(batch.Result{Username: fmt.Sprint("user-", i), FinishedAt: at}, nil) {
					return
				}
			}
		}); err != nil {
			b.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	for b.Loop() {
		h := rundir.NewHistory("p_1", at.Add(-time.Hour), nil)
		for _, dir := range dirs {
			if _, err := h.Add(dir); err != nil {
				b.Fatal(err)
			}
		}
		for i := range users {
			if !h.Has(fmt.Sprint("user-", i)) {
				b.Fatal(i)
			}
		}
	}
}
