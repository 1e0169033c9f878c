package roster

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"cognito-reset/batch"
	"cognito-reset/report"
)

// all reads an input to its end and checks what holds for any.
func all(t *testing.T, text string, o Options) (entries []batch.Entry, err error) {
	o.Name = "users"
	r, err := Open(strings.NewReader(text), o)
	if err != nil {
		return nil, err
	}
	for e, err := range r.Entries() {
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
		if e.Row != int64(len(entries)) {
			t.Fatalf("row %d stands at %d", e.Row, len(entries))
		}
		if e.Outcome == "" && (e.Username == "" || e.Username != trim(e.Username) || len(e.Username) > 4*maxUsername) {
			t.Fatalf("row %d is taken with username %q", e.Row, e.Username)
		}
		if e.Outcome != "" && (e.Outcome != batch.Invalid || e.Reason == "" || e.Detail == "") {
			t.Fatalf("row %d ended as %+v", e.Row, e)
		}
	}
	return entries, nil
}

func FuzzCSV(f *testing.F) {
	for _, test := range csvTests {
		f.Add(test.text, test.options.NoHeader)
	}
	f.Fuzz(func(t *testing.T, text string, noHeader bool) {
		all(t, text, Options{NoHeader: noHeader}) // whatever it is
		entries, err := all(t, text, Options{Format: CSV, NoHeader: noHeader, Delimiter: ','})
		if err != nil || strings.ContainsAny(text, "\"\r\ufeff") || strings.Contains(strings.ToLower(text), "sep=") || strings.Contains(text, "#TYPE ") || utf16Of([]byte(text)) != nil {
			return
		}
		// Without quotes every line that is more than separators is a row, but the header.
		rows, first := 0, ""
		for line := range strings.Lines(text) {
			if trim(strings.ReplaceAll(line, ",", "")) == "" {
				continue
			}
			if rows > 0 && strings.EqualFold(trim(line), first) {
				return // the header again
			}
			rows, first = rows+1, cmp.Or(first, trim(line))
		}
		if !noHeader {
			rows--
		}
		if len(entries) != rows {
			t.Errorf("%d rows, not %d", len(entries), rows)
		}
	})
}

// What encoding/csv writes comes back as it was.
func FuzzCSVRoundTrip(f *testing.F) {
	f.Add("alice", "x")
	f.Add("al,ice", "say \"hi\"\nto\r\nall")
	f.Add("\"", "\"")
	f.Fuzz(func(t *testing.T, username, other string) {
		if !plain(username) || strings.Contains(other, "\r") {
			t.Skip() // not taken as it is, or not what encoding/csv reads back
		}
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.WriteAll([][]string{{"note", "username", "mail"}, {other, username, other}, {other, "bob", ""}})
		if text.Len() > maxLine || unreadable(text.Bytes()) != "" {
			t.Skip()
		}
		entries, err := all(t, text.String(), Options{Format: CSV, Column: "username", Delimiter: ','})
		if err != nil || len(entries) != 2 || entries[0].Username != username || entries[1].Username != "bob" {
			t.Errorf("%q gave %+v, %v", text.String(), entries, err)
		}
	})
}

// Whatever a report is, whose rows are taken by their outcome, each row is a user or says
// why it is none.
func FuzzReport(f *testing.F) {
	f.Add("row,username,outcome,reason\n1,alice,failed,throttled\n2,bob,reset,\n", true)
	f.Add("row,user_pool_id,username,outcome,reason,sub\n1,p_2,alice,unknown,network,1-2\n", true)
	f.Add("username,outcome\n'=1+1,failed\nann,nonsense\n,failed\n", true)
	f.Add(`{"row":1,"username":"alice","outcome":"failed","reason":"throttled","kept":{"note":"x"}}`+"\n"+`{"username":7,"outcome":[]}`+"\n", false)
	f.Add("", false)
	f.Fuzz(func(t *testing.T, text string, isCSV bool) {
		format := map[bool]Format{true: CSV, false: JSONL}[isCSV]
		taken, err := all(t, text, Options{Format: format, Report: true, Column: "username", PoolID: "p_1", Keep: []string{"outcome", "note"}})
		if err != nil {
			return
		}
		for _, e := range taken {
			if e.Outcome == "" && len(e.Kept) != 2 {
				t.Errorf("%+v keeps other columns than were asked for", e)
			}
		}
	})
}

