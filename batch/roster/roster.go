// Package roster is where usernames come from. It turns CSV, JSON and Excel
// workbooks, as they are or in a gzip or zstd archive, in UTF-8 or UTF-16, into
// entries, one for every row, without holding them in memory.
//
// Nobody is lost in it. A row that gives no usable username becomes an Invalid
// entry that names its line; input that does not make clear who is meant is
// an [*InputError], before anything is sent.
package roster

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/contact"
	"cognito-reset/batch/internal/names"
	"cognito-reset/batch/internal/relay"
	"cognito-reset/batch/roster/internal/kind"
)

// A Format is how the input is written.
type Format string

// The formats.
const (
	Auto     Format = "auto" // by the input's name and what is in it
	CSV      Format = "csv"
	JSONL    Format = "jsonl" // one JSON value a line
	JSON     Format = "json"  // arrays, what ListUsers answers, and values over several lines
	Workbook Format = "xlsx"  // of Excel
)

// Options say how to read an input.
type Options struct {
	Name      string // how errors call the input
	Format    Format // "" is Auto
	Column    string // of a table, by name or, without a header, by 1-based number; of JSON the key, or several with dots between; "" finds it
	Delimiter rune   // of CSV; 0 finds it
	NoHeader  bool   // the first line of the table is a row
	Sheet     string // of a workbook; "" is the first that is shown
	PoolID    string // a row that names another pool is invalid; "" takes any

	// Phones reports whether the rows hold phone numbers. Entries then carry them in
	// E.164, and a row without one is invalid. PhoneCountry is the country of
	// those that do not name their own, such as DE; "" makes them invalid, too.
	Phones       bool
	PhoneCountry string

	// AnyName reports whether a row may hold any name of a user, a phone number with
	// spaces in it included.
	AnyName bool

	// Report reports whether the input is a report of an earlier run: whatever its
	// cells hold is theirs, and a CSV that is guarded against spreadsheets is
	// read as the exact one would be.
	Report bool

	// FindReport reads an input as a report if it begins like one. Its entries carry
	// outcome and reason in Kept.
	FindReport bool

	// Encoding is the input's, such as windows-1252, by its name in the WHATWG
	// Encoding Standard. "" is UTF-8 or, where the input begins like it, UTF-16.
	Encoding string

	// Keep names other columns whose values, without the white space around
	// them, entries carry in Kept. A number or the like in JSON is kept as it
	// is written, null and what is absent as "".
	Keep []string

	// ClientMetadata goes with every row. A row's own keys win.
	ClientMetadata map[string]string

	// FlagPrefix stands before the names of flags in advice: "exclude-" makes
	// --no-header --exclude-no-header.
	FlagPrefix string
}

// flag is how advice names a flag.
func (o *Options) flag(name string) string { return "--" + o.FlagPrefix + name }

// An InputError is input that cannot be used at all. Line and Column count from
// 1, in bytes; they are 0 where the error has no place. Cell, such as Sheet1!A7,
// is the place in a workbook.
type InputError struct {
	Name         string
	Line, Column int
	Cell         string
	What         string // what is wrong and what to do now
	Err          error
}

func (e *InputError) Error() string {
	text := position{e.Line, e.Column, e.Cell}.in(e.Name) + ": " + e.What
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *InputError) Unwrap() error { return e.Err }

// A position is a place in an input, as far as it is known.
type position struct {
	line, column int
	cell         string
}

func (p position) in(name string) string {
	if p.line > 0 {
		name += fmt.Sprintf(":%d", p.line)
	}
	if p.column > 0 {
		name += fmt.Sprintf(":%d", p.column)
	}
	if p.cell != "" {
		name += ": " + p.cell
	}
	return name
}

// refuse is the error of an input that cannot be used.
func (r *Roster) refuse(at position, what string) error {
	return &InputError{Name: r.Name, Line: at.line, Column: at.column, Cell: at.cell, What: what}
}

