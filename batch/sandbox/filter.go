package sandbox

import "strings"

// A filter is a ListUsers filter: one attribute held against one value. The
// zero filter lets everyone pass.
type filter struct {
	attribute string
	prefix    bool // ^=, not =
	value     string
}

// parseFilter reads `attribute = "value"` or `attribute ^= "value"`. Within
// the quotes a backslash stands before a quote or a backslash; around the
// operator there may be spaces. An empty filter is the zero filter.
func parseFilter(s string) (filter, *apiError) {
	if s == "" {
		return filter{}, nil
	}
	bad := refuse("InvalidParameterException", "Error while parsing filter.")
	name, rest, ok := strings.Cut(s, "=")
	if !ok {
		return filter{}, bad
	}
	var f filter
	name, f.prefix = strings.CutSuffix(name, "^")
	f.attribute = strings.TrimSpace(name)
	switch f.attribute {
	case "username", "email", "phone_number", "name", "given_name", "family_name",
		"preferred_username", "cognito:user_status", "status", "sub":
	default:
		return filter{}, bad
	}
	rest, ok = strings.CutPrefix(strings.TrimSpace(rest), `"`)
	if !ok {
		return filter{}, bad
	}
	rest, ok = strings.CutSuffix(rest, `"`)
	if !ok {
		return filter{}, bad
	}
	var value strings.Builder
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			return filter{}, bad
		case '\\':
			if i++; i == len(rest) || rest[i] != '"' && rest[i] != '\\' {
				return filter{}, bad
			}
		}
		value.WriteByte(rest[i])
	}
	f.value = value.String()
	return f, nil
}

// matches holds a user against the filter, values being compared after fold.
// Case never counts in cognito:user_status. A user who lacks the attribute does
// not pass.
func (f filter) matches(u *User, fold func(string) string) bool {
	have := ""
	switch f.attribute {
	case "":
		return true
	case "cognito:user_status":
		have, fold = string(u.Status), strings.ToLower
	case "status":
		have, fold = "Disabled", func(s string) string { return s }
		if u.Enabled {
			have = "Enabled"
		}
	default:
		var there bool
		if have, there = u.Attributes[f.attribute]; !there {
			return false
		}
	}
	if f.prefix {
		return strings.HasPrefix(fold(have), fold(f.value))
	}
	return fold(have) == fold(f.value)
}