// What a report says of a user, however it is written, comes back as it was.
func FuzzReportRoundTrip(f *testing.F) {
	for _, text := range []string{"alice", "=1+1", "+4912", "-1", "@a", "'", "''", "'=1", "'a", "a;=1", "a,'b", "\"=1\"", "; =1", ";' =1", "＝1", "\t=", "a\n=b", "a\x00b", "a\rb", "é"} {
		f.Add(text, text)
	}
	writers := map[string]func(io.Writer, ...string) report.Writer{
		"csv": report.NewCSV, "safe csv": report.NewSafeCSV, "jsonl": report.NewJSONL,
	}
	f.Fuzz(func(t *testing.T, username, kept string) {
		if !utf8.ValidString(username) || !utf8.ValidString(kept) || len(username)+len(kept) > maxLine/8 {
			t.Skip() // no report of ours
		}
		results := []batch.Result{
			{Row: 1, Username: username, Outcome: batch.Reset, Kept: []string{kept}},
			{Row: 2, Username: "bob", Outcome: batch.Failed, Reason: batch.Other, Kept: []string{"=x"}},
			{Row: 3, Username: "carol", Outcome: batch.Invalid, Reason: batch.MalformedRow},
		}
		for name, newWriter := range writers {
			var text bytes.Buffer
			w := newWriter(&text, "=note")
			for _, r := range results {
				if err := w.Write(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			format := CSV
			if name == "jsonl" {
				format = JSONL
			}
			r, err := Open(&text, Options{Format: format, Report: true, Column: "username", Keep: []string{"=note", "outcome"}})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			row := 0
			for e, err := range r.Entries() {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				note := append(results[row].Kept, "")[0]
				if want := lineEnds(name, results[row].Username); trim(want) != e.Username {
					t.Errorf("%s: %q came back as %q", name, want, e.Username)
				}
				if e.Kept == nil || trim(lineEnds(name, note)) != e.Kept[0] || e.Kept[1] != string(results[row].Outcome) {
					t.Errorf("%s: %q came back as %q", name, note, e.Kept)
				}
				row++
			}
			if row != len(results) {
				t.Errorf("%s: %d rows", name, row)
			}
		}
	})
}

// lineEnds is what a format makes of them: readers of CSV take CRLF for LF.
func lineEnds(format, text string) string {
	if format == "jsonl" {
		return text
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

func FuzzJSONL(f *testing.F) {
	for _, test := range jsonlTests {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := all(t, text, Options{Format: JSONL, PoolID: "p"})
		if err != nil || utf16Of([]byte(text)) != nil {
			return
		}
		want := 0
		for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
			if strings.TrimSpace(line) != "" {
				want++
			}
		}
		if len(entries) < want || len(entries) > want && !strings.ContainsAny(text, `"{`) {
			t.Errorf("%d rows of %d lines", len(entries), want)
		}
	})
}

// Whatever a document of JSON is, every row of it is one that can be taken, or
// says why not.
func FuzzJSON(f *testing.F) {
	for _, test := range jsonlTests {
		f.Add(test.text, test.options.Column)
	}
	f.Add(`{"Users":[{"Username":"a","Attributes":[{"Name":"email","Value":"b"}]}],"NextToken":"x"}`, "Attributes.email")
	f.Add("[\"a\",\n{\"b\":{\"c\":\"d\"}}]", "b.c")
	f.Fuzz(func(t *testing.T, text, column string) {
		all(t, text, Options{Format: JSON, Column: column, Keep: []string{"x.y"}})
		all(t, text, Options{Column: column})
	})
}

// A condition that is taken reads back as itself, and = and != are opposites.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{"a=b", "a!=b", "a~b|c", "a!~(?i)^x$", "a==b", "=", "a = b=c ", "~(", "a!=", "ä~\\pL", "a<2026-01-31", "a >= 3"} {
		f.Add(text, "b")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		c, err := ParseCondition(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("the error says nothing")
			}
			return
		}
		again, err := ParseCondition(c.String())
		if err != nil || again.String() != c.String() {
			t.Fatalf("%q is %q, which is %q, %v", text, c, again, err)
		}
		holds, unclear := c.holds(value)
		if same, alike := again.holds(value); same != holds || (alike == nil) != (unclear == nil) {
			t.Errorf("%q and %q differ on %q", c, again, value)
		}
		opposite := c
		if opposite.Not = !c.Not; c.Order != "" {
			opposite.Not, opposite.Order = false, map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[c.Order]
		}
		if against, _ := opposite.holds(value); unclear == nil && against == holds {
			t.Errorf("%q and %q agree on %q", c, opposite, value)
		}
	})
}

// Text comes out of UTF-16 as it went in, and any bytes lose no line.
func FuzzUTF16(f *testing.F) {
	for _, text := range []string{"username\nalice\n", "username;x\njörg;Ā\n𝒶;\n", "\"alice\"\n", "username\nal\ufffdice"} {
		f.Add([]byte(utf16(f, text, unicode.LittleEndian, unicode.UseBOM)))
		f.Add([]byte(utf16(f, text, unicode.BigEndian, unicode.UseBOM)))
		f.Add([]byte(utf16(f, text, unicode.LittleEndian, unicode.IgnoreBOM)))
		f.Add([]byte(text))
	}
	f.Add([]byte("\xff\xfeu\x00\x00\xd8x"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		all(t, string(stored), Options{Encoding: "utf-16le"}) // whatever it is

		text := strings.ToValidUTF8(string(stored), "?")
		for _, endian := range []unicode.Endianness{unicode.LittleEndian, unicode.BigEndian} {
			r, decoded, err := decode(bufio.NewReader(strings.NewReader(utf16(t, text, endian, unicode.UseBOM))), "")
			if err != nil || !decoded {
				t.Fatalf("%q: %t, %v", text, decoded, err)
			}
			if got, err := io.ReadAll(r); string(got) != text || err != nil {
				t.Errorf("%q became %q, %v", text, got, err)
			}
		}
	})
}
