package userpool_test

import (
	"strings"
	"testing"

	"cognito-reset/batch/userpool"
)

func TestAFilterIsReadAsItIsSent(t *testing.T) {
	for text, want := range map[string]userpool.Filter{
		`email = "ann@example.com"`:             {Attribute: "email", Value: "ann@example.com"},
		`  cognito:user_status^="CONFIRMED"  `:  {Attribute: "cognito:user_status", Prefix: true, Value: "CONFIRMED"},
		`family_name = "O\"Hara \\ Söhne"`:      {Attribute: "family_name", Value: `O"Hara \ Söhne`},
		`name ^= ""`:                            {Attribute: "name", Prefix: true},
		`status = "Disabled"`:                   {Attribute: "status", Value: "Disabled"},
		`sub ^= "0"`:                            {Attribute: "sub", Prefix: true, Value: "0"},
		`given_name = "a = \"b\" and c ^= \\d"`: {Attribute: "given_name", Value: `a = "b" and c ^= \d`},
	} {
		got, err := userpool.ParseFilter(text)
		if got != want || err != nil {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
		if again, err := userpool.ParseFilter(got.String()); again != want || err != nil {
			t.Errorf("%s comes back as %s: %+v, %v", text, got, again, err)
		}
	}
	if zero := (userpool.Filter{}).String(); zero != "" {
		t.Errorf("no filter is %q", zero)
	}
}

func TestAFilterIsCheckedBeforeItIsSent(t *testing.T) {
	for text, says := range map[string]string{
		``:                                    "column 1: Cognito cannot filter by \"\"; it can by username, email,",
		`custom:tier = "gold"`:                "column 1: Cognito cannot filter by \"custom:tier\"",
		` Email = "a"`:                        "column 2: Cognito cannot filter by \"Email\"",
		`email != "a"`:                        "column 7: here should be =",
		`email == "a"`:                        "column 8: here should be a value in quotation marks",
		`email ^ = "a"`:                       "column 8: here should be =",
		`email`:                               "column 6: here should be =",
		`email = a`:                           "column 9: here should be a value in quotation marks",
		`email = 'a'`:                         "column 9: here should be a value in quotation marks",
		`name = "Änn`:                         "column 12: here should be the closing quotation mark",
		`email = "a\b"`:                       "column 11: a backslash",
		`email = "a\`:                         "column 11: a backslash",
		`email = "a" and sub = "b"`:           "column 13: the filter should end here",
		`status = "enabled"`:                  `column 10: status is "Enabled" or "Disabled"`,
		`status = "CONFIRMED"`:                "filter by cognito:user_status",
		`name = "` + strings.Repeat("ä", 248): "closing quotation mark",
		`name = "` + strings.Repeat("ä", 248) + `"`: "has 257 characters",
		"name = \"\xff\"": "not UTF-8",
	} {
		if got, err := userpool.ParseFilter(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s is %+v, %v; want %s", text, got, err, says)
		}
	}
	if _, err := userpool.ParseFilter(`name="` + strings.Repeat("ä", 247) + `"`); err != nil {
		t.Errorf("a filter of 256 characters: %v", err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", `sub ^= "0"`, `email="a@b"`, `username = "c\"\\d"`, `status = "x`, `name=`, `username = "\`, `sub = "a" = "b"`, ` name	^="Ä" `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := userpool.ParseFilter(s)
		if err != nil {
			return
		}
		if again, err := userpool.ParseFilter(parsed.String()); err != nil || again != parsed {
			t.Errorf("%q is %+v, but %q is %+v, %v", s, parsed, parsed, again, err)
		}
	})
}
