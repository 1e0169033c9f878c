// Package kind recognizes files that are no list of users, so that they can be
// refused by name.
package kind

import (
	"bytes"
	"regexp"
	"strings"
)

// Peek is how many bytes tell what a file is.
const Peek = 64 << 10

// IsZip reports whether a file is a zip archive, as Excel's workbooks are.
func IsZip(head []byte) bool {
	return bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06"))
}

// magic is how files begin that are not text, and what to do with them.
var magic = []struct{ begins, what string }{
	{"%PDF-", "this is a PDF, not a list: export the list as CSV or .xlsx from where the PDF was made"},
	{`{\rtf`, "this is an RTF document, not a list: save its table as CSV or .xlsx"},
	{"PAR1", "this is Parquet: export it as CSV or JSON lines"},
	{"SQLite format 3\x00", "this is an SQLite database: export the table of users as CSV"},
	{"Rar!\x1a\x07", "this is a RAR archive: unpack it and give the files in it"},
	{"7z\xbc\xaf\x27\x1c", "this is a 7-Zip archive: unpack it and give the files in it"},
	{"BZh", "this is a bzip2 archive: unpack it with bunzip2"},
	{"\xfd7zXZ\x00", "this is an xz archive: unpack it with unxz"},
	{"\x89PNG", "this is a picture, not a list"},
	{"\xff\xd8\xff", "this is a picture, not a list"},
}

// OfBytes says what a file is that is not text, and what to do with it; "" if it
// does not look like one. A zip archive takes all of it to say.
func OfBytes(head []byte) string {
	if bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) {
		return ole(head)
	}
	for _, m := range magic {
		if bytes.HasPrefix(head, []byte(m.begins)) {
			return m.what
		}
	}
	return ""
}

// ole tells apart what Office keeps in its old container.
func ole(head []byte) string {
	has := func(stream string) bool { // by its name in UTF-16
		return bytes.Contains(head, []byte(strings.Join(strings.Split(stream, ""), "\x00")))
	}
	switch {
	case has("EncryptedPackage"):
		return "this is a workbook with a password: save it without one"
	case has("WordDocument"):
		return "this is a Word document (.doc): save its table as .xlsx or CSV"
	}
	return "this is an Excel 97 workbook (.xls): save it as .xlsx or CSV"
}

var (
	pairLine = regexp.MustCompile(`^(- +)?["']?[A-Za-z_][\w .:-]*["']?:(\s|$)`)
	listLine = regexp.MustCompile(`^-(\s|$)`)
	ruleLine = regexp.MustCompile(`^[-+=|: ]*(--|==)[-+=|: ]*$`)
)

// OfText says what text is that is no list, in UTF-8, and what to do with it; ""
// if it does not look like any. It must hold the beginning of the text.
func OfText(text []byte) string {
	lines := beginning(string(text))
	if len(lines) == 0 {
		return ""
	}
	first, second := strings.TrimSpace(lines[0]), ""
	if len(lines) > 1 {
		second = lines[1]
	}
	lower := strings.ToLower(strings.Join(lines, "\n"))
	switch {
	case strings.HasPrefix(first, "<"):
		return ofMarkup(lower)
	case isRule(first) && first != "---", isRule(strings.TrimSpace(second)):
		return "this is a table drawn for people (Markdown, or --output table): ask for JSON or CSV instead"
	case strings.HasPrefix(first, "USERS\t"), strings.HasPrefix(first, "ATTRIBUTES\t"):
		return "this is --output text of the AWS CLI, with more than the usernames: ask for --output json instead"
	case strings.HasPrefix(lower, "dn:"):
		return "this is LDIF: export the users as CSV"
	case first == "---", strings.HasPrefix(first, "%YAML"),
		isYAML(first) && (second == "" || isYAML(strings.TrimSpace(second)) || strings.HasPrefix(second, "  ")):
		return "this is YAML, not a list: ask for --output json instead, or convert it to JSON"
	}
	return ""
}

// beginning is the first few lines that are not blank.
func beginning(text string) (lines []string) {
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if lines = append(lines, strings.TrimRight(line, " \t")); len(lines) == 4 {
			break
		}
	}
	return lines
}

// isYAML reports whether a line is like those of YAML.
func isYAML(line string) bool {
	return listLine.MatchString(line) || pairLine.MatchString(line)
}

// isRule reports whether a line is drawn between the header of a table and its rows.
func isRule(line string) bool {
	if strings.ContainsAny(line, "─═━") && strings.Trim(line, "─═━┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬│║┃┏┓┳┗┛┻┣┫╋┡┩╇ ") == "" {
		return true
	}
	return len(line) > 2 && ruleLine.MatchString(line)
}

// ofMarkup tells XML from HTML, in lower case.
func ofMarkup(text string) string {
	switch {
	case strings.Contains(text, "urn:schemas-microsoft-com:office:spreadsheet"), strings.Contains(text, "excel.sheet"):
		return "this is an XML spreadsheet of Excel 2003: save it as .xlsx or CSV"
	case strings.HasPrefix(text, "<?xml") && !strings.Contains(text, "<html"):
		return "this is XML, not a list: export the users as CSV or JSON"
	case strings.HasPrefix(text, "<!doctype html"), strings.Contains(text, "<html"), strings.Contains(text, "<table"),
		strings.Contains(text, "<head"), strings.Contains(text, "<body"), strings.Contains(text, "<meta"), strings.Contains(text, "<div"):
		return "this is a web page (HTML), not a list: export the list as CSV, or open it in a spreadsheet and save it as .xlsx"
	case regexp.MustCompile(`^</?[a-z!?][^>]*>`).MatchString(text):
		return "this is HTML or XML, not a list: export the users as CSV or JSON"
	}
	return ""
}
