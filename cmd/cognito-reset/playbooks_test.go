package main

import (
	"encoding/csv"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
)

// Every playbook runs from top to bottom.
func TestPlaybooks(t *testing.T) {
	for name, prepare := range map[string]func(*page, *sandbox.Pool){
		"breach": preparedForBreach, "rotation": preparedForRotation, "audit": preparedForAudit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI"})
			server := httptest.NewServer(pool)
			defer server.Close()
			p := &page{T: t, dir: t.TempDir(), env: []string{
				"COGNITO_RESET_ENDPOINT_URL=" + server.URL, "COGNITO_RESET_RATE=0", "COGNITO_RESET_UPDATE_RATE=0",
			}}
			root, err := filepath.Abs("../..")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(root, "examples"), filepath.Join(p.dir, "examples")); err != nil {
				t.Fatal(err)
			}
			prepare(p, pool)
			if commands := p.run(filepath.Join("../../examples/playbooks", name+".md")); commands < 5 {
				t.Errorf("only %d commands were found", commands)
			}
		})
	}
}

// file writes a file where the commands of a page run.
func (p *page) file(name string, lines ...string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		p.Fatal(err)
	}
}

// grown adds the users of a grown pool: one of each kind that a reset cannot
// reach, and as many as are asked for that it can.
func grown(pool *sandbox.Pool, n int) (usernames []string) {
	kinds := []func(*sandbox.User){
		func(u *sandbox.User) { u.EmailVerified = false },
		func(u *sandbox.User) { u.Enabled = false },
		func(u *sandbox.User) { u.Status = sandbox.ForceChangePassword },
		func(u *sandbox.User) { u.Status = sandbox.Unconfirmed },
		func(u *sandbox.User) { u.Status = sandbox.ExternalProvider },
		func(u *sandbox.User) { u.Groups = []string{"service", "admins"} },
	}
	for i := range len(kinds) + n {
		u := sandbox.NewUser(fmt.Sprintf("user-%04d", i))
		u.Created = time.Now().AddDate(-1, 0, 0)
		if i < len(kinds) {
			kinds[i](&u)
		}
		pool.Add(u)
		usernames = append(usernames, u.Username)
	}
	return usernames
}

// The breach is rehearsed as its page says: on the pool of its first block, with the lists
// that lie beside it.
func preparedForBreach(p *page, pool *sandbox.Pool) {
	pool.PopulateN(1000)
	severity := make(map[string]string)
	for _, row := range p.rows("leaked.csv") {
		name, _, _ := strings.Cut(row[0], "@")
		severity[name] = row[1]
	}
	leftOut := make(map[string]bool)
	for _, row := range p.rows("admins.csv") {
		leftOut[row[0]] = true
	}
	p.Cleanup(func() {
		once := make(map[string]bool)
		for _, m := range pool.Outbox() {
			switch {
			case once[m.Username]:
				p.Errorf("%s was mailed twice", m.Username)
			case len(once) < 8 && severity[m.Username] != "3": // the canary
				p.Errorf("%s, of severity %s, came before the severest", m.Username, severity[m.Username])
			case leftOut[m.Username] || severity[m.Username] == "":
				p.Errorf("%s was left out, and mailed", m.Username)
			}
			once[m.Username] = true
		}
		reset := 0
		for name := range severity {
			u, there := pool.Get(name)
			if there && u.Enabled && u.Status == sandbox.Confirmed && u.EmailVerified && !leftOut[name] {
				p.Errorf("%s was left as it was", name)
			} else if u.Status == sandbox.ResetRequired {
				reset++
			}
		}
		if reset < 400 {
			p.Errorf("only %d were reset", reset)
		}
	})
}

// rows are those of a CSV file that lies beside the playbooks, without its header.
func (p *page) rows(name string) [][]string {
	p.Helper()
	f, err := os.Open(filepath.Join(p.dir, "examples/playbooks", name))
	if err != nil {
		p.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		p.Fatal(len(rows), err)
	}
	return rows[1:]
}

// The unattended runs go by the default rate, so the users are few.
func preparedForRotation(p *page, pool *sandbox.Pool) {
	grown(pool, 12)
	young := sandbox.NewUser("young")
	young.Created = time.Now()
	pool.Add(young)
	p.Cleanup(func() {
		for name, want := range map[string]int{"user-0006": 1, "user-0005": 0, "young": 0} {
			if got := pool.Resets(name); got != want {
				p.Errorf("%s was reset %d times, not %d", name, got, want)
			}
		}
	})
}

func preparedForAudit(p *page, pool *sandbox.Pool) {
	pool.PopulateN(1000)
	member := sandbox.NewUser("admin")
	member.Groups = []string{"admins"}
	pool.Add(member)
	p.Cleanup(func() {
		if sent := len(pool.Outbox()); sent != 0 {
			p.Errorf("a look sent %d messages", sent)
		}
	})
}

// Every text is one that the breach leads to, and says what is to be filled in.
func TestTextsAreLinkedAndReadyToBeChanged(t *testing.T) {
	page, err := os.ReadFile("../../examples/playbooks/breach.md")
	if err != nil {
		t.Fatal(err)
	}
	texts, err := filepath.Glob("../../examples/playbooks/texts/*.md")
	if err != nil || len(texts) < 4 {
		t.Fatal(texts, err)
	}
	for _, path := range texts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "(texts/"+filepath.Base(path)+")") {
			t.Errorf("the breach does not lead to %s", path)
		}
		if !strings.Contains(string(text), "[SERVICE]") {
			t.Errorf("%s has nothing to fill in", path)
		}
	}
}
