package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/roster"
)

// A reading is how files of users are read, as far as that was asked for.
type reading struct {
	Format         roster.Format `json:"format"`
	UsernameColumn string        `json:"username_column"`
	Delimiter      string        `json:"delimiter"`
	NoHeader       bool          `json:"no_header"`
	Encoding       string        `json:"encoding"`
	Sheet          string        `json:"sheet,omitempty"` // of a workbook
}

// excludePrefix stands before the names of the flags that say how the files of
// --exclude are read.
const excludePrefix = "exclude-"

// readingFlags are the flags that say how files are read.
func readingFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupInput, "format", "auto", "`auto`, csv, jsonl, json or xlsx"),
		stringFlag(groupInput, "username-column", "", "`NAME` of the column, or of the JSON key (a.b for one a level down), that holds the username"),
		stringFlag(groupInput, "sheet", "", "`NAME` of the workbook's sheet (default: the first)"),
		stringFlag(groupInput, "delimiter", "", "`C`haracter between CSV columns; tab is one (default: found)"),
		stringFlag(groupInput, "encoding", "", "`NAME` of the text's encoding, such as windows-1252 (default: UTF-8 or UTF-16, found)"),
		boolFlag(groupInput, "no-header", "the first line is a user, not a header"),
	}
}

// excludeFlags are the same for the files of --exclude.
func excludeFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupInput, excludePrefix+"format", "auto", "of the files of --exclude: `auto`, csv, jsonl, json or xlsx"),
		stringFlag(groupInput, excludePrefix+"username-column", "", "of the files of --exclude: `NAME` of the column, or of the JSON key"),
		stringFlag(groupInput, excludePrefix+"sheet", "", "of the files of --exclude: `NAME` of the sheet"),
		stringFlag(groupInput, excludePrefix+"delimiter", "", "of the files of --exclude: `C`haracter between columns"),
		stringFlag(groupInput, excludePrefix+"encoding", "", "of the files of --exclude: `NAME` of the encoding"),
		boolFlag(groupInput, excludePrefix+"no-header", "of the files of --exclude: the first line is a user"),
	}
}

// readReading takes from the command line how files are read.
func readReading(ctx *cli.Context, prefix string) (reading, error) {
	text := func(name string) string { return ctx.String(prefix + name) }
	r := reading{
		Format: roster.Format(text("format")), UsernameColumn: text("username-column"), Delimiter: text("delimiter"),
		NoHeader: ctx.Bool(prefix + "no-header"), Encoding: text("encoding"), Sheet: text("sheet"),
	}
	_, err := delimiter(prefix+"delimiter", r.Delimiter)
	return r, err
}

// options are those of a roster, to which more may be added.
func (r reading) options(prefix string) roster.Options {
	separator, _ := delimiter(prefix+"delimiter", r.Delimiter) // which was looked at before
	return roster.Options{
		Format: r.Format, Column: r.UsernameColumn, Delimiter: separator, NoHeader: r.NoHeader, Encoding: r.Encoding, Sheet: r.Sheet,
		FlagPrefix: prefix,
	}
}

// openInputs opens the first of the request's inputs.
func (s *session) openInputs(ctx context.Context) (*roster.Inputs, error) {
	r := s.request
	rows, _, err := r.choices()
	if err != nil {
		return nil, err
	}
	o := r.reading.options("")
	o.Keep, o.Report, o.PoolID, o.ClientMetadata = rows.Columns(), r.FromReport, r.UserPoolID, r.ClientMetadata
	o.Phones, o.PhoneCountry = r.Match == "phone_number", r.PhoneCountry
	return roster.OpenInputs(ctx, nearby(r.Inputs), s.places(), o)
}

// openExclude opens a file of users to leave out.
func (s *session) openExclude(ctx context.Context, file string) (*roster.Inputs, error) {
	r := s.request
	o := r.ExcludeAs.options(excludePrefix)
	o.PoolID, o.FindReport, o.AnyName, o.PhoneCountry = r.UserPoolID, true, true, r.PhoneCountry
	return roster.OpenInputs(ctx, nearby([]string{file}), s.places(), o)
}

// notices tells a person what to know of inputs that were read to their end.
func (s *session) notices(in *roster.Inputs) {
	for _, notice := range in.Notices {
		say(s.stderr, "Note: %s.", notice)
	}
	s.request.Notices = append(s.request.Notices, in.Notices...)
}
