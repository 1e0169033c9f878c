package roster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch"
	"cognito-reset/report"
)

func TestTheColumnsOfAReportAreThoseOfTheReport(t *testing.T) {
	if !slices.Equal(reportColumns, report.Columns) {
		t.Errorf("%q are not %q", reportColumns, report.Columns)
	}
}

// A report of an earlier version has null where one of this version leaves out the key.
func TestAReportAsJSONLinesIsReadInBothForms(t *testing.T) {
	const rest = `,"attempts":1,"error_code":null,"error_message":null,"request_id":null,"started_at":null,"finished_at":null,"duration_ms":null,"sub":null`
	earlier := []string{
		`{"row":1,"username":"ann","outcome":"reset","reason":null` + rest + "}",
		`{"row":2,"username":"ben","outcome":"reset","reason":null` + rest + `,"kept":{"note":"x"}}`,
	}
	var now strings.Builder
	w := report.NewJSONL(&now, "note")
	for _, r := range []batch.Result{
		{Row: 1, Username: "ann", Outcome: batch.Reset, Attempts: 1}, {Row: 2, Username: "ben", Outcome: batch.Reset, Attempts: 1, Kept: []string{"x"}},
	} {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(now.String(), "null") || strings.Contains(now.String(), "reason") {
		t.Fatal("this version writes what is empty: ", now.String())
	}
	read := func(text string, o Options) string {
		r, err := Open(strings.NewReader(text), o)
		if err != nil {
			t.Fatal(err)
		}
		var entries []batch.Entry
		for e, err := range r.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
		return fmt.Sprintf("%t %+v", r.Report, entries)
	}
	for _, o := range []Options{
		{Report: true, Column: "username", Keep: []string{"outcome", "reason", "request_id", "note"}}, // no row has a reason
		{FindReport: true},
	} {
		old, new := read(strings.Join(earlier, "\n"), o), read(now.String(), o)
		if old != new || !strings.HasPrefix(new, "true") {
			t.Errorf("%s\nis not\n%s", new, old)
		}
	}
	r, err := Open(strings.NewReader(now.String()), Options{Report: true, Column: "username", Keep: []string{"nothing"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, last := range r.Entries() {
		err = last
	}
	if err == nil {
		t.Error("a column that no report has is taken for one that is empty")
	}
}
