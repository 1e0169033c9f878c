package rundir_test

import (
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/recordtest"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
)

// Whatever run.json holds, what is asked of a run that it is makes sense of it or says
// what does not, and what is pruned of it holds no name.
func FuzzLoad(f *testing.F) {
	path := f.TempDir() + "/run"
	recordtest.Make(f, path, recordtest.Fates(6))
	made, err := os.ReadFile(path + "/" + journal.RunFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made)
	f.Add([]byte(`{"user_pool_id":"eu-west-1_A","rate":1e308,"shard":{"Index":-1,"Count":0},"deadline_seconds":1e300,"where":["a~("]}`))
	f.Add([]byte(`{"inputs":["https://example.com"],"filter":"a","status":["x"],"canary":-1,"pruned_at":"9999-12-31T23:59:59Z"}`))
	f.Add([]byte(strings.Repeat(`{"preflight":[`, 50)))
	dir := &journal.Dir{Path: f.TempDir()}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(dir.File(journal.RunFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := rundir.Load(dir)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20+uint64(len(text))*1<<10 {
			t.Errorf("%d bytes took %d MiB", len(text), took>>20)
		}
		if err != nil {
			return
		}
		_, _ = r.Gone(), r.Spec.ValidatePool()
		_, _ = r.Spec.Validate(len(r.Spec.Inputs)), r.Spec.Settings.Validate()
		_, _ = r.Spec.Trusted(false), r.Spec.Source.String()
		_, _, _ = r.Spec.Choices()
		_, _, _ = r.Spec.End(time.Unix(0, 0))
		_, _ = r.Spec.Workers(), r.Spec.TimeFor(1000)
		if u := r.Unnamed(); u.Spec.Inputs != nil || u.Spec.Profile+u.Spec.EndpointURL+u.Spec.RoleARN+u.Spec.ApprovedBy+u.Spec.Reason+u.Found.Caller.ARN+u.Found.InputSHA256 != "" {
			t.Errorf("%+v has names", u)
		}
		if err := r.Save(); err != nil {
			return // a time or a number that JSON has not
		}
		again, err := rundir.Load(dir)
		if err != nil || again.Spec.UserPoolID != r.Spec.UserPoolID || !reflect.DeepEqual(again.Spec.Settings, r.Spec.Settings) {
			t.Errorf("%+v came back as %+v, %v", r.Spec, again.Spec, err)
		}
	})
}

// Whatever history.idx holds, as many users are taken from it as it has, and not as it
// says that it has.
func FuzzIndex(f *testing.F) {
	at := time.Date(2026, 3, 31, 23, 0, 0, 0, time.UTC)
	made, err := os.ReadFile(indexOf(f, at, "Ann", "ben").File(rundir.IndexFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made)
	f.Add(made[:len(made)-1])
	f.Add(append(made, 'x'))
	f.Add([]byte(`{"version":1,"user_pool_id":"p_1","names":9223372036854775807,"last":"9999-12-31T23:59:59Z"}` + "\n"))
	f.Add([]byte(`{"version":1,"user_pool_id":"p_1","names":-1}` + "\n"))
	dir := &journal.Dir{Path: f.TempDir()}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(dir.File(rundir.IndexFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		h := rundir.NewHistory("p_1", at, strings.ToLower)
		n, err := h.Add(dir)
		if err == nil && n.Since > int64(len(text)/24) {
			t.Errorf("%+v of %d bytes", n, len(text))
		}
		_ = h.Has("ann", "")
	})
}
