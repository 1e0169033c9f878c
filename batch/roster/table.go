package roster

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cognito-reset/batch"
)

// Records are rows of cells, of a CSV or of a workbook.
type records interface {
	// next reads a record, or gives io.EOF. It is good until the next call.
	next() (record, error)

	// at is where a cell of the last record stands, or the record itself for -1.
	at(cell int) position

	// flaw says why a cell of the last record is not what it seems; "" if it is.
	flaw(cell int) (batch.Reason, string)

	// alone reports whether nothing comes after the last record.
	alone() bool
}

// A record is a row of cells.
type record struct {
	cells  []string
	broken string // why the line is no record; "" if it is one
	strict bool   // a cell that is missing need not be the last
}

// A table makes entries of records: it finds the username by the header, which
// is the first record that is not blank.
type table struct {
	*Roster
	rows   records
	header []string // nil without
	width  int      // cells of a record, at most
	keep   []int    // columns to keep, 0-based
	safe   int      // likewise, of what says that a row is guarded; -1 without
	sub    int      // likewise, of the sub in a report; -1 without
	pools  []int    // likewise, of whose user a row names

	again    record   // to be read once more, if that is so
	kept     bool     // whether it is
	headers  int      // how often the header came again
	headerAt position // where it did first
}

// openTable reads the header.
func (r *Roster) openTable(rows records) error {
	t := &table{Roster: r, rows: rows, safe: -1, sub: -1}
	r.next, r.end = t.next, t.end
	r.where = func() position { return rows.at(-1) }
	first, err := t.read()
	switch {
	case errors.Is(err, io.EOF):
		return &InputError{Name: r.Name, What: "has no rows"}
	case err != nil:
		return err
	case first.broken != "":
		return r.refuse(rows.at(-1), "the first line is not CSV: a quote in it is not closed")
	}
	t.width = len(first.cells)
	if what := t.manyOnOneLine(first.cells); what != "" {
		return r.refuse(rows.at(-1), what)
	}
	if r.NoHeader {
		t.again, t.kept = first, true
		return t.pickNumber()
	}
	t.header = slices.Clone(first.cells)
	if t.safe = slices.Index(t.header, safeColumn); r.Report && t.safe >= 0 {
		unguard(t.header)
	}
	if r.Report {
		t.sub = slices.Index(t.header, subColumn)
	}
	t.pools = columnsWhere(t.header, isPoolName)
	return t.pickColumn()
}

// isPoolName reports whether a column or key of that name holds the id of a user
// pool, as "UserPoolId" in requests and "user_pool_id" in merged reports.
func isPoolName(name string) bool { return normal(name) == "userpoolid" }

// otherPool says what is wrong with a row of a pool that is not the run's; "" if
// it is the run's, or nobody's.
func (r *Roster) otherPool(pool string) (what string) {
	if pool = trim(pool); r.PoolID == "" || pool == "" || pool == r.PoolID {
		return ""
	}
	return fmt.Sprintf("the row is for user pool %q, this run for %q", pool, r.PoolID)
}

// read is the next record that is not blank, as a row of separators is.
func (t *table) read() (record, error) {
	if t.kept {
		t.kept = false
		return t.again, nil
	}
	for {
		r, err := t.rows.next()
		if err != nil || r.broken != "" || slices.ContainsFunc(r.cells, func(cell string) bool { return trim(cell) != "" }) {
			return r, err
		}
	}
}

// unguard makes the cells of a report exact.
func unguard(cells []string) {
	for i, cell := range cells {
		cells[i] = exact(cell)
	}
}

// pickNumber finds the username in a table without a header.
func (t *table) pickNumber() error {
	number := func(column string) (int, error) {
		n, err := strconv.Atoi(column)
		if err != nil || n < 1 || n > t.width {
			return 0, t.refuse(t.rows.at(-1), fmt.Sprintf("with %s a column is a number from 1 to %d, not %q", t.flag("no-header"), t.width, column))
		}
		return n - 1, nil
	}
	var err error
	switch {
	case t.Column == "" && t.width > 1:
		return t.refuse(t.rows.at(-1), fmt.Sprintf("there are %d columns and no header: say which holds the username with %s NUMBER, counting from 1", t.width, t.flag("username-column")))
	case t.Column != "":
		t.column, err = number(t.Column)
	}
	for _, column := range t.Keep {
		n, wrong := number(column)
		err = errors.Join(err, wrong)
		t.keep = append(t.keep, n)
	}
	t.Column = fmt.Sprintf("column %d", t.column+1)
	return err
}

