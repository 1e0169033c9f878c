package roster

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cognito-reset/batch"
)

// A csvFile reads records of text.
type csvFile struct {
	*Roster
	fields    int    // of every record; 0 until known
	separator string // the delimiter
	hints     bool   // the file began with a line that is for programs
	count     int    // of the current record's

	record []byte      // the physical lines of the current record
	cells  []string    // of the current record, if nothing in it is quoted
	quoted *csv.Reader // reads record
	source *bytes.Reader
	queue  [][]byte // lines to be read again, after a record that was not one
	line   int      // of the current record's first line
}

func (r *Roster) openCSV() error {
	c := &csvFile{Roster: r, source: bytes.NewReader(nil)}
	if err := c.skipHints(); errors.Is(err, io.EOF) {
		return &InputError{Name: r.Name, What: "has no rows"}
	} else if err != nil {
		return err
	}
	if r.Delimiter == 0 {
		r.Delimiter = c.findDelimiter()
	}
	if r.Delimiter == '"' || r.Delimiter == '\r' || r.Delimiter == '\n' || r.Delimiter == utf8.RuneError {
		return fmt.Errorf("%s: %q cannot separate columns", r.flag("delimiter"), r.Delimiter)
	}
	c.quoted, c.separator = csv.NewReader(c.source), string(r.Delimiter)
	c.quoted.Comma, c.quoted.FieldsPerRecord = r.Delimiter, -1
	if text := r.lines.text; bytes.IndexByte(text, '\r') >= 0 && !r.Report {
		return r.refuse(position{line: r.lines.n}, `some lines end in CR alone: turn these into others, such as with tr '\r' '\n'`)
	}
	return r.openTable(c)
}

// separatorHint is how Excel is told the separator, and typeHint what PowerShell
// writes above the header.
var (
	separatorHint = regexp.MustCompile(`(?i)^"?sep=(.)"?$`)
	typeHint      = regexp.MustCompile(`^"?#TYPE `)
)

// skipHints steps to the first line that is not for programs alone, and takes the
// separator from one that names it.
func (c *csvFile) skipHints() error {
	l := c.lines
	for {
		if err := l.skipBlank(); err != nil {
			return err
		}
		found := separatorHint.FindSubmatch(l.text)
		if found == nil && !typeHint.Match(l.text) {
			return nil
		}
		if found != nil && c.Delimiter == 0 {
			c.Delimiter, _ = utf8.DecodeRune(found[1])
		}
		l.kept, c.hints = false, true
	}
}

// findDelimiter picks the one under which the header holds a username or, if none
// does, most names that are known.
func (c *csvFile) findDelimiter() rune {
	best, most := rune(0), 0
	for _, d := range ",;\t|" {
		known := 0
		for field := range strings.SplitSeq(string(c.lines.text), string(d)) {
			name := strings.Trim(trim(field), `"`)
			if isUsernameName(name) || c.Column != "" && normal(name) == normal(c.Column) {
				return d
			}
			if isColumnName(name) {
				known++
			}
		}
		if known > most {
			best, most = d, known
		}
	}
	if best != 0 {
		return best
	}
	// No header tells: the one that splits the first line at all.
	for _, d := range "\t,;|" {
		if bytes.ContainsRune(c.lines.text, d) {
			return d
		}
	}
	return ','
}

func (c *csvFile) alone() bool { return len(c.queue) == 0 && c.lines.last() }

func (c *csvFile) flaw(int) (batch.Reason, string) { return "", "" }

// at is where a field of the current record stands, in bytes from 1.
func (c *csvFile) at(field int) position {
	p := position{line: c.line}
	if field < 0 {
		return p
	}
	if field >= c.count {
		return p
	}
	if bytes.IndexByte(c.record, '"') >= 0 {
		_, p.column = c.quoted.FieldPos(field)
		return p
	}
	at := 0
	for range field {
		at += bytes.Index(c.record[at:], []byte(string(c.Delimiter))) + utf8.RuneLen(c.Delimiter)
	}
	p.column = at + 1
	return p
}

