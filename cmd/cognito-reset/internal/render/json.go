package render

import (
	stdjson "encoding/json"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// JSON writes a value whose bytes are compared later, or that is a list: members are
// in one order, and nothing is null that is only empty.
func JSON(w io.Writer, v any) error {
	text, err := json.Marshal(v, jsontext.WithIndent("  "), json.Deterministic(true))
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
}

// Object writes what a command tells of one thing, for a program.
func Object(w io.Writer, v any) error {
	enc := stdjson.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
