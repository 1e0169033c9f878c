package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	v2 "github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"cognito-reset/batch"
)

// worst is a summary with as much to say as there can be.
func worst(t *testing.T) *Summary {
	s := &Summary{
		ElapsedSeconds: 500_000, RateAsked: 20, StoppedBecause: "message_limit: the account has sent what it may today " + strings.Repeat("and more ", 5),
		Next: "cognito-reset resume 'a b'", RunDirectory: "a b",
	}
	row := int64(0)
	for _, o := range batch.Outcomes {
		if strings.HasPrefix(string(o), "would_") {
			continue // of a dry run, in which nothing else is done
		}
		for i, r := range batch.Reasons {
			row++
			result := batch.Result{Row: row, Outcome: o, Reason: r, Attempts: 1000, Throttled: 999, StartedAt: start, FinishedAt: start.Add(time.Duration(i) * time.Hour)}
			if err := s.Write(result); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Rows = 9_999_999
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

func text(t *testing.T, s *Summary, colour bool) string {
	t.Helper()
	var b strings.Builder
	if err := s.Text(&b, colour); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheLongestSummaryFitsOneScreen(t *testing.T) {
	lines := slices.Collect(strings.Lines(text(t, worst(t), false)))
	if len(lines) > 24 {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, ""))
	}
	for _, line := range lines {
		if len(line) > 80+len("\n") {
			t.Errorf("too wide: %s", line)
		}
	}
}

func TestColourOnlyRepeatsWhatTheWordsSay(t *testing.T) {
	s := worst(t)
	coloured, without := text(t, s, true), text(t, s, false)
	failed := 2*(len(batch.Reasons)-2) + 1 // or not attempted, less two reasons that leave no password here, and disabled
	if !strings.Contains(coloured, fmt.Sprintf("\x1b[1;31mDANGER     STILL HAVE THEIR OLD PASSWORD: %d\x1b[0m\n", failed)) {
		t.Errorf("no danger in\n%s", coloured)
	}
	for _, c := range []colour{green, yellow, red, loud} {
		coloured = strings.ReplaceAll(coloured, "\x1b["+string(c)+"m", "")
	}
	if coloured = strings.ReplaceAll(coloured, "\x1b[0m", ""); coloured != without {
		t.Errorf("colours change the words:\n%s", coloured)
	}
}

func TestTheLongestWaitsAreKept(t *testing.T) {
	var s Summary
	for i, seconds := range []int{3, 1, 4, 1, 5, 4, 0} {
		s.Write(batch.Result{Row: int64(i) + 1, StartedAt: start, FinishedAt: start.Add(time.Duration(seconds) * time.Second)})
	}
	if got, want := fmt.Sprint(s.LongestWaits), "[{5 5 0} {3 4 0} {6 4 0}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSummariesAreValidByTheirSchema(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(SummarySchema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("summary.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("summary.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	empty, run := &Summary{}, &Summary{ElapsedSeconds: 3, Sessions: &Sessions{Left: 1, LastUsersPerSecond: 2, Steered: []Steering{{By: "ann", Command: "pause"}}}, Coverage: &Coverage{Both: 1, InputOnly: 2, PoolOnly: 3}}
	dry := &Summary{DryRun: true, Forecast: &Forecast{States: map[string]int64{"CONFIRMED": 1}, Channels: map[string]int64{}, Warnings: []string{"mfa"}, Blockers: []string{"pool"}}}
	write(t, run)
	write(t, dry)
	if err := empty.Close(); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Summary{"empty": empty, "run": run, "dry": dry, "worst": worst(t)} {
		for kind, marshal := range map[string]func(any) ([]byte, error){
			"file": func(v any) ([]byte, error) { return v2.Marshal(v) }, "printed": json.Marshal,
		} {
			text, err := marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
			value.(map[string]any)["surprise"] = 1
			if schema.Validate(value) == nil {
				t.Errorf("%s, %s: a key that is not in the schema is let through", name, kind)
			}
		}
	}
}

// What the schema names and what the Go types name are the same.
func TestTheSchemaHasEveryKey(t *testing.T) {
	var schema struct {
		Properties map[string]struct {
			Properties map[string]any
			Items      struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(SummarySchema), &schema); err != nil {
		t.Fatal(err)
	}
	same := func(what string, keys []string, of reflect.Type) {
		var want []string
		for i := range of.NumField() {
			if field := of.Field(i); field.IsExported() {
				key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				want = append(want, key)
			}
		}
		slices.Sort(keys)
		slices.Sort(want)
		if !slices.Equal(keys, want) {
			t.Errorf("%s: the schema has %q, Go %q", what, keys, want)
		}
	}
	keys := func(m map[string]any) []string { return slices.Collect(maps.Keys(m)) }
	same("summary", slices.Collect(maps.Keys(schema.Properties)), reflect.TypeFor[Summary]())
	same("sessions", keys(schema.Properties["sessions"].Properties), reflect.TypeFor[Sessions]())
	same("coverage", keys(schema.Properties["coverage"].Properties), reflect.TypeFor[Coverage]())
	same("forecast", keys(schema.Properties["forecast"].Properties), reflect.TypeFor[Forecast]())
	same("longest_waits", keys(schema.Properties["longest_waits"].Items.Properties), reflect.TypeFor[Wait]())
	outcomes := keys(schema.Properties["outcomes"].Properties)
	for _, o := range batch.Outcomes {
		if !slices.Contains(outcomes, string(o)) {
			t.Errorf("the schema lacks %s", o)
		}
	}
}
