package main

import (
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// A service that refuses, throttles and loses answers is asked once for each
// user, however often the example is started.
func TestEachUserIsResetOnceAndAccountedFor(t *testing.T) {
	var mu sync.Mutex
	calls := make(map[string]int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		calls[r.URL.Path]++
		w.Header().Set("X-Request-Id", "id")
		switch {
		case r.URL.Path == "/nobody/reset":
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Path == "/lost/reset":
			panic(http.ErrAbortHandler)
		case r.URL.Path == "/a/b/reset" && calls[r.URL.Path] == 1:
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	input, record := filepath.Join(dir, "users.csv"), filepath.Join(dir, "run")
	if err := os.WriteFile(input, []byte("username\nann\na/b\nnobody\nANN\nlost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := run(t.Context(), service(server.URL), input, record); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]string{
		{"row", "username", "outcome", "reason", "attempts"},
		{"1", "ann", "reset", "", "1"},
		{"2", "a/b", "reset", "", "2"},
		{"3", "nobody", "failed", "user_not_found", "1"},
		{"4", "ANN", "skipped", "duplicate", "0"},
		{"5", "lost", "unknown", "network", "1"},
	}
	if got := reported(t, filepath.Join(record, "report.csv")); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the report is %q", got)
	}
	for path, n := range map[string]int{"/ann/reset": 1, "/a/b/reset": 2, "/nobody/reset": 1, "/lost/reset": 1} {
		if calls[path] != n {
			t.Errorf("%s was called %d times, not %d", path, calls[path], n)
		}
	}
}

// What every user would be refused ends the run, and the next start goes on.
func TestRefusedCredentialsStopTheRun(t *testing.T) {
	refusing := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if refusing {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	input, record := filepath.Join(dir, "users.csv"), filepath.Join(dir, "run")
	if err := os.WriteFile(input, []byte("username\nann\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), service(server.URL), input, record); err == nil {
		t.Fatal("all is well, although nobody may be reset")
	}
	refusing = false
	if err := run(t.Context(), service(server.URL), input, record); err != nil {
		t.Fatal(err)
	}
	if got := reported(t, filepath.Join(record, "report.csv")); got[1][2] != "reset" {
		t.Errorf("the report is %q", got)
	}
}

// reported is the beginning of every row of a report.
func reported(t *testing.T, path string) (rows [][]string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err = csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		rows[i] = rows[i][:5]
	}
	return rows
}
