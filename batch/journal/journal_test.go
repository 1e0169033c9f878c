package journal

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal/disk"
)

func TestAnIntentIsSyncedBeforeItReturns(t *testing.T) {
	f := new(fakeFile)
	j := start(disk.OS, f, 0, newChain(), "")
	for i := range 10 {
		username := fmt.Sprint("user", i)
		if err := j.WriteIntent(batch.Entry{Row: int64(i + 1), Username: username}); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(intendedIn(f.durable()), username) {
			t.Fatalf("the intent of %s is not on the disk", username)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestIntentsWrittenAtTheSameTimeShareASync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan error)
		f := &fakeFile{onSync: func() error { return <-release }}
		j := start(disk.OS, f, 0, newChain(), "")
		kept := make(chan error, 1000)
		intent := func(n int) {
			for i := range n {
				go func() { kept <- j.WriteIntent(batch.Entry{Username: fmt.Sprint(n, "-", i)}) }()
			}
			synctest.Wait()
		}
		intent(1)
		intent(999) // while the first is being synced
		if f.syncs != 1 || len(kept) != 0 {
			t.Fatalf("%d syncs began and %d intents returned, but none has ended", f.syncs, len(kept))
		}
		release <- nil
		synctest.Wait()
		if f.syncs != 2 || len(kept) != 1 {
			t.Fatalf("after the first sync, %d have begun and %d intents returned", f.syncs, len(kept))
		}
		release <- nil
		for range 1000 {
			if err := <-kept; err != nil {
				t.Error(err)
			}
		}
		if f.syncs != 2 || len(intendedIn(f.durable())) != 1000 {
			t.Errorf("%d intents took %d syncs", len(intendedIn(f.durable())), f.syncs)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseWritesAndSyncsEveryResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan error)
		f := &fakeFile{onSync: func() error { return <-release }}
		j := start(disk.OS, f, 0, newChain(), "")
		for i := range 100 {
			if err := j.WriteResult(batch.Result{Username: fmt.Sprint(i), Outcome: batch.Reset}); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				time.Sleep(resultWithin)
				synctest.Wait() // its sync has begun; the others gather meanwhile
			}
		}
		closed := make(chan error)
		go func() { closed <- j.Close() }()
		release <- nil
		release <- nil
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		if n := len(settledIn(f.durable())); n != 100 {
			t.Errorf("%d of 100 settlements are on the disk", n)
		}
	})
}

func TestAppendingWhileTheJournalClosesIsRecordedOrRefused(t *testing.T) {
	for range 50 {
		f := new(fakeFile)
		j := start(disk.OS, f, 0, newChain(), "")
		var workers sync.WaitGroup
		var mu sync.Mutex
		var promised, settled []string
		for i := range 8 {
			workers.Go(func() {
				for n := 0; ; n++ {
					username := fmt.Sprint(i, "-", n)
					if err := j.WriteIntent(batch.Entry{Username: username}); err != nil {
						if !errors.Is(err, os.ErrClosed) {
							t.Error(err)
						}
						return
					}
					err := j.WriteResult(batch.Result{Username: username, Outcome: batch.Reset})
					mu.Lock()
					promised = append(promised, username)
					if err == nil {
						settled = append(settled, username)
					}
					mu.Unlock()
				}
			})
		}
		if err := j.WriteIntent(batch.Entry{Username: "first"}); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		workers.Wait()
		file := f.durable()
		if !containsAll(intendedIn(file), promised) || !containsAll(settledIn(file), settled) {
			t.Fatal("a line that was taken is not on the disk")
		}
		if err := j.Close(); !errors.Is(err, os.ErrClosed) {
			t.Fatalf("the second Close said %v", err)
		}
	}
}

func TestAFailedSyncIsNeverTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("input/output error")
		release := make(chan error)
		f := &fakeFile{onSync: func() error { return <-release }}
		j := start(disk.OS, f, 0, newChain(), "")
		kept := make(chan error, 10)
		intent := func(username string) { kept <- j.WriteIntent(batch.Entry{Username: username}) }
		go intent("alice")
		synctest.Wait()
		for i := range 9 { // gathered while the sync is under way
			go intent(fmt.Sprint("user", i))
		}
		if err := j.WriteResult(batch.Result{Username: "alice", Outcome: batch.Reset}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		release <- broken
		for range 10 {
			if err := <-kept; !errors.Is(err, broken) {
				t.Errorf("an intent beside a failed sync returned %v", err)
			}
		}
		if err := j.WriteIntent(batch.Entry{Username: "bob"}); !errors.Is(err, broken) {
			t.Errorf("a later intent returned %v", err)
		}
		if err := j.WriteResult(batch.Result{Username: "alice"}); !errors.Is(err, broken) {
			t.Errorf("a later settlement returned %v", err)
		}
		if err := j.End(0, ""); !errors.Is(err, broken) {
			t.Errorf("End returned %v", err)
		}
		if err := j.Close(); !errors.Is(err, broken) {
			t.Errorf("Close returned %v", err)
		}
		if f.writes != 1 || f.syncs != 1 {
			t.Errorf("%d writes and %d syncs, want one of each", f.writes, f.syncs)
		}
	})
}

