package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gofrs/flock"

	"cognito-reset/batch"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("JOURNAL_TEST_HOLD"); path != "" {
		holdUntilKilled(path)
	}
	os.Exit(m.Run())
}

// holdUntilKilled is the life of another process that works in a directory.
func holdUntilKilled(path string) {
	d, err := Open(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	bufio.NewReader(os.Stdin).ReadByte()
	d.Close()
	os.Exit(0)
}

func TestALookAtTheLockIsNotTakenForWork(t *testing.T) {
	d := newRun(t, "alice")
	d.Close()
	synctest.Test(t, func(t *testing.T) {
		look := flock.New(d.File(LockFile)) // what Held does
		if looking, err := look.TryRLock(); err != nil || !looking {
			t.Fatal(err)
		}
		opened := make(chan error)
		go func() {
			d, err := Open(d.Path)
			if err == nil {
				err = d.Close()
			}
			opened <- err
		}()
		synctest.Wait()
		if err := look.Unlock(); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err != nil {
			t.Error(err)
		}
	})
}

func TestTheDirectoryOfADeadProcessIsTakenOver(t *testing.T) {
	d := newRun(t, "alice")
	d.Close()
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "JOURNAL_TEST_HOLD="+d.Path)
	stdin, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	said, _ := bufio.NewReader(stdout).ReadString('\n')
	_, err = Open(d.Path)
	holder.Process.Kill()
	holder.Wait()
	if held, ok := errors.AsType[*HeldError](err); said != "held\n" || !ok || !strings.HasPrefix(held.Holder, fmt.Sprintf("process %d on ", holder.Process.Pid)) {
		t.Fatalf("the other process says %q; taking what it holds: %v", said, err)
	}
	if d.Held() {
		t.Error("the dead still hold it")
	}
	d, err = Open(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}

func TestOnlyAnEmptyDirectoryBecomesARunDirectory(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "letter.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, ErrExists) {
		t.Errorf("Create: %v", err)
	}
	if got := filesIn(t, path); got != "letter.txt" {
		t.Errorf("it now holds %s", got)
	}
	if _, err := Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open: %v", err)
	}
	if _, err := Create(filepath.Join(path, "letter.txt")); err == nil {
		t.Error("a file became a directory")
	}
	if _, err := Create(filepath.Join(path, "letter.txt", "run")); err == nil {
		t.Error("a file became a folder of folders")
	}
}

