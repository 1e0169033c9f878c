package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"cognito-reset/batch"
)

// scratchIn makes files for a time in a folder.
func scratchIn(folder string) Scratch {
	return func() (io.ReadWriteSeeker, func() error, error) {
		f, err := os.CreateTemp(folder, "scratch")
		return f, func() error { f.Close(); return os.Remove(f.Name()) }, err
	}
}

// Whatever a username is, a workbook has it as it was, as a text that is no formula and
// no number.
func TestAWorkbookKeepsEveryName(t *testing.T) {
	folder := t.TempDir()
	w, err := NewWorkbook(folder, Subject{Run: "night", Pool: "eu-west-1_AbCdEfGhI"}, scratchIn(folder), "Username", "team")
	if err != nil {
		t.Fatal(err)
	}
	var s Summary
	names := append([]string{"+491701234567", "004917012345678", "=1+1", "@SUM(A1)", "1e5", "-2", "TRUE", " padded ", "line\nend\r\n", "_x0041_", "a\tb"}, hostile...)
	for i, name := range names {
		r := batch.Result{Row: int64(i + 1), Username: name, Outcome: batch.Failed, Reason: batch.NoVerifiedContact, Attempts: 1, StartedAt: start, FinishedAt: start.Add(time.Second), Kept: []string{name, "=team"}}
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
		s.Write(r)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := w.Render(&b, s); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*")); left != nil {
		t.Errorf("%q are left behind", left)
	}
	f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows(RowsSheet)
	if err != nil || len(rows) != len(names)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, name := range names {
		if got := rows[i+1][1]; got != name {
			t.Errorf("%.40q is %.40q", name, got)
		}
		cell := fmt.Sprint("B", i+2)
		kind, err := f.GetCellType(RowsSheet, cell)
		formula, _ := f.GetCellFormula(RowsSheet, cell)
		if err != nil || kind != excelize.CellTypeInlineString || formula != "" {
			t.Errorf("%.40q is of type %v, with the formula %q, %v", name, kind, formula, err)
		}
	}
	if got := strings.Join(rows[0][len(Columns):], ","); got != "input: Username,input: team" {
		t.Errorf("the columns of the input are %s", got)
	}
	remaining, err := f.GetRows(RemainingSheet)
	if err != nil || len(remaining) != len(names)+1 || !strings.Contains(remaining[1][7], "--where reason=no_verified_contact") {
		t.Errorf("%d rows remain, %v", len(remaining)-1, err)
	}
	if verdict, _ := f.GetCellValue(SummarySheet, "A1"); verdict != s.Verdict() {
		t.Errorf("the summary says %q", verdict)
	}
}

func TestAWorkbookOfNobody(t *testing.T) {
	w, err := NewWorkbook(t.TempDir(), Subject{Run: "night", Pool: "eu-west-1_AbCdEfGhI"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Render(io.Discard, Summary{}); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkWorkbook is a workbook of 1,000,000 rows: its time, and the memory it takes.
func BenchmarkWorkbook(b *testing.B) {
	for b.Loop() {
		folder := b.TempDir()
		w, err := NewWorkbook(folder, Subject{Run: "night", Pool: "eu-west-1_AbCdEfGhI"}, scratchIn(folder))
		if err != nil {
			b.Fatal(err)
		}
		most := uint64(0)
		for i := range 1_000_000 {
			r := batch.Result{
				Row: int64(i + 1), Username: fmt.Sprintf("user-%07d@example.com", i), Outcome: batch.Reset, Attempts: 1,
				RequestID: "6f1f1c3e-8d6f-4b8b-9d0e-2f6a3b1c4d5e", StartedAt: start, FinishedAt: start.Add(time.Second), SettledBy: batch.ByAnswer, Sub: "6f1f1c3e-8d6f-4b8b-9d0e-2f6a3b1c4d5e",
			}
			if err := w.Write(r); err != nil {
				b.Fatal(err)
			}
			if i%50_000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		if err := w.Render(io.Discard, Summary{}); err != nil {
			b.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(max(most, m.HeapInuse))/1e6, "MB")
	}
}
