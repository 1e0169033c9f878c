package userpool_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"cognito-reset/batch"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// live is how many bytes of the heap are in use.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkMatch finds the users of e-mail addresses in a pool of 200,000, without
// quotas, beside a map of whole entries by address. What is held is measured when the
// pool is listed and the first row comes.
func BenchmarkMatch(b *testing.B) {
	all := 200_000
	if testing.Short() {
		all = 20_000
	}
	users := sandbox.New(sandbox.Config{SignIn: "email"})
	users.PopulateN(all)
	pool := open(b, &http.Client{Transport: users}, func(o *userpool.Options) { o.ListRate = 1e6 })
	report := func(b *testing.B, values int, held int64) {
		b.ReportMetric(float64(held)/float64(values), "held-B/value")
		b.ReportMetric(float64(b.N)*float64(users.Len())/b.Elapsed().Seconds(), "users/s")
	}
	for _, n := range []int{all, all / 10} {
		values := func(yield func(batch.Entry, error) bool) {
			for i := range n {
				if !yield(batch.Entry{Row: int64(i + 1), Username: fmt.Sprintf("User-%07d@Example.com", i+1)}, nil) {
					return
				}
			}
		}
		b.Run(fmt.Sprintf("values=%d/match", n), func(b *testing.B) {
			held := int64(0)
			for b.Loop() {
				before := live()
				for e, err := range pool.Match(b.Context(), "email", userpool.Selection{}, values) {
					if err != nil {
						b.Fatal(err)
					}
					if e.Row == 1 {
						held = live() - before
					}
				}
			}
			report(b, n, held)
		})
		b.Run(fmt.Sprintf("values=%d/map", n), func(b *testing.B) {
			held := int64(0)
			for b.Loop() {
				before := live()
				found := make(map[string][]batch.Entry, n)
				for e := range values {
					found[strings.ToLower(e.Username)] = nil
				}
				for u, err := range pool.Users(b.Context(), userpool.Filter{}) {
					if err != nil {
						b.Fatal(err)
					}
					address := strings.ToLower(u.Email)
					if _, asked := found[address]; asked {
						found[address] = append(found[address], batch.Entry{Username: u.Username, Sub: u.Sub})
					}
				}
				held = live() - before
				runtime.KeepAlive(found)
			}
			report(b, n, held)
		})
	}
}