func TestAfterAFailedWriteNothingIsAppended(t *testing.T) {
	for _, stuck := range []error{nil, errors.New("truncate: input/output error")} {
		synctest.Test(t, func(t *testing.T) {
			broken := errors.New("input/output error")
			release := make(chan error)
			f := &fakeFile{refusal: broken, onTruncate: func() error { return stuck }, onSync: func() error { return <-release }}
			f.room = func() int {
				if f.writes == 2 {
					<-release
				}
				return 400
			}
			j := start(disk.OS, f, 0, newChain(), "")
			kept := make(chan error, 4)
			go func() { kept <- j.WriteIntent(batch.Entry{Username: "alice"}) }()
			synctest.Wait()
			for i := range 2 { // too much for the room that is left
				go func() { kept <- j.WriteIntent(batch.Entry{Username: fmt.Sprint("user", i)}) }()
			}
			synctest.Wait()
			release <- nil // the sync ends, and the write begins that will fail
			synctest.Wait()
			go func() { kept <- j.WriteIntent(batch.Entry{}) }() // short enough to fit
			if err := j.WriteResult(batch.Result{Username: "alice"}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			release <- nil
			failed := 0
			for range 4 {
				if err := <-kept; errors.Is(err, broken) {
					failed++
				} else if err != nil {
					t.Error(err)
				}
			}
			if failed != 3 {
				t.Errorf("%d intents failed, want the two that could not be written and the one behind them", failed)
			}
			if err := j.WriteResult(batch.Result{Username: "alice"}); !errors.Is(err, broken) {
				t.Errorf("a settlement behind a failed write returned %v", err)
			}
			if err := j.Close(); !errors.Is(err, broken) {
				t.Errorf("Close returned %v", err)
			}
			lines, rest := wholeLines(f.data)
			if f.writes != 2 || f.syncs != 1 || (len(rest) > 0) != (stuck != nil) {
				t.Errorf("%d writes, %d syncs, %d lines and then %q", f.writes, f.syncs, len(lines), rest)
			}
		})
	}
}

// The invariant of a full disk, re-checked for a disk that is full after any
// number of bytes, and with any reserve.
func TestAFullDiskLosesNoIntentAndBreaksNoChain(t *testing.T) {
	users := []string{"alice", "bob"}
	work := func(j *Journal) (promised, settled []string, firstErr error) {
		for i, username := range users {
			err := j.WriteIntent(batch.Entry{Row: int64(i + 1), Username: username})
			if err != nil {
				firstErr = cmpErr(firstErr, err)
				continue
			}
			promised = append(promised, username)
			if err := j.WriteResult(batch.Result{Row: int64(i + 1), Username: username, Outcome: batch.Reset}); err == nil {
				settled = append(settled, username)
			}
		}
		return promised, settled, firstErr
	}
	free := new(fakeFile)
	j := start(disk.OS, free, 0, newChain(), "")
	if _, settled, err := work(j); err != nil || len(settled) != len(users) || j.Close() != nil {
		t.Fatal("the disk is not full, and still there is an error", err)
	}
	reserve := filepath.Join(t.TempDir(), "reserve")
	for _, reserveSize := range []int{0, 250, 1 << 16} {
		for size := range len(free.data) + 1 {
			full := error(syscall.ENOSPC)
			if size%2 == 1 {
				full = syscall.EDQUOT
			}
			if err := os.WriteFile(reserve, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			f := &fakeFile{refusal: full, room: func() int {
				if _, err := os.Stat(reserve); err == nil {
					return size
				}
				return size + reserveSize
			}}
			j := start(disk.OS, f, 0, newChain(), reserve)
			promised, settled, err := work(j)
			closed := j.Close()
			lines, rest := wholeLines(f.data)
			where := fmt.Sprintf("full after %d bytes with a reserve of %d", size, reserveSize)
			switch {
			case len(rest) > 0:
				t.Fatalf("%s: behind %d lines stands %q", where, len(lines), rest)
			case !containsAll(intendedIn(f.data), promised):
				t.Fatalf("%s: %q were promised, but the file has %q", where, promised, intendedIn(f.data))
			case closed == nil && !containsAll(settledIn(f.data), settled):
				t.Fatalf("%s: %q were settled, but the file has %q", where, settled, settledIn(f.data))
			case len(promised) < len(users) && !errors.Is(err, ErrFull) && !errors.Is(err, full):
				t.Fatalf("%s: the error is %v", where, err)
			case reserveSize == 1<<16 && (closed != nil || !containsAll(settledIn(f.data), promised)):
				t.Fatalf("%s: %q were promised, only %q were settled: %v", where, promised, settledIn(f.data), closed)
			}
		}
	}
}

func TestAFullDiskTakesResultsOutOfTheReserve(t *testing.T) {
	reserve := filepath.Join(t.TempDir(), "reserve")
	if err := os.WriteFile(reserve, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := &fakeFile{refusal: syscall.ENOSPC, room: func() int {
		if _, err := os.Stat(reserve); err == nil {
			return 500
		}
		return 5000
	}}
	j := start(disk.OS, f, 0, newChain(), reserve)
	var promised []string
	for len(promised) < 100 {
		username := fmt.Sprint("user", len(promised))
		err := j.WriteIntent(batch.Entry{Username: username})
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		promised = append(promised, username)
	}
	for _, username := range promised {
		if err := j.WriteResult(batch.Result{Username: username, Outcome: batch.Reset}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.End(4, "the disk is full"), j.Close()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(settledIn(f.data), promised) {
		t.Errorf("%q were promised, %q settled", promised, settledIn(f.data))
	}
	if _, err := os.Stat(reserve); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the reserve is still there: %v", err)
	}
}

func TestAFullDiskWhoseReserveIsGoneSaysThatItIsFull(t *testing.T) {
	f := &fakeFile{refusal: syscall.ENOSPC, room: func() int { return 10 }}
	j := start(disk.OS, f, 0, newChain(), filepath.Join(t.TempDir(), "reserve"))
	if err := j.WriteIntent(batch.Entry{Username: "alice"}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the intent returned %v", err)
	}
	if err := j.Close(); !errors.Is(err, syscall.ENOSPC) || len(f.data) > 0 {
		t.Errorf("Close returned %v and left %q", err, f.data)
	}
}

func TestALineTooLongToReadBackIsRefusedAndTheChainGoesOn(t *testing.T) {
	f := new(fakeFile)
	j := start(disk.OS, f, 0, newChain(), "")
	if err := j.WriteIntent(batch.Entry{Row: 1, Username: string(make([]byte, maxLine))}); err == nil {
		t.Error("a username of a MiB was promised")
	}
	long := batch.Result{Row: 2, Username: "alice", Outcome: batch.Failed, ErrorMessage: string(make([]byte, maxLine))}
	if err := j.WriteResult(long); err != nil {
		t.Errorf("a long message was not cut, but refused: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	var end int64
	for rec, err := range read("", bytes.NewReader(f.data), newChain(), &end) {
		if err != nil || rec.Username != "alice" {
			t.Errorf("%.80q, %v", rec.Username, err)
		}
	}
	if end == 0 || end != int64(len(f.data)) {
		t.Errorf("%d of %d bytes can be read back", end, len(f.data))
	}
}

// A fakeFile is an appendFile that counts, and fails when told.
type fakeFile struct {
	onSync, onTruncate func() error
	room               func() int // bytes that it may hold now
	refusal            error      // of what is more

	mu            sync.Mutex
	data          []byte
	synced        int // bytes
	writes, syncs int
}

func (f *fakeFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.room != nil {
		if fits := max(0, f.room()-len(f.data)); fits < len(p) {
			f.data = append(f.data, p[:fits]...)
			return fits, f.refusal
		}
	}
	f.data = append(f.data, p...)
	return len(p), nil
}

func (f *fakeFile) Sync() error {
	f.mu.Lock()
	size := len(f.data)
	f.syncs++
	f.mu.Unlock()
	if f.onSync != nil {
		if err := f.onSync(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.synced = size
	return nil
}

func (f *fakeFile) Truncate(size int64) error {
	if f.onTruncate != nil {
		if err := f.onTruncate(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data = f.data[:size]
	return nil
}

func (f *fakeFile) Close() error { return nil }

func (f *fakeFile) durable() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Clone(f.data[:f.synced])
}

// wholeLines reads a journal by its documentation alone: it returns the lines up to
// the last whose sha256 is that of every byte before it, and what stands behind it.
func wholeLines(file []byte) (lines []map[string]any, rest []byte) {
	sum := sha256.New()
	rest = file
	var unsealed []map[string]any
	named := make(map[any]any)
	for from := 0; ; {
		end := from + bytes.IndexByte(rest[from:], '\n') + 1
		if end == from {
			return lines, rest
		}
		var members map[string]any
		if json.Unmarshal(rest[from:end], &members) != nil {
			return lines, rest
		}
		for _, brief := range []string{"promised", "reset", "settled"} {
			row, ok := members[brief]
			if !ok {
				continue
			}
			if members["event"], members["row"] = brief, row; brief == "reset" {
				members["event"], members["outcome"] = "settled", "reset"
			}
			if members["username"] == nil {
				members["username"] = named[row]
			}
		}
		switch members["event"] {
		case "session":
			clear(named)
		case "promised":
			named[members["row"]] = members["username"]
		}
		unsealed = append(unsealed, members)
		at := bytes.LastIndex(rest[from:end], []byte(`"sha256":"`)) + len(`"sha256":"`)
		if from, at = end, from+at; members["sha256"] == nil {
			continue
		}
		sum.Write(rest[:at])
		if members["sha256"] != hex.EncodeToString(sum.Sum(nil)) {
			return lines, rest
		}
		sum.Write(rest[at:end])
		lines, rest = append(lines, unsealed...), rest[end:]
		from, unsealed = 0, nil
	}
}

func usersIn(file []byte, event string) (users []string) {
	lines, _ := wholeLines(file)
	for _, line := range lines {
		if username, ok := line["username"].(string); ok && line["event"] == event {
			users = append(users, username)
		}
	}
	return users
}

func intendedIn(file []byte) []string { return usersIn(file, "promised") }
func settledIn(file []byte) []string  { return usersIn(file, "settled") }

func containsAll(all, some []string) bool {
	known := make(map[string]bool)
	for _, s := range all {
		known[s] = true
	}
	return !slices.ContainsFunc(some, func(s string) bool { return !known[s] })
}

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// usersOf are entries to work on, numbered from row 1.
func usersOf(usernames ...string) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for i, username := range usernames {
			if !yield(batch.Entry{Row: int64(i + 1), Username: username}, nil) {
				return
			}
		}
	}
}

// newRun is a run directory about to begin.
func newRun(tb testing.TB, usernames ...string) *Dir {
	tb.Helper()
	d, err := Create(filepath.Join(tb.TempDir(), "run"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	spool(tb, d, usersOf(usernames...))
	if err := d.WriteJSON(RunFile, struct{}{}); err != nil {
		tb.Fatal(err)
	}
	return d
}

func spool(tb testing.TB, d *Dir, entries iter.Seq2[batch.Entry, error]) Survey {
	tb.Helper()
	survey, err := d.Spool(entries)
	if err != nil {
		tb.Fatal(err)
	}
	return survey
}

func replay(tb testing.TB, d *Dir) *History {
	tb.Helper()
	h, err := d.Replay()
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// session runs one session of a run in good order.
func session(tb testing.TB, d *Dir, work func(j *Journal) error) {
	tb.Helper()
	j, err := replay(tb, d).Start("v1", "roster's sum")
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(work(j), j.End(0, ""), j.Close()); err != nil {
		tb.Fatal(err)
	}
}

func journalOf(tb testing.TB, d *Dir) []byte {
	tb.Helper()
	file, err := os.ReadFile(d.File(JournalFile))
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

func collect[T any](tb testing.TB, seq iter.Seq2[T, error]) (all []T) {
	tb.Helper()
	for v, err := range seq {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// What is written by hand is read by reflection.
func TestEveryMemberOfALineIsReadBack(t *testing.T) {
	var want line
	v := reflect.ValueOf(&want).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(time.Unix(int64(i), 123456789).UTC()))
		case []stepResult:
			f.Set(reflect.ValueOf([]stepResult{{Step: "reset", Outcome: batch.Failed, Reason: batch.Disabled, Attempts: 2, FinishedAt: time.Unix(9, 0).UTC()}, {Step: "lock"}}))
		case *batch.Snapshot:
			f.Set(reflect.ValueOf(&batch.Snapshot{Status: "CONFIRMED", EmailVerified: true, ModifiedAt: time.Unix(8, 0).UTC()}))
		default:
			if f.CanInt() {
				f.SetInt(int64(i + 1))
			} else {
				f.SetString(fmt.Sprintf("%d \"quoted\"\n<é\u2028>", i))
			}
		}
	}
	raw, err := newChain().append(nil, &want)
	if err != nil {
		t.Fatal(err)
	}
	var got line
	_, damage := newChain().check(nil, raw)
	if what := cmp.Or(damage, decode(raw, time.Time{}, &got)); what != "" {
		t.Fatalf("%s: %s", raw, what)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nreads as %+v\nwant     %+v", raw, got, want)
	}
}
