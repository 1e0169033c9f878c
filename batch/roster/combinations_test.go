package roster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// thousand are the users that every file of the table holds.
func thousand() (users []string) {
	for i := range 1000 {
		users = append(users, []string{"user-%d", "jörg.%d@example.com", "%04d", "=cmd%d", "+4917%d", "o'neil%d"}[i%6])
		users[i] = fmt.Sprintf(users[i], i)
	}
	return users
}

// note is a cell beside a user that no separator may be looked for in.
const note = `a, b; c|d "e"`

// rowsOf is a CSV of users, with a column in front and one behind.
func rowsOf(users []string, separator, end, quoting string) string {
	quote := func(cell string) string {
		if quoting == "all" || strings.ContainsAny(cell, separator+`"`) {
			return `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		return cell
	}
	var b strings.Builder
	line := func(cells ...string) {
		for i := range cells {
			cells[i] = quote(cells[i])
		}
		b.WriteString(strings.Join(cells, separator) + end)
	}
	line("id", "User Name", "note")
	for i, user := range users {
		switch quoting {
		case "none":
			line(strconv.Itoa(i), user, "é")
		default:
			line(strconv.Itoa(i), user, note)
		}
	}
	return b.String()
}

// documentsOf are JSON of users, by what shape they have.
func documentsOf(t *testing.T, users []string) map[string]string {
	type user struct{ Username, Note string }
	list := make([]user, len(users))
	for i, name := range users {
		list[i] = user{name, note}
	}
	marshal := func(v any, indent string) string {
		text, err := json.MarshalIndent(v, "", indent)
		if err != nil {
			t.Fatal(err)
		}
		if indent == "" {
			var b bytes.Buffer
			if err := json.Compact(&b, text); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
		return string(text)
	}
	var strings, objects, joined, pretty bytes.Buffer
	for i, u := range list {
		strings.WriteString(marshal(users[i], "") + "\n")
		objects.WriteString(marshal(u, "") + "\n")
		joined.WriteString(marshal(u, ""))
		pretty.WriteString(marshal(u, "  ") + "\n")
	}
	pages := marshal(map[string]any{"Users": list[:600], "NextToken": "x"}, "\t") + marshal(map[string]any{"Users": list[600:]}, "")
	return map[string]string{
		"lines of strings": strings.String(), "lines of objects": objects.String(),
		"objects in a row": joined.String(), "objects over lines": pretty.String(),
		"array of strings": marshal(users, ""), "array of strings over lines": marshal(users, "  "), "array of objects": marshal(list, ""),
		"ListUsers": marshal(map[string]any{"Users": list}, "    "), "ListUsers on one line": marshal(map[string]any{"Users": list}, ""), "two pages": pages,
	}
}

// workbookOf is a workbook of users, whose texts stand in the sheet or in a table.
func workbookOf(t *testing.T, users []string, inSheet bool) string {
	f := excelize.NewFile()
	defer f.Close()
	row := func(i int, cells ...any) error { return f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i), &cells) }
	flush := func() error { return nil }
	if inSheet {
		w, err := f.NewStreamWriter("Sheet1")
		if err != nil {
			t.Fatal(err)
		}
		row = func(i int, cells ...any) error { return w.SetRow(fmt.Sprintf("A%d", i), cells) }
		flush = w.Flush
	}
	err := row(1, "id", "User Name", "note")
	for i, user := range users {
		if err == nil {
			err = row(i+2, i, user, note)
		}
	}
	var b bytes.Buffer
	for _, step := range []func() error{func() error { return err }, flush, func() error { return f.Write(&b) }} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// encodings are those of a text, and what --encoding is for them.
var encodings = []struct{ name, asked, bom string }{
	{"UTF-8", "", ""}, {"UTF-8 with a BOM", "", "\ufeff"},
	{"UTF-16 LE", "", "LE"}, {"UTF-16 BE", "", "BE"}, {"UTF-16 LE without a BOM", "", "le"}, {"UTF-16 BE without a BOM", "", "be"},
	{"Windows-1252", "windows-1252", "*"}, {"Latin 9", "iso-8859-15", "*"}, {"Mac OS Roman", "macintosh", "*"},
}

func encode(t *testing.T, text, asked, bom string) string {
	switch bom {
	case "", "\ufeff":
		return bom + text
	case "LE":
		return utf16(t, text, unicode.LittleEndian, unicode.UseBOM)
	case "BE":
		return utf16(t, text, unicode.BigEndian, unicode.UseBOM)
	case "le":
		return utf16(t, text, unicode.LittleEndian, unicode.IgnoreBOM)
	case "be":
		return utf16(t, text, unicode.BigEndian, unicode.IgnoreBOM)
	}
	e, err := htmlindex.Get(asked)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func compressed(t *testing.T, text, how string) string {
	switch how {
	case "gzip":
		return gzipped(t, text)
	case "zstd":
		return zstandard(t, text, zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
	return text
}

// The same users come out of every file, whatever the shape, encoding, separator,
// line ends, quotes and compression.
func TestTheSameUsersComeOutOfEveryFile(t *testing.T) {
	users, n := thousand(), 0
	check := func(what, text, encoding, compression string) {
		n++
		in, err := Open(strings.NewReader(compressed(t, text, compression)), Options{Name: "users", Encoding: encoding, Keep: nil})
		if err != nil {
			t.Errorf("%s, %s: %v", what, compression, err)
			return
		}
		got, err := short(t, in.Entries())
		if err != nil || !slices.Equal(got, users) || len(in.Notices) > 0 {
			t.Errorf("%s, %s: %d users, %v, %q", what, compression, len(got), err, in.Notices)
		}
	}
	for _, compression := range []string{"none", "gzip", "zstd"} {
		for _, encoding := range encodings {
			for _, separator := range []string{",", ";", "\t", "|"} {
				for _, end := range []string{"\n", "\r\n", "\r"} {
					for _, quoting := range []string{"none", "where needed", "all"} {
						text := encode(t, rowsOf(users, separator, end, quoting), encoding.asked, encoding.bom)
						check(fmt.Sprintf("CSV, %s, %q, %q, quotes %s", encoding.name, separator, end, quoting), text, encoding.asked, compression)
					}
				}
			}
		}
		if testing.Short() {
			continue
		}
		for shape, text := range documentsOf(t, users) {
			for _, encoding := range encodings {
				for _, end := range []string{"\n", "\r\n"} {
					text := encode(t, strings.ReplaceAll(text, "\n", end), encoding.asked, encoding.bom)
					check(fmt.Sprintf("JSON, %s, %s, %q", shape, encoding.name, end), text, encoding.asked, compression)
				}
			}
		}
		for _, inSheet := range []bool{false, true} {
			check(fmt.Sprintf("a workbook, texts in the sheet: %t", inSheet), workbookOf(t, users, inSheet), "", compression)
		}
	}
	t.Logf("%d files", n)
}

// A column that is kept comes out of every shape as it went in, and conditions and
// a nested username are about the same things.
func TestColumnsComeOutOfEveryShape(t *testing.T) {
	users := thousand()
	documents := documentsOf(t, users)
	for name, test := range map[string]struct{ text, column, note string }{
		"CSV":                {rowsOf(users, ";", "\r\n", "all"), "User Name", "note"},
		"JSON lines":         {documents["lines of objects"], "Username", "Note"},
		"an array":           {documents["array of objects"], "Username", "Note"},
		"ListUsers":          {documents["ListUsers"], "Username", "Note"},
		"a workbook":         {workbookOf(t, users, false), "User Name", "note"},
		"a workbook, stream": {workbookOf(t, users, true), "user name", "NOTE"},
	} {
		selection := Selection{Keep: []string{test.note}, Where: []Condition{{Column: test.note, Value: note}, {Column: test.column, Value: users[7]}}}
		path := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := OpenInputs(context.Background(), []string{path}, Places{}, Options{Column: test.column, Keep: selection.Columns()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rows := 0
		for e, err := range selection.Apply(in.Entries()) {
			if err != nil || !slices.Equal(e.Kept, []string{note}) || (e.Outcome == "") != (e.Username == users[7]) {
				t.Fatalf("%s: %+v, %v", name, e, err)
			}
			rows++
		}
		if rows != len(users) {
			t.Errorf("%s: %d rows", name, rows)
		}
	}
}
