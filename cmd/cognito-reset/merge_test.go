package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/recordtest"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
)

// sortedReport runs the command and returns a file that it wrote, its lines sorted.
func sortedReport(t *testing.T, file string, args ...string) []string {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if code := mainOf(t, null, null, os.Stderr, append([]string{"report"}, args...)...); code != exit.Stopped && code != exit.Interrupted+2 {
		t.Fatalf("it ended with %d", code)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(strings.Lines(string(text)))
}

func TestTheMergedReportOfShardsIsThatOfOneRun(t *testing.T) {
	const shards = 8
	dir := t.TempDir()
	all := recordtest.Fates(1000)
	one := filepath.Join(dir, "one")
	recordtest.Make(t, one, all)
	merge := []string{"merge"}
	for n := range shards {
		var some []batch.Result
		for i, r := range all {
			if i/3%shards == n {
				some = append(some, r)
			}
		}
		path := filepath.Join(dir, fmt.Sprint("shard", n))
		recordtest.Make(t, path, some)
		merge = append(merge, path)
	}
	both := filepath.Join(dir, "both")
	for _, name := range []string{"report.csv", "report.jsonl"} {
		want := sortedReport(t, filepath.Join(one, name), one)
		got := sortedReport(t, filepath.Join(both, name), append(merge, "--output", both)...)
		if len(got) < len(all) || !slices.Equal(got, want) {
			t.Errorf("%s: %d lines are not the %d of one run", name, len(got), len(want))
		}
	}
	if _, err := os.Stat(filepath.Join(both, rundir.ConflictsFile)); err == nil {
		t.Error("shards contradict each other")
	}
}
