package report

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cognito-reset/batch"
)

var start = time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", 3600))

var results = []batch.Result{
	{Row: 1, Username: "alice", Outcome: batch.Reset, Attempts: 2, Throttled: 1, RequestID: "r-1", StartedAt: start, FinishedAt: start.Add(1500 * time.Millisecond), SettledBy: batch.ByAnswer},
	{Row: 2, Username: `=cmd|"x",` + "\n\x00é", Outcome: batch.Failed, Reason: batch.UserNotFound, Attempts: 1, ErrorCode: "UserNotFoundException", ErrorMessage: "User does not exist.", StartedAt: start, FinishedAt: start, SettledBy: batch.ByAnswer},
	{Row: 3, Outcome: batch.Invalid, Reason: batch.EmptyUsername, ErrorMessage: "users.csv:4:1: the username is empty"},
	{Row: 4, Username: "dave", Outcome: batch.NotAttempted, Reason: batch.Interrupted},
}

func write(t *testing.T, w Writer) {
	t.Helper()
	for _, r := range results {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCSVHasTheColumnsOfTheContractAndExactCells(t *testing.T) {
	var text strings.Builder
	write(t, NewCSV(&text))
	rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"row", "username", "outcome", "reason", "attempts", "error_code", "error_message", "request_id", "started_at", "finished_at", "duration_ms", "settled_by"},
		{"1", "alice", "reset", "", "2", "", "", "r-1", "2026-03-01T22:30:00.000Z", "2026-03-01T22:30:01.500Z", "1500", "answer"},
		{"2", results[1].Username, "failed", "user_not_found", "1", "UserNotFoundException", "User does not exist.", "", "2026-03-01T22:30:00.000Z", "2026-03-01T22:30:00.000Z", "0", "answer"},
		{"3", "", "invalid", "empty_username", "0", "", "users.csv:4:1: the username is empty", "", "", "", "", ""},
		{"4", "dave", "not_attempted", "interrupted", "0", "", "", "", "", "", "", ""},
	}
	steps := [][]string{{"steps", "step_reset", "step_lock", "step_disable", "step_invite", "step_sign_out", "sub"}}
	for i := range want {
		if i > 0 {
			steps = append(steps, make([]string, len(steps[0])))
		}
		if !slices.Equal(rows[i], append(want[i], steps[i]...)) {
			t.Errorf("line %d: %q", i+1, rows[i])
		}
	}
}

func FuzzCSVIsWhatEncodingCSVWrites(f *testing.F) {
	for _, cell := range []string{"", "alice", "a,b", `say "hi"`, " a", "\ta", "\u00a0a", "a\nb", "a\rb", "é", "\xff", "'"} {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		if cell == `\.` {
			t.Skip() // which encoding/csv quotes for Postgres
		}
		var want strings.Builder
		w := csv.NewWriter(&want)
		w.Write([]string{"x", cell})
		w.Flush()
		if got := string(appendCell([]byte("x,"), cell)) + "\n"; got != want.String() {
			t.Errorf("%q, not %q", got, want.String())
		}
	})
}

