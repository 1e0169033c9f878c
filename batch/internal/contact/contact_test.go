package contact

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestEmailIsOneHoweverItIsWritten(t *testing.T) {
	same := [][]string{
		{"ann@example.com", "Ann@Example.COM", "ANN@EXAMPLE.COM"},
		{"josé@example.com", "jose\u0301@example.com", "JOSÉ@EXAMPLE.COM", "JOSE\u0301@example.com"},
		{"käthe@müller.example", "KÄTHE@MÜLLER.example"},
		{"νίκος@example.com", "ΝΊΚΟΣ@example.com"},             // a sigma at the end, and in capitals
		{"\u212belvin@example.com", "\u00e5elvin@example.com"}, // the ångström sign is a letter
		{"STRAẞE@example.com", "straße@example.com"},           // both have the letter
		{`"o\"brien"@example.com`, `"O\"Brien"@example.com`},
		{"", ""},
		{"@"},
	}
	var all []string
	for _, forms := range same {
		for _, form := range forms {
			if got, want := Email(form), Email(forms[0]); got != want {
				t.Errorf("Email(%q) = %q, Email(%q) = %q", form, got, forms[0], want)
			}
		}
		all = append(all, Email(forms[0]))
	}
	all = append(all, Email("ann+x@example.com"), Email("a.nn@example.com"), Email("strasse@example.com"), Email("İ@example.com"), Email("i@example.com"))
	slices.Sort(all)
	if n := len(slices.Compact(slices.Clone(all))); n != len(all) {
		t.Errorf("different addresses are one: %q", all)
	}
}

