package roster

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch"
	"cognito-reset/report"
)

// selected applies a selection to an input and returns, in short, each row in
// the order it comes: its number, username or reason, and what was kept.
func selected(t *testing.T, text string, s Selection) (rows []string, err error) {
	t.Helper()
	r, err := Open(strings.NewReader(text), Options{Name: "users", Keep: s.Columns()})
	if err != nil {
		return nil, err
	}
	for e, err := range s.Apply(r.Entries()) {
		if err != nil {
			return rows, err
		}
		what := e.Username
		if e.Outcome != "" {
			what = "!" + string(e.Reason)
			if e.Detail == "" {
				t.Errorf("row %d does not say why", e.Row)
			}
		}
		rows = append(rows, strings.Join(append([]string{fmt.Sprint(e.Row), what}, e.Kept...), " "))
	}
	return rows, nil
}

func conditions(t *testing.T, texts ...string) (all []Condition) {
	t.Helper()
	for _, text := range texts {
		c, err := ParseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func list(text string) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		r, err := Open(strings.NewReader(text), Options{Name: "spared"})
		if err != nil {
			yield(batch.Entry{}, err)
			return
		}
		r.Entries()(yield)
	}
}

const people = "username,Status,age\n" +
	"alice, active ,9\n" +
	"bob,blocked,10\n" +
	",active,1\n" +
	"carol,active,\n" +
	"alice,blocked,7\n" +
	"dave,active,x\n"

