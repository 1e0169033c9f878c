package roster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch"
)

// files writes each name and its content into a new folder, goes there, and
// returns the folder.
func files(t *testing.T, pairs ...string) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for pair := range slices.Chunk(pairs, 2) {
		if err := os.WriteFile(pair[0], []byte(pair[1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSeveralInputsAreReadAsOne(t *testing.T) {
	jsonl := "\"carol\"\n\"al ice\"\n\"alice\"\n"
	archive := gzipped(t, "id,username\n1,dave\n2,erin\n")
	files(t, "a.csv", "username\nalice\nbob\n", "b.csv.gz", archive)
	opened := ""
	places := Places{Stdin: strings.NewReader(jsonl), Schemes: map[string]Opener{
		"mem": func(_ context.Context, name string) (io.ReadCloser, error) {
			opened = name
			return io.NopCloser(strings.NewReader("username\nfrank\n")), nil
		},
	}}
	in, err := OpenInputs(t.Context(), []string{"a.csv", Stdin, "b.csv.gz", "mem://x/y"}, places, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if in.Format != CSV || in.Column != "username" || in.Name != "a.csv" {
		t.Errorf("%+v", in.Options)
	}
	var got []string
	for e, err := range Unique(in.Entries(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(e.Row, e.Username, e.Reason, e.Detail))
	}
	want := []string{"1alice", "2bob", "3carol", "4al icemalformed_rowstandard input:2: the username holds U+0020, which Cognito does not allow",
		"5aliceduplicatesame username as row 1", "6dave", "7erin", "8frank"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if opened != "mem://x/y" {
		t.Errorf("opened %q", opened)
	}
	wantSources := []Source{}
	whole := ""
	for _, s := range [][2]string{{"a.csv", "username\nalice\nbob\n"}, {"standard input", jsonl}, {"b.csv.gz", archive}, {"mem://x/y", "username\nfrank\n"}} {
		whole += s[1]
		wantSources = append(wantSources, Source{s[0], int64(len(s[1])), fmt.Sprintf("%x", sha256.Sum256([]byte(s[1])))})
	}
	if !slices.Equal(in.Sources(), wantSources) {
		t.Errorf("%+v; want %+v", in.Sources(), wantSources)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte(whole))); in.SHA256() != want {
		t.Errorf("%s; want %s", in.SHA256(), want)
	}
}

func TestPatternsAreExpandedInOrder(t *testing.T) {
	files(t, "b.csv", "", "a.csv", "", "[x].csv", "", "x.csv", "", "c.txt", "")
	for _, test := range []struct{ patterns, want []string }{
		{[]string{"?.csv"}, []string{"a.csv", "b.csv", "x.csv"}},
		{[]string{"c.txt", "a*"}, []string{"c.txt", "a.csv"}},
		{[]string{"[x].csv"}, []string{"[x].csv"}}, // the file, not the pattern
		{[]string{"[ab].csv"}, []string{"a.csv", "b.csv"}},
		{[]string{Stdin, "s3://b/*", "absent"}, []string{Stdin, "s3://b/*", "absent"}},
	} {
		if got, err := Expand(test.patterns); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, %v", test.patterns, got, err)
		}
	}
	for pattern, want := range map[string]string{"z*.csv": "z*.csv: no file matches", "[": "[: is not a pattern"} {
		if _, err := Expand([]string{pattern}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func TestInputsThatCannotBeUsedAreNamed(t *testing.T) {
	dir := files(t, "good.csv", "username\nalice\n", "empty.csv", "", "header.csv", "username\n", "cut.csv.gz", gzipped(t, "username\nalice\n")[:30])
	denied := errors.New("denied")
	places := Places{Stdin: strings.NewReader("username\nbob\n"), Schemes: map[string]Opener{
		"no": func(context.Context, string) (io.ReadCloser, error) { return nil, denied },
	}}
	for _, test := range []struct {
		names []string
		want  string
	}{
		{nil, "no input"},
		{[]string{"good.csv", "absent.csv"}, "absent.csv: cannot be opened: no such file"},
		{[]string{"good.csv", dir}, dir + ": is a directory"},
		{[]string{"good.csv", "empty.csv"}, "empty.csv: is empty"},
		{[]string{"header.csv", "good.csv"}, "header.csv: has a header but no rows"},
		{[]string{"good.csv", "cut.csv.gz"}, "cut.csv.gz: cannot be read: the gzip archive is cut short"},
		{[]string{"good.csv", "s3://b/k"}, "s3://b/k: nothing here reads s3:// inputs"},
		{[]string{"good.csv", "no://b/k"}, "no://b/k: cannot be opened: denied"},
		{[]string{Stdin, Stdin}, "standard input: can be read only once"},
	} {
		in, err := OpenInputs(t.Context(), test.names, places, Options{})
		if err == nil {
			for _, err = range in.Entries() {
			}
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v; want %s", test.names, err, test.want)
		}
		if _, ok := errors.AsType[*InputError](err); !ok && len(test.names) > 0 {
			t.Errorf("%q: %T", test.names, err)
		}
	}
}

func TestAPipeWithNothingInItCanBeInterrupted(t *testing.T) {
	stdin, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	go func() {
		io.WriteString(writer, "username\n"+strings.Repeat("alice\n", maxLine/6+1))
		cancel(enough)
	}()
	in, err := OpenInputs(ctx, []string{Stdin}, Places{Stdin: stdin}, Options{})
	if err == nil {
		var e batch.Entry
		for e, err = range in.Entries() {
			_ = e
		}
	}
	if !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}

func TestAnInputIsClosedHoweverItsReadingEnds(t *testing.T) {
	for rows := range 3 {
		closed := 0
		places := Places{Schemes: map[string]Opener{"mem": func(context.Context, string) (io.ReadCloser, error) {
			return closer{strings.NewReader("username\nalice\nbob\n"), &closed}, nil
		}}}
		in, err := OpenInputs(t.Context(), []string{"mem://x"}, places, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for e := range in.Entries() {
			if e.Row > int64(rows) {
				break
			}
		}
		if err := in.Close(); err != nil || closed != 1 {
			t.Errorf("after %d rows: closed %d times, %v", rows, closed, err)
		}
	}
}

type closer struct {
	io.Reader
	closed *int
}

func (c closer) Close() error { *c.closed++; return nil }