// pickColumn finds the username by the header.
func (t *table) pickColumn() error {
	first := t.rows.at(-1)
	fail := func(what string) error {
		if below, found := t.headerBelow(); found {
			what = fmt.Sprintf("the header is not the first line, but at %s: delete what is above it", below.in(t.Name))
		}
		return t.refuse(first, what)
	}
	columns, flag := listColumns(t.header), t.flag("username-column")
	at := columnsWhere(t.header, isUsernameName)
	if t.Column != "" {
		if at = columnsNamed(t.header, t.Column); len(at) == 0 {
			what := fmt.Sprintf("there is no column %q; %s", t.Column, columns)
			if _, err := strconv.Atoi(t.Column); err == nil {
				what += fmt.Sprintf("; if there is no header, say %s as well", t.flag("no-header"))
			}
			return fail(what)
		}
	}
	switch {
	case len(at) > 1:
		return fail(fmt.Sprintf("more than one column may hold the username; say which with %s NAME, or rename one; %s", flag, columns))
	case len(at) == 1:
		t.column = at[0]
	case len(t.header) == 1 && !isColumnName(t.header[0]):
		return fail(fmt.Sprintf("it is not plain whether the first line is a header or a user: say %s if it is a user, or %s NAME, with the line as the name, if it is a header", t.flag("no-header"), flag))
	case len(t.header) == 1:
	case slices.ContainsFunc(t.header, isColumnName):
		return fail(fmt.Sprintf("no column is called username; say which holds it with %s NAME; %s", flag, columns))
	default:
		return fail(fmt.Sprintf("no column is called username; %s. If the first line is a header, say which column with %s NAME; if it is a user, with %s %[2]s NUMBER", columns, flag, t.flag("no-header")))
	}
	t.Column = trim(t.header[t.column])
	for _, name := range t.Keep {
		switch at := columnsNamed(t.header, name); len(at) {
		case 0:
			return fail(fmt.Sprintf("there is no column %q; %s", name, columns))
		case 1:
			t.keep = append(t.keep, at[0])
		default:
			return fail(fmt.Sprintf("more than one column is called %q; rename one", name))
		}
	}
	return nil
}

// headerBelow looks for the header below a title, such as "Leaked accounts".
func (t *table) headerBelow() (at position, found bool) {
	filled := func(cells []string) int {
		return len(columnsWhere(cells, func(cell string) bool { return trim(cell) != "" }))
	}
	if filled(t.header) > 1 || len(columnsWhere(t.header, isColumnName)) > 0 {
		return at, false
	}
	for range 20 {
		r, err := t.read()
		if err != nil || r.broken != "" {
			return at, false
		}
		if filled(r.cells) > 1 && len(columnsWhere(r.cells, isUsernameName)) == 1 {
			return t.rows.at(-1), true
		}
	}
	return at, false
}

// next makes an entry of the next record.
func (t *table) next() (batch.Entry, error) {
	r, err := t.read()
	for ; err == nil && r.broken == ""; r, err = t.read() {
		again, err := t.isHeader(r.cells)
		if err != nil {
			return batch.Entry{}, err
		}
		if !again {
			break
		}
		if t.headers++; t.headers == 1 {
			t.headerAt = t.rows.at(-1)
		}
	}
	if err != nil {
		return batch.Entry{}, err
	}
	if r.broken != "" {
		return invalid(batch.Entry{}, batch.MalformedRow, t.rows.at(-1).in(t.Name), r.broken), nil
	}
	if t.surplus(r) {
		e := batch.Entry{Username: trim(cellAt(r.cells, t.column))}
		return invalid(e, batch.MalformedRow, t.rows.at(-1).in(t.Name),
			fmt.Sprintf("the row has %d columns where the first line has %d, so it is not plain which is the username", len(r.cells), t.width)), nil
	}
	if t.Report && cellAt(r.cells, t.safe) == "yes" {
		unguard(r.cells)
	}
	return t.entryOf(r.cells)
}

// surplus reports whether a record has cells that belong to no column, or may
// lack others than the last.
func (t *table) surplus(r record) bool {
	if len(r.cells) < t.width {
		return r.strict
	}
	return slices.ContainsFunc(r.cells[t.width:], func(cell string) bool { return trim(cell) != "" })
}

