package report

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"cognito-reset/batch"
)

func TestParquetHasTheColumnsInTheirTypes(t *testing.T) {
	var file bytes.Buffer
	kept := batch.Result{Row: 5, Username: "eve", Outcome: batch.Reset, Attempts: 1, StartedAt: start, FinishedAt: start, Kept: []string{"gold", ""}}
	w := NewParquet(&file, "plan", "note")
	for _, r := range append(results, kept) {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, field := range f.Schema().Fields() {
		names = append(names, field.Name())
		if field.Name() == "started_at" || field.Name() == "finished_at" {
			if kind := field.Type().LogicalType().String(); kind != "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)" || !field.Optional() {
				t.Errorf("%s is %v", field.Name(), field)
			}
		}
	}
	if want := slices.Concat(Columns, []string{"kept"}); !slices.Equal(names, want) {
		t.Errorf("the columns are %q", names)
	}
	rows, err := parquet.Read[parquetRow](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if r := rows[0]; r.Row != 1 || r.Username != "alice" || r.Outcome != "reset" || r.Reason != "" || r.Attempts != 2 || r.RequestID != "r-1" ||
		!r.StartedAt.Equal(start) || !r.FinishedAt.Equal(start.Add(1500*time.Millisecond)) || *r.DurationMS != 1500 || r.SettledBy != "answer" || r.Kept != nil {
		t.Errorf("%+v", r)
	}
	if r := rows[1]; r.Username != results[1].Username || r.Reason != "user_not_found" || r.ErrorCode != "UserNotFoundException" || *r.DurationMS != 0 {
		t.Errorf("%+v", r)
	}
	if r := rows[3]; r.StartedAt != nil || r.FinishedAt != nil || r.DurationMS != nil {
		t.Errorf("%+v", r)
	}
	if r := rows[4]; len(r.Kept) != 2 || r.Kept["plan"] != "gold" {
		t.Errorf("%+v", r)
	}
}

func TestParquetHoldsOneRowGroupInMemory(t *testing.T) {
	var file bytes.Buffer
	w := NewParquet(&file)
	for row := range int64(rowGroup + 1) {
		if err := w.Write(batch.Result{Row: row + 1, Username: "alice", Outcome: batch.Reset}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil || f.NumRows() != rowGroup+1 || len(f.RowGroups()) != 2 {
		t.Fatalf("%d rows in %d groups, %v", f.NumRows(), len(f.RowGroups()), err)
	}
}
