package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cognito-reset/batch"
)

// unmark makes the directory one of a version that kept no mark, or as a machine
// leaves it that died before the mark was on its disk.
func unmark(t *testing.T, d *Dir) {
	t.Helper()
	if err := os.Remove(d.File(MarkFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestAJournalThatIsBehindItsMarkIsRefused(t *testing.T) {
	d := smallRun(t)
	file := journalOf(t, d)
	for size := range len(file) {
		write(t, d, file[:size])
		if _, err := d.Replay(); !isCut(err) {
			t.Fatalf("cut to %d of %d bytes: %v", size, len(file), err)
		}
	}
	if err := os.Remove(d.File(JournalFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Replay(); !isCut(err) {
		t.Errorf("deleted: %v", err)
	}
}

func isCut(err error) bool {
	_, ok := errors.AsType[*CutError](err)
	return ok
}

// A journal that is long enough, and whole in itself, is not the one of the mark.
func TestAJournalOfAnotherRunIsRefused(t *testing.T) {
	d, other := smallRun(t), smallRun(t)
	session(t, other, func(j *Journal) error { return j.WriteIntent(batch.Entry{Row: 3, Username: "carol"}) })
	write(t, d, journalOf(t, other))
	if _, err := d.Replay(); !isCut(err) {
		t.Errorf("%v", err)
	}
}

func TestAMarkMayBeBehindAndOneTornSlotLeavesTheOther(t *testing.T) {
	d := smallRun(t)
	text, err := os.ReadFile(d.File(MarkFile))
	if err != nil {
		t.Fatal(err)
	}
	for slot := range slots {
		torn := bytes.Clone(text)
		copy(torn[slot*slotSize+7:], "torn")
		if err := os.WriteFile(d.File(MarkFile), torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Replay(); err != nil {
			t.Errorf("slot %d torn: %v", slot, err)
		}
	}
	if err := os.WriteFile(d.File(MarkFile), bytes.Repeat([]byte("x"), len(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Replay(); !isCut(err) {
		t.Errorf("both torn: %v", err)
	}
}

// Nothing but this process dies: the mark is as far as the journal.
func TestTheMarkFollowsEachIntent(t *testing.T) {
	d := newRun(t)
	j, err := replay(t, d).Start("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}); err != nil {
		t.Fatal(err)
	}
	m, ok, err := d.mark()
	if size := len(journalOf(t, d)); err != nil || !ok || m.Lines != 2 || m.Bytes != int64(size) {
		t.Errorf("%+v, %t, %v; the journal has %d bytes", m, ok, err, size)
	}
}

// The mark of a process that was killed, or whose machine was, may be behind. The
// next one begins with a mark that is not, before it does anything else.
func TestASessionBeginsWithAMarkAsFarAsTheJournal(t *testing.T) {
	d := newRun(t)
	if err := replay(t, d).Begin(false); err != nil {
		t.Fatal(err)
	}
	behind, err := os.ReadFile(d.File(MarkFile))
	if err != nil {
		t.Fatal(err)
	}
	session(t, d, func(j *Journal) error { return j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}) })
	if err := os.WriteFile(d.File(MarkFile), behind, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replay(t, d).Begin(false); err != nil {
		t.Fatal(err)
	}
	m, ok, err := d.mark()
	if size := len(journalOf(t, d)); err != nil || !ok || m.Bytes != int64(size) {
		t.Errorf("%+v, %t, %v; the journal has %d bytes", m, ok, err, size)
	}
}

func TestAProcessNoticesAtItsEndThatItsJournalIsNotThere(t *testing.T) {
	for what, meddle := range map[string]func(path string) error{
		"deleted": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		},
		"appended to": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("x")
				err = errors.Join(err, f.Close())
			}
			return err
		},
	} {
		d := newRun(t)
		j, err := replay(t, d).Start("", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(j.WriteIntent(batch.Entry{Row: 1, Username: "alice"}), meddle(d.File(JournalFile))); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); !isCut(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestACopiedDirectoryIsNotTakenForTheOneThatItIsACopyOf(t *testing.T) {
	d := smallRun(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(path, os.DirFS(d.Path)); err != nil {
		t.Fatal(err)
	}
	begin := func(path string, moved bool) error {
		d, err := Open(path)
		if err != nil {
			return err
		}
		h, err := d.Replay()
		if err == nil {
			err = h.Begin(moved)
		}
		return errors.Join(err, d.Close())
	}
	if _, ok := errors.AsType[*MovedError](begin(path, false)); !ok {
		t.Error("a copy is gone on with")
	}
	for _, moved := range []bool{true, false} { // once said, it is not asked again
		if err := begin(path, moved); err != nil {
			t.Errorf("moved %t: %v", moved, err)
		}
	}
	renamed := filepath.Join(t.TempDir(), "renamed")
	if err := os.Rename(d.Path, renamed); err != nil {
		t.Skip(err)
	}
	if err := begin(renamed, false); err != nil {
		t.Errorf("a new name, of the one that there is: %v", err)
	}
}

func TestWhatIsLeftOfARunIsNoPlaceForANewOne(t *testing.T) {
	d := smallRun(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{RunFile, RosterFile, JournalFile} {
		if err := os.Remove(d.File(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if _, err := Create(d.Path); !errors.Is(err, ErrExists) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if got := filesIn(t, d.Path); !strings.Contains(got, MarkFile) {
		t.Errorf("left is %s", got)
	}
}
