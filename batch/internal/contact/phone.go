package contact

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Why [Phone] gives no number.
var (
	ErrMangled = errors.New("a spreadsheet has replaced the number's digits by a power of ten; export the column again, formatted as text")
	ErrCountry = errors.New("the number does not say which country it belongs to")
	ErrNoPhone = errors.New("this is not a phone number")
)

// Country checks an ISO 3166 code of two letters, such as DE, and returns it in
// capitals.
func Country(code string) (string, error) {
	country := strings.ToUpper(strings.TrimSpace(code))
	if phonenumbers.GetCountryCodeForRegion(country) == 0 {
		return "", fmt.Errorf("%q is not a country whose phone numbers are known: write its ISO 3166 code of two letters, such as DE or US", code)
	}
	return country, nil
}

// Phone is a phone number in E.164, the form that Cognito keeps: +491701234567.
// The number may have spaces, dashes, dots, slashes, parentheses, a "(0)", 00 in
// place of +, or no + at all. A number that does not say its country belongs to
// the one given, a code that [Country] has returned, or to none: "".
//
// The error is ErrMangled, ErrCountry or ErrNoPhone. ErrCountry is also the
// answer to digits that could be the numbers of two people in two countries.
func Phone(value, country string) (string, error) {
	if Mangled(strings.TrimSpace(value)) {
		return "", ErrMangled
	}
	digits, international, ok := dialled(value)
	if !ok {
		return "", ErrNoPhone
	}
	if international {
		return e164(digits)
	}
	if country == "" {
		return abroad(digits)
	}
	home := parse(digits, country)
	away := parse("+"+digits, "")
	code := fmt.Sprint(phonenumbers.GetCountryCodeForRegion(country))
	switch {
	case away.valid && strings.HasPrefix(digits, code):
		return away.e164, nil
	case home.valid && away.valid && away.mobile && !home.mobile:
		return "", ErrCountry
	case home.valid:
		return home.e164, nil
	case strings.HasPrefix(digits, "00"):
		return e164(digits[2:])
	case away.valid:
		return away.e164, nil
	}
	return "", ErrNoPhone
}

// dialled strips a value to its digits, and reports whether they begin with a
// country's code: after a + they do.
func dialled(value string) (digits string, international, ok bool) {
	value = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) { // Cf: the marks that address books paste with a number
			return -1
		}
		return r
	}, value)
	if cell, quoted := strings.CutPrefix(value, `="`); quoted { // how spreadsheets are told that it is text
		value = strings.TrimSuffix(cell, `"`)
	}
	value = strings.TrimPrefix(value, "'") // another way
	value = strings.TrimPrefix(value, "tel:")
	for _, plus := range []string{"+", "＋"} {
		if rest, found := strings.CutPrefix(strings.TrimPrefix(value, "("), plus); found {
			value, international = rest, true
		}
	}
	for _, r := range value {
		if !unicode.IsDigit(r) && !unicode.Is(unicode.Pd, r) && !strings.ContainsRune("./()[]−", r) {
			return "", false, false
		}
	}
	digits = phonenumbers.NormalizeDigitsOnly(value)
	if n := len(digits); n < minDigits || n > maxDigits+len("00")+len("0") {
		return "", false, false
	}
	return digits, international, true
}

// A number has at most 15 digits by ITU-T E.164, and no subscriber's has fewer
// than 5 with its country's code.
const minDigits, maxDigits = 5, 15

// e164 is a number that begins with its country's code. A number that is well
// formed is taken even where it is not known to be assigned: numbering plans
// change, and pools hold invented numbers. A trunk 0 after the code goes.
func e164(digits string) (string, error) {
	n := parse("+"+digits, "")
	switch {
	case len(digits) < minDigits: // a 00 was counted with them before
		return "", ErrNoPhone
	case n.valid:
		return n.e164, nil
	case digits[0] == '0' || len(digits) > maxDigits || n.e164 == "":
		return "", ErrNoPhone
	}
	return "+" + digits, nil
}

// abroad is a number that has no + and names no country.
func abroad(digits string) (string, error) {
	if rest, found := strings.CutPrefix(digits, "00"); found {
		return e164(rest)
	}
	if n := parse("+"+digits, ""); n.valid && !mobileSomewhere(digits) {
		return n.e164, nil
	}
	return "", ErrCountry
}

type parsed struct {
	e164          string
	valid, mobile bool // mobile: or it cannot be told from one
}

func parse(number, country string) parsed {
	n, err := phonenumbers.Parse(number, country)
	if err != nil {
		return parsed{}
	}
	return parsed{phonenumbers.Format(n, phonenumbers.E164), phonenumbers.IsValidNumber(n), mobile(phonenumbers.GetNumberType(n))}
}

func mobile(t phonenumbers.PhoneNumberType) bool {
	return t == phonenumbers.MOBILE || t == phonenumbers.FIXED_LINE_OR_MOBILE
}

// mobileSomewhere reports whether digits are a whole mobile number in one of the
// countries where people write it without a 0 or a + in front, so that it may
// be taken for a number of another country: 13802345678 is a Chinese mobile
// and, after a +, a telephone in Ohio.
func mobileSomewhere(digits string) bool {
	for _, country := range bare {
		n := parse(digits, country)
		if n.valid && n.mobile && n.e164 == fmt.Sprintf("+%d%s", phonenumbers.GetCountryCodeForRegion(country), digits) {
			return true
		}
	}
	return false
}

// bare are the larger countries whose mobile numbers have ten digits or more and
// no trunk prefix in everyday writing. Shorter ones are no other country's.
var bare = []string{"US", "CN", "IN", "BR", "MX", "IT", "CO", "RU"}
