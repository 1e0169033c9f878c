package roster

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cognito-reset/batch"
)

// usernameHeaders are the names, as [normal] has them, under which exports carry
// what Cognito calls the username.
var usernameHeaders = []string{"username", "cognitousername"}

// headerWords end the names of columns that hold some kind of user. They decide
// only whether the first line of a single column is a header.
var headerWords = []string{
	"username", "user", "users", "userid", "login", "account", "accounts", "email", "emails", "mail", "emailaddress",
	"phone", "phonenumber", "sub", "id", "uuid", "guid", "name", "names", "member", "customer", "identity", "handle",
}

// normal is a column's name without what exports vary: case, spaces, marks.
func normal(column string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '_', '-', ':', '.', '\ufeff':
			return -1
		}
		return r
	}, strings.ToLower(trim(column)))
}

func looksLikeHeader(column string) bool {
	if slices.Contains(headerWords, normal(column)) {
		return true
	}
	words := strings.FieldsFunc(strings.ToLower(column), func(r rune) bool { return strings.ContainsRune(" _-:.", r) })
	return len(words) > 1 && !strings.ContainsAny(column, "@0123456789") && slices.Contains(headerWords, words[len(words)-1])
}

// A csvFile reads records of a known number of fields.
type csvFile struct {
	*Roster
	column int   // 0-based, of the username
	keep   []int // likewise, of what to keep
	safe   int   // likewise, of what says that a row is guarded; -1 without
	sub    int   // likewise, of the sub in a report; -1 without
	fields int   // of every record; 0 until known

	record []byte      // the physical lines of the current record
	quoted *csv.Reader // reads record
	source *bytes.Reader
	queue  [][]byte // lines to be read again, after a record that was not one
	line   int      // of the current record's first line
}

func (r *Roster) openCSV() error {
	c := &csvFile{Roster: r, source: bytes.NewReader(nil), safe: -1, sub: -1}
	r.next = c.next
	r.line = func() int { return c.line }

	first := r.lines.text
	if sep, ok := bytes.CutPrefix(first, []byte("sep=")); ok && utf8.RuneCount(sep) == 1 && r.Delimiter == 0 {
		r.Delimiter, _ = utf8.DecodeRune(sep) // Excel's own hint
		r.lines.kept = false
		if err := r.lines.skipBlank(); errors.Is(err, io.EOF) {
			return &InputError{Name: r.Name, What: "has no rows"}
		} else if err != nil {
			return err
		}
	}
	if r.Delimiter == 0 {
		r.Delimiter = c.findDelimiter()
	}
	if r.Delimiter == '"' || r.Delimiter == '\r' || r.Delimiter == '\n' || r.Delimiter == utf8.RuneError {
		return fmt.Errorf("--delimiter: %q cannot separate columns", r.Delimiter)
	}
	c.quoted = csv.NewReader(c.source)
	c.quoted.Comma, c.quoted.FieldsPerRecord = r.Delimiter, -1

	line := r.lines.n
	header, ok, err := c.read()
	if err != nil {
		return err
	}
	if !ok {
		return &InputError{Name: r.Name, Line: line, What: "the first line is not CSV: a quote in it is not closed"}
	}
	c.fields = len(header)
	if r.NoHeader {
		return c.pickNumber(header)
	}
	if bytes.ContainsRune(c.record, '\r') && !bytes.ContainsRune(c.record, '\n') {
		return &InputError{Name: r.Name, Line: line, What: "lines end in CR alone: save the file with line ends of Unix or Windows"}
	}
	if c.safe = slices.Index(header, safeColumn); c.Report && c.safe >= 0 {
		c.unguard(header)
	}
	if c.Report {
		c.sub = slices.Index(header, subColumn)
	}
	return c.pickColumn(header, line)
}

// unguard makes the cells of a report exact.
func (c *csvFile) unguard(cells []string) {
	for i, cell := range cells {
		cells[i] = exact(cell)
	}
}

// pickNumber finds the username in a file without a header, of which one record
// has been read, and lets that be read again.
func (c *csvFile) pickNumber(first []string) error {
	c.queue = append([][]byte{slices.Clone(c.record)}, c.queue...)
	switch n, err := strconv.Atoi(c.Column); {
	case c.Column == "" && len(first) == 1:
	case c.Column == "":
		return &InputError{Name: c.Name, Line: c.line, What: fmt.Sprintf("there are %d columns and no header: say which holds the username with --username-column NUMBER, counting from 1", len(first))}
	case err != nil:
		return fmt.Errorf("--username-column: with --no-header the column is a number from 1 to %d, not %q", len(first), c.Column)
	case n < 1 || n > len(first):
		return fmt.Errorf("--username-column: %s has %d columns, so there is no column %d", c.Name, len(first), n)
	default:
		c.column = n - 1
	}
	for _, column := range c.Keep {
		n, err := strconv.Atoi(column)
		if err != nil || n < 1 || n > len(first) {
			return fmt.Errorf("with --no-header a column is a number from 1 to %d, not %q", len(first), column)
		}
		c.keep = append(c.keep, n-1)
	}
	c.Column = fmt.Sprintf("column %d", c.column+1)
	return nil
}

