package roster

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// lookUp finds a member by its key or, through objects within each other, by keys
// with dots between them. In a list of attributes as ListUsers gives them, the key
// is the name of one.
func lookUp(members map[string]jsontext.Value, key string) (jsontext.Value, bool) {
	if value, ok := members[key]; ok {
		return value, true
	}
	for i := range len(key) {
		if key[i] != '.' {
			continue
		}
		switch value := members[key[:i]]; value.Kind() {
		case '{':
			var within map[string]jsontext.Value
			if json.Unmarshal(value, &within) == nil {
				if found, ok := lookUp(within, key[i+1:]); ok {
					return found, true
				}
			}
		case '[':
			for _, a := range attributes(value) {
				if a.Name == key[i+1:] && a.Value != nil {
					return a.Value, true
				}
			}
		}
	}
	return nil, false
}

type attribute struct {
	Name  string
	Value jsontext.Value
}

// attributes are those of a user, as ListUsers gives them; none of anything else.
func attributes(list jsontext.Value) (found []attribute) {
	if json.Unmarshal(list, &found) != nil {
		return nil
	}
	return found
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

// syntax says what is wrong with JSON, without any of its keys and values.
func syntax(err error) string {
	wrong, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case !ok:
		return "it is not of the usual form"
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a key comes twice"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	}
	return wrong.Err.Error()
}
