package report

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cognito-reset/batch"
)

// samples are rows with everything, with nothing, and with some of it.
func samples() (rows []batch.Result) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.FixedZone("", 3600))
	full := batch.Result{
		Row: 7, Username: "=ann, \"o'\"", Sub: "0d2c", Outcome: batch.Reset, Reason: batch.Other, Attempts: 3, Throttled: 1, Sent: 2,
		ErrorCode: "SomeException", ErrorMessage: "line\nline\t\x00 \xff", RequestID: "r-1", StartedAt: at, FinishedAt: at.Add(1234 * time.Millisecond),
		SettledBy: batch.ByReadBack, Kept: []string{"a,b", "=c"}, Before: &batch.Snapshot{Status: "CONFIRMED", Enabled: true, ModifiedAt: at},
		Steps: []batch.StepResult{
			{Step: "reset", Outcome: batch.Failed, Reason: batch.NoVerifiedContact, Attempts: 1, StartedAt: at, FinishedAt: at},
			{Step: "lock", Outcome: batch.Locked, Attempts: 2}, {Step: "sign-out", Outcome: batch.SignedOut, Attempts: 1}, {Step: "invite", Outcome: batch.NotAttempted},
		},
	}
	rows = append(rows, full, batch.Result{}, batch.Result{Row: 1, Username: "bob", Outcome: batch.NotAttempted, Reason: batch.Stopped})
	for i := range 20 {
		r := full
		if i%2 == 0 {
			r.Steps = nil
		}
		if i%3 == 0 {
			r.FinishedAt, r.StartedAt = time.Time{}, time.Time{}
		}
		if i%5 == 0 {
			r.Kept, r.Before, r.Sub, r.ErrorCode = nil, nil, "", ""
		}
		rows = append(rows, r)
	}
	return rows
}

// What a report looks like to the byte is what people's scripts rely on.
func TestReportsKeepTheirBytes(t *testing.T) {
	for file, make := range map[string]func(io.Writer, ...string) Writer{"rows.csv": NewCSV, "rows-safe.csv": NewSafeCSV, "rows.jsonl": NewJSONL} {
		var out bytes.Buffer
		w := make(&out, "team", "note")
		for _, r := range samples() {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(filepath.Join("testdata", file))
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s is not what it was:\n%s", file, out.Bytes())
		}
	}
}
