package main

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"cognito-reset/batch/sandbox"
)

// A room is a folder for temporary files, and what stood in it when it was fullest.
type room struct {
	folder string

	mu      sync.Mutex
	most    int64            // bytes
	fullest map[string]int64 // bytes by the name of a file
}

// look notes how full the folder is.
func (r *room) look() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, all := make(map[string]int64), int64(0)
	err := filepath.WalkDir(r.folder, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				now[e.Name()] += info.Size()
				all += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // by now
			return nil
		}
		return err
	})
	if all > r.most {
		r.most, r.fullest = all, now
	}
	return err
}

// A record in S3 takes room for temporary files for its roster and its journal, and for
// nothing else that grows with its users, whatever is done with it. Each request to S3 is a
// look at the room, so that nothing is missed that is uploaded.
func TestARecordInS3TakesNoRoomHereForItsReports(t *testing.T) {
	const users = 3000
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	input, at, here := populate(t, pool, users), newEndpoint(t, pool), room{folder: t.TempDir()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := here.look(); err != nil {
			t.Error(err)
		}
		at.ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("COGNITO_RESET_ENDPOINT_URL", server.URL)
	t.Setenv("TMPDIR", here.folder)
	tool, night := linkTool(t, t.TempDir()), "s3://"+bucket+"/night"
	for _, args := range [][]string{
		{"run", "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--yes", "--rate", "0", "--run", night, "--max-resets", "2000"},
		{"resume", night, "--yes", "--max-resets", "0"},
		{"status", night},
		{"verify", night},
		{"report", night},
		{"evidence", night, "--output", filepath.Join(t.TempDir(), "night.zip")},
	} {
		here.most = 0
		cmd := exec.Command(tool, args...)
		cmd.Env = noAccount()
		if out, err := cmd.CombinedOutput(); err != nil && args[0] != "run" {
			t.Errorf("%s: %v: %s", args[0], err, out)
		}
		const documents = 16 << 10 // run.json and the like
		room := at.bytes(t, "night/roster.jsonl") + at.bytes(t, "night/journal/") + documents
		if _, works := here.fullest["reserve"]; works {
			room += 1 << 20
		}
		if t.Logf("%s: %d bytes a user", args[0], (here.most-here.fullest["reserve"])/users); here.most > room {
			t.Errorf("%s takes room for %d bytes, not %d: %v", args[0], here.most, room, here.fullest)
		}
	}
	if reports := at.bytes(t, "night/report."); reports < 400*users {
		t.Errorf("the reports have %d bytes only: had there been a copy, it would not have shown", reports)
	}
	checkOnce(t, pool)
}
