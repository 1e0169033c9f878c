package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
)

// savedPlan is the path of a plan made now.
func savedPlan(t testing.TB) (path string, text []byte) {
	t.Helper()
	p := Plan{CreatedAt: time.Now(), UserPoolID: "eu-west-1_AbCdEfGhI", Inputs: []string{"/users.csv"}, InputSHA256: "12", Roster: Pinned{3, "34", false}, Flags: []string{"--rate=20"}}
	var err error
	if p.Digest, err = p.sum(); err != nil {
		t.Fatal(err)
	}
	if text, err = p.encode(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, text
}

func TestAPlanWithAnyByteChangedIsRefused(t *testing.T) {
	path, text := savedPlan(t)
	if _, err := Read(path, time.Hour); err != nil {
		t.Fatal(err)
	}
	for i := range text {
		for _, change := range []byte{text[i] ^ 1, text[i] ^ 32, ' '} {
			if change == text[i] {
				continue
			}
			changed := append([]byte(nil), text...)
			changed[i] = change
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(path, time.Hour); err == nil {
				t.Fatalf("byte %d, %q for %q, is not noticed", i, change, text[i])
			}
		}
	}
	for _, changed := range [][]byte{text[:len(text)-1], append(text, '\n'), []byte("{}"), nil} {
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path, time.Hour); err == nil {
			t.Errorf("%q is a plan", changed)
		}
	}
}

func TestAnOldPlanIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, _ := savedPlan(t)
		time.Sleep(24 * time.Hour)
		if _, err := Read(path, 24*time.Hour); err != nil {
			t.Errorf("a plan of a day: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := Read(path, 24*time.Hour); err == nil || !strings.Contains(err.Error(), "24h0m1s old") {
			t.Errorf("an older plan: %v", err)
		}
	})
}

// The sum is what sort and sha256sum make of the usernames.
func TestUsersArePinnedWhateverTheirOrder(t *testing.T) {
	spooled := func(names ...string) Pinned {
		dir, err := journal.Create(filepath.Join(t.TempDir(), "run"))
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		survey, err := dir.Spool(func(yield func(batch.Entry, error) bool) {
			for i, name := range names {
				name, sub, _ := strings.Cut(name, "|")
				e := batch.Entry{Row: int64(i + 1), Username: name, Sub: sub}
				if name == "" {
					e.Outcome, e.Reason = batch.Invalid, batch.EmptyUsername
				}
				if !yield(e, nil) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		users, err := pin(dir, survey.Users, true)
		if err != nil {
			t.Fatal(err)
		}
		return users
	}
	want := Pinned{3, "1e54b29a61ce3591425b6fc23f4fc2b830d98ec3cb5c2bed9557033cc5d7463a", false}
	for _, names := range [][]string{{"bob", "", "Ann", "änn"}, {"änn", "Ann", "bob"}} {
		if got := spooled(names...); got != want {
			t.Errorf("%q: %+v", names, got)
		}
	}
	if spooled("bob", "Ann", "ann") == want || spooled("bob", "Annänn", "") == want {
		t.Error("others have the same sum")
	}
	if one, other := spooled("ann@example.com|1"), spooled("ann@example.com|2"); one == other || !one.Subs {
		t.Error("another user of the same name has the same sum")
	}
}
