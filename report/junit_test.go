package report

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"cognito-reset/batch"
)

// A suite is JUnit XML as it reads.
type suite struct {
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Cases    []testCase `xml:"testcase"`
}

func junit(t *testing.T, results []batch.Result) (s suite) {
	t.Helper()
	var sum Summary
	var text strings.Builder
	for _, w := range []func() Writer{
		func() Writer { return &sum },
		func() Writer { return NewJUnit(&text, sum) },
	} {
		w := w()
		for _, r := range results {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := xml.Unmarshal([]byte(text.String()), &s); err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
	return s
}

func TestJUnitHasATestCaseForEveryRow(t *testing.T) {
	all := append(results,
		batch.Result{Row: 5, Username: "eve", Outcome: batch.Skipped, Reason: batch.Duplicate, ErrorMessage: "same username as row 1"},
		batch.Result{Row: 6, Username: "fay", Outcome: batch.Unknown, Reason: batch.Interrupted},
		batch.Result{Row: 7, Username: "gus", Outcome: batch.WouldReset})
	s := junit(t, all)
	if s.Tests != 7 || s.Failures != 2 || s.Errors != 2 || s.Skipped != 1 || len(s.Cases) != 7 {
		t.Fatalf("%+v", s)
	}
	for i, c := range s.Cases {
		verdicts := map[batch.Outcome]*verdict{batch.Failed: c.Failure, batch.Invalid: c.Failure, batch.Unknown: c.Error, batch.NotAttempted: c.Error, batch.Skipped: c.Skipped}
		count := 0
		for _, v := range []*verdict{c.Failure, c.Error, c.Skipped} {
			if v != nil {
				count++
			}
		}
		r := all[i]
		switch got := verdicts[r.Outcome]; {
		case r.Outcome == batch.Reset || r.Outcome == batch.WouldReset:
			if count != 0 {
				t.Errorf("row %d: %+v", r.Row, c)
			}
		case got == nil || count != 1 || got != c.Skipped && got.Type != string(r.Reason):
			t.Errorf("row %d: %+v", r.Row, c)
		}
	}
	if c := s.Cases[0]; c.Name != "row 1: alice" || c.Time != "1.500" {
		t.Errorf("%+v", c)
	}
	if f := s.Cases[1].Failure; f.Message != "UserNotFoundException: User does not exist." || f.Advice == "" {
		t.Errorf("%+v", f)
	}
	if skipped := s.Cases[4].Skipped; skipped.Message != "duplicate: same username as row 1" {
		t.Errorf("%+v", skipped)
	}
}

func FuzzJUnitIsXMLWhateverTheUsername(f *testing.F) {
	for _, username := range []string{"alice", "<&>\"'", "]]>", "a\x00b", "\xff", "\ufffe", "a\r\nb\t", "😀"} {
		f.Add(username)
	}
	f.Fuzz(func(t *testing.T, username string) {
		s := junit(t, []batch.Result{{Row: 1, Username: username, Outcome: batch.Failed, ErrorMessage: username}})
		want := "row 1: " + strings.Map(func(r rune) rune {
			if unicode.IsControl(r) && r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
				return utf8.RuneError
			}
			return r
		}, username)
		if len(s.Cases) != 1 || s.Cases[0].Name != want {
			t.Errorf("%q, not %q", s.Cases[0].Name, want)
		}
	})
}