// notice notes what a person should know of an input that can be used.
func (r *Roster) notice(at position, what string) {
	r.Notices = append(r.Notices, at.in(r.Name)+": "+what)
}

const (
	maxLine     = 64 << 10 // bytes of a line, and of a CSV record of several lines
	maxUsername = 128      // characters, Cognito's own limit
)

// A Roster is an input whose format is known.
type Roster struct {
	Options // Format, Column, Delimiter and Sheet as they were found, and Report if it was one

	// Notices are sentences that a person should read, without usernames, and
	// Partial is that the input says that it is a part of a list. Both are
	// known when it was read to its end.
	Notices []string
	Partial bool

	where   func() position // of the current row
	lines   *lines
	decoded bool // from another encoding than UTF-8
	column  int  // 0-based, of the username in a table

	next    func() (batch.Entry, error) // the next row, or io.EOF
	end     func()                      // notes what there is to know after the last
	missing func() string               // what no row had; nil if nothing can be missing
}

// Open looks at the beginning of an input and decides how to read it. Only an
// input that was read to its end is known to be whole.
func Open(r io.Reader, o Options) (*Roster, error) {
	ro := &Roster{Options: o}
	switch o.Format {
	case "", Auto, CSV, JSONL, JSON, Workbook:
	default:
		return nil, fmt.Errorf("format %q is not known: use auto, csv, jsonl, json or xlsx", o.Format)
	}
	unpacked, err := unpack(bufio.NewReaderSize(r, maxLine))
	if err != nil {
		return nil, ro.unreadable(err)
	}
	head, err := unpacked.Peek(kind.Peek)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, ro.unreadable(err)
	}
	switch what := kind.OfBytes(head); {
	case what != "":
		return nil, ro.refuse(position{}, what)
	case kind.IsZip(head) && (o.Format == Workbook || o.Format == Auto || o.Format == ""):
		ro.Format = Workbook
		err = ro.openWorkbook(unpacked)
	case kind.IsZip(head):
		return nil, ro.refuse(position{}, fmt.Sprintf("this is not %s, but an Excel workbook or another zip archive: leave %s out", o.Format, ro.flag("format")))
	case o.Format == Workbook:
		return nil, ro.refuse(position{}, fmt.Sprintf("this is not an Excel workbook: leave %s out", ro.flag("format")))
	default:
		err = ro.openText(unpacked)
	}
	if err != nil {
		return nil, err
	}
	return ro, nil
}

func (r *Roster) unreadable(err error) error {
	return &InputError{Name: r.Name, What: "cannot be read", Err: err}
}

// openText decides how to read text.
func (r *Roster) openText(stored *bufio.Reader) error {
	text, decoded, err := decode(stored, r.Encoding)
	if err != nil {
		return r.unreadable(err)
	}
	head, err := text.Peek(maxLine)
	if err != nil && !errors.Is(err, io.EOF) {
		return r.unreadable(err)
	}
	if r.FindReport && likeReport(bytes.TrimPrefix(head, utf8BOM)) {
		r.Report, r.Column, r.Keep = true, "username", []string{outcomeColumn, reasonColumn}
	}
	if what := unreadable(head); what != "" && !r.Report {
		return r.refuse(position{}, what)
	}
	if bytes.HasPrefix(head, utf8BOM) {
		text.Discard(len(utf8BOM))
		head = head[len(utf8BOM):]
	}
	if len(bytes.TrimSpace(head)) == 0 && len(head) < maxLine-len(utf8BOM) {
		return r.refuse(position{}, "is empty: it should hold one username a row")
	}
	if what := kind.OfText(head); what != "" {
		return r.refuse(position{}, what)
	}
	r.lines, r.decoded = &lines{name: r.Name, r: text, end: lineEnd(head)}, decoded
	format := r.Format
	if format == Auto || format == "" {
		format = formatOf(r.Name, head)
	}
	if format == CSV {
		r.Format = CSV
		return r.openCSV()
	}
	return r.openJSON(head)
}

