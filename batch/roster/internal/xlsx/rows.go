package xlsx

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// A Row is one that is in the file: rows that nobody touched are not.
type Row struct {
	Number int // as Excel counts it, from 1
	Hidden bool
	Cells  []Cell // from column A on
}

// Rows are those of a sheet.
type Rows struct {
	book   *Book
	xml    *markup
	inside bool // the part of the sheet that holds cells
	row    Row
}

// Rows opens a sheet.
func (b *Book) Rows(s Sheet) (*Rows, error) {
	x, err := b.markup(s.part, maxPart)
	if err != nil {
		return nil, err
	}
	return &Rows{book: b, xml: x}, nil
}

// Close is to be called when no more rows are wanted.
func (r *Rows) Close() error { return r.xml.Close() }

// Next returns the next row, or io.EOF after the last of a sheet that is whole.
// The row is good until Next is called again.
func (r *Rows) Next() (*Row, error) {
	for {
		token, err := r.xml.token()
		if err == io.EOF {
			return nil, io.EOF
		}
		if err != nil {
			return nil, damaged(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "sheetData" {
				r.inside = true
			} else if token.Name.Local == "row" && r.inside {
				if err := r.read(token); err != nil {
					return nil, damaged(err)
				}
				return &r.row, nil
			}
		case xml.EndElement:
			r.inside = r.inside && token.Name.Local != "sheetData"
		}
	}
}

// read reads a row to its end.
func (r *Rows) read(start xml.StartElement) error {
	number, hidden := r.row.Number+1, false
	for _, a := range start.Attr {
		switch a.Name.Local {
		case "r":
			n, err := strconv.Atoi(a.Value)
			if err != nil || n < number {
				return fmt.Errorf("row %.20q comes after row %d", a.Value, r.row.Number)
			}
			number = n
		case "hidden":
			hidden = a.Value == "1" || a.Value == "true"
		}
	}
	if number > maxRows {
		return fmt.Errorf("there is a row %d, and Excel has %d", number, maxRows)
	}
	r.row = Row{Number: number, Hidden: hidden, Cells: r.row.Cells[:0]}
	for {
		token, err := r.xml.token()
		if err != nil {
			return unexpected(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local != "c" {
				if err := r.xml.skip(); err != nil {
					return err
				}
			} else if err := r.cell(token); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// cell adds a cell to the row.
func (r *Rows) cell(start xml.StartElement) error {
	column, kind, style := len(r.row.Cells), "n", 0
	for _, a := range start.Attr {
		switch a.Name.Local {
		case "r":
			if column = columnOf(a.Value); column < len(r.row.Cells) {
				return fmt.Errorf("cell %.20q of row %d does not belong there", a.Value, r.row.Number)
			}
		case "t":
			kind = a.Value
		case "s":
			var err error
			if style, err = strconv.Atoi(a.Value); err != nil {
				return fmt.Errorf("the style of a cell in row %d is no number", r.row.Number)
			}
		}
	}
	if column >= maxColumns {
		return fmt.Errorf("row %d has more than %d columns", r.row.Number, maxColumns)
	}
	value, has, formula, err := r.value(kind == "inlineStr")
	if err != nil {
		return err
	}
	cell, err := r.book.cell(kind, value, style)
	switch {
	case err != nil:
		return fmt.Errorf("row %d: %w", r.row.Number, err)
	case !has && formula:
		cell = Cell{Kind: Uncalculated}
	case !has:
		return nil
	}
	for len(r.row.Cells) < column {
		r.row.Cells = append(r.row.Cells, Cell{})
	}
	r.row.Cells = append(r.row.Cells, cell)
	return nil
}

// value reads a cell to its end: what it holds, and whether it does, and whether
// a formula made it.
func (r *Rows) value(inline bool) (text string, has, formula bool, err error) {
	for {
		token, err := r.xml.token()
		if err != nil {
			return "", false, false, unexpected(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			switch name := token.Name.Local; {
			case name == "v" && !inline:
				text, err = r.xml.text()
				has = text != ""
			case name == "is" && inline:
				var rich []byte
				rich, err = r.xml.rich(nil)
				text, has = plain(string(rich)), true
			default:
				formula = formula || name == "f"
				err = r.xml.skip()
			}
			if err != nil {
				return "", false, false, err
			}
		case xml.EndElement:
			return text, has, formula, nil
		}
	}
}

// cell is what a value means, by the type of its cell (ECMA-376 part 1, 18.18.11).
func (b *Book) cell(kind, value string, style int) (Cell, error) {
	if value == "" {
		return Cell{}, nil
	}
	switch kind {
	case "s":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n >= b.strings.len() {
			return Cell{}, errors.New("a cell names a text that is not in the workbook")
		}
		value = b.strings.at(n)
	case "inlineStr":
	case "str":
		value = plain(value)
	case "b":
		if value == "1" || value == "true" {
			return Cell{"TRUE", Bool}, nil
		}
		return Cell{"FALSE", Bool}, nil
	case "e":
		return Cell{value, Error}, nil
	case "d":
		return Cell{value, Date}, nil
	case "n":
		return b.number(value, style), nil
	default:
		return Cell{}, fmt.Errorf("there is no type %.20q of cells", kind)
	}
	if value == "" {
		return Cell{}, nil
	}
	return Cell{value, Text}, nil
}

// columnOf is the 0-based column of a cell such as AB7, or -1.
func columnOf(cell string) int {
	n := 0
	for i := range len(cell) {
		c := cell[i] &^ 0x20 // in upper case
		if c < 'A' || c > 'Z' {
			break
		}
		if n = n*26 + int(c-'A') + 1; n > maxColumns {
			break
		}
	}
	return n - 1
}

// ColumnName is how Excel calls a 0-based column.
func ColumnName(column int) string {
	name := ""
	for n := column + 1; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}

// A table holds the texts that cells share.
type table struct {
	bytes []byte
	ends  []uint32
}

func (t *table) len() int { return len(t.ends) }

func (t *table) at(i int) string {
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return string(t.bytes[start:t.ends[i]])
}

// readStrings reads the table of texts to its end.
func (b *Book) readStrings(part string) error {
	x, err := b.markup(part, maxPart)
	if err != nil {
		return err
	}
	defer x.Close()
	for {
		token, err := x.token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "si" {
			continue
		}
		from := len(b.strings.bytes)
		if b.strings.bytes, err = x.rich(b.strings.bytes); err != nil {
			return damaged(err)
		}
		if text := b.strings.bytes[from:]; bytes.Contains(text, []byte("_x")) {
			b.strings.bytes = append(b.strings.bytes[:from], plain(string(text))...)
		}
		if b.strings.ends = append(b.strings.ends, uint32(len(b.strings.bytes))); len(b.strings.bytes)+4*len(b.strings.ends) > maxStrings {
			return fmt.Errorf("the text of the workbook takes more than %d MiB: save the sheet as CSV", maxStrings>>20)
		}
	}
}

var escape = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// plain is text without the escapes in which Excel writes characters that XML
// does not have (ECMA-376 part 1, 22.4.2.4).
func plain(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	return escape.ReplaceAllStringFunc(text, func(code string) string {
		n, _ := strconv.ParseUint(code[2:6], 16, 16) // four hexadecimal digits
		return string(rune(n))
	})
}
