package term

import "testing"

func TestNothingFromOutsideSteersTheTerminal(t *testing.T) {
	for text, want := range map[string]string{
		"ann":                     "ann",
		"änn 名前":                  "änn 名前",
		"\x1b[2Jgone":             `\x1b[2Jgone`,
		"one\ntwo":                `one\ntwo`,
		"\u202egro.elpmaxe@bob":   `\u202egro.elpmaxe@bob`,
		"\u0085next\u2028line":    `\u0085next\u2028line`,
		"bell\a and \u009b31mred": `bell\a and \u009b31mred`,
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q is shown as %q, not %q", text, got, want)
		}
	}
}
