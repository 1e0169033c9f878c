package journal

import (
	"bytes"
	"time"
	"unicode/utf8"

	"cognito-reset/batch"
)

// A scanner reads the members of a JSON object as this package writes nearly all
// of them: no white space, no escapes, whole numbers, times in UTC. It takes a
// tenth of the time that a general decoder does, to which everything else is
// left. What it takes, a general decoder would take for the same.
type scanner struct {
	rest        []byte
	name, value []byte // of the current member, valid as long as what is read
	quoted      bool   // the value is a string
	odd         bool   // this is for a general decoder
	whole       bool   // the object was read to its end
}

func scan(object []byte) scanner {
	rest, ok := bytes.CutPrefix(object, []byte("{"))
	return scanner{rest: rest, odd: !ok}
}

// next steps to the next member. It reports false behind the last, and where
// the scanner goes no further.
func (s *scanner) next() bool {
	if s.odd || len(s.rest) == 0 || s.rest[0] != '"' {
		return s.stop()
	}
	end := bytes.IndexByte(s.rest[1:], '"') + 1
	if end == 0 || len(s.rest) < end+4 || s.rest[end+1] != ':' {
		return s.stop()
	}
	s.name, s.rest = s.rest[1:end], s.rest[end+2:]
	if s.quoted = s.rest[0] == '"'; s.quoted {
		end = bytes.IndexByte(s.rest[1:], '"') + 1
		if end == 0 {
			return s.stop()
		}
		s.value, s.rest = s.rest[1:end], s.rest[end+1:]
	} else {
		end = bytes.IndexAny(s.rest, ",}")
		if end < 0 {
			return s.stop()
		}
		s.value, s.rest = s.rest[:end], s.rest[end:]
	}
	switch {
	case len(s.rest) == 0:
		return s.stop()
	case s.rest[0] == ',':
		s.rest = s.rest[1:]
	case string(s.rest) == "}\n":
		s.rest, s.whole = nil, true
	default:
		return s.stop()
	}
	return true
}

func (s *scanner) stop() bool {
	s.odd = s.odd || !s.whole
	return false
}

// done tells that the whole object was read.
func (s *scanner) done() bool { return s.whole && !s.odd }

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
	for _, event := range []string{eventSession, eventPromised, eventSettled, eventEnded, eventSteered} {
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

// moment is the value as a time in UTC.
func (s *scanner) moment() (t time.Time) {
	s.odd = s.odd || !s.quoted || !bytes.HasSuffix(s.value, []byte("Z")) || t.UnmarshalText(s.value) != nil
	return t
}
