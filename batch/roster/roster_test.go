package roster

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"cognito-reset/batch"
)

// read returns what an input gives, in short: a username, or !reason.
func read(t *testing.T, text string, o Options) (rows []string, err error) {
	t.Helper()
	if o.Name == "" {
		o.Name = "users"
	}
	r, err := Open(strings.NewReader(text), o)
	if err != nil {
		return nil, err
	}
	return short(t, r.Entries())
}

func short(t *testing.T, entries iter.Seq2[batch.Entry, error]) (rows []string, err error) {
	t.Helper()
	for e, err := range entries {
		if err != nil {
			return rows, err
		}
		if e.Row != int64(len(rows)+1) {
			t.Errorf("row %d follows row %d", e.Row, len(rows))
		}
		if e.Outcome == "" {
			rows = append(rows, e.Username)
		} else {
			rows = append(rows, "!"+string(e.Reason))
		}
		if e.Outcome == batch.Invalid && !strings.HasPrefix(e.Detail, "users:") {
			t.Errorf("row %d does not name its place: %q", e.Row, e.Detail)
		}
	}
	return rows, nil
}

var csvTests = []struct {
	name, text string
	options    Options
	want       []string
}{
	{"the column is found by its name", "id,username,mail\n1,alice,a@x\n2,bob,b@x\n", Options{}, []string{"alice", "bob"}},
	{"in any of its spellings", "Id;cognito:username\n1;alice\n", Options{}, []string{"alice"}},
	{"with spaces and capitals", " User Name ,x\nalice,1\n", Options{}, []string{"alice"}},
	{"or is the only one", "email\na@x\nb@x\n", Options{}, []string{"a@x", "b@x"}},
	{"or is named", "name,mail\nA,a@x\n", Options{Column: "Mail"}, []string{"a@x"}},
	{"the exact name wins", "mail,Mail\na,b\n", Options{Column: "Mail"}, []string{"b"}},
	{"without a header every line is a row", "alice\nbob\n", Options{NoHeader: true}, []string{"alice", "bob"}},
	{"and the column is a number", "1,alice\n2,bob\n", Options{NoHeader: true, Column: "2"}, []string{"alice", "bob"}},
	{"tabs", "id\tusername\n1\talice\n", Options{}, []string{"alice"}},
	{"pipes", "id|username\n1|alice\n", Options{}, []string{"alice"}},
	{"any delimiter", "id^username\n1^alice\n", Options{Delimiter: '^'}, []string{"alice"}},
	{"Excel's hint", "sep=;\nid;username\n1;alice\n", Options{}, []string{"alice"}},
	{"BOM and CRLF", "\ufeffusername\r\nalice\r\nbob\r\n", Options{}, []string{"alice", "bob"}},
	{"no line end at the end", "username\nalice", Options{}, []string{"alice"}},
	{"quotes", "username,x\n\"al,ice\",\"say \"\"hi\"\"\"\n", Options{}, []string{"al,ice"}},
	{"a quoted header", "\"id\",\"username\"\n1,alice\n", Options{}, []string{"alice"}},
	{"a field of several lines", "username,note\nalice,\"one\ntwo\"\nbob,x\n", Options{}, []string{"alice", "bob"}},
	{"blank lines are not rows", "username\n\nalice\n  \n\nbob\n\n", Options{}, []string{"alice", "bob"}},
	{"white space around a username is cut", "username\n alice \n\u00a0bob\u200b\n", Options{}, []string{"alice", "bob"}},
	{"an empty username is a row", "username,x\n,1\nbob,2\n", Options{}, []string{"!empty_username", "bob"}},
	{"a line of delimiters alone is blank", "username,x\n,\nbob,2\n , \n\t,\n", Options{}, []string{"bob"}},
	{"also of tabs", "username\tx\n\t\nbob\t2\n\t2\n", Options{}, []string{"bob", "!empty_username"}},
	{"128 characters are allowed, 129 not", "username\n" + strings.Repeat("ä", 128) + "\n" + strings.Repeat("a", 129) + "\n", Options{}, []string{strings.Repeat("ä", 128), "!username_too_long"}},
	{"an inner space is not allowed", "username\nal ice\n", Options{}, []string{"!malformed_row"}},
	{"nor is a control character", "username\nal\x01ice\n" + strings.Repeat("user\n", 50), Options{}, append([]string{"!malformed_row"}, slices.Repeat([]string{"user"}, 50)...)},
	{"a number that a spreadsheet ruined is nobody", "username;x\n4,91701E+11;1\n4.91701E+11;2\n4.91701E+11;3\n491701234567;4\n12e5;5\n", Options{}, []string{"!mangled_number", "!mangled_number", "!mangled_number", "491701234567", "12e5"}},
	{"phone numbers are read as people write them", "phone\n+49 170 1234567\n00491701234567\n'+491701234567\n0170/1234567\n4.91701E+11\nann\n", Options{Phones: true}, []string{"+491701234567", "+491701234567", "+491701234567", "!unknown_country", "!mangled_number", "!malformed_row"}},
	{"of a country that is said", "phone\n0170/1234567\n+1 201 555 0123\n", Options{Phones: true, PhoneCountry: "DE"}, []string{"+491701234567", "+12015550123"}},
	{"any name may be a phone number with spaces", "username\n0170 1234567\nann\nann lee\n0170/1234567\n", Options{AnyName: true, PhoneCountry: "DE"}, []string{"+491701234567", "ann", "!malformed_row", "0170/1234567"}},
	{"Latin-1 can be said", "username,x\nj\xf6rg,1\nbob,\x80\n", Options{Encoding: "windows-1252"}, []string{"jörg", "bob"}},
	{"a BOM says more", "\ufeffusername,x\njörg,1\n", Options{Encoding: "windows-1252"}, []string{"jörg"}},
	{"so can UTF-8", "username,x\njörg,1\n", Options{Encoding: "utf-8"}, []string{"jörg"}},
	{"bytes that are not of the encoding", "username,x\n\x81\x20,1\nbob,2\n", Options{Encoding: "shift_jis"}, []string{"!malformed_row", "bob"}},
	{"outside the username Latin-1 does not matter", "username,x\nbob,j\xf6rg\n", Options{}, []string{"bob"}},
	{"a field too many might have shifted the columns", "username,x\nalice,1,2\nbob,1\n", Options{}, []string{"!malformed_row", "bob"}},
	{"but not an empty one", "username,x\nalice,1,,\nbob,1,\n", Options{}, []string{"alice", "bob"}},
	{"fields that are missing are the last", "username,x,y\nalice\nbob,1\n", Options{}, []string{"alice", "bob"}},
	{"also if one of them is the username", "x,username\nalice\n1,bob\n", Options{}, []string{"!empty_username", "bob"}},
	{"but not among the lines of a text", "username,x,y\nann,\"one\nbob\ncarol,1\"\ndave,1,2\n", Options{}, []string{"!malformed_row", "!malformed_row", "!malformed_row", "dave"}},
	{"CR alone ends lines where nothing else does", "username,x\ralice,1\r\rbob,2\r", Options{}, []string{"alice", "bob"}},
	{"Excel's hint in quotes", "\"sep=;\"\r\nid;username\r\n1;alice\r\n", Options{}, []string{"alice"}},
	{"or in capitals", "SEP=\t\nid\tusername\n1\talice\n", Options{}, []string{"alice"}},
	{"or beside the flag", "sep=;\nid|username\n1|alice\n", Options{Delimiter: '|'}, []string{"alice"}},
	{"the type that PowerShell writes", "#TYPE System.Object\n\"id\",\"UserName\"\n\"1\",\"alice\"\n", Options{}, []string{"alice"}},
	{"also twice", "#TYPE System.Object\n\"UserName\"\n\"alice\"\n#TYPE System.Object\n\"UserName\"\n\"bob\"\n", Options{}, []string{"alice", "bob"}},
	{"the header once more", "\ufeffusername,x\nalice,1\n\ufeff\"Username\",X\nbob,2\n", Options{}, []string{"alice", "bob"}},
	{"a cell that Excel is told is text", "username;x\n=\"+4917\";1\n=\"0049\";\"a;b\"\n", Options{}, []string{`="+4917"`, `="0049"`}},
	{"a known name in another language", "Kunde;Benutzername\n1;alice\n", Options{}, []string{"alice"}},
	{"a stray quote costs its own line alone", "username,x\n\"alice,1\nbob,2\ncarol,3\n", Options{}, []string{"!malformed_row", "bob", "carol"}},
	{"also if a later quote would close it", "username,x\n\"alice,1\nbob,2\ncarol,\"3\"\ndave,4\n", Options{}, []string{"!malformed_row", "bob", "carol", "dave"}},
	{"also if it would swallow rows into the username", "username,x\n\"alice\nbob\",2\ncarol,3\n", Options{}, []string{"!malformed_row", "!malformed_row", "carol"}},
	{"a quote within a field", "username,x\nal\"ice,1\nbob,2\n", Options{}, []string{"!malformed_row", "bob"}},
}

