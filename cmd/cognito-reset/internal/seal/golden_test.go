package seal

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

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
