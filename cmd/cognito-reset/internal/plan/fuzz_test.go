package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/roster"
)

// Whatever a plan's file holds, it is a plan only if it is written as one, byte for
// byte; and one that somebody else made sets no flag but those that a plan may set.
func FuzzRead(f *testing.F) {
	_, text := savedPlan(f)
	f.Add(text, false)
	f.Add(text, true)
	f.Add([]byte(`{"flags":["--rate=1","--notify-exec=rm","--rate","=",""]}`), true)
	f.Add([]byte(strings.Repeat(`{"forecast":`, 50)), false)
	path := filepath.Join(f.TempDir(), "plan.json")
	f.Fuzz(func(t *testing.T, text []byte, made bool) {
		if made { // by somebody who knows how a digest is made
			var p Plan
			if json.Unmarshal(text, &p) != nil {
				return
			}
			var err error
			if p.Digest, err = p.sum(); err == nil {
				text, err = p.encode()
			}
			if err != nil {
				return
			}
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Read(path, 1<<62)
		if err != nil {
			return
		}
		if again, err := p.encode(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q is taken for %q", text, again)
		}
		_ = p.Apply(Flags{
			Names: []string{"rate", "input", "notify-exec", "shard"}, Values: map[string][]string{"rate": {"20"}},
			IsSet: func(string) bool { return false },
			Set: func(name, value string) error {
				if name != "rate" && name != "input" && name != "shard" {
					t.Errorf("--%s is set to %q", name, value)
				}
				return nil
			},
		}, func() (roster.Shard, error) { return roster.Shard{}, errors.New("there is none") })
	})
}

// A file that is not a plan but endless is not read to its end.
func TestAPlanIsNotReadWithoutEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Skip("no file is so large here")
	}
	if _, err := Read(path, time.Hour); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}
