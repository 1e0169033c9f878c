// Package contact gives an e-mail address or a phone number one form, however
// people have written it.
package contact

import (
	"regexp"
	"slices"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Email is the form in which addresses are compared: letter case does not count,
// and neither does whether an accent is a character of its own. Nothing else is
// folded: "ß" is not "ss", and a "+" or a dot makes another address.
func Email(address string) string {
	if plain(address) {
		return address
	}
	folded := []rune(norm.NFD.String(address))
	for i, r := range folded {
		folded[i] = fold(r)
	}
	return norm.NFC.String(string(folded))
}

// plain reports whether an address is its own form, at a glance.
func plain(address string) bool {
	for i := range len(address) {
		if c := address[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// fold is Unicode's simple case folding: the one letter that stands for all its
// cases, in lower case. The iota below a letter, a mark, stands for none.
func fold(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		if unicode.IsMark(least) || next < least && !unicode.IsMark(next) {
			least = next
		}
	}
	return unicode.ToLower(least)
}

// EmailForms are the ways in which a server may have kept an address that it
// compares byte by byte or without case, as written first. There is one for an
// address in lower case and ASCII, and seldom more than two.
func EmailForms(address string) []string {
	folded := Email(address)
	forms := []string{address}
	for _, form := range []string{folded, norm.NFC.String(address), norm.NFD.String(address), norm.NFD.String(folded)} {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// mangled is a number as spreadsheets show one that is too long for the cell,
// such as 4.91701E+11, in whichever language.
var mangled = regexp.MustCompile(`^'?[+-]?(?:[0-9][.,][0-9]+[eE][+-]?|[0-9][eE][+-])[0-9]{1,3}$`)

// Mangled reports whether a spreadsheet or a program has turned a number, or a
// name such as 12e5 that looks like one, into a power of ten. Its digits are
// lost, so that two such values may have been two different ones.
func Mangled(value string) bool {
	if len(value) <= 3 || len(value) >= 40 || value[0] >= ':' {
		return false
	}
	for i := range len(value) { // most names have a letter or a hyphen soon, and need no regular expression
		switch c := value[i]; {
		case c >= '0' && c <= '9', c == '.', c == ',', c == '+', c == '-', c == '\'', c|0x20 == 'e':
		default:
			return false
		}
	}
	return mangled.MatchString(value)
}
