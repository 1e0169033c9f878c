package roster

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

// usernameKeys are the keys under which a JSON document may name its user.
var usernameKeys = []string{"username", "Username", "cognito:username"}

func (r *Roster) openJSONL() error {
	first := bytes.TrimSpace(r.lines.text)
	fail := func(what string) error {
		return &InputError{Name: r.Name, Line: r.lines.n, What: what}
	}
	switch {
	case first[0] == '[':
		return fail("this is one JSON array; JSON lines hold one value a line: convert it with jq -c '.[]' FILE")
	case string(first) == "{":
		return fail("this JSON is spread over lines; JSON lines hold one value a line: convert it with jq -c . FILE")
	case first[0] != '{' && first[0] != '"':
		return fail("this is not JSON; if it is CSV, say --format csv")
	}
	r.next, r.found = r.nextJSON, make([]bool, len(r.Keep))
	return nil
}

func (r *Roster) nextJSON() (batch.Entry, error) {
	if err := r.lines.skipBlank(); err != nil {
		return batch.Entry{}, err
	}
	r.lines.kept = false
	if wrong := notUTF8At(r.lines.text); wrong >= 0 {
		return batch.Entry{}, r.notUTF8(r.lines.n, wrong+1)
	}
	text := bytes.TrimSpace(r.lines.text)
	if text[0] == '"' {
		var username string
		if err := json.Unmarshal(text, &username); err != nil {
			return r.malformed(batch.Entry{}, "this is not a JSON string")
		}
		e, err := r.entry(username, nil, r.thisLine)
		e.Kept = r.kept(nil)
		return e, err
	}
	if text[0] != '{' {
		return r.malformed(batch.Entry{}, `a row is a JSON string or an object with "username"; a number must be quoted`)
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil {
		return r.malformed(batch.Entry{}, "this is not a JSON object: "+syntax(err))
	}
	e, err := r.fromMembers(members)
	if r.Report {
		json.Unmarshal(members[subColumn], &e.Sub) // which stays empty where there is none
	}
	e.Kept = r.kept(members)
	return e, err
}

// thisLine is the place of a row, of which no column is known.
func (r *Roster) thisLine() (line, column int) { return r.lines.n, 0 }

func (r *Roster) malformed(e batch.Entry, what string) (batch.Entry, error) {
	return r.invalidLine(e, batch.MalformedRow, what)
}

func (r *Roster) invalidLine(e batch.Entry, reason batch.Reason, what string) (batch.Entry, error) {
	return invalid(e, reason, place(r.Name, r.lines.n, 0), what), nil
}

// fromMembers reads a row that is an object.
func (r *Roster) fromMembers(members map[string]jsontext.Value) (batch.Entry, error) {
	keys := usernameKeys
	if r.Column != "" {
		keys = []string{r.Column}
	}
	e, found := batch.Entry{}, ""
	for _, key := range keys {
		value, ok := members[key]
		if !ok {
			continue
		}
		var username string
		if value.Kind() != '"' || json.Unmarshal(value, &username) != nil {
			return r.malformed(e, fmt.Sprintf("%q is not a string; put it in quotes", key))
		}
		if found != "" && username != e.Username {
			return r.malformed(e, fmt.Sprintf("%q and %q name two users", found, key))
		}
		e.Username, found = username, key
	}
	if found == "" {
		return r.invalidLine(e, batch.EmptyUsername, fmt.Sprintf("there is no %q", strings.Join(keys, `" or "`)))
	}

	var metadata map[string]string
	if value, ok := members["ClientMetadata"]; ok && value.Kind() != 'n' {
		if err := json.Unmarshal(value, &metadata); err != nil {
			return r.malformed(e, `"ClientMetadata" is not an object of strings`)
		}
	}
	checked, err := r.entry(e.Username, metadata, r.thisLine)
	if err != nil {
		return checked, err
	}
	if value, ok := members["UserPoolId"]; ok && value.Kind() != 'n' && checked.Outcome == "" {
		var pool string
		if err := json.Unmarshal(value, &pool); err != nil {
			return r.malformed(checked, `"UserPoolId" is not a string`)
		}
		if r.PoolID != "" && pool != "" && pool != r.PoolID {
			return r.invalidLine(checked, batch.WrongPool, fmt.Sprintf("the row is for user pool %q, this run for %q", pool, r.PoolID))
		}
	}
	return checked, nil
}

// kept are the values of the columns to keep.
func (r *Roster) kept(members map[string]jsontext.Value) []string {
	if len(r.Keep) == 0 {
		return nil
	}
	var within map[string]jsontext.Value
	if r.Report {
		json.Unmarshal(members[keptKey], &within) // whatever else it is, it has none
	}
	values := make([]string, len(r.Keep))
	for i, key := range r.Keep {
		value, ok := members[key]
		if !ok {
			value, ok = within[key]
		}
		if !ok {
			continue
		}
		r.found[i] = true
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

// notUTF8At is where text first is not UTF-8, or -1.
func notUTF8At(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for i, r := range string(text) {
		if r == utf8.RuneError && !bytes.HasPrefix(text[i:], []byte("\ufffd")) {
			return i
		}
	}
	return -1
}

// syntax keeps of a JSON error what names no value.
func syntax(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}
