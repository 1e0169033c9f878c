package report

import (
	"io"
	"testing"
	"time"

	"cognito-reset/batch"
)

// BenchmarkLists writes a row of report.csv and of report.jsonl: of a dry run, which calls
// nobody, and of a user who was reset.
func BenchmarkLists(b *testing.B) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	dry := batch.Result{Row: 1234567, Username: "6ae6783f-4fbd-e91b-6eb8-8b73a48ed247", Outcome: batch.WouldReset}
	reset := batch.Result{
		Row: dry.Row, Username: dry.Username, Outcome: batch.Reset, Attempts: 1, Sent: 1, SettledBy: batch.ByAnswer,
		RequestID: "0b1f6f3e-6f0c-4c57-9d0a-2f1d4f0f7c11", StartedAt: began, FinishedAt: began.Add(87 * time.Millisecond),
	}
	for _, bench := range []struct {
		name string
		make func(io.Writer, ...string) Writer
		of   batch.Result
	}{
		{"csv/dry", NewCSV, dry}, {"csv/reset", NewCSV, reset}, {"jsonl/dry", NewJSONL, dry}, {"jsonl/reset", NewJSONL, reset},
	} {
		b.Run(bench.name, func(b *testing.B) {
			w := bench.make(io.Discard)
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Write(bench.of); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
