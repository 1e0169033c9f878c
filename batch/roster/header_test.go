package roster

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
)

// What is asked of every row must not miss a name of a column, however it is written.
func TestANameOfAColumnIsKnownAtAGlance(t *testing.T) {
	for _, names := range []map[string]bool{usernameNames, otherNames} {
		for name := range names {
			wide := ""
			for _, c := range name {
				wide += string(unicode.ToUpper(c)) + " -_\u00a0"
			}
			if !isColumnName(name) || normal(wide) == name && !isColumnName(wide) {
				t.Errorf("%q is none, or %q", name, wide)
			}
		}
	}
	for _, user := range []string{"", "id7", "ann@example.com", "5f0c64ad-1b1e-4a4e-9c3e-0d9f4a5b6c7d", strings.Repeat("user name ", 20)} {
		if isColumnName(user) {
			t.Errorf("%q is one", user)
		}
	}
}

func TestAheadYieldsTheRowsAndEndsWithThem(t *testing.T) {
	in, err := OpenInputs(t.Context(), []string{Stdin}, Places{Stdin: rows(3000, "username\n", "user-%d\n")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	row := int64(0)
	for e, err := range Ahead(in.Entries()) {
		if row++; err != nil || e.Row != row || e.Username != fmt.Sprint("user-", row-1) {
			t.Fatalf("%d is %+v, %v", row, e, err)
		}
	}
	if row != 3000 || len(in.Sources()) != 1 || in.Sources()[0].SHA256 != in.SHA256() {
		t.Errorf("%d rows of %+v", row, in.Sources())
	}
}
