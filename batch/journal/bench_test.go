package journal

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"cognito-reset/batch"
)

func BenchmarkIntent(b *testing.B) {
	d := newRun(b)
	j, err := replay(b, d).Start("", "")
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism((64 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := j.WriteIntent(batch.Entry{Row: 1, Username: "user-000000000000001"}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "intents/s")
	b.StopTimer()
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkReplay(b *testing.B) {
	const lines = 1_000_000
	d := newRun(b)
	spool(b, d, func(yield func(batch.Entry, error) bool) {
		for row := range int64(lines / 2) {
			if !yield(batch.Entry{Row: row + 1, Username: fmt.Sprintf("user-%015d", row)}, nil) {
				return
			}
		}
	})
	f, err := os.Create(d.File(JournalFile))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w, c := bufio.NewWriter(f), newChain()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	var buf []byte
	add := func(l line) {
		if buf, err = c.append(buf[:0], &l); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	add(line{Event: eventSession, At: at, Format: formatVersion})
	for row := range int64(lines / 2) {
		username := fmt.Sprintf("user-%015d", row)
		add(line{Event: eventIntent, At: at, Row: row + 1, Username: username})
		add(resultOf(batch.Result{
			Row: row + 1, Username: username, Outcome: batch.Reset, Attempts: 1,
			RequestID: "01234567-89ab-cdef-0123-456789abcdef", StartedAt: at, FinishedAt: at, SettledBy: batch.ByAnswer,
		}))
	}
	if _, err := w.Write(c.finish(nil)); err != nil {
		b.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if left, _ := replay(b, d).Open(); left != 0 {
			b.Fatal(left)
		}
	}
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "lines/s")
}
