package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// BenchmarkRender renders the record of a run to CSV by a process of its own.
// COGNITO_RESET_BENCH_ROWS says how many rows it has; ten million take 8 GB of
// the temporary directory.
func BenchmarkRender(b *testing.B) {
	rows := int64(100_000)
	if text := os.Getenv("COGNITO_RESET_BENCH_ROWS"); text != "" {
		var err error
		if rows, err = strconv.ParseInt(text, 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	tool := linkTool(b, b.TempDir())
	dir, output := filepath.Join(b.TempDir(), "run"), filepath.Join(b.TempDir(), "report.csv")
	recordRun(b, dir, rows)
	for b.Loop() {
		cmd := exec.Command(tool, "report", dir, "--format", "csv", "--output", output)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		b.ReportMetric(float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/(1<<10), "MiB")
	}
	b.ReportMetric(float64(b.N)*float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// recordRun makes the record of a run that reset everybody, with calls under way
// beside each other.
func recordRun(tb testing.TB, path string, rows int64) {
	const together = 1000
	check := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatal(err)
		}
	}
	dir, err := journal.Create(path)
	check(err)
	entry := func(row int64) batch.Entry {
		return batch.Entry{Row: row, Username: fmt.Sprintf("user-%015d", row)}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	survey, err := dir.Spool(func(yield func(batch.Entry, error) bool) {
		for row := int64(1); row <= rows; row++ {
			if !yield(entry(row), nil) {
				return
			}
		}
	})
	check(err)
	record := rundir.Record{Dir: dir, Spec: spec.Spec{UserPoolID: "us-east-1_Sandbox", CreatedAt: at}, Found: rundir.Found{Roster: survey}}
	check(record.Save())
	history, err := dir.Replay()
	check(err)
	j, err := history.Start("", survey.SHA256)
	check(err)
	for row := int64(1); row <= rows; row += together {
		var users []batch.Entry
		for r := row; r < min(row+together, rows+1); r++ {
			users = append(users, entry(r))
		}
		check(j.WriteIntent(users...))
		for _, e := range slices.Backward(users) { // answers come in another order
			check(j.WriteResult(batch.Result{
				Row: e.Row, Username: e.Username, Outcome: batch.Reset, Attempts: 1, RequestID: fmt.Sprintf("01234567-89ab-cdef-0123-%012d", e.Row),
				StartedAt: at, FinishedAt: at.Add(87 * time.Millisecond), SettledBy: batch.ByAnswer,
			}))
		}
		at = at.Add(time.Duration(together) * time.Second / 20)
	}
	check(j.End(exit.Done, ""))
	check(j.Close())
	check(dir.Close())
}
