package roster

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/contact"
)

// entry checks what a row gave as its username. at is the place of the value,
// looked for only if it is needed.
func (r *Roster) entry(username string, metadata map[string]string, at func() position) (batch.Entry, error) {
	username = trim(username)
	e := batch.Entry{Username: username, ClientMetadata: r.ClientMetadata}
	if len(metadata) > 0 && len(r.ClientMetadata) > 0 {
		e.ClientMetadata = maps.Clone(r.ClientMetadata)
		maps.Copy(e.ClientMetadata, metadata)
	} else if len(metadata) > 0 {
		e.ClientMetadata = metadata
	}
	bad := func(reason batch.Reason, what string) (batch.Entry, error) {
		return invalid(e, reason, at().in(r.Name), what), nil
	}
	if contact.Mangled(username) {
		return bad(batch.MangledNumber, contact.ErrMangled.Error())
	}
	if r.Phones && username != "" && utf8.ValidString(username) {
		number, err := contact.Phone(username, r.PhoneCountry)
		switch {
		case errors.Is(err, contact.ErrCountry):
			return bad(batch.UnknownCountry, err.Error()+": write it with a + and the country's code, or say --phone-country")
		case err != nil:
			return bad(batch.MalformedRow, err.Error())
		}
		e.Username = number
		return e, nil
	}
	if plain(username) {
		return e, nil
	}
	switch n := utf8.RuneCountInString(username); {
	case username == "":
		return bad(batch.EmptyUsername, "the username is empty")
	case !utf8.ValidString(username):
		return e, r.notUTF8(at())
	case r.decoded && strings.ContainsRune(username, utf8.RuneError):
		return bad(batch.MalformedRow, "the username holds bytes that mean nothing in the encoding of the file")
	case n > maxUsername:
		return bad(batch.UsernameTooLong, fmt.Sprintf("the username has %d characters; Cognito takes at most %d", n, maxUsername))
	}
	if i := strings.IndexFunc(username, notAllowed); i >= 0 {
		if number, err := contact.Phone(username, r.PhoneCountry); err == nil && r.AnyName {
			e.Username = number
			return e, nil
		}
		wrong, _ := utf8.DecodeRuneInString(username[i:])
		return bad(batch.MalformedRow, fmt.Sprintf("the username holds %U, which Cognito does not allow", wrong))
	}
	return e, nil
}

// notUTF8 refuses the whole input: in another encoding, more of its usernames
// than this one are not what they seem.
func (r *Roster) notUTF8(at position) error {
	return r.refuse(at, `this is not UTF-8. If it is Windows-1252, as Excel's "CSV" is: `+
		`save it as "CSV UTF-8", convert it with iconv -f windows-1252 -t utf-8, or say `+r.flag("encoding")+` windows-1252`)
}

func invalid(e batch.Entry, reason batch.Reason, at, what string) batch.Entry {
	e.Outcome, e.Reason, e.Detail = batch.Invalid, reason, at+": "+what
	e.Username = strings.ToValidUTF8(e.Username, "\ufffd")
	return e
}

// plain tells, at a glance, that a username is one of the usual, good ones.
func plain(username string) bool {
	for i := range len(username) {
		if c := username[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return username != "" && len(username) <= maxUsername
}

// plainAt reports whether the byte at i is a character by itself, and none to be cut.
func plainAt(s string, i int) bool { return s[i] > ' ' && s[i] < 0x7f }

// notAllowed tells what Cognito's pattern [\p{L}\p{M}\p{S}\p{N}\p{P}]+ leaves out.
func notAllowed(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P)
}

// trim cuts white space and the invisible marks that spreadsheets leave.
func trim(s string) string {
	if s == "" || plainAt(s, 0) && plainAt(s, len(s)-1) {
		return s
	}
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' || r == '\u200e' || r == '\u200f'
	})
}