// next reads one record.
//
// A record may span lines if it is quoted, but a stray quote must not swallow
// the rows behind it. So a record of several lines is believed only if it is
// closed, has as many fields as the first one, and its username is on one line, or
// in a report; otherwise its first line alone is bad, and the others are read
// again. Of those, none may lack cells: it might be a line of a text.
func (c *csvFile) next() (record, error) {
	again, err := c.line1()
	if err != nil {
		return record{}, err
	}
	if bytes.IndexByte(c.record, '"') < 0 {
		c.cells = c.cells[:0]
		for cell := range strings.SplitSeq(string(c.record), c.separator) {
			c.cells = append(c.cells, cell)
		}
		return c.good(c.cells, again), nil
	}
	var more [][]byte // the lines after the first, in case they must be read again
	open := c.leavesOpen(c.record, false)
	for open && len(c.record) <= maxLine {
		line, err := c.physical()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return record{}, err
		}
		more = append(more, slices.Clone(line))
		c.record = append(append(c.record, '\n'), line...)
		open = c.leavesOpen(line, true)
	}
	if fields, err := c.parse(); !open && err == nil && (len(more) == 0 || c.whole(fields)) {
		return c.good(fields, again), nil
	}
	c.queue, c.count = append(more, c.queue...), 0
	return record{broken: "a quote is not closed, or stands in the wrong place"}, nil
}

func (c *csvFile) good(fields []string, again bool) record {
	if c.count = len(fields); c.fields == 0 {
		c.fields = c.count
	}
	return record{cells: fields, strict: again}
}

// whole reports whether a record of several lines may be believed.
func (c *csvFile) whole(fields []string) bool {
	return len(fields) == c.fields && (c.Report || !strings.ContainsAny(fields[c.column], "\r\n"))
}

// leavesOpen reports whether a line ends within quotes, open being how it began.
func (c *csvFile) leavesOpen(line []byte, open bool) bool {
	comma, start := string(c.Delimiter), true
	for i := 0; i < len(line); i++ {
		quote := line[i] == '"'
		switch {
		case open && quote && i+1 < len(line) && line[i+1] == '"':
			i++
		case open && quote:
			open = false
		case !open && quote && start:
			open = true
		}
		if start = !open && bytes.HasPrefix(line[i:], []byte(comma)); start {
			i += len(comma) - 1
		}
	}
	return open
}

// formulaText is a cell as ="0049" in which Excel is kept from taking a text for a
// number. It stays as it is written.
var formulaText = regexp.MustCompile(`^="[^"\n]*"$`)

// parse reads the record's bytes as one record.
func (c *csvFile) parse() ([]string, error) {
	fields, err := c.parseQuoted(c.record)
	if err == nil || !bytes.Contains(c.record, []byte(`="`)) {
		return fields, err
	}
	cells := bytes.Split(c.record, []byte(string(c.Delimiter)))
	for i, cell := range cells {
		if formulaText.Match(cell) {
			cells[i] = []byte(`"` + strings.ReplaceAll(string(cell), `"`, `""`) + `"`)
		}
	}
	return c.parseQuoted(bytes.Join(cells, []byte(string(c.Delimiter))))
}

func (c *csvFile) parseQuoted(record []byte) ([]string, error) {
	c.source.Reset(record)
	fields, err := c.quoted.Read()
	if err != nil {
		// Drain what is left, so that the next record begins afresh.
		for !errors.Is(err, io.EOF) {
			_, rest := c.quoted.Read()
			if errors.Is(rest, io.EOF) {
				break
			}
		}
		return nil, err
	}
	if _, rest := c.quoted.Read(); !errors.Is(rest, io.EOF) {
		return nil, csv.ErrQuote
	}
	return fields, nil
}

// line1 begins a record with the next line that is not blank, and reports whether
// that line stood in a record that was none.
func (c *csvFile) line1() (again bool, err error) {
	for {
		again = len(c.queue) > 0
		line, err := c.physical()
		if err != nil {
			return false, err
		}
		if len(bytes.TrimSpace(line)) == 0 || c.hints && (separatorHint.Match(line) || typeHint.Match(line)) {
			continue
		}
		c.record = append(c.record[:0], line...)
		c.line = c.lines.n - len(c.queue)
		return again, nil
	}
}

// physical is the next line of the file, or one to be read again.
func (c *csvFile) physical() ([]byte, error) {
	if len(c.queue) > 0 {
		line := c.queue[0]
		c.queue = c.queue[1:]
		return line, nil
	}
	if err := c.lines.read(); err != nil {
		return nil, err
	}
	return c.lines.text, nil
}