// pickColumn finds the username by the header.
func (c *csvFile) pickColumn(header []string, line int) error {
	fail := func(what string) error {
		return &InputError{Name: c.Name, Line: line, What: what}
	}
	columns := listColumns(header)
	var at []int
	if c.Column != "" {
		if at = columnsNamed(header, c.Column); len(at) == 0 {
			return fail(fmt.Sprintf("there is no column %q; the columns are %s", c.Column, columns))
		}
	} else {
		at = columnsWhere(header, func(name string) bool { return slices.Contains(usernameHeaders, normal(name)) })
	}
	switch {
	case len(at) > 1:
		return fail("more than one column may hold the username; say which with --username-column NAME, or rename one. The columns are " + columns)
	case len(at) == 1:
		c.column = at[0]
	case len(header) > 1:
		return fail("no column is called username; say which holds it with --username-column NAME. The columns are " + columns)
	case !looksLikeHeader(header[0]):
		return fail("it is not plain whether the first line is a header or a user: use --no-header if it is a user, --username-column NAME if it is a header")
	}
	c.Column = trim(header[c.column])
	for _, name := range c.Keep {
		switch at := columnsNamed(header, name); len(at) {
		case 0:
			return fail(fmt.Sprintf("there is no column %q; the columns are %s", name, columns))
		case 1:
			c.keep = append(c.keep, at[0])
		default:
			return fail(fmt.Sprintf("more than one column is called %q; rename one", name))
		}
	}
	return nil
}

// columnsNamed are the columns of a name as it is written or, if there are
// none, in any case.
func columnsNamed(header []string, name string) []int {
	if at := columnsWhere(header, func(column string) bool { return trim(column) == name }); len(at) > 0 {
		return at
	}
	return columnsWhere(header, func(column string) bool { return strings.EqualFold(trim(column), name) })
}

func columnsWhere(header []string, match func(string) bool) (at []int) {
	for i, column := range header {
		if match(column) {
			at = append(at, i)
		}
	}
	return at
}

func listColumns(header []string) string {
	quoted := make([]string, len(header))
	for i, name := range header {
		quoted[i] = strconv.Quote(trim(name))
	}
	return strings.Join(quoted, ", ")
}

// findDelimiter picks the one under which the header holds a username.
func (c *csvFile) findDelimiter() rune {
	for _, d := range ",;\t|" {
		for field := range strings.SplitSeq(string(c.lines.text), string(d)) {
			name := normal(strings.Trim(trim(field), `"`))
			if slices.Contains(usernameHeaders, name) || c.Column != "" && name == normal(c.Column) {
				return d
			}
		}
	}
	// No header tells: the one that splits the first line at all.
	for _, d := range ",;\t|" {
		if bytes.ContainsRune(c.lines.text, d) {
			return d
		}
	}
	return ','
}

func (c *csvFile) next() (batch.Entry, error) {
	fields, ok, err := c.read()
	if err != nil {
		return batch.Entry{}, err
	}
	if !ok {
		return invalid(batch.Entry{}, batch.MalformedRow, place(c.Name, c.line, 0), "a quote is not closed, or stands in the wrong place"), nil
	}
	if len(fields) != c.fields {
		e := batch.Entry{}
		if c.column < len(fields) {
			e.Username = trim(fields[c.column])
		}
		return invalid(e, batch.MalformedRow, place(c.Name, c.line, 0),
			fmt.Sprintf("the row has %d columns where the first line has %d, so it is not plain which is the username", len(fields), c.fields)), nil
	}
	if c.Report && c.safe >= 0 && fields[c.safe] == "yes" {
		c.unguard(fields)
	}
	e, err := c.entry(fields[c.column], nil, func() (line, column int) { return c.fieldPos(c.column) })
	if c.sub >= 0 {
		e.Sub = fields[c.sub]
	}
	for _, at := range c.keep {
		if !utf8.ValidString(fields[at]) {
			return e, c.notUTF8(c.fieldPos(at))
		}
		e.Kept = append(e.Kept, trim(fields[at]))
	}
	return e, err
}

// fieldPos is where a field of the current record stands, in bytes from 1.
func (c *csvFile) fieldPos(field int) (line, column int) {
	if bytes.IndexByte(c.record, '"') < 0 {
		at := 1
		for range field {
			at += bytes.Index(c.record[at-1:], []byte(string(c.Delimiter))) + utf8.RuneLen(c.Delimiter)
		}
		return c.line, at
	}
	_, column = c.quoted.FieldPos(field)
	return c.line, column
}

// read reads one record. It reports false for a line that begins none.
//
// A record may span lines if it is quoted, but a stray quote must not swallow
// the rows behind it. So a record of several lines is believed only if it is
// closed, has as many fields as the others, and its username is on one line, or
// in a report; otherwise its first line alone is bad, and the others are read
// again.
func (c *csvFile) read() (fields []string, ok bool, err error) {
	if err := c.line1(); err != nil {
		return nil, false, err
	}
	if bytes.IndexByte(c.record, '"') < 0 {
		return strings.Split(string(c.record), string(c.Delimiter)), true, nil
	}
	var more [][]byte // the lines after the first, in case they must be read again
	open := c.leavesOpen(c.record, false)
	for open && len(c.record) <= maxLine {
		line, err := c.physical()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, false, err
		}
		more = append(more, slices.Clone(line))
		c.record = append(append(c.record, '\n'), line...)
		open = c.leavesOpen(line, true)
	}
	if fields, err := c.parse(); !open && err == nil &&
		(len(more) == 0 || len(fields) == c.fields && (c.Report || !strings.ContainsAny(fields[c.column], "\r\n"))) {
		return fields, true, nil
	}
	c.queue = append(more, c.queue...)
	return nil, false, nil
}

// leavesOpen tells whether a line ends within quotes, open being how it began.
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

// parse reads the record's bytes as one record.
func (c *csvFile) parse() ([]string, error) {
	c.source.Reset(c.record)
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

// line1 begins a record with the next line that is not blank.
func (c *csvFile) line1() error {
	for {
		line, err := c.physical()
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) > 0 || len(line) > 0 && c.Delimiter == '\t' && c.fields > 1 {
			c.record = append(c.record[:0], line...)
			c.line = c.lines.n - len(c.queue)
			return nil
		}
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