func TestStampsAreRFC3339(t *testing.T) {
	for _, at := range []time.Time{start, {}, time.Unix(0, 999_999_999), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(12345, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(-1, 1, 2, 3, 4, 5, 0, time.UTC)} {
		want := at.UTC().Format(timeFormat)
		if at.IsZero() {
			want = ""
		}
		if got := timeCell(at).any(); got != want {
			t.Errorf("%v, not %s", got, want)
		}
	}
}

func TestASafeCSVHoldsNoFormulaWhereverItIsSplit(t *testing.T) {
	for cell, want := range map[string]string{
		"alice": "alice", "": "", "+4912": "'+4912", "=1": "'=1", "-1": "'-1", "@a": "'@a", "\t=1": "'\t'=1", "\r1": "'\r1", "＝1": "'＝1",
		"a=1": "a=1", "a'b": "a'b", "'": "''", "'=1": "''=1", "a;=1": "a;'=1", "a|+1,-1": "a|'+1,'-1", "a\n@b": "a\n'@b", `"=1"`: `"'=1"`,
		"  =1": "  '=1", "a =1": "a =1", "; =1": "; '=1",
	} {
		if got := guard(cell); got != want {
			t.Errorf("%q became %q, not %q", cell, got, want)
		}
	}
	var text strings.Builder
	w := NewSafeCSV(&text, "=plan", "note")
	w.Write(batch.Result{Row: 1, Username: "=1", Kept: []string{"+x", ""}})
	w.Write(batch.Result{Row: 2, Username: "bob"})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "step_sign_out,sub,csv_safe,'=plan,note\n1,'=1,,,0,,,,,,,,,,,,,,,yes,'+x,\n2,bob,,,0,,,,,,,,,,,,,,,yes,,\n"; !strings.HasSuffix(text.String(), want) {
		t.Error(text.String())
	}
}

// Or nobody could tell whether its cells are guarded.
func TestNoColumnThatIsKeptCanSayThatACSVIsSafe(t *testing.T) {
	w := NewCSV(new(strings.Builder), SafeColumn)
	if w.Write(results[0]) == nil || w.Close() == nil {
		t.Error("it is taken")
	}
}

func TestJSONLHasTheSameKeysInTheSameOrderButThoseOfEmptyCells(t *testing.T) {
	var lines, table strings.Builder
	write(t, NewJSONL(&lines))
	write(t, NewCSV(&table))
	rows, err := csv.NewReader(strings.NewReader(table.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(lines.String()))
	for _, row := range rows[1:] {
		dec.Token() // {
		for i, cell := range row {
			if cell == "" && Columns[i] != "username" && Columns[i] != "outcome" {
				continue
			}
			key, _ := dec.Token()
			if value, err := dec.Token(); key != Columns[i] || fmt.Sprint(value) != cell || err != nil {
				t.Fatalf("%v is %v, not %s %s (%v)", key, value, Columns[i], cell, err)
			}
		}
		if end, err := dec.Token(); end != json.Delim('}') {
			t.Fatalf("a row ends with %v, %v", end, err)
		}
	}
	if end, err := dec.Token(); err != io.EOF {
		t.Errorf("there is %v more, %v", end, err)
	}
}

func TestSummaryAddsUp(t *testing.T) {
	s := &Summary{ElapsedSeconds: 4}
	write(t, s)
	total := int64(0)
	for _, o := range batch.Outcomes {
		n, ok := s.Outcomes[o]
		if total += n; ok == (o == batch.SignedOut || o == batch.WouldSignOut) { // which rows with a reset never are
			t.Errorf("%s is counted: %t", o, ok)
		}
	}
	if total != s.Rows || s.Rows != 4 || s.Calls != 3 || s.Throttled != 1 || s.UsersPerSecond != 0.5 || s.Well() {
		t.Errorf("%+v", s)
	}
	var text strings.Builder
	if err := s.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1  reset", "1  failed", "1  invalid", "1  not_attempted", "4  rows", "resets 0.8/s, no limit was asked for; 0.5 users/s\n", "3 calls in 4s, 1 throttled\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestSummaryTellsWhomTheInputLeavesOut(t *testing.T) {
	s := &Summary{Coverage: &Coverage{Both: 3, InputOnly: 1, PoolOnly: 7}}
	write(t, s)
	var text strings.Builder
	if err := s.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	if want := "\n3 in both input and pool, 1 in the input only, 7 in the pool only\n"; !strings.Contains(text.String(), want) {
		t.Errorf("no %q in\n%s", want, text.String())
	}
}

func TestEveryReasonHasAdviceThatFitsItsLine(t *testing.T) {
	for _, r := range []batch.Reason{
		batch.Duplicate, batch.EmptyUsername, batch.WrongPool, batch.UsernameTooLong, batch.MalformedRow, batch.UserNotFound,
		batch.WrongState, batch.Disabled, batch.NoVerifiedContact, batch.LambdaRefused, batch.ServerError, batch.Network,
		batch.MessageLimit, batch.AttemptLimit, batch.PoolNotFound, batch.Credentials, batch.AccessDenied,
		batch.PoolConfiguration, batch.InvalidParameter, batch.Stopped, batch.Interrupted, batch.Other,
	} {
		if n := utf8.RuneCountInString(Advice(r)); n == 0 || n > 50 {
			t.Errorf("%s: %d characters", r, n)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestAFailedWriteIsNeverAWholeReport(t *testing.T) {
	for name, w := range map[string]Writer{"csv": NewCSV(full{}), "jsonl": NewJSONL(full{}), "junit": NewJUnit(full{}, Summary{})} {
		var err error
		for range 10_000 {
			err = errors.Join(err, w.Write(results[0]))
		}
		if errors.Join(err, w.Close()) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if (&Summary{}).Text(full{}, false) == nil {
		t.Error("text: no error")
	}
}
