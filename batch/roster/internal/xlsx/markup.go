package xlsx

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Markup is XML that is read token by token, and refused before it takes more
// memory than a workbook of Excel ever does.
type markup struct {
	*xml.Decoder
	io.Closer
	depth int
}

// markup opens a part of the file.
func (b *Book) markup(part string, limit int64) (*markup, error) {
	file := b.parts[strings.ToLower(part)]
	if file == nil {
		return nil, damaged(fmt.Errorf("%.60q is missing", part))
	}
	r, err := b.open(file)
	if err != nil {
		return nil, err
	}
	return &markup{Decoder: xml.NewDecoder(&guard{r: r, left: limit}), Closer: r}, nil
}

// token is the next one, or io.EOF at the end of XML that is whole.
func (m *markup) token() (xml.Token, error) {
	token, err := m.Token()
	switch token.(type) {
	case xml.StartElement:
		if m.depth++; m.depth > maxDepth {
			return nil, &limitError{fmt.Sprintf("elements within each other more than %d deep", maxDepth)}
		}
	case xml.EndElement:
		m.depth--
	}
	return token, err
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// skip reads past the end of the element that was just begun.
func (m *markup) skip() error {
	for outer := m.depth - 1; m.depth > outer; {
		if _, err := m.token(); err != nil {
			return unexpected(err)
		}
	}
	return nil
}

// text is that of the element that was just begun.
func (m *markup) text() (string, error) {
	text, err := m.appendText(nil)
	return string(text), err
}

func (m *markup) appendText(text []byte) ([]byte, error) {
	for outer := m.depth - 1; m.depth > outer; {
		token, err := m.token()
		if err != nil {
			return nil, unexpected(err)
		}
		if characters, ok := token.(xml.CharData); ok {
			text = append(text, characters...)
		}
		if len(text) > maxStrings {
			return nil, &limitError{fmt.Sprintf("more than %d MiB of text", maxStrings>>20)}
		}
	}
	return text, nil
}

// rich appends the text of the element that was just begun, which is in pieces
// with fonts of their own, without the readings of Japanese names beside them.
func (m *markup) rich(text []byte) ([]byte, error) {
	for outer := m.depth - 1; m.depth > outer; {
		token, err := m.token()
		if err != nil {
			return nil, unexpected(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "t":
			text, err = m.appendText(text)
		case "rPh", "rPr", "phoneticPr":
			err = m.skip()
		}
		if err != nil {
			return nil, err
		}
	}
	return text, nil
}

// A limitError is a workbook that asks for more than it may have.
type limitError struct{ what string }

func (e *limitError) Error() string {
	return "the workbook holds " + e.what + ", as none that Excel saved does: save the sheet as CSV"
}

// A guard lets so many bytes through, in which a tag ends or begins every maxGap
// at least.
type guard struct {
	r    io.Reader
	left int64
	gap  int
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	if g.left -= int64(n); g.left < 0 {
		return 0, &limitError{fmt.Sprintf("a sheet of more than %d GiB", int64(maxPart)>>30)}
	}
	if i := bytes.LastIndexByte(p[:n], '<'); i >= 0 {
		g.gap = n - i
	} else {
		g.gap += n
	}
	if g.gap > maxGap {
		return 0, &limitError{fmt.Sprintf("more than %d MiB in one cell", maxGap>>20)}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("unpacking it: %w", err)
	}
	return n, err
}
