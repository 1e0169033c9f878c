package spec

import (
	"unicode/utf8"

	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// A Reading is how files of users are read, as far as that was asked for.
type Reading struct {
	Format         roster.Format `json:"format"`
	UsernameColumn string        `json:"username_column"`
	Delimiter      string        `json:"delimiter"`
	NoHeader       bool          `json:"no_header"`
	Encoding       string        `json:"encoding"`
	Sheet          string        `json:"sheet,omitempty"` // of a workbook
}

// ExcludePrefix stands before the names of the flags that say how the files of
// --exclude are read.
const ExcludePrefix = "exclude-"

// Options are those of a roster, to which more may be added.
func (r Reading) Options(prefix string) roster.Options {
	separator, _ := ParseDelimiter(prefix+"delimiter", r.Delimiter) // which was looked at before
	return roster.Options{
		Format: r.Format, Column: r.UsernameColumn, Delimiter: separator, NoHeader: r.NoHeader, Encoding: r.Encoding, Sheet: r.Sheet,
		FlagPrefix: prefix,
	}
}

// ParseDelimiter reads a flag such as --delimiter.
func ParseDelimiter(flag, text string) (rune, error) {
	switch text {
	case "":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	}
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || r == utf8.RuneError {
		return 0, exit.Usagef("--%s is one character, or tab; not %q", flag, text)
	}
	return r, nil
}
