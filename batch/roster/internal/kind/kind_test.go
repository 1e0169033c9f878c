package kind

import (
	"strings"
	"testing"
	"unicode/utf8"
)

var noLists = []struct{ text, want string }{
	{"%PDF-1.7\n", "PDF"},
	{"{\\rtf1\\ansi", "RTF"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 500), "Excel 97 workbook (.xls): save it as .xlsx or CSV"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00", "password"},
	{"PAR1\x15", "Parquet"},
	{"\xfd7zXZ\x00\x00", "xz archive"},
	{"<!DOCTYPE html>\n<html>", "web page (HTML)"},
	{"\n  <table>\n<tr><td>ann</td></tr>", "web page (HTML)"},
	{"<tr>\n<td>ann</td>", "HTML or XML"},
	{"<?xml version=\"1.0\"?>\n<users/>", "XML"},
	{"<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel.Sheet\"?>", "XML spreadsheet of Excel 2003"},
	{"| Username | Email |\n|----------|:-----:|\n| ann | a@x |", "table drawn for people"},
	{"username | email\n--- | ---\nann | a@x", "table drawn for people"},
	{" username \n----------\n ann\n", "table drawn for people"},
	{"+------+\n| User |\n+------+\n", "table drawn for people"},
	{"-----------\n|ListUsers|\n+---------+", "table drawn for people"},
	{"┌──────┐\n│ user │", "table drawn for people"},
	{"Users:\n- Attributes:\n  - Name: sub\n", "YAML"},
	{"---\n- ann\n- bob\n", "YAML"},
	{"- ann\n- bob\n", "YAML"},
	{"- Username: ann\n", "YAML"},
	{"Username: ann\nEnabled: true\n", "YAML"},
	{"dn: uid=ann,dc=example\nuid: ann\n", "LDIF"},
	{"USERS\tTrue\tCONFIRMED\tann\n", "--output text"},
}

func TestWhatIsNoListIsNamed(t *testing.T) {
	for _, test := range noLists {
		got := OfBytes([]byte(test.text))
		if utf8.ValidString(test.text) && got == "" {
			got = OfText([]byte(test.text))
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%.20q: %q; want %s", test.text, got, test.want)
		}
	}
}

func TestListsAreNoneOfThese(t *testing.T) {
	for _, text := range []string{
		"", "\n", "username\nann\n", "cognito:username,email\nann,a@x\n", "user-id\n-1\n--\n", "a:b\nc:d\n", "ann\n-\n", "--x\n", "=cmd\n", "+4917\n",
		"{\"a\": 1}\n", "[\n\"a\"\n]", "\"a: b\"\n\"c\"\n", "username|email\nann|a@x\n|\n", "name: x,username\n1,ann\n", "<3\nann\n", "id,note\n1,<b>\n",
	} {
		if got := OfBytes([]byte(text)) + OfText([]byte(text)); got != "" {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// No text is too odd to be looked at, and no answer repeats any of it.
func FuzzKind(f *testing.F) {
	for _, test := range noLists {
		f.Add(test.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, got := range []string{OfBytes([]byte(text)), OfText([]byte(text))} {
			if got != "" && !strings.HasPrefix(got, "this is ") {
				t.Errorf("%q: %q", text, got)
			}
		}
	})
}