func (t *table) entryOf(cells []string) (batch.Entry, error) {
	e, err := t.entry(cellAt(cells, t.column), nil, func() position { return t.rows.at(t.column) })
	if err != nil {
		return e, err
	}
	if reason, what := t.rows.flaw(t.column); what != "" {
		e = invalid(e, reason, t.rows.at(t.column).in(t.Name), what)
	}
	for _, column := range t.pools {
		if what := t.otherPool(cellAt(cells, column)); what != "" && e.Outcome == "" {
			e = invalid(e, batch.WrongPool, t.rows.at(column).in(t.Name), what)
		}
	}
	e.Sub = cellAt(cells, t.sub)
	for _, at := range t.keep {
		cell := cellAt(cells, at)
		if !utf8.ValidString(cell) {
			return e, t.notUTF8(t.rows.at(at))
		}
		e.Kept = append(e.Kept, trim(cell))
	}
	return e, nil
}

// cellAt is a cell, which is empty where it is missing.
func cellAt(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return cells[i]
}

// isHeader reports whether a record is the header once more, as where two exports
// were put together. Another header than the first is an error: the columns
// below it need not be those above.
func (t *table) isHeader(cells []string) (again bool, err error) {
	username := cellAt(cells, t.column)
	known := func(cell string) bool { return isColumnName(cell) || len(columnsNamed(t.header, trim(cell))) > 0 }
	if trim(username) != "" && !known(username) { // as in nearly every row
		return false, nil
	}
	filled := slices.DeleteFunc(slices.Clone(cells), func(cell string) bool { return trim(cell) == "" })
	if t.header == nil {
		names := len(columnsWhere(filled, isColumnName))
		if isColumnName(username) && (names > 1 || len(filled) == 1) {
			return false, t.refuse(t.rows.at(-1), fmt.Sprintf("this line is a header, not a user: leave %s out, or delete the line. A user of that name can be given as JSON lines, in quotes", t.flag("no-header")))
		}
		return false, nil
	}
	if !isColumnName(username) && !strings.EqualFold(trim(username), t.Column) &&
		(len(filled) < 2 || slices.ContainsFunc(filled, func(cell string) bool { return !known(cell) })) {
		return false, nil
	}
	same := func(a, b string) bool { return strings.EqualFold(trim(a), trim(b)) }
	for i := range max(len(cells), len(t.header)) {
		if !same(cellAt(cells, i), cellAt(t.header, i)) {
			return false, t.refuse(t.rows.at(-1), "this line is another header than the first: split the file before it and give both parts, each by itself. A user of that name can be given as JSON lines, in quotes")
		}
	}
	return true, nil
}

// end says what there is to know of a table that was read to its end.
func (t *table) end() {
	if t.headers > 0 {
		t.notice(t.headerAt, fmt.Sprintf("the header comes again, %s in all; it is not taken for a user", times(t.headers)))
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// shapes are what many values on one line look like, if all of them do.
var shapes = []*regexp.Regexp{
	regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`),
	regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`),
	regexp.MustCompile(`^\+[0-9]{7,15}$`),
}

// manyOnOneLine says what to do where the values of several rows stand in the
// first one, as in --output text of the AWS CLI.
func (t *table) manyOnOneLine(cells []string) string {
	cells = slices.DeleteFunc(slices.Clone(cells), func(cell string) bool { return trim(cell) == "" })
	if slices.ContainsFunc(cells, isColumnName) || !t.NoHeader && t.Column != "" {
		return ""
	}
	separator, alone := string(t.Delimiter), t.rows.alone()
	if words := strings.Fields(cells[0]); len(cells) == 1 && len(words) > 1 {
		cells, separator = words, " "
	}
	alike := slices.ContainsFunc(shapes, func(shape *regexp.Regexp) bool {
		return !slices.ContainsFunc(cells, func(cell string) bool { return !shape.MatchString(trim(cell)) })
	})
	switch {
	case len(cells) < 2:
		return ""
	case alike && (alone || len(cells) > 2):
	case alone && (separator == " " || t.Column == ""):
	default:
		return ""
	}
	if t.Format == Workbook {
		return fmt.Sprintf("%d values in one row: put one in each", len(cells))
	}
	quoted := strings.Trim(strconv.Quote(separator), `"`)
	return fmt.Sprintf(`%d values on one line: put one on each, such as with tr '%s' '\n', and say %s`, len(cells), quoted, t.flag("no-header"))
}
