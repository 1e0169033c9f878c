package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/sandbox"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// An attempt is a run of the tool on a file, in a pool that has every user of the
// tests.
type attempt struct {
	prepare string // a shell command before it, which makes of the file what the advice before said
	args    []string
	code    int
	says    string   // a pattern of stderr
	resets  []string // who is reset, and nobody else
}

// shapes are files as people have them: what becomes of each at first, and when
// the advice is followed that the message before gave.
var shapes = []struct {
	name, file string
	text       string // in place of a file of testdata/cases
	attempts   []attempt
}{
	// Without a header.
	{"a list that begins with test.user", "test-user-first.txt", "", []attempt{
		{code: exit.Usage, says: `--no-header if it is a user, or --username-column NAME, with the line as the name`},
		{args: []string{"--no-header"}, resets: []string{"test.user", "alice", "bob"}},
		{args: []string{"--username-column", "test.user"}, resets: []string{"alice", "bob"}},
	}},
	{"a list that begins with svc_user", "users.txt", "svc_user\nalice\n", []attempt{
		{code: exit.Usage, says: `--no-header`},
		{args: []string{"--no-header"}, resets: []string{"svc_user", "alice"}},
	}},
	{"columns without a header", "users.csv", "alice,alice@example.com\nbob,bob@example.com\n", []attempt{
		{code: exit.Usage, says: `the 2 columns have no known names, and are not shown.*if it is a user, with --no-header --username-column NUMBER`},
		{args: []string{"--no-header"}, code: exit.Usage, says: `say which holds the username with --username-column NUMBER`},
		{args: []string{"--username-column", "1"}, code: exit.Usage, says: `there is no column "1".*say --no-header as well`},
		{args: []string{"--no-header", "--username-column", "1"}, resets: []string{"alice", "bob"}},
	}},
	{"a header of other names", "users.csv", "Id,Login\n7,alice\n8,bob\n", []attempt{
		{code: exit.Usage, says: `--username-column NAME; the columns are "Id", "Login"`},
		{args: []string{"--username-column", "Login"}, resets: []string{"alice", "bob"}},
	}},
	{"a title above the header", "users.csv", "Leaked accounts,\n\nId,User name\n7,alice\n8,bob\n", []attempt{
		{code: exit.Usage, says: `users.csv:1: the header is not the first line, but at users.csv:3: delete what is above it`},
		{prepare: `tail -n +3 users.csv >below.csv`, args: []string{"--input", "below.csv"}, resets: []string{"alice", "bob"}},
	}},
	{"a header that is called none", "users.csv", "username,email\nalice,a@example.com\n", []attempt{
		{args: []string{"--no-header", "--username-column", "1"}, code: exit.Usage, says: `users.csv:1: this line is a header, not a user: leave --no-header out`},
		{resets: []string{"alice"}},
	}},

	// An exclude list is read like an input, with flags of its own.
	{"an exclude list that begins with admin-user", "input-for-exclude.csv", "", []attempt{
		{args: []string{"--exclude", "exclude-admin-user-first.txt"}, code: exit.Usage, says: `exclude-admin-user-first.txt:1: .*--exclude-no-header if it is a user, or --exclude-username-column NAME`},
		{args: []string{"--exclude", "exclude-admin-user-first.txt", "--exclude-no-header"}, resets: []string{"alice"}},
		{args: []string{"--exclude", "exclude-admin-user-first.txt", "--exclude-username-column", "admin-user"}, resets: []string{"admin-user", "alice"}},
		{prepare: `(echo username; cat exclude-admin-user-first.txt) >headed.txt`, args: []string{"--exclude", "headed.txt"}, resets: []string{"alice"}},
	}},
	{"an exclude list in a workbook", "users.csv", "username\nann\nadmin\nalice\n", []attempt{
		{args: []string{"--exclude", "users.xlsx"}, says: `users.xlsx: only sheet "Leaked" is read, not "Staff"; --exclude-sheet NAME reads another`, resets: []string{"admin", "alice"}},
		{args: []string{"--exclude", "users.xlsx", "--exclude-sheet", "Staff"}, resets: []string{"ann", "alice"}},
		{args: []string{"--exclude", "users.xlsx", "--exclude-sheet", "nope"}, code: exit.Usage, says: `there is no sheet "nope"; they are "Leaked", "Staff"`},
		{args: []string{"--exclude-sheet", "Staff"}, code: exit.Usage, says: `say how the files of --exclude are read`},
	}},
	{"an exclude list of two exports", "users.csv", "username\nann\nbob\ncarl\n", []attempt{
		{args: []string{"--exclude", "two-exports.csv"}, says: `two-exports.csv:3: the header comes again`, resets: []string{"carl"}},
		{args: []string{"--exclude", "old.xls"}, code: exit.Usage, says: `an Excel 97 workbook`},
	}},
	{"an exclude list that is not whole", "users.csv", "username\nann\nbob\n", []attempt{
		{prepare: `echo '{"Users":[{"Username":"ann"}],"NextToken":"x"}' >part.json`, args: []string{"--exclude", "part.json"}, code: exit.Usage, says: `the list of users to leave out is not whole`},
	}},
	{"an exclude list in Windows-1252", "users.csv", "username,x\nann,ü\njörg,ü\n", []attempt{
		{prepare: `printf 'username,x\nj\366rg,\374\n' >old.csv`, args: []string{"--exclude", "old.csv"}, code: exit.Usage, says: `old.csv:2:1: this is not UTF-8.*--exclude-encoding windows-1252`},
		{prepare: `printf 'username,x\nj\366rg,\374\n' >old.csv`, args: []string{"--exclude", "old.csv", "--exclude-encoding", "windows-1252"}, resets: []string{"ann"}},
		{prepare: `printf 'username,x\nj\366rg,\374\n' | iconv -f windows-1252 -t utf-8 >old.csv`, args: []string{"--exclude", "old.csv"}, resets: []string{"ann"}},
	}},

	// Excel's and PowerShell's CSV.
	{"cells that are missing", "excel-ragged.csv", "", []attempt{{resets: []string{"ann", "bob", "carl", "dee"}}}},
	{"rows of separators", "excel-blank-rows.csv", "", []attempt{{resets: []string{"ann"}}}},
	{"cells to spare", "users.csv", "username,x\nann,1,,\nbob,2,3\ncarl,1\n", []attempt{{code: exit.SomeFailed, resets: []string{"ann", "carl"}}}},
	{"sep= in quotes", "sep-quoted.csv", "", []attempt{{resets: []string{"ann"}}}},
	{"sep= in capitals", "sep-capitals.csv", "", []attempt{{resets: []string{"ann"}}}},
	{"#TYPE", "powershell-type.csv", "", []attempt{{resets: []string{"ann"}}}},
	{"two exports", "two-exports.csv", "", []attempt{{says: `two-exports.csv:3: the header comes again, once in all; it is not taken for a user`, resets: []string{"ann", "bob"}}}},
	{"two exports with other columns", "users.csv", "username,email\nann,a@example.com\nemail,username\nb@example.com,bob\n", []attempt{
		{code: exit.Usage, says: `users.csv:3: this line is another header than the first: split the file before it and give both parts`},
		{prepare: `head -n 2 users.csv >1.csv; tail -n +3 users.csv >2.csv`, args: []string{"--input", "1.csv", "--input", "2.csv"}, resets: []string{"ann", "bob"}},
	}},
	{"a user who is called username", "users.txt", "email\nusername\nann\n", []attempt{
		{code: exit.Usage, says: `users.txt:2: this line is another header.*as JSON lines, in quotes`},
		{prepare: `printf '"username"\n"ann"\n' >users.jsonl`, args: []string{"--input", "users.jsonl"}, resets: []string{"username", "ann"}},
	}},
	{"lines that end in CR", "users.csv", "username,x\rann,1\rbob,2\r", []attempt{{resets: []string{"ann", "bob"}}}},
	{"some lines that end in CR", "users.csv", "username,x\rann,1\nbob,2\n", []attempt{
		{code: exit.Usage, says: `some lines end in CR alone: turn these into others, such as with tr '\\r' '\\n'`},
		{prepare: `tr '\r' '\n' <users.csv >lf.csv`, args: []string{"--input", "lf.csv"}, resets: []string{"ann", "bob"}},
	}},
	{"Windows-1252", "users.csv", "username,x\nann,1\nj\xf6rg,2\n", []attempt{
		{code: exit.Usage, says: `users.csv:3:1: this is not UTF-8.*iconv -f windows-1252 -t utf-8, or say --encoding windows-1252`},
		{args: []string{"--encoding", "windows-1252"}, resets: []string{"ann", "jörg"}},
		{prepare: `iconv -f windows-1252 -t utf-8 users.csv >utf8.csv`, args: []string{"--input", "utf8.csv"}, resets: []string{"ann", "jörg"}},
	}},

	// JSON.
	{"what list-users prints", "list-users.json", "", []attempt{
		{resets: []string{"e0bcf0af-230c-4677-92b8-4b39575b25fc", "e6e64625-2323-4a75-bc9b-36784d6cc9db", "14b70df5-0f21-4c45-a80d-e97765f50a3a"}},
		{args: []string{"--where", "Attributes.email~carol"}, resets: []string{"14b70df5-0f21-4c45-a80d-e97765f50a3a"}},
		{args: []string{"--username-column", "email"}, code: exit.Usage, says: `no row has a key "email"; .*"Attributes.email"`},
		{args: []string{"--format", "jsonl"}, code: exit.Usage, says: `this is a JSON document, not JSON lines: say --format json, or auto`},
		{args: []string{"--format", "json", "--limit", "1"}, resets: []string{"e0bcf0af-230c-4677-92b8-4b39575b25fc"}},
	}},
	{"on one line", "list-users-one-line.json", "", []attempt{{resets: []string{"ann", "bob"}}}},
	{"a part of it", "page.json", `{"Users":[{"Username":"ann"}],"PaginationToken":"x"}` + "\n", []attempt{
		{says: `page.json: the list is not whole: it ends with a PaginationToken.*add the pages that are missing`, resets: []string{"ann"}},
		{prepare: `(cat page.json; echo '{"Users":[{"Username":"bob"}]}') >all.json`, args: []string{"--input", "all.json"}, resets: []string{"ann", "bob"}},
	}},
	{"an array of strings", "array-of-strings.json", "", []attempt{{resets: []string{"ann", "bob"}}}},
	{"an array of objects", "array-of-objects.json", "", []attempt{{resets: []string{"ann", "bob"}}}},
	{"objects without line ends", "objects-without-line-ends.json", "", []attempt{{resets: []string{"ann", "bob", "carl"}}}},
	{"lines put together without a line end", "users.jsonl", "{\"username\":\"ann\"}\n{\"username\":\"bob\"}{\"username\":\"carl\"}\n", []attempt{{resets: []string{"ann", "bob", "carl"}}}},
	{"a name one level down", "nested.jsonl", "", []attempt{
		{code: exit.Usage, says: `no row has a key "username"; .*NAME.NAME for one a level down; the keys are "attributes.email", "attributes.username", "user.username"`},
		{args: []string{"--username-column", "attributes.username"}, code: exit.SomeFailed, resets: []string{"ann"}},
	}},
	{"no known key", "no-known-key.ndjson", "", []attempt{
		{code: exit.Usage, says: `no row has a key "username"; say which holds it with --username-column NAME.*the keys are "Email", "Email Verified", "Id"`},
		{args: []string{"--username-column", "Email"}, resets: []string{"ann@example.com", "bob@example.com"}},
	}},
	{"an object of users", "users.json", `{"ann":{"email":"x"},"bob":{"email":"y"}}`, []attempt{{code: exit.Usage, says: `no key has a known name, so none is shown in case it is a user`}}},
	{"JSON that is cut short", "users.json", `[{"username":"ann"},{"username":"bob"}`, []attempt{{code: exit.Usage, says: `users.json:1:39: the JSON ends too early: it is cut short`}}},
	{"CSV that is called JSON", "users.json", "username\nann\n", []attempt{
		{code: exit.Usage, says: `this is not JSON; if it is CSV, say --format csv`},
		{args: []string{"--format", "csv"}, resets: []string{"ann"}},
	}},

	// What is no list.
	{"text of the AWS CLI", "output-text.txt", "", []attempt{
		{code: exit.Usage, says: `3 values on one line: put one on each, such as with tr '\\t' '\\n', and say --no-header`},
		{args: []string{"--no-header"}, code: exit.Usage, says: `3 values on one line`},
		{args: []string{"--no-header", "--username-column", "1"}, code: exit.Usage, says: `3 values on one line`},
		{prepare: `tr '\t' '\n' <output-text.txt >lines.txt`, args: []string{"--input", "lines.txt", "--no-header"},
			resets: []string{"e0bcf0af-230c-4677-92b8-4b39575b25fc", "e6e64625-2323-4a75-bc9b-36784d6cc9db", "14b70df5-0f21-4c45-a80d-e97765f50a3a"}},
	}},
	{"names on one line", "users.txt", "ann bob carl\n", []attempt{
		{code: exit.Usage, says: `3 values on one line: put one on each, such as with tr ' ' '\\n', and say --no-header`},
		{args: []string{"--no-header"}, code: exit.Usage, says: `3 values on one line`},
		{prepare: `tr ' ' '\n' <users.txt >lines.txt`, args: []string{"--input", "lines.txt", "--no-header"}, resets: []string{"ann", "bob", "carl"}},
	}},
	{"YAML", "users.yaml", "Users:\n- Username: ann\n  Enabled: true\n", []attempt{
		{code: exit.Usage, says: `this is YAML`},
		{args: []string{"--no-header"}, code: exit.Usage, says: `this is YAML.*ask for --output json instead`},
	}},
	{"a list in YAML", "users.txt", "- ann\n- bob\n", []attempt{{args: []string{"--no-header"}, code: exit.Usage, says: `this is YAML`}}},
	{"a saved web page", "users.csv", "<table>\n<tr><td>ann</td></tr>\n</table>\n", []attempt{
		{code: exit.Usage, says: `this is a web page \(HTML\)`},
		{args: []string{"--no-header"}, code: exit.Usage, says: `this is a web page \(HTML\)`},
	}},
	{"a table of Markdown", "users.md", "| username |\n|----------|\n| ann      |\n", []attempt{
		{code: exit.Usage, says: `this is a table drawn for people`},
		{args: []string{"--no-header"}, code: exit.Usage, says: `this is a table drawn for people`},
	}},
	{"a PDF", "users.pdf", "%PDF-1.7\n", []attempt{{code: exit.Usage, says: `this is a PDF`}}},
	{"an old workbook", "old.xls", "", []attempt{{code: exit.Usage, says: `this is an Excel 97 workbook \(.xls\): save it as .xlsx or CSV`}}},
	{"an OpenDocument spreadsheet", "sheet.ods", "", []attempt{{code: exit.Usage, says: `this is an OpenDocument spreadsheet \(.ods\): save it as .xlsx or CSV`}}},

	// A workbook.
	{"a workbook", "users.xlsx", "", []attempt{
		{says: `users.xlsx: only sheet "Leaked" is read, not "Staff"; --sheet NAME reads another`, resets: []string{"ann", "bob", "carl", "1002003", "=cmd", "fay1", "gina"}},
		{args: []string{"--sheet", "Staff"}, resets: []string{"admin"}},
		{args: []string{"--sheet", "Plan"}, code: exit.Usage, says: `there is no sheet "Plan"; they are "Leaked", "Staff"`},
		{args: []string{"--where", "Plan=gold", "--keep-column", "Seen"}, resets: []string{"ann", "1002003"}},
		{args: []string{"--username-column", "Nope"}, code: exit.Usage, says: `there is no column "Nope"; the columns are "Username", "Email", "Phone", "Plan", "Seen"`},
		{args: []string{"--username-column", "Phone", "--where", "Phone!="}, resets: []string{"+491701234567", "491701234568"}},
		{args: []string{"--username-column", "Seen"}, code: exit.SomeFailed},
		{args: []string{"--no-header", "--username-column", "1"}, code: exit.Usage, says: `users.xlsx: Leaked!1: this line is a header, not a user`},
		{args: []string{"--format", "csv"}, code: exit.Usage, says: `this is not csv, but an Excel workbook or another zip archive: leave --format out`},
		{prepare: `gzip -k users.xlsx`, args: []string{"--input", "users.xlsx.gz", "--sheet", "Staff"}, resets: []string{"admin"}},
	}},
	{"what is called a workbook", "users.xlsx", "username\nann\n", []attempt{
		{args: []string{"--format", "xlsx"}, code: exit.Usage, says: `this is not an Excel workbook: leave --format out`},
		{resets: []string{"ann"}},
	}},
}

