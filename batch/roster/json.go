package roster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
	"cognito-reset/batch/roster/internal/jsondoc"
)

// jsonRows makes entries of JSON values.
type jsonRows struct {
	*Roster
	found []bool // which of Keep some row had
	keys  keys
}

// openJSON reads JSON lines or, if the text is no such, a document.
func (r *Roster) openJSON(head []byte) error {
	j := &jsonRows{Roster: r, found: make([]bool, len(r.Keep))}
	r.missing = j.missing
	switch form := jsonForm(head); {
	case form == "":
		return r.refuse(position{line: r.lines.n}, fmt.Sprintf("this is not JSON; if it is CSV, say %s csv", r.flag("format")))
	case form == JSON && r.Format == JSONL:
		return r.refuse(position{line: r.lines.n}, fmt.Sprintf("this is a JSON document, not JSON lines: say %s json, or auto", r.flag("format")))
	case r.Format == Auto || r.Format == "":
		r.Format = form
	}
	if r.Format == JSONL {
		l := &jsonLines{jsonRows: j}
		r.next, r.end = l.next, func() {}
		return nil
	}
	d := &jsonDocument{jsonRows: j, doc: jsondoc.New(r.lines.r)}
	r.next, r.end = d.next, d.end
	return nil
}

// jsonForm tells JSON lines from a document by the beginning of a text; "" is
// that it is not JSON.
func jsonForm(head []byte) Format {
	text := bytes.TrimLeft(head, " \t\r\n\ufeff")
	if len(text) == 0 || !bytes.ContainsAny(text[:1], `{["`) {
		return ""
	}
	first, rest, more := bytes.Cut(text, []byte{lineEnd(text)})
	if kind := oneValue(first); kind == '{' || kind == '"' {
		return JSONL
	}
	if text[0] == '[' || !more || several(first) {
		return JSON
	}
	// The first line is broken, or an object goes on below it.
	for line := range bytes.SplitSeq(rest, []byte{lineEnd(text)}) {
		if bytes.HasPrefix(line, []byte("{")) && oneValue(line) == '{' {
			return JSONL
		}
	}
	if text[0] == '"' {
		return JSONL
	}
	return JSON
}

// oneValue is the kind of a line that is one JSON value; 0 if it is not, or if the
// value lists users.
func oneValue(line []byte) jsontext.Kind {
	value := jsontext.Value(bytes.TrimSpace(line))
	if !value.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return 0
	}
	if value.Kind() == '{' {
		d := jsondoc.New(bytes.NewReader(value))
		if row, err := d.Next(); err != nil || len(row) == 0 || row[0] != '{' || d.Lists() {
			return 0
		}
	}
	return value.Kind()
}

// several reports whether a line is more than one JSON value.
func several(line []byte) bool {
	d, n := jsondoc.New(bytes.NewReader(line)), 0
	for ; ; n++ {
		if _, err := d.Next(); err != nil {
			return errors.Is(err, io.EOF) && n > 1
		}
	}
}

// jsonLines are values on lines of their own. A line that is broken costs itself
// alone.
type jsonLines struct {
	*jsonRows
	values []jsontext.Value // left of a line that has several, as where files were put together
}

func (j *jsonLines) at() position { return position{line: j.lines.n} }

func (j *jsonLines) next() (batch.Entry, error) {
	if len(j.values) > 0 {
		value := j.values[0]
		j.values = j.values[1:]
		return j.entryOf(value, j.at)
	}
	if err := j.lines.skipBlank(); err != nil {
		return batch.Entry{}, err
	}
	j.lines.kept = false
	text := jsontext.Value(bytes.TrimSpace(j.lines.text))
	if !text.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) && several(text) {
		for d := jsondoc.New(bytes.NewReader(text)); ; {
			value, err := d.Next()
			if err != nil {
				return j.next()
			}
			j.values = append(j.values, value.Clone())
		}
	}
	return j.entryOf(text, j.at)
}

// jsonDocument are the rows of a document.
type jsonDocument struct {
	*jsonRows
	doc *jsondoc.Reader
}

func (j *jsonDocument) at() position {
	line, column := j.doc.Place()
	return position{line: line, column: column}
}

func (j *jsonDocument) next() (batch.Entry, error) {
	value, err := j.doc.Next()
	switch {
	case errors.Is(err, io.EOF):
		return batch.Entry{}, io.EOF
	case errors.Is(err, jsondoc.ErrTooLong):
		return batch.Entry{}, j.refuse(j.at(), err.Error()+": is this a list of users?")
	case errors.Is(err, jsondoc.ErrBoth):
		return batch.Entry{}, j.refuse(j.at(), err.Error()+": split them")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return batch.Entry{}, j.refuse(j.at(), "the JSON ends too early: it is cut short, so fetch it again")
	case err != nil:
		if _, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			return batch.Entry{}, j.refuse(j.at(), "from here on this is not JSON: "+syntax(err))
		}
		return batch.Entry{}, &InputError{Name: j.Name, What: "cannot be read", Err: err}
	}
	return j.entryOf(value, j.at)
}

// end says of a list that it is not whole.
func (j *jsonDocument) end() {
	if token := j.doc.Partial(); token != "" {
		j.Partial = true
		j.notice(position{}, fmt.Sprintf("the list is not whole: it ends with a %s, so there are more users than are in it. List them without --max-items, or add the pages that are missing", token))
	}
}