func TestSelection(t *testing.T) {
	for _, test := range []struct {
		name, text string
		selection  Selection
		want       []string
	}{
		{"everybody once", people, Selection{}, []string{"1 alice", "2 bob", "3 !empty_username", "4 carol", "5 !duplicate", "6 dave"}},
		{"columns are kept, trimmed", people, Selection{Keep: []string{"age", "status"}},
			[]string{"1 alice 9 active", "2 bob 10 blocked", "3 !empty_username 1 active", "4 carol  active", "5 !duplicate 7 blocked", "6 dave x active"}},
		{"a value", people, Selection{Where: conditions(t, "Status=active")},
			[]string{"1 alice", "2 !excluded", "3 !empty_username", "4 carol", "5 !excluded", "6 dave"}},
		{"not a value; a second row is no duplicate of one left out", people, Selection{Where: conditions(t, "Status!=active")},
			[]string{"1 !excluded", "2 bob", "3 !excluded", "4 !excluded", "5 alice", "6 !excluded"}},
		{"a pattern, and all must hold", people, Selection{Where: conditions(t, "Status~^act", "age!~x"), Keep: []string{"age"}},
			[]string{"1 alice 9", "2 !excluded 10", "3 !empty_username 1", "4 carol ", "5 !excluded 7", "6 !excluded x"}},
		{"others are spared", people, Selection{Exclude: list("\"bob\"\n\"nobody\"\n")},
			[]string{"1 alice", "2 !excluded", "3 !empty_username", "4 carol", "5 !duplicate", "6 dave"}},
		{"whatever their case, if the pool ignores it", people, Selection{Exclude: list("username\nALICE\n"), Fold: strings.ToLower},
			[]string{"1 !excluded", "2 bob", "3 !empty_username", "4 carol", "5 !excluded", "6 dave"}},
		{"a limit counts users", people, Selection{Limit: 3},
			[]string{"1 alice", "2 bob", "3 !empty_username", "4 carol", "5 !duplicate", "6 !over_limit"}},
		{"a column to sort by", people, Selection{OrderBy: Order{Column: "age"}},
			[]string{"3 !empty_username", "5 !duplicate", "1 alice", "2 bob", "6 dave", "4 carol"}},
		{"downwards, and only the first of them", people, Selection{OrderBy: Order{"age", true}, Limit: 2, Keep: []string{"Status"}},
			[]string{"3 !empty_username active", "5 !duplicate blocked", "6 dave active", "2 bob blocked", "1 !over_limit active", "4 !over_limit active"}},
		{"equal values stay in order", "username,n\na,1\nb,1.0\nc,0\nd,1\n", Selection{OrderBy: Order{Column: "n"}}, []string{"3 c", "1 a", "2 b", "4 d"}},
		{"JSON lines have columns too", `{"username":"a","n":7}` + "\n" + `{"username":"b","n":"7"}` + "\n" + `{"username":"c","n":null}` + "\n\"d\"\n" + `{"n":7}`,
			Selection{Where: conditions(t, "n=7"), Keep: []string{"n"}}, []string{"1 a 7", "2 b 7", "3 !excluded ", "4 !excluded ", "5 !empty_username 7"}},
		{"a row that cannot be told stays malformed", "username,x\nalice,1,2\nbob,1\n", Selection{Where: conditions(t, "x=2")}, []string{"1 !malformed_row", "2 !excluded"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := selected(t, test.text, test.selection)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestSelectionsThatCannotBeMadeAreErrors(t *testing.T) {
	for _, test := range []struct {
		text      string
		selection Selection
		want      string
	}{
		{people, Selection{Keep: []string{"state"}}, `users:1: there is no column "state"; the columns are "username", "Status", "age"`},
		{"username,a,A\nx,1,2\n", Selection{OrderBy: Order{Column: "à"}}, `no column "à"`},
		{"username,a,a\nx,1,2\n", Selection{Keep: []string{"a"}}, `more than one column is called "a"`},
		{"username,a\nx,\xff\n", Selection{Keep: []string{"a"}}, "users:2:3: this is not UTF-8"},
		{"\"x\"\n" + `{"username":"y","a":1}`, Selection{Keep: []string{"a", "b"}}, `users: no row has "b"`},
		{people, Selection{Exclude: list("username,x\nbob,1\n,2\n")}, "users to leave out: spared:3:1: the username is empty"},
		{people, Selection{Exclude: list("")}, "spared: is empty"},
		{people + "x,\"" + strings.Repeat("x", maxLine), Selection{Sample: 1}, "longer than"},
		{people + "x,\"" + strings.Repeat("x", maxLine), Selection{OrderBy: Order{Column: "age"}}, "longer than"},
	} {
		_, err := selected(t, test.text, test.selection)
		if _, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v; want %s", test.selection, err, test.want)
		}
	}
	if _, err := Open(strings.NewReader("alice,1\n"), Options{Name: "users", NoHeader: true, Column: "1", Keep: []string{"3"}}); err == nil || !strings.Contains(err.Error(), "from 1 to 2") {
		t.Errorf("%v", err)
	}
}

func TestConditionsAreParsed(t *testing.T) {
	for text, want := range map[string]string{
		"a=b":          "a=b",
		" a = b ":      "a=b",
		"a=":           "a=",
		"a!=b":         "a!=b",
		"a ! =b":       "a!=b",
		"a~b|c":        "a~b|c",
		"a!~b":         "a!~b",
		"a=b=c":        "a=b=c",
		"a~^=":         "a~^=",
		"custom:a b=1": "custom:a b=1",
		"a<2026-08-01": "a<2026-08-01",
		" a >= 3 ":     "a>=3",
	} {
		if c, err := ParseCondition(text); err != nil || c.String() != want {
			t.Errorf("%q: %q, %v", text, c, err)
		}
	}
	for text, want := range map[string]string{
		"":     `"" is not a condition: write COLUMN=VALUE`,
		"a":    "is not a condition",
		"=b":   "names no column",
		"!=b":  "names no column",
		"a==b": "write one =",
		"a~(":  "missing closing )",
		"a!<3": "turn the comparison round",
		"a<b":  "neither a number nor a date",
		"<3":   "names no column",
	} {
		if _, err := ParseCondition(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestOrdersAreParsed(t *testing.T) {
	for text, want := range map[string]Order{"a": {"a", false}, "a:asc": {"a", false}, "custom:a:desc": {"custom:a", true}, "custom:a": {"custom:a", false}} {
		if got, err := ParseOrder(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":desc", " :asc"} {
		if _, err := ParseOrder(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// sampled returns the users of a sample in the order of the input.
func sampled(t *testing.T, names []string, n int, seed uint64) (sample []string) {
	t.Helper()
	r, err := Open(strings.NewReader(strings.Join(names, "\n")), Options{Name: "users", NoHeader: true})
	if err != nil {
		t.Fatal(err)
	}
	row := int64(0)
	for e, err := range Sample(r.Entries(), n, seed) {
		if row++; err != nil || e.Row != row {
			t.Fatalf("row %d: %+v, %v", row, e, err)
		}
		switch e.Outcome {
		case "":
			sample = append(sample, e.Username)
		case batch.Skipped:
			if e.Reason != batch.OverLimit {
				t.Errorf("row %d: %s", row, e.Reason)
			}
		default:
			t.Errorf("row %d: %s", row, e.Outcome)
		}
	}
	if row != int64(len(names)) {
		t.Errorf("%d rows of %d", row, len(names))
	}
	return sample
}

func TestASampleIsOfItsSizeAndComesAgain(t *testing.T) {
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprint("user", i)
	}
	small, large := sampled(t, names, 10, 7), sampled(t, names, 50, 7)
	if len(small) != 10 || len(large) != 50 {
		t.Errorf("%d and %d users", len(small), len(large))
	}
	for _, name := range small {
		if !slices.Contains(large, name) {
			t.Errorf("%s is in the small sample, and not in the large one", name)
		}
	}
	if other := sampled(t, names, 10, 8); slices.Equal(small, other) {
		t.Errorf("two seeds give %q", other)
	}
	if all := sampled(t, names, 500, 7); !slices.Equal(all, names) {
		t.Errorf("a sample larger than the input has %d users", len(all))
	}
	shuffled := slices.Clone(names)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(names), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	again := sampled(t, shuffled, 10, 7)
	slices.Sort(small)
	slices.Sort(again)
	if !slices.Equal(small, again) {
		t.Errorf("%q in another order gives %q", small, again)
	}
}

func TestEveryUserIsAsLikelyInASample(t *testing.T) {
	names := strings.Fields("a b c d e f g h i j")
	counts := map[string]int{}
	const seeds = 3000
	for seed := range uint64(seeds) {
		for _, name := range sampled(t, names, 3, seed) {
			counts[name]++
		}
	}
	for _, name := range names { // 900 each; 25 is a standard deviation
		if n := counts[name]; n < 750 || n > 1050 {
			t.Errorf("%s is in %d samples of %d", name, n, seeds)
		}
	}
}

func TestAReportIsAnInput(t *testing.T) {
	results := []batch.Result{
		{Row: 1, Username: "alice", Outcome: batch.Reset},
		{Row: 2, Username: "b,\"ob", Outcome: batch.Failed, Reason: batch.Throttled, ErrorMessage: "two\nlines"},
		{Row: 3, Username: "", Outcome: batch.Invalid, Reason: batch.EmptyUsername},
		{Row: 4, Username: "carol", Outcome: batch.Unknown, Reason: batch.Network},
		{Row: 5, Username: "alice", Outcome: batch.Skipped, Reason: batch.Duplicate},
		{Row: 6, Username: "dave", Outcome: batch.NotAttempted, Reason: batch.Stopped},
	}
	for name, newWriter := range map[string]func(*bytes.Buffer) report.Writer{
		"csv":   func(b *bytes.Buffer) report.Writer { return report.NewCSV(b) },
		"jsonl": func(b *bytes.Buffer) report.Writer { return report.NewJSONL(b) },
	} {
		var b bytes.Buffer
		w := newWriter(&b)
		for _, r := range results {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for list, want := range map[string][]string{
			"failed,unknown":         {"1 !excluded", "2 b,\"ob", "3 !excluded", "4 carol", "5 !excluded", "6 !excluded"},
			"not_attempted, network": {"1 !excluded", "2 !excluded", "3 !excluded", "4 carol", "5 !excluded", "6 dave"},
			"reset":                  {"1 alice", "2 !excluded", "3 !excluded", "4 !excluded", "5 !excluded", "6 !excluded"},
		} {
			only, err := ParseOnly(list)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := selected(t, b.String(), Selection{Only: only}); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, %s: %q, %v; want %q", name, list, got, err, want)
			}
		}
	}
	if _, err := selected(t, "username\nalice\n", Selection{Only: []string{"failed"}}); err == nil || !strings.Contains(err.Error(), `no column "outcome"`) {
		t.Errorf("%v", err)
	}
}

func TestWordsThatNoReportHasAreErrors(t *testing.T) {
	for list, want := range map[string]string{
		"failed,lost": `"lost" is neither an outcome (reset, locked, disabled, invited, signed_out, would_reset, would_lock, would_disable, would_invite, would_sign_out, skipped, failed, invalid, unknown, not_attempted) nor a reason (duplicate, excluded,`,
		"":            "name one or more outcomes (reset,",
	} {
		if _, err := ParseOnly(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestEverySelectionCanEndEarly(t *testing.T) {
	s := Selection{Where: conditions(t, "Status~."), Only: nil, Exclude: list("\"bob\"\n"), Sample: 3, OrderBy: Order{Column: "age"}, Limit: 1}
	for stop := range 6 {
		r, err := Open(strings.NewReader(people), Options{Name: "users", Keep: s.Columns()})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for range s.Apply(r.Entries()) {
			if n == stop {
				break
			}
			n++
		}
	}
}
