package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cognito-reset/report"
	"cognito-reset/report/evidence"
)

var writeGolden = flag.Bool("write-golden", false, "seal testdata/golden.zip anew")

// A bundle that was sealed by an earlier version is proved by this one.
func TestABundleOfAnEarlierVersionIsProved(t *testing.T) {
	t.Parallel()
	if *writeGolden {
		s := sealFates(t)
		s.manifest.Tool.Version = "v0.1.0"
		if err := os.WriteFile("testdata/golden.zip", s.bundle(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bundle, err := os.ReadFile("testdata/golden.zip")
	if err != nil {
		t.Fatal(err)
	}
	if err := checked(t, bundle); err != nil {
		t.Error(err)
	}
}

// A version that has columns of its own, and lacks some of this one's, says what the
// record says; and what it says otherwise is found.
func TestReportsWithOtherColumnsAreProved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(lines []string)
		proved bool
	}{
		{"other columns", func(lines []string) {
			for i := range lines {
				lines[i] += map[bool]string{true: ",novelty", false: ",x"}[i == 0]
			}
		}, true},
		{"another outcome", func(lines []string) {
			lines[1] = strings.Replace(lines[1], "reset", "failed", 1) + ",x"
			lines[0] += ",novelty"
		}, false},
		{"no outcome", func(lines []string) { lines[0] = strings.Replace(lines[0], "outcome", "result", 1) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sealFates(t)
			s.manifest.Tool.Version = "v9.0.0"
			members := s.members()
			for i, m := range members {
				if m.Name != "report.csv" {
					continue
				}
				var text bytes.Buffer
				if err := m.Write(&text); err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
				c.change(lines)
				members[i].Write = func(w io.Writer) error {
					_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
					return err
				}
			}
			err := checked(t, s.bundle(t, members...))
			if (err == nil) != c.proved {
				t.Errorf("it is %v", err)
			}
			if altered, ok := errors.AsType[*evidence.AlteredError](err); err != nil && (!ok || altered.Part != "report.csv") {
				t.Errorf("it is %v", err)
			}
		})
	}
}

// Earlier versions wrote null in the JSON lines where this one leaves out a key. Either
// says the same, and neither can be made to say more or less than the record.
func TestJSONLinesAreProvedWithAndWithoutNull(t *testing.T) {
	t.Parallel()
	withNull := func(line string) string {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		for _, name := range report.Columns {
			if _, there := row[name]; !there {
				row[name] = nil
			}
		}
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	without := func(key string) func(string) string {
		return func(line string) string {
			return regexp.MustCompile(`,"`+key+`":("[^"]*"|[0-9]+|null)`).ReplaceAllString(line, "")
		}
	}
	for name, c := range map[string]struct {
		change func(line string) string
		proved bool
	}{
		"a null for each":       {withNull, true},
		"columns not known yet": {func(line string) string { return without("settled_by")(without("sub")(withNull(line))) }, true},
		"columns of its own":    {func(line string) string { return strings.Replace(line, "{", `{"novelty":1,`, 1) }, true},
		"a reason in place of null": {func(line string) string {
			return strings.Replace(withNull(line), `"reason":null`, `"reason":"other"`, 1)
		}, false},
		"a reason more": {func(line string) string {
			return strings.Replace(line, `"outcome":"reset",`, `"outcome":"reset","reason":"other",`, 1)
		}, false},
		"no reason":           {without("reason"), false},
		"no settled_by":       {without("settled_by"), false},
		"a row that is null":  {func(string) string { return "null" }, false},
		"null for an outcome": {func(line string) string { return strings.Replace(line, `"outcome":"reset"`, `"outcome":null`, 1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := sealFates(t)
			s.manifest.Tool.Version = "v9.0.0"
			members := s.members()
			at := slices.IndexFunc(members, func(m evidence.Member) bool { return m.Name == "report.jsonl" })
			var text, changed bytes.Buffer
			if err := members[at].Write(&text); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(text.String()) {
				changed.WriteString(c.change(strings.TrimSpace(line)) + "\n")
			}
			if bytes.Equal(text.Bytes(), changed.Bytes()) {
				t.Fatal("nothing was changed")
			}
			members[at].Write = func(w io.Writer) error {
				_, err := w.Write(changed.Bytes())
				return err
			}
			if err := checked(t, s.bundle(t, members...)); (err == nil) != c.proved {
				t.Errorf("it is %v", err)
			}
		})
	}
}
