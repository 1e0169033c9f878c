package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
)

// scratches makes files that count how many of them were not dropped.
func scratches(t *testing.T, open *int) Scratch {
	dir := t.TempDir()
	return func() (io.ReadWriteSeeker, func() error, error) {
		f, err := os.CreateTemp(dir, "")
		*open++
		return f, func() error { *open--; return errors.Join(f.Close(), os.Remove(f.Name())) }, err
	}
}

func TestRemainingHasWhoIsNotSafeYetTheMostUrgentFirst(t *testing.T) {
	ended := time.Now()
	done := batch.StepResult{Step: "reset", Outcome: batch.Reset}
	var out bytes.Buffer
	open := 0
	m := NewRemaining(&out, Subject{Run: "runs/monday", Pool: "eu-west-1_A"}, false, scratches(t, &open))
	for i, r := range []batch.Result{
		{Username: "safe", Outcome: batch.Reset, FinishedAt: ended},
		{Username: "off", Outcome: batch.Skipped, Reason: batch.Disabled},
		{Username: "twice", Outcome: batch.Skipped, Reason: batch.Duplicate},
		{Username: "later", Outcome: batch.NotAttempted, Reason: batch.Stopped},
		{Username: "lost", Outcome: batch.Unknown, Reason: batch.Network, FinishedAt: ended},
		{Username: "bare", Outcome: batch.Failed, Reason: batch.NoVerifiedContact, FinishedAt: ended},
		{Username: "gone", Outcome: batch.Failed, Reason: batch.UserNotFound, FinishedAt: ended, Steps: []batch.StepResult{{Step: "reset", Outcome: batch.Failed}}},
		{Username: "broken", Outcome: batch.Failed, Reason: batch.ServerError, FinishedAt: ended},
		{Username: "half", Outcome: batch.Failed, Reason: batch.ServerError, FinishedAt: ended, Steps: []batch.StepResult{done, {Step: "sign-out", Outcome: batch.Failed}}},
	} {
		r.Row = int64(i) + 1
		if err := m.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil || open != 0 {
		t.Fatalf("%v, %d files are left", err, open)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows[1:] {
		got = append(got, row[1]+": "+row[5]+": "+row[7])
	}
	want := []string{
		"bare: the old one works: verify an e-mail address or phone number of theirs and reset them again, or lock them: cognito-reset run --user-pool-id eu-west-1_A --input runs/monday/remaining.csv --where reason=no_verified_contact --if-unresettable no_verified_contact=lock",
		"later: whatever worked before works: they were not called: cognito-reset resume runs/monday",
		"lost: the old one may work: nobody knows whether it was reset: cognito-reset resume runs/monday --retry unknown",
		"broken: the old one works: cognito-reset resume runs/monday --retry failed",
		"half: is replaced: cognito-reset resume runs/monday --retry failed",
		"off: the old one comes back if the user is enabled: reset them when they are enabled, or lock them now: cognito-reset run --user-pool-id eu-west-1_A --input runs/monday/remaining.csv --where reason=disabled --if-unresettable disabled=lock",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || m.Rows != int64(len(want)) {
		t.Errorf("%d rows:\n%s", m.Rows, strings.Join(got, "\n"))
	}
}

// Of several pools each row names its own, and of several runs none is named that could go
// on with all.
func TestRemainingOfSeveralIsOfOneEach(t *testing.T) {
	for _, tc := range []struct {
		of   Subject
		want string
	}{
		{Subject{Run: "fleet", ByPool: true}, `1,ann,,failed,disabled,the old one comes back if the user is enabled,live on,"reset them when they are enabled, or lock them now: cognito-reset run --user-pool-id eu-west-1_A --input fleet/remaining.csv --where reason=disabled --where user_pool_id=eu-west-1_A --if-unresettable disabled=lock",eu-west-1_A
2,ben,,not_attempted,stopped,whatever worked before works: they were not called,live on,cognito-reset resume fleet,eu-west-1_B
3,cid,,unknown,network,the old one may work: nobody knows whether it was reset,live on,cognito-reset resume fleet --retry unknown,eu-west-1_A
`},
		{Subject{Run: "both", Pool: "eu-west-1_A", Merged: true}, `1,ann,,failed,disabled,the old one comes back if the user is enabled,live on,"reset them when they are enabled, or lock them now: cognito-reset run --user-pool-id eu-west-1_A --input both/remaining.csv --where reason=disabled --if-unresettable disabled=lock"
2,ben,,not_attempted,stopped,whatever worked before works: they were not called,live on,"cognito-reset resume, of the run that has this row"
3,cid,,unknown,network,the old one may work: nobody knows whether it was reset,live on,"cognito-reset resume, of the run that has this row, with --retry unknown"
`},
	} {
		var out bytes.Buffer
		open := 0
		m := NewRemaining(&out, tc.of, false, scratches(t, &open))
		for _, r := range []batch.Result{
			{Row: 2, Username: "ben", Outcome: batch.NotAttempted, Reason: batch.Stopped, Kept: []string{"eu-west-1_B"}},
			{Row: 3, Username: "cid", Outcome: batch.Unknown, Reason: batch.Network, FinishedAt: time.Now(), Kept: []string{"eu-west-1_A"}},
			{Row: 1, Username: "ann", Outcome: batch.Failed, Reason: batch.Disabled, FinishedAt: time.Now(), Kept: []string{"eu-west-1_A"}},
		} {
			if err := m.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		_, rows, _ := strings.Cut(out.String(), "\n")
		got := strings.Split(strings.TrimSuffix(rows, "\n"), "\n")
		slices.Sort(got)
		if text := strings.Join(got, "\n") + "\n"; text != tc.want {
			t.Errorf("%+v:\n%s", tc.of, text)
		}
	}
}

// Where there is no room, nothing stays behind.
func TestRemainingFailsWithItsDisk(t *testing.T) {
	full := errors.New("no space")
	m := NewRemaining(io.Discard, Subject{Run: "run", Pool: "eu-west-1_A"}, false, func() (io.ReadWriteSeeker, func() error, error) { return nil, nil, full })
	if err := m.Write(batch.Result{Outcome: batch.NotAttempted}); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(t.TempDir(), "*")); left != nil {
		t.Errorf("left are %v", left)
	}
}
