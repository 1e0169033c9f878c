package userpool

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch/internal/contact"
)

// A Filter is what Cognito itself can filter a listing by: one attribute held
// against one value. The zero Filter lets everyone pass.
type Filter struct {
	Attribute string // one of FilterAttributes
	Prefix    bool   // ^=, the attribute begins with the value; otherwise =, it is the value
	Value     string
}

// FilterAttributes are the attributes that Cognito can filter by.
var FilterAttributes = []string{
	"username", "email", "phone_number", "name", "given_name", "family_name",
	"preferred_username", "sub", "cognito:user_status", "status",
}

// maxFilter is the longest filter that ListUsers takes, in characters.
const maxFilter = 256

// ParseFilter reads a filter as ListUsers takes it: attribute = "value" or
// attribute ^= "value". Within the value a backslash stands before a quotation
// mark and before a backslash. It refuses what the service would refuse, and a
// status other than Enabled and Disabled, which would find nobody.
func ParseFilter(s string) (Filter, error) {
	if !utf8.ValidString(s) {
		return Filter{}, badFilter(s, 0, "it is not UTF-8")
	}
	p := filterParser{s: s}
	p.skipSpace()
	name := p.word()
	if !slices.Contains(FilterAttributes, name) {
		return Filter{}, badFilter(s, p.at-len(name),
			fmt.Sprintf("Cognito cannot filter by %q; it can by %s", name, strings.Join(FilterAttributes, ", ")))
	}
	f := Filter{Attribute: name}
	p.skipSpace()
	f.Prefix = p.take("^")
	if !p.take("=") {
		return Filter{}, badFilter(s, p.at, "here should be = (is) or ^= (begins with)")
	}
	p.skipSpace()
	start := p.at
	value, what := p.quoted()
	if what != "" {
		return Filter{}, badFilter(s, p.at, what)
	}
	f.Value = value
	if p.skipSpace(); p.at < len(s) {
		return Filter{}, badFilter(s, p.at, "the filter should end here; Cognito takes one attribute and one value")
	}
	if name == "status" && !f.admits("Enabled") && !f.admits("Disabled") {
		return Filter{}, badFilter(s, start, `status is "Enabled" or "Disabled"; for others, such as CONFIRMED, filter by cognito:user_status`)
	}
	if n := utf8.RuneCountInString(f.String()); n > maxFilter {
		return Filter{}, badFilter(s, start, fmt.Sprintf("the filter has %d characters; Cognito takes at most %d", n, maxFilter))
	}
	return f, nil
}

// badFilter is an error at a byte of the filter. Columns count characters from 1.
func badFilter(s string, at int, what string) error {
	return fmt.Errorf("filter, column %d: %s", utf8.RuneCountInString(s[:at])+1, what)
}

var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// String is the filter as it is sent, "" for the zero Filter.
func (f Filter) String() string {
	if f == (Filter{}) {
		return ""
	}
	operator := "="
	if f.Prefix {
		operator = "^="
	}
	return f.Attribute + " " + operator + ` "` + escaper.Replace(f.Value) + `"`
}

func (f Filter) admits(value string) bool {
	if f.Prefix {
		return strings.HasPrefix(value, f.Value)
	}
	return value == f.Value
}

// names reports whether a listing by f may hold the user. Neither case nor the
// Unicode form counts: what the service makes of them differs by attribute and
// pool.
func (f Filter) names(u types.UserType) bool {
	if f == (Filter{}) {
		return true
	}
	have := ""
	switch f.Attribute {
	case "username":
		have = aws.ToString(u.Username)
	case "cognito:user_status":
		have = string(u.UserStatus)
	case "status":
		have = "Disabled"
		if u.Enabled {
			have = "Enabled"
		}
	default:
		have = attribute(u, f.Attribute)
	}
	folded := Filter{Prefix: f.Prefix, Value: contact.Email(f.Value)}
	return folded.admits(contact.Email(have))
}

// A filterParser reads a filter from its beginning.
type filterParser struct {
	s  string
	at int // bytes read
}

func (p *filterParser) skipSpace() {
	p.at = len(p.s) - len(strings.TrimLeft(p.s[p.at:], " \t\r\n"))
}

// take reads token if it comes next.
func (p *filterParser) take(token string) bool {
	if !strings.HasPrefix(p.s[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

// word reads what comes before white space, an operator or a quotation mark.
func (p *filterParser) word() string {
	start := p.at
	if n := strings.IndexAny(p.s[start:], " \t\r\n=^!<>\"'"); n >= 0 {
		p.at += n
	} else {
		p.at = len(p.s)
	}
	return p.s[start:p.at]
}

// quoted reads a value in quotation marks, or says what is wrong where it stands.
func (p *filterParser) quoted() (value, what string) {
	if !p.take(`"`) {
		return "", `here should be a value in quotation marks, such as "ann"`
	}
	var b strings.Builder
	for ; p.at < len(p.s); p.at++ {
		switch c := p.s[p.at]; c {
		case '"':
			p.at++
			return b.String(), ""
		case '\\':
			if rest := p.s[p.at+1:]; !strings.HasPrefix(rest, `"`) && !strings.HasPrefix(rest, `\`) {
				return "", `a backslash stands only before a quotation mark or a backslash: write \\`
			}
			p.at++
			b.WriteByte(p.s[p.at])
		default:
			b.WriteByte(c)
		}
	}
	return "", "here should be the closing quotation mark"
}
