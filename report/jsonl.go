package report

import (
	"bufio"
	"io"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

// NewJSONL writes one JSON object a line, with the keys of [Columns] in their order. A
// key whose cell of the CSV is empty is left out, but for username and outcome; earlier
// versions wrote null, and took three times the space for a row without a call. What a
// user was before, where that is known, is an object under the key before; the columns
// that results carry in Kept are one under the key kept.
func NewJSONL(w io.Writer, kept ...string) Writer {
	return &jsonlWriter{out: bufio.NewWriterSize(w, 1<<16), kept: kept}
}

// A jsonlWriter appends members to a line by hand, in a part of the time that
// reflection takes.
type jsonlWriter struct {
	out  *bufio.Writer
	kept []string
	line []byte
	row  batch.Result // that is being written: one for all, as it escapes
}

// members are how those of a line begin, by column.
var members = func() (begin []string) {
	for _, name := range Columns {
		begin = append(begin, `,"`+name+`":`)
	}
	return begin
}()

func (w *jsonlWriter) Write(r batch.Result) error {
	w.row = r
	line := w.line[:0]
	for i, c := range columns {
		if cell := c.cell(&w.row); cell.kind != isText || cell.text != "" {
			line = appendJSON(append(line, members[i]...), cell)
		}
	}
	line[0] = '{' // in place of the first comma
	var err error
	if r.Before != nil {
		if line, err = appendMember(line, "before", r.Before); err != nil {
			return err
		}
	}
	if kept := keptOf(r, w.kept); kept != nil {
		if line, err = appendMember(line, "kept", kept); err != nil {
			return err
		}
	}
	w.line = append(line, "}\n"...)
	_, err = w.out.Write(w.line)
	return err
}

func appendJSON(dst []byte, c cell) []byte {
	switch c.kind {
	case isNumber:
		return strconv.AppendInt(dst, c.number, 10)
	case isTime:
		return append(appendStamp(append(dst, '"'), c.number), '"')
	}
	dst, _ = jsontext.AppendQuote(dst, c.text) // replaces what is not UTF-8
	return dst
}

func appendMember(dst []byte, name string, v any) ([]byte, error) {
	value, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return append(dst, value...), err
}

// keptOf is what a result carries in Kept, by the names of the columns; nil if it
// carries nothing.
func keptOf(r batch.Result, columns []string) map[string]string {
	if len(r.Kept) == 0 {
		return nil
	}
	kept := make(map[string]string, len(r.Kept))
	for i, value := range r.Kept {
		kept[columns[i]] = value
	}
	return kept
}

func (w *jsonlWriter) Close() error { return w.out.Flush() }
