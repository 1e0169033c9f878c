package journal

import (
	"bytes"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"cognito-reset/batch"
)

// A scanner reads the members of a JSON object as this package writes nearly all
// of them: no white space, no escapes, whole numbers, times in UTC, each name
// once. It takes a tenth of the time that a general decoder does, to which
// everything else is left, and what a value holds that has members of its own.
// What it takes, a general decoder would take for the same.
type scanner struct {
	rest        []byte
	name, value []byte // of the current member, valid as long as what is read
	quoted      bool   // the value is a string
	odd         bool   // this is for a general decoder
}

// scan reads what stands between a prefix and a suffix.
func scan(object []byte, prefix, suffix string) scanner {
	rest, begins := bytes.CutPrefix(object, []byte(prefix))
	rest, ends := bytes.CutSuffix(rest, []byte(suffix))
	return scanner{rest: rest, odd: !begins || !ends || len(rest) == 0}
}

// next steps to the next member. It reports false behind the last, and where
// the scanner goes no further, which is odd.
func (s *scanner) next() bool {
	if s.odd || len(s.rest) == 0 {
		return false
	}
	s.odd = true // until the member is read
	if s.rest[0] != '"' {
		return false
	}
	end := bytes.IndexByte(s.rest[1:], '"') + 1
	if end == 0 || len(s.rest) < end+3 || s.rest[end+1] != ':' {
		return false
	}
	s.name, s.rest = s.rest[1:end], s.rest[end+2:]
	s.quoted = false
	switch s.rest[0] {
	case '"':
		end = bytes.IndexByte(s.rest[1:], '"') + 1
		if end == 0 {
			return false
		}
		s.quoted = true
		s.value, s.rest = s.rest[1:end], s.rest[end+1:]
	case '{', '[':
		if end = closes(s.rest); end < 0 {
			return false
		}
		s.value, s.rest = s.rest[:end], s.rest[end:]
	default:
		if end = bytes.IndexByte(s.rest, ','); end < 0 {
			end = len(s.rest)
		}
		s.value, s.rest = s.rest[:end], s.rest[end:]
	}
	if len(s.rest) > 0 {
		if s.rest[0] != ',' || len(s.rest) == 1 {
			return false
		}
		s.rest = s.rest[1:]
	}
	s.odd = false
	return true
}

// closes is where the object or array ends that text begins with; -1 if it does
// not, or has escapes.
func closes(text []byte) int {
	depth, quoted := 0, false
	for i, c := range text {
		switch {
		case c == '\\':
			return -1
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// into reads a value that has members of its own.
func (s *scanner) into(v any) {
	s.odd = s.odd || s.quoted || json.Unmarshal(s.value, v) != nil
}

// text is the value as a string.
func (s *scanner) text() string {
	ascii := true
	for _, c := range s.value {
		if c < ' ' || c == '\\' {
			s.odd = true
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	s.odd = s.odd || !s.quoted || !ascii && !utf8.Valid(s.value)
	return string(s.value)
}

// word is the value as one of those that come again and again.
func (s *scanner) word() string {
	word, ok := words[string(s.value)]
	s.odd = s.odd || !s.quoted || !ok
	return word
}

var words = func() map[string]string {
	words := make(map[string]string)
	add := func(word string) { words[word] = word }
	for _, event := range []string{eventSession, eventIntent, eventResult, eventEnded, eventSteered} {
		add(event)
	}
	for _, o := range batch.Outcomes {
		add(string(o))
	}
	for _, r := range batch.Reasons {
		add(string(r))
	}
	for _, e := range []batch.Evidence{batch.ByAnswer, batch.ByReadBack, batch.ByState} {
		add(string(e))
	}
	return words
}()

// integer is the value as a number from 0, of up to 18 digits.
func (s *scanner) integer() (n int64) {
	for _, c := range s.value {
		s.odd = s.odd || c < '0' || c > '9'
		n = 10*n + int64(c-'0')
	}
	digits := len(s.value)
	s.odd = s.odd || s.quoted || digits == 0 || digits > 18 || digits > 1 && s.value[0] == '0'
	return n
}

// moment is the value as a time in UTC, in which every part is where RFC 3339 has
// it: UnmarshalText alone takes some that JSON does not.
func (s *scanner) moment() (t time.Time) {
	v := s.value
	s.odd = s.odd || !s.quoted || len(v) < len("2006-01-02T15:04:05Z") || v[len(v)-1] != 'Z' ||
		v[13] != ':' || v[16] != ':' || v[19] != '.' && v[19] != 'Z' || t.UnmarshalText(v) != nil
	return t
}
