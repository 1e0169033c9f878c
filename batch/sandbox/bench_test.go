package sandbox_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"cognito-reset/batch/sandbox"
)

// benchmarkReset resets b.N users, each once, over the transport.
func benchmarkReset(b *testing.B, pool *sandbox.Pool, url string, transport http.RoundTripper) {
	pool.Populate(func(yield func(string) bool) {
		for i := 1; i <= b.N && yield(fmt.Sprintf("user-%07d", i)); i++ {
		}
	}, 1)
	template := request(b, url, "AdminResetUserPassword", "")
	var next atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := fmt.Sprintf(`{"UserPoolId":"%s","Username":"user-%07d"}`, poolID, next.Add(1))
			req := template.Clone(b.Context())
			req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			res, err := transport.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "resets/s")
}

func BenchmarkResetInProcess(b *testing.B) {
	pool := sandbox.New(sandbox.Config{})
	benchmarkReset(b, pool, "http://sandbox/", pool)
}

func BenchmarkResetOverHTTP(b *testing.B) {
	pool := sandbox.New(sandbox.Config{})
	srv := httptest.NewServer(pool)
	defer srv.Close()
	benchmarkReset(b, pool, srv.URL, &http.Transport{MaxIdleConnsPerHost: 64})
}

// BenchmarkMillionUsers tells the memory that a user takes, sorted and listed.
func BenchmarkMillionUsers(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		pool := sandbox.New(sandbox.Config{})
		pool.PopulateN(1_000_000)
		for _, filter := range []string{`sub ^= "0"`, `username ^= "u"`, `email ^= "u"`} {
			connect(b, pool).must("ListUsers", in{"Filter": filter})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(pool.Len()), "bytes/user")
	}
}