func TestCSV(t *testing.T) {
	for _, test := range csvTests {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(t, test.text, test.options)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
}

var jsonlTests = []struct {
	name, text string
	options    Options
	want       []string
}{
	{"strings", "\"alice\"\n\"bob\"\n", Options{}, []string{"alice", "bob"}},
	{"objects", `{"username":"alice"}` + "\n" + `{"Username":"bob","x":[1]}` + "\n", Options{}, []string{"alice", "bob"}},
	{"the document of the AWS CLI", `{"UserPoolId":"p","Username":"alice","ClientMetadata":{"k":"v"}}`, Options{PoolID: "p"}, []string{"alice"}},
	{"another pool's row", `{"UserPoolId":"q","Username":"alice"}` + "\n\"bob\"", Options{PoolID: "p"}, []string{"!wrong_pool", "bob"}},
	{"another key", `{"mail":"a@x","username":"alice"}`, Options{Column: "mail"}, []string{"a@x"}},
	{"two keys that agree", `{"username":"alice","Username":"alice"}`, Options{}, []string{"alice"}},
	{"two keys that do not", `{"username":"alice","Username":"bob"}`, Options{}, []string{"!malformed_row"}},
	{"the same key twice", `{"username":"alice","username":"bob"}`, Options{}, []string{"!malformed_row"}},
	{"no key", `{"name":"alice"}` + "\n\"bob\"", Options{}, []string{"!empty_username", "bob"}},
	{"an empty string", "\"\"\n\"bob\"", Options{Format: JSONL}, []string{"!empty_username", "bob"}},
	{"a number is no username", "\"bob\"\n42\n" + `{"username":42}`, Options{}, []string{"bob", "!malformed_row", "!malformed_row"}},
	{"a broken line", "\"bob\"\n{\"username\":\n\"carol\"", Options{}, []string{"bob", "!malformed_row", "carol"}},
	{"two values on a line", "\"bob\"\n\"a\" \"b\"\n\"c\", \"d\"\n", Options{}, []string{"bob", "a", "b", "!malformed_row"}},
	{"a key a level down", `{"attributes":{"username":"alice"}}` + "\n" + `{"user":{"username":"bob"}}` + "\n", Options{Column: "attributes.username"}, []string{"alice", "!empty_username"}},
	{"an attribute", `{"Username":"alice","Attributes":[{"Name":"email","Value":"a@x"},{"Name":"custom:a.b","Value":"c"}]}`, Options{Column: "Attributes.email"}, []string{"a@x"}},
	{"a name with a dot in it", `{"a.b":"alice","a":{"b":"bob"}}` + "\n" + `{"a.b":{"c":"x"},"a":{"b":"carol"}}`, Options{Column: "a.b"}, []string{"alice", "!malformed_row"}},
	{"metadata that is none", `{"username":"alice","ClientMetadata":{"k":1}}`, Options{}, []string{"!malformed_row"}},
	{"null is as if absent", `{"username":"alice","ClientMetadata":null,"UserPoolId":null}`, Options{PoolID: "p"}, []string{"alice"}},
	{"blank lines are not rows", "\n\"alice\"\n\n\"bob\"\n\n", Options{}, []string{"alice", "bob"}},
}

func TestJSONL(t *testing.T) {
	for _, test := range jsonlTests {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(t, test.text, test.options)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestTheFormatIsFoundByNameOrContent(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Format
	}{
		{"users.csv", "\"username\"\nalice\n", CSV},
		{"users.jsonl", "\"username\"\n", JSONL},
		{"users.json", "{\"username\":\"a\"}\n", JSONL},
		{"stdin", "{\"username\":\"a\"}\n", JSONL},
		{"stdin", "\"alice\"\n", JSONL},
		{"stdin", "\"username\"\nalice\n", CSV},
		{"stdin", "\"username\",\"x\"\nalice,1\n", CSV},
		{"stdin", "username\nalice\n", CSV},
	} {
		r, err := Open(strings.NewReader(test.text), Options{Name: test.name})
		if err != nil || r.Format != test.want {
			t.Errorf("%s %q: %v, %v", test.name, test.text, r, err)
		}
	}
}

func TestInputThatCannotBeUsedIsRefusedWithAdvice(t *testing.T) {
	for _, test := range []struct {
		text    string
		options Options
		want    string // of the error
	}{
		{"", Options{}, "users: is empty"},
		{" \n\n", Options{}, "users: is empty"},
		{"username\n", Options{}, "has a header but no rows"},
		{"id,b\n1,2\n", Options{}, `users:1: no column is called username; say which holds it with --username-column NAME; the columns are "id", "b"`},
		{"alice,b\nbob,2\n", Options{}, `users:1: no column is called username; the 2 columns have no known names, and are not shown in case they are users. If the first line is a header, say which column with --username-column NAME; if it is a user, with --no-header --username-column NUMBER`},
		{"id,b\n1,2\n", Options{Column: "c"}, `users:1: there is no column "c"; the columns are "id", "b"`},
		{"id,b,a@x,4912\n1,2\n", Options{Column: "c"}, `users:1: there is no column "c"; the columns are "id", "b" and 2 more`},
		{"alice,b\nbob,2\n", Options{Column: "1"}, `--no-header as well`},
		{"username,Username\n1,2\n", Options{}, "more than one column"},
		{"alice@example.com\nbob@example.com\n", Options{}, "--no-header"},
		{"alice\nbob\n", Options{}, "--no-header"},
		{"a,b\n1,2\n", Options{NoHeader: true}, "--username-column NUMBER"},
		{"a,b\n1,2\n", Options{NoHeader: true, Column: "3"}, "with --no-header a column is a number from 1 to 2, not \"3\""},
		{"a,b\n1,2\n", Options{NoHeader: true, Column: "b"}, "number from 1 to 2"},
		{"username,x\nalice,1\nj\xf6rg,1\n", Options{}, "users:3:1: this is not UTF-8. If it is Windows-1252"},
		{"x,username\n1,alice\n1, j\xf6rg\n", Options{}, "say --encoding windows-1252"},
		{"x,username\n1,j\xf6rg\n", Options{}, "users:2:3: "},
		{"\"alice\"\n\"j\xf6rg\"\n", Options{}, "users:2:3: this is not UTF-8"},
		{"username\nalice\n", Options{Encoding: "klingon"}, `encoding "klingon" is not known`},
		{"\xff\xfe\x00\x00u\x00\x00\x00", Options{}, "NUL"},
		{"PK\x03\x04\x00\x00", Options{}, "the workbook is cut short or damaged"},
		{"username\n" + strings.Repeat("x", 1<<20) + "\n", Options{}, "users:2: the line is longer than 64 KiB"},
		{"[\"alice\"]\n", Options{Format: JSONL}, "say --format json, or auto"},
		{"username\nalice\n", Options{Format: JSONL}, "--format csv"},
		{"username\nalice\n", Options{Format: "xml"}, "auto, csv, jsonl, json or xlsx"},
		{"\"username\nalice\n", Options{Format: CSV}, "users:1: the first line is not CSV"},
		{"username\ralice\rbob\r\n", Options{}, `some lines end in CR alone: turn these into others, such as with tr '\r' '\n'`},
	} {
		_, err := read(t, test.text, test.options)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40q: %v; want %s", test.text, err, test.want)
		}
	}
}

func TestAReadErrorIsNeverAShorterList(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, text := range []string{"username\nalice\n", "\"alice\"\n\"bob\"\n"} {
		r, err := Open(io.MultiReader(strings.NewReader(text+strings.Repeat(text[len(text)-6:], 20_000)), iotest.ErrReader(broken)), Options{Name: "users"})
		if err == nil {
			_, err = short(t, r.Entries())
		}
		if !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	}
}

func TestReadingCanEndEarly(t *testing.T) {
	r, err := Open(strings.NewReader("username\nalice\nbob\n"), Options{Name: "users"})
	if err != nil {
		t.Fatal(err)
	}
	for range Unique(r.Entries(), nil) {
		break
	}
}

func TestPlacesAreNamedWithLineAndColumn(t *testing.T) {
	for text, want := range map[string]string{
		"id,username\n1,alice\n\n22,al ice\n":          "users:4:4: ",
		"id,username\n\"1\n2\",alice\n\"x\", al ice\n": "users:4:5: ",
		"id,username\n\"1,alice\n":                     "users:2: ",
		"{\"username\":\"a\"}\n{\"x\":1}\n":            "users:2: ",
	} {
		r, err := Open(strings.NewReader(text), Options{Name: "users"})
		if err != nil {
			t.Fatal(err)
		}
		var last batch.Entry
		for e, err := range r.Entries() {
			if last = e; err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasPrefix(last.Detail, want) || strings.Contains(last.Detail, "ice") {
			t.Errorf("%q: %q; want %s…, and no username", text, last.Detail, want)
		}
	}
}

// A person who looks for the number that a spreadsheet ruined is told where it is,
// and what to do.
func TestAMangledNumberSaysWhatToDo(t *testing.T) {
	r, err := Open(strings.NewReader("name,username\nAnn,4.91701E+11\n"), Options{Name: "users"})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range r.Entries() {
		if err != nil || e.Username != "4.91701E+11" || !strings.HasPrefix(e.Detail, "users:2:5: a spreadsheet") || !strings.Contains(e.Detail, "formatted as text") {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

func TestARowsOwnMetadataWins(t *testing.T) {
	r, err := Open(strings.NewReader(`{"username":"alice","ClientMetadata":{"a":"row"}}`+"\n\"bob\"\n"),
		Options{Name: "users", ClientMetadata: map[string]string{"a": "flag", "b": "flag"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]string{{"a": "row", "b": "flag"}, {"a": "flag", "b": "flag"}}
	for e := range r.Entries() {
		if !maps.Equal(e.ClientMetadata, want[e.Row-1]) {
			t.Errorf("row %d: %v", e.Row, e.ClientMetadata)
		}
	}
}

func TestAUserIsTakenOnceAndTheOthersNameTheFirst(t *testing.T) {
	r, err := Open(strings.NewReader("username\nalice\nAlice\nal ice\nalice\nal ice\nalice\n"), Options{Name: "users"})
	if err != nil {
		t.Fatal(err)
	}
	var details []string
	rows, _ := short(t, func(yield func(batch.Entry, error) bool) {
		for e, err := range Unique(r.Entries(), nil) {
			if e.Reason == batch.Duplicate {
				details = append(details, fmt.Sprint(e.Row, " ", e.Outcome, ": ", e.Detail))
			}
			if !yield(e, err) {
				return
			}
		}
	})
	if want := []string{"alice", "Alice", "!malformed_row", "!duplicate", "!malformed_row", "!duplicate"}; !slices.Equal(rows, want) {
		t.Errorf("%q", rows)
	}
	if want := []string{"4 skipped: same username as row 1", "6 skipped: same username as row 1"}; !slices.Equal(details, want) {
		t.Errorf("%q", details)
	}
}

func TestAPoolThatIgnoresCaseHasFewerUsers(t *testing.T) {
	r, err := Open(strings.NewReader("username\nalice\nAlice\n"), Options{Name: "users"})
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := short(t, Unique(r.Entries(), strings.ToLower))
	if want := []string{"alice", "!duplicate"}; !slices.Equal(rows, want) {
		t.Errorf("%q", rows)
	}
}

// What is printed of JSON, of its keys or values, is never a user.
func TestNoErrorOfJSONNamesAUser(t *testing.T) {
	for _, text := range []string{
		`{"alice":{"x":1`, `{"alice":1,"alice":2}` + "\n", `[{"alice":{"bob":1,"bob":2}}]`, `{"alice":{"bob" 1}}`, "{\"username\":\"alice\"\n\"bob\"\n",
		`{"alice":{"email":"a@x"},"bob":{"email":"b@x"}}`, `[["alice"]]`, `[{"username":["alice"]}]`, `["alice", bob]`, `{"Users":[{"alice":1}],"Username":"bob"}`,
	} {
		for _, format := range []Format{Auto, JSONL, JSON} {
			r, err := Open(strings.NewReader(text), Options{Name: "users", Format: format})
			said := fmt.Sprint(err)
			if err == nil {
				for e, err := range r.Entries() {
					said += fmt.Sprint(e.Detail, err)
				}
			}
			if strings.Contains(said, "alice") || strings.Contains(said, "bob") {
				t.Errorf("%s as %s: %s", text, format, said)
			}
		}
	}
}

// A list of one column has a header only if that is a known name.
func TestAHeaderIsOneOnlyIfItSurelyIs(t *testing.T) {
	for _, name := range []string{
		"test.user", "service-account", "svc_user", "first.name", "user", "admin-user", "admin", "login", "name", "mail", "user.name", "users", "account", "guest", "member", "customer", "handle", "identity",
	} {
		_, err := read(t, name+"\nalice\n", Options{})
		if err == nil || !strings.Contains(err.Error(), "--no-header") || !strings.Contains(err.Error(), "--username-column") || strings.Contains(err.Error(), `"`+name) {
			t.Errorf("%s: %v", name, err)
		}
		for _, o := range []Options{{NoHeader: true}, {Column: name}} {
			got, err := read(t, name+"\nalice\n", o)
			if want := []string{name, "alice"}[min(len(o.Column), 1):]; err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, %+v: %q, %v", name, o, got, err)
			}
		}
	}
	for _, name := range []string{
		"username", "User name", "USER_NAME", "user-name", "cognito:username", "email", "E-Mail", "Email Address", "phone_number", "Phone", "sub", "id", "User ID",
		"Benutzername", "Nom d’utilisateur", "nombre de usuario", "имя пользователя", "ユーザー名", "correo electrónico", "Telefonnummer",
	} {
		if got, err := read(t, name+"\nalice\n"+strings.ToUpper(name)+"\nbob\n", Options{}); err != nil || !slices.Equal(got, []string{"alice", "bob"}) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := read(t, "alice\n"+name+"\n", Options{NoHeader: true}); err == nil || !strings.Contains(err.Error(), "users:2: this line is a header") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Rows whose cells are names of columns are users like any other.
func TestValuesThatAreWordsAreNoHeader(t *testing.T) {
	got, err := read(t, "username,contact,second\nann,email,phone\nbob,phone,\n", Options{})
	if err != nil || !slices.Equal(got, []string{"ann", "bob"}) {
		t.Errorf("%q, %v", got, err)
	}
	got, err = read(t, "ann,email,phone\nbob,phone,\n", Options{NoHeader: true, Column: "1"})
	if err != nil || !slices.Equal(got, []string{"ann", "bob"}) {
		t.Errorf("%q, %v", got, err)
	}
}