// Entries yields every row, numbered from 1. It can be ranged over once. An
// error is the last thing it yields.
func (r *Roster) Entries() iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for row := int64(1); ; row++ {
			e, err := r.next()
			if errors.Is(err, io.EOF) {
				if err := r.incomplete(row - 1); err != nil {
					yield(e, err)
				}
				return
			}
			e.Row = row
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// incomplete says what an input lacks that was read to its end.
func (r *Roster) incomplete(rows int64) error {
	r.end()
	if rows == 0 && r.missing == nil && !r.NoHeader {
		return r.refuse(position{}, "has a header but no rows")
	}
	if rows == 0 {
		return r.refuse(position{}, "has no rows")
	}
	if r.missing != nil {
		if what := r.missing(); what != "" {
			return r.refuse(position{}, what)
		}
	}
	return nil
}

// Unique marks every entry whose user came before as a duplicate. Users are compared
// by sub or, where it is not known, by username after fold, if that is not nil. They
// are held as [names.Set] does, in 27 to 33 bytes each.
func Unique(entries iter.Seq2[batch.Entry, error], fold func(string) string) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		seen := names.Set{Fold: fold}
		for e, err := range entries {
			if err == nil && e.Outcome == "" {
				if first, added := seen.Put(cmp.Or(e.Sub, e.Username), int(e.Row)); !added {
					e.Outcome, e.Reason = batch.Skipped, batch.Duplicate
					e.Detail = fmt.Sprintf("same username as row %d", first)
					if e.Sub != "" {
						e.Detail = fmt.Sprintf("same user as row %d", first)
					}
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Ahead yields what entries does, in a goroutine of its own that is up to some
// thousand rows ahead: whatever tells where reading stands, as [Inputs.Place] does,
// is ahead, too.
func Ahead(entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return relay.Ahead(entries)
}

// CasePairs counts the users whose names differ from one before them in letter case
// alone.
func CasePairs(entries iter.Seq2[batch.Entry, error]) (pairs int, err error) {
	exact, folded := names.Set{}, names.Set{Fold: strings.ToLower}
	for e, err := range entries {
		if err != nil {
			return 0, err
		}
		if e.Outcome == "" {
			exact.Add(e.Username)
			folded.Add(e.Username)
		}
	}
	return exact.Len() - folded.Len(), nil
}

var utf8BOM = []byte("\ufeff")

// unreadable says what is wrong with an input that is not text.
func unreadable(head []byte) string {
	controls := 0
	for _, b := range head {
		switch {
		case b == 0:
			return "is not text (it holds NUL bytes): it should be CSV, JSON or an Excel workbook; if it is UTF-16, say --encoding utf-16le"
		case b < ' ' && b != '\t' && b != '\n' && b != '\r':
			controls++
		}
	}
	if controls > len(head)/100 {
		return "is not text: it should be CSV, JSON or an Excel workbook"
	}
	return ""
}

// formatOf is the format of text by its name, or else by its first line.
func formatOf(name string, head []byte) Format {
	name = strings.ToLower(name)
	switch filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")) {
	case ".csv", ".tsv":
		return CSV
	case ".jsonl", ".ndjson", ".json":
		return JSON
	}
	first, _, _ := bytes.Cut(bytes.TrimLeft(head, " \t\r\n\ufeff"), []byte{lineEnd(head)})
	first = bytes.TrimSpace(first)
	switch {
	case bytes.HasPrefix(first, []byte("{")), bytes.HasPrefix(first, []byte("[")):
		return JSON
	case bytes.HasPrefix(first, []byte(`"`)) && bytes.HasSuffix(first, []byte(`"`)) && len(first) > 1 &&
		!bytes.ContainsAny(first[1:len(first)-1], `"`) && !isColumnName(string(first[1:len(first)-1])) && !separatorHint.Match(first):
		return JSON
	}
	return CSV
}

// ParseCountry reads an ISO 3166 code of two letters, such as DE, for
// [Options].PhoneCountry.
func ParseCountry(code string) (string, error) { return contact.Country(code) }
