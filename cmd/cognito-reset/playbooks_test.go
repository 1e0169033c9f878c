package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
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

// So many users are leaked that the third wave is left when the run is stopped
// in the second.
func preparedForBreach(p *page, pool *sandbox.Pool) {
	leaked := []string{"email,severity,seen", "nobody@example.com,3,2026-07-01"}
	usernames := grown(pool, 540)
	for i, name := range usernames {
		leaked = append(leaked, fmt.Sprintf("%s@example.com,%d,2026-07-%02d", name, i%3+1, i%28+1))
	}
	p.file("leaked.csv", leaked...)
	p.file("admins.csv", "username", "user-0005")
	p.Cleanup(func() {
		once := make(map[string]bool)
		for _, m := range pool.Outbox() {
			i := slices.Index(usernames, m.Username)
			switch severity := i%3 + 1; {
			case once[m.Username]:
				p.Errorf("%s was mailed twice", m.Username)
			case len(once) < 8 && severity != 3: // the canary
				p.Errorf("%s, of severity %d, came before the severest", m.Username, severity)
			}
			once[m.Username] = true
		}
		if once["user-0005"] {
			p.Error("who was left out was mailed")
		}
		for _, name := range usernames[6:] {
			if u, _ := pool.Get(name); u.Status != sandbox.ResetRequired {
				p.Errorf("%s is %s", name, u.Status)
			}
		}
	})
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
	p.file("customers.csv", "username", "user-0006", "user-0007", "stranger")
	grown(pool, 20)
	p.file("earlier.csv", "username", "user-0006")
	p.start("cognito-reset run --user-pool-id eu-west-1_AbCdEfGhI --input earlier.csv --run breach --yes", "", p.env).check()
	sent := len(pool.Outbox())
	p.Cleanup(func() {
		if more := len(pool.Outbox()) - sent; more != 0 {
			p.Errorf("a look sent %d messages", more)
		}
	})
}