func TestEmailFormsAreWhatAServerMayHaveKept(t *testing.T) {
	for address, want := range map[string][]string{
		"ann@example.com":        {"ann@example.com"},
		"Ann@example.com":        {"Ann@example.com", "ann@example.com"},
		"josé@example.com":       {"josé@example.com", "jose\u0301@example.com"},
		"jose\u0301@example.com": {"jose\u0301@example.com", "josé@example.com"},
		"JOSÉ@example.com":       {"JOSÉ@example.com", "josé@example.com", "JOSE\u0301@example.com", "jose\u0301@example.com"},
	} {
		if got := EmailForms(address); !slices.Equal(got, want) {
			t.Errorf("EmailForms(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestMangledNumbers(t *testing.T) {
	for _, value := range []string{"4.91701E+11", "4,91701E+11", "4.91701e+11", "5E+11", "4,9E11", "1.20E+06", "1.00E-05", "-4.9E+11", "'4.91701E+11", "4.91701234567E11"} {
		if !Mangled(value) {
			t.Errorf("%q is not mangled", value)
		}
	}
	for _, value := range []string{"", "491701234567", "+491701234567", "ann", "12e5", "5E10", "e+11", "E+1", "4.91701", "4.91701E+", "4.91701E+11@example.com", "41.701E+11", "4.E+11", "1e", strings.Repeat("4", 50) + "E+11"} {
		if Mangled(value) {
			t.Errorf("%q is mangled", value)
		}
	}
}

func TestPhoneIsOneHoweverItIsWritten(t *testing.T) {
	const ann = "+491701234567"
	for _, c := range []struct{ value, country, want string }{
		{"+491701234567", "", ann},
		{"+49 170 1234567", "", ann},
		{"+49-170-123.45.67", "", ann},
		{"+49 (0)170 1234567", "", ann},
		{"+49 (0) 170 / 1234567", "US", ann},
		{"(+49) 170 1234567", "", ann},
		{"+49\u00a0170\u20111234567", "", ann},
		{"\u202a+491701234567\u202c", "", ann}, // as address books paste it
		{"＋４９１７０１２３４５６７", "", ann},
		{"tel:+49-170-1234567", "", ann},
		{"'+491701234567", "", ann},
		{`="+491701234567"`, "", ann},
		{"0049 170 1234567", "", ann},
		{"0049 170 1234567", "US", ann},
		{"0049 (0)170 1234567", "", ann},
		{"011 49 170 1234567", "US", ann},
		{"491701234567", "", ann},
		{"491701234567", "DE", ann},
		{"491701234567", "FR", ann},
		{"0170/1234567", "DE", ann},
		{"(0170) 1234567", "DE", ann},
		{"1701234567", "DE", ann}, // a spreadsheet has eaten the 0
		{"(201) 555-0123", "US", "+12015550123"},
		{"1-201-555-0123", "US", "+12015550123"},
		{"+1 201 555 0123", "DE", "+12015550123"},
		{"06 12345678", "IT", "+390612345678"},
		{"+39 06 12345678", "", "+390612345678"},
		{"393331234567", "IT", "+393331234567"},
		{"+15550100", "", "+15550100"}, // invented, and well formed
		{"+1 555 0100", "", "+15550100"},
	} {
		if got, err := Phone(c.value, c.country); err != nil || got != c.want {
			t.Errorf("Phone(%q, %q) = %q, %v, want %q", c.value, c.country, got, err, c.want)
		}
	}
}

func TestPhoneRefusesToGuess(t *testing.T) {
	for _, c := range []struct {
		value, country string
		want           error
	}{
		{"4.91701E+11", "DE", ErrMangled},
		{" 4,91701E+11 ", "", ErrMangled},
		{"0170/1234567", "", ErrCountry},
		{"1701234567", "", ErrCountry},
		{"2015550123", "", ErrCountry},     // New Jersey, or Egypt
		{"13802345678", "", ErrCountry},    // China, or Ohio
		{"447911123456", "DE", ErrCountry}, // a British mobile, or a long German line
		{"", "DE", ErrNoPhone},
		{"ann", "DE", ErrNoPhone},
		{"+49 170 CALL-ANN", "DE", ErrNoPhone},
		{"+49 170 1234567 ext. 5", "DE", ErrNoPhone},
		{"+49 170 1234567, +49 170 1234568", "DE", ErrNoPhone},
		{"+", "DE", ErrNoPhone},
		{"++491701234567", "DE", ErrNoPhone},
		{"+0170 1234567", "DE", ErrNoPhone},
		{"+1234567890123456", "", ErrNoPhone},
		{"110", "DE", ErrNoPhone},
	} {
		if got, err := Phone(c.value, c.country); !errors.Is(err, c.want) {
			t.Errorf("Phone(%q, %q) = %q, %v, want %v", c.value, c.country, got, err, c.want)
		}
	}
}

func TestCountryIsACodeOfTwoLetters(t *testing.T) {
	if got, err := Country("de"); got != "DE" || err != nil {
		t.Errorf("Country(de) = %q, %v", got, err)
	}
	for _, code := range []string{"", "Germany", "49", "ZZ", "UK", "001"} {
		if got, err := Country(code); err == nil {
			t.Errorf("Country(%q) = %q", code, got)
		}
	}
}

func FuzzEmail(f *testing.F) {
	for _, address := range []string{"ANN@EXAMPLE.COM", "jose\u0301@example.com", "ΝΊΚΟΣ@example.com", "a\u0345\u0301", "\u1fb4", "İ", "ß", "\xff"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		folded := Email(address)
		if again := Email(folded); again != folded {
			t.Errorf("Email(%q) = %q, and of that %q", address, folded, again)
		}
		if !utf8.ValidString(address) {
			return
		}
		for _, form := range append(EmailForms(address), norm.NFC.String(address), norm.NFD.String(address)) {
			if got := Email(form); got != folded {
				t.Errorf("Email(%q) = %q, but of its form %q it is %q", address, folded, form, got)
			}
		}
	})
}

func FuzzPhone(f *testing.F) {
	for _, value := range []string{"+49 (0)170 1234567", "0049 170 1234567", "0170/1234567", "4.91701E+11", "13802345678", "tel:+1-201-555-0123", "+", "٠١٧٠", "00170"} {
		f.Add(value, "DE")
		f.Add(value, "")
	}
	f.Fuzz(func(t *testing.T, value, country string) {
		if country != "" {
			if code, err := Country(country); err != nil || code != country {
				return
			}
		}
		number, err := Phone(value, country)
		if err != nil {
			return
		}
		if Mangled(value) {
			t.Errorf("Phone(%q, %q) = %q, of a mangled number", value, country, number)
		}
		digits, found := strings.CutPrefix(number, "+")
		if !found || len(digits) < 2 || len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" {
			t.Errorf("Phone(%q, %q) = %q", value, country, number)
		}
		if again, err := Phone(number, country); err != nil || again != number {
			t.Errorf("Phone(%q, %q) = %q, and of that %q, %v", value, country, number, again, err)
		}
	})
}

func BenchmarkPhone(b *testing.B) {
	for _, value := range []string{"+491701234567", "491701234567", "0170/1234567"} {
		b.Run(value, func(b *testing.B) {
			for b.Loop() {
				Phone(value, "")
			}
		})
	}
}