// entryOf makes an entry of a value.
func (j *jsonRows) entryOf(value jsontext.Value, at func() position) (batch.Entry, error) {
	j.where = at
	if wrong := notUTF8At(value); wrong >= 0 {
		p := at()
		p.column = max(p.column, 1) + wrong
		return batch.Entry{}, j.notUTF8(p)
	}
	malformed := func(what string) (batch.Entry, error) {
		return invalid(batch.Entry{}, batch.MalformedRow, at().in(j.Name), what), nil
	}
	if value[0] == '"' {
		var username string
		if err := json.Unmarshal(value, &username); err != nil {
			return malformed("this is not a JSON string")
		}
		j.keys.strings = true
		e, err := j.entry(username, nil, at)
		e.Kept = j.keep(nil)
		return e, err
	}
	if value[0] != '{' {
		return malformed(`a row is a JSON string or an object with "username"; a number must be quoted`)
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(value, &members); err != nil {
		return malformed("this is not a JSON object: " + syntax(err))
	}
	e, err := j.fromMembers(members, at)
	if j.Report {
		json.Unmarshal(members[subColumn], &e.Sub) // which stays empty where there is none
	}
	e.Kept = j.keep(members)
	return e, err
}

// username finds it in an object. Of several keys, all must agree. what is wrong,
// if anything is.
func (j *jsonRows) username(members map[string]jsontext.Value) (username string, found bool, what string) {
	take := func(key string, value jsontext.Value) {
		var text string
		switch {
		case value.Kind() != '"' || json.Unmarshal(value, &text) != nil:
			what = fmt.Sprintf("%q is not a string; put it in quotes", key)
		case found && text != username:
			what = "two keys of the row name two users"
		}
		username, found = text, true
	}
	if j.Column != "" {
		if value, ok := lookUp(members, j.Column); ok {
			take(j.Column, value)
		}
		return username, found, what
	}
	for key, value := range members {
		if j.keys.isUsername(key) {
			take(key, value)
		}
	}
	return username, found, what
}

// fromMembers reads a row that is an object.
func (j *jsonRows) fromMembers(members map[string]jsontext.Value, at func() position) (batch.Entry, error) {
	username, found, what := j.username(members)
	e := batch.Entry{Username: username}
	bad := func(e batch.Entry, reason batch.Reason, what string) (batch.Entry, error) {
		return invalid(e, reason, at().in(j.Name), what), nil
	}
	j.keys.seen(members, found)
	switch {
	case what != "":
		return bad(batch.Entry{}, batch.MalformedRow, what)
	case !found && j.Column != "":
		return bad(e, batch.EmptyUsername, fmt.Sprintf("there is no %q", j.Column))
	case !found:
		return bad(e, batch.EmptyUsername, `there is no "username"`)
	}
	var metadata map[string]string
	if value, ok := members["ClientMetadata"]; ok && value.Kind() != 'n' {
		if err := json.Unmarshal(value, &metadata); err != nil {
			return bad(e, batch.MalformedRow, `"ClientMetadata" is not an object of strings`)
		}
	}
	checked, err := j.entry(e.Username, metadata, at)
	if err != nil {
		return checked, err
	}
	if checked.Outcome != "" {
		return checked, nil
	}
	for key, value := range j.withKept(members) {
		if !isPoolName(key) || value.Kind() == 'n' {
			continue
		}
		var pool string
		if err := json.Unmarshal(value, &pool); err != nil {
			return bad(checked, batch.MalformedRow, fmt.Sprintf("%q is not a string", key))
		}
		if what := j.otherPool(pool); what != "" {
			return bad(checked, batch.WrongPool, what)
		}
	}
	return checked, nil
}

// withKept are the members of a row and, of a report, what it kept of its input.
func (j *jsonRows) withKept(members map[string]jsontext.Value) iter.Seq2[string, jsontext.Value] {
	return func(yield func(string, jsontext.Value) bool) {
		for key, value := range members {
			if !yield(key, value) {
				return
			}
		}
		var within map[string]jsontext.Value
		if j.Report {
			json.Unmarshal(members[keptKey], &within) // whatever else it is, it has none
		}
		for key, value := range within {
			if !yield(key, value) {
				return
			}
		}
	}
}

// keep are the values of the columns to keep.
func (j *jsonRows) keep(members map[string]jsontext.Value) []string {
	if len(j.Keep) == 0 {
		return nil
	}
	var within map[string]jsontext.Value
	if j.Report {
		json.Unmarshal(members[keptKey], &within) // whatever else it is, it has none
	}
	values := make([]string, len(j.Keep))
	for i, key := range j.Keep {
		value, ok := lookUp(members, key)
		if !ok {
			value, ok = within[key]
		}
		if !ok {
			continue
		}
		j.found[i] = true
		switch value.Kind() {
		case 'n':
		case '"':
			json.Unmarshal(value, &values[i]) // a string, as the object was read
			values[i] = trim(values[i])
		default:
			values[i] = string(value)
		}
	}
	return values
}

// missing says what no row of an input had that was read to its end.
func (j *jsonRows) missing() string {
	if j.keys.objects > 0 && !j.keys.found && !j.keys.strings {
		what := `no row has a key "username"`
		if j.Column != "" {
			what = fmt.Sprintf("no row has a key %q", j.Column)
		}
		return fmt.Sprintf("%s; say which holds it with %s NAME, or NAME.NAME for one a level down; %s", what, j.flag("username-column"), j.keys.list())
	}
	for i, name := range j.Keep {
		if !j.found[i] && !(j.Report && slices.Contains(reportColumns, name)) {
			return fmt.Sprintf("no row has %q; %s", name, j.keys.list())
		}
	}
	return ""
}