func TestARunDirectoryIsPrivateToItsOwner(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	existing := t.TempDir()
	if err := os.Chmod(existing, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{existing, filepath.Join(t.TempDir(), "runs", "run")} {
		d, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		spool(t, d, usersOf("alice"))
		if err := d.WriteJSON(RunFile, struct{}{}); err != nil {
			t.Fatal(err)
		}
		j, err := replay(t, d).Start("", "")
		if err != nil {
			t.Fatal(err)
		}
		files := 0
		err = filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if want := fs.FileMode(0o600); !e.IsDir() && info.Mode() != want {
				t.Errorf("%s: %s, want %s", path, info.Mode(), want)
			} else if want := fs.ModeDir | 0o700; e.IsDir() && info.Mode() != want {
				t.Errorf("%s: %s, want %s", path, info.Mode(), want)
			}
			files++
			return err
		})
		if err := errors.Join(err, j.Close()); err != nil || files != 8 {
			t.Errorf("%d files, %v", files, err)
		}
		if got := filesIn(t, path); got != "holder.json journal.jsonl lock mark.json roster.jsonl run.json" {
			t.Errorf("a journal that was closed leaves %s", got)
		}
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("removed, it is still there: %v", err)
		}
	}
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	d := newRun(t)
	before := filesIn(t, d.Path)
	broken := errors.New("no more")
	for _, old := range []string{"", "old"} {
		err := d.Write(RunFile, func(f io.Writer) error {
			_, err := io.WriteString(f, old)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for what, fill := range map[string]func(f io.Writer) error{
			"an error":      func(f io.Writer) error { io.WriteString(f, "half"); return broken },
			"a closed file": func(f io.Writer) error { return f.(io.Closer).Close() },
		} {
			err := d.Write(RunFile, fill)
			if err == nil || what == "an error" && !errors.Is(err, broken) {
				t.Errorf("%s: %v", what, err)
			}
			text, err := os.ReadFile(d.File(RunFile))
			if string(text) != old || err != nil {
				t.Errorf("%s: the file holds %q, %v", what, text, err)
			}
			if after := filesIn(t, d.Path); after != before {
				t.Errorf("%s: the directory held %s and holds %s", what, before, after)
			}
		}
	}
	if err := d.Write("no/folder", func(io.Writer) error { return nil }); err == nil {
		t.Error("a file was written into a folder that is not there")
	}
}

func TestJSONComesBackAsItWasWritten(t *testing.T) {
	d := newRun(t)
	want := Survey{Rows: 3, Users: 2, SHA256: "ab", Reasons: map[batch.Reason]int64{batch.Duplicate: 1}}
	if err := d.WriteJSON("survey.json", want); err != nil {
		t.Fatal(err)
	}
	var got Survey
	if err := d.ReadJSON("survey.json", &got); err != nil || got.Rows != 3 || got.Reasons[batch.Duplicate] != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := d.WriteJSON("survey.json", func() {}); err == nil {
		t.Error("a function was written as JSON")
	}
	if err := d.ReadJSON(RosterFile+"?", &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	d.Write("bad.json", func(f io.Writer) error { _, err := io.WriteString(f, "{"); return err })
	if err := d.ReadJSON("bad.json", &got); err == nil || !strings.Contains(err.Error(), d.File("bad.json")) {
		t.Errorf("%v", err)
	}
}

// filesIn names the files of a folder, in order.
func filesIn(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// A process that dies before its run began leaves a list of users, or part of one.
// Nobody was called, so the next may begin; what is not such a rest stays.
func TestWhatWasLeftBeforeARunBeganIsNoRun(t *testing.T) {
	for name, kept := range map[string]bool{
		LockFile: false, HolderFile: false, RosterFile: false, RosterFile + ".123.tmp": false, RunFile + ".9.tmp": false,
		RunFile: true, JournalFile: true, "report.csv": true, "notes.tmp": true, "roster.jsonl.bak": true,
	} {
		path := t.TempDir()
		file := filepath.Join(path, name)
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Create(path)
		if kept {
			if _, there := os.Stat(file); !errors.Is(err, ErrExists) || there != nil {
				t.Errorf("%s: %v, and it is %v", name, err, there)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if names, err := os.ReadDir(path); err != nil || len(names) != 2 {
			t.Errorf("beside %s there are %v, %v", name, names, err)
		}
		d.Close()
	}
}

// What somebody else has put beside a run that never began is not the run's to delete.
func TestARunThatIsGivenUpLeavesWhatItDidNotWrite(t *testing.T) {
	for _, foreign := range []string{"", "notes.txt"} {
		d := newRun(t)
		if foreign != "" {
			if err := os.WriteFile(d.File(foreign), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(d.File("plan.json"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.Remove("plan.json"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(d.Path); (err == nil) != (foreign != "") {
			t.Errorf("%q: the directory: %v", foreign, err)
		} else if err == nil && filesIn(t, d.Path) != foreign+" "+LockFile && filesIn(t, d.Path) != LockFile+" "+foreign {
			t.Errorf("left is %s", filesIn(t, d.Path))
		}
	}
}

func TestADirectoryThatAnybodyCanWriteIntoIsClosed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	d := newRun(t)
	if err := errors.Join(d.Close(), os.Chmod(d.Path, 0o777)); err != nil {
		t.Fatal(err)
	}
	again, err := Open(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if info, err := os.Stat(d.Path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A process that is killed before its run began leaves what is in nobody's way.
func TestWhatAKilledPreparationLeavesIsReplaced(t *testing.T) {
	for _, name := range []string{
		RosterFile, JournalFile, SocketFile, AddressFile, HolderFile,
		"roster.jsonl.1.tmp", "mark.json.1.tmp", "run.json.1.tmp", "control.json.1.tmp", "holder.json.1.tmp",
	} {
		path := filepath.Join(t.TempDir(), "run")
		if err := errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, name), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		d, err := Create(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := os.Stat(d.File(name)); name != HolderFile && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
		d.Close()
	}
}