func TestFilesAsPeopleHaveThem(t *testing.T) {
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			t.Parallel()
			for _, a := range shape.attempts {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS("testdata/cases")); err != nil {
					t.Fatal(err)
				}
				if shape.text != "" {
					os.Remove(filepath.Join(dir, shape.file))
					if err := os.WriteFile(filepath.Join(dir, shape.file), []byte(shape.text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if a.prepare != "" {
					cmd := exec.Command("sh", "-c", a.prepare)
					if cmd.Dir = dir; cmd.Run() != nil {
						t.Fatal(a.prepare)
					}
				}
				a.try(t, dir, shape.file)
			}
		})
	}
}

// everybody are the users of the pool.
func everybody() (names []string) {
	for _, shape := range shapes {
		for _, a := range shape.attempts {
			names = append(names, a.resets...)
		}
	}
	return append(names, "break-glass", "Username", "email", "header", "x", "<table>", "- ann", "2")
}

// try runs the tool and looks at what became of the pool.
func (a attempt) try(t *testing.T, dir, file string) {
	pool := sandbox.New(sandbox.Config{PoolID: "us-east-1_Sandbox"})
	for _, name := range everybody() {
		u := sandbox.NewUser(name)
		u.Created = time.Now().Add(-time.Hour)
		pool.Add(u)
	}
	server := httptest.NewServer(pool)
	defer server.Close()
	args := []string{"run", "--user-pool-id", "us-east-1_Sandbox", "--endpoint-url", server.URL, "--rate", "0", "--yes", "--run", "record"}
	if !slices.Contains(a.args, "--input") {
		args = append(args, "--input", file)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "cognito-reset", append(args, a.args...)...)
	cmd.Dir, cmd.Env = dir, noAccount()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	code, what := cmd.ProcessState.ExitCode(), strings.Join(a.args, " ")
	if code != a.code || !regexp.MustCompile(a.says).MatchString(stderr.String()) {
		t.Errorf("%s: ended with %d, not %d, and said\n%swant %s", what, code, a.code, &stderr, a.says)
	}
	var reset []string
	for _, m := range pool.Outbox() {
		reset = append(reset, m.Username)
	}
	slices.Sort(reset)
	want := slices.Clone(a.resets)
	slices.Sort(want)
	if !slices.Equal(reset, want) {
		t.Errorf("%s: %q were reset, not %q; it said\n%s", what, reset, want, &stderr)
	}
	// No message names a user, but in what was typed.
	for _, name := range []string{"alice", "bob", "ann@", "e0bcf0af", "test.user", "admin-user", "svc_user", "carl"} {
		if strings.Contains(stderr.String(), name) && !strings.Contains(what, name) && !strings.Contains(file, name) {
			t.Errorf("%s: %q is in\n%s", what, name, &stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "record")); (err == nil) != (code != exit.Usage) {
		t.Errorf("%s: the record: %v", what, err)
	}
}
