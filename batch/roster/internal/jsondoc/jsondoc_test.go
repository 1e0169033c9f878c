package jsondoc

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
)

// read is what a document gives: each row with its place, and the error.
func read(r io.Reader) (rows []string, partial string, err error) {
	d := New(r)
	for {
		row, err := d.Next()
		if err == io.EOF {
			return rows, d.Partial(), nil
		}
		line, column := d.Place()
		if err != nil {
			return append(rows, fmt.Sprintf("%d:%d !", line, column)), d.Partial(), err
		}
		rows = append(rows, fmt.Sprintf("%d:%d %s", line, column, row))
	}
}

var documents = []struct {
	name, text string
	want       []string
	partial    string
}{
	{"values", "\"a\" \"b\"\n{\"c\":1}", []string{`1:1 "a"`, `1:5 "b"`, `2:1 {"c":1}`}, ""},
	{"objects without anything between", `{"a":1}{"b":2}`, []string{`1:1 {"a":1}`, `1:8 {"b":2}`}, ""},
	{"an object over lines", "{\n \"a\": [1,\n 2]\n}\n{}", []string{"1:1 {\"a\":[1,\n 2]}", "5:1 {}"}, ""},
	{"an array", "[\n  \"a\",\n  {\"b\": 2}, 3]", []string{`2:3 "a"`, `3:3 {"b": 2}`, "3:13 3"}, ""},
	{"arrays", `["a"]["b"] []`, []string{`1:2 "a"`, `1:7 "b"`}, ""},
	{"an array in an array is a row", `[["a"]]`, []string{`1:2 ["a"]`}, ""},
	{"users", "{\"Users\": [\n{\"Username\": \"a\"}, {}]}", []string{`2:1 {"Username": "a"}`, "2:20 {}"}, ""},
	{"with what stands around them", `{"x":{"y":[1]},"users":["a"],"z":null}"b"`, []string{`1:25 "a"`, `1:39 "b"`}, ""},
	{"that go on", `{"Users":["a"],"NextToken":"t"}`, []string{`1:11 "a"`}, "NextToken"},
	{"by the other name, in front", `{"PaginationToken":"t","Users":["a"]}`, []string{`1:33 "a"`}, "PaginationToken"},
	{"that do not", `{"Users":["a"],"NextToken":null,"PaginationToken":""}`, []string{`1:11 "a"`}, ""},
	{"whose last page is there", `{"Users":["a"],"NextToken":"t"}` + "\n" + `{"Users":["b"]}`, []string{`1:11 "a"`, `2:11 "b"`}, ""},
	{"a token is a row's own", `{"username":"a","NextToken":"t"}`, []string{`1:1 {"username":"a","NextToken":"t"}`}, ""},
	{"nothing", " \n", nil, ""},
	{"nobody", `{"Users":[]}`, nil, ""},
}

func TestRowsAreFoundInEveryShape(t *testing.T) {
	for _, test := range documents {
		for _, r := range []io.Reader{strings.NewReader(test.text), iotest.OneByteReader(strings.NewReader(test.text))} {
			rows, partial, err := read(r)
			if !slices.Equal(rows, test.want) || partial != test.partial || err != nil {
				t.Errorf("%s: %q, %q, %v; want %q, %q", test.name, rows, partial, err, test.want, test.partial)
			}
		}
	}
}

func TestADocumentThatIsCutIsNeverAShorterList(t *testing.T) {
	for _, text := range []string{`["a",{"b":[1,"c"]}]`, `{"x":1,"Users":[{"a":1},"b"],"NextToken":"t"}`, `{"a":{"b":1}}`} {
		for size := 1; size < len(text); size++ {
			if rows, _, err := read(strings.NewReader(text[:size])); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %q, %v", text[:size], rows, err)
			}
		}
	}
}

func TestErrorsHaveAPlace(t *testing.T) {
	for text, want := range map[string]string{
		"[\n\"a\"\n\"b\"]":               "3:1 !",
		"\"a\"\nalice":                   "2:1 !",
		`{"Users":["a"],"Username":1}`:   "1:29 !",
		"{\"Username\":1,\n\"Users\":[]": "2:10 !",
	} {
		rows, _, err := read(strings.NewReader(text))
		if err == nil || len(rows) == 0 || rows[len(rows)-1] != want {
			t.Errorf("%q: %q, %v; want %s", text, rows, err, want)
		}
	}
}

func TestAValueWithoutEndIsRefused(t *testing.T) {
	for _, begin := range []string{`["`, `["a","`, `{"a":"`, `[{"a":"`, `{"Users":["`, "[" + strings.Repeat(`"a",`, 100_000) + `"`} {
		endless := io.MultiReader(strings.NewReader(begin), neverending('x'))
		if _, _, err := read(endless); !errors.Is(err, ErrTooLong) {
			t.Errorf("%.20s: %v", begin, err)
		}
	}
}

type neverending byte

func (b neverending) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// Of any text, what comes out is JSON, and what jq would call valid comes to its
// end.
func FuzzDocument(f *testing.F) {
	for _, test := range documents {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, rows := New(strings.NewReader(text)), 0
		var err error
		for {
			var row jsontext.Value
			if row, err = d.Next(); err != nil {
				break
			}
			rows++
			if !row.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
				t.Fatalf("%q gave %q", text, row)
			}
			if line, column := d.Place(); line < 1 || column < 1 || line > 1+strings.Count(text, "\n") {
				t.Fatalf("%q: a row at %d:%d", text, line, column)
			}
		}
		whole := jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		if whole && !errors.Is(err, io.EOF) && !errors.Is(err, ErrBoth) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
