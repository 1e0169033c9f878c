package roster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxKeys   = 1000 // that are remembered
	keyRows   = 1000 // of which all keys are looked at
	shownKeys = 20
)

// keys are those of the objects of an input, so that a person can be told what
// there is if none is the right one.
type keys struct {
	objects int
	found   bool            // some object had a username
	strings bool            // some row was a username alone
	names   map[string]bool // the keys, and whether one holds the username
	rows    map[string]int  // by key, or by two with a dot between them: how many of the first rows have it
}

// isUsername reports whether a key holds the username.
func (k *keys) isUsername(key string) bool {
	is, known := k.names[key]
	if !known {
		is = isUsernameName(key)
		if k.names == nil {
			k.names = make(map[string]bool)
		}
		if len(k.names) < maxKeys {
			k.names[key] = is
		}
	}
	return is
}

// seen counts an object.
func (k *keys) seen(members map[string]jsontext.Value, found bool) {
	k.objects++
	k.found = k.found || found
	if k.objects > keyRows {
		return
	}
	if k.rows == nil {
		k.rows = make(map[string]int)
	}
	for key, value := range members {
		k.count(key)
		switch value.Kind() {
		case '{':
			var within map[string]jsontext.Value
			if json.Unmarshal(value, &within) == nil {
				for inner := range within {
					k.count(key + "." + inner)
				}
			}
		case '[':
			for _, a := range attributes(value) {
				if a.Name != "" && a.Value != nil {
					k.count(key + "." + a.Name)
				}
			}
		}
	}
}

func (k *keys) count(key string) {
	if k.rows[key] > 0 || len(k.rows) < maxKeys {
		k.rows[key]++
	}
}

// list says what keys there are. A key may be a user, as in an object of users by
// their names: it is shown only if it is a known name, or stands beside one and
// does not look like a value.
func (k *keys) list() string {
	beside := make(map[string]bool) // the objects, "" for the row itself, that have a known name
	for key := range k.rows {
		object, name := split(key)
		if isColumnName(name) && (object == "" || k.rows[object] > 1 || slices.Contains(containers, strings.ToLower(object))) {
			beside[object] = true
		}
	}
	var shown []string
	for key := range k.rows {
		object, name := split(key)
		if name = trim(name); beside[object] && name != "" && len(key) < 64 && !likeValue.MatchString(key) {
			shown = append(shown, key)
		}
	}
	if len(shown) == 0 {
		return "no key has a known name, so none is shown in case it is a user"
	}
	slices.Sort(shown)
	more := ""
	if n := len(shown) - shownKeys; n > 0 {
		shown, more = shown[:shownKeys], fmt.Sprintf(" and %d more", n)
	}
	for i, key := range shown {
		shown[i] = strconv.Quote(key)
	}
	return "the keys are " + strings.Join(shown, ", ") + more
}

// containers are what exports call an object with a user's values.
var containers = []string{"attributes", "user", "userattributes", "profile", "account", "identity", "claims", "traits", "details", "data", "properties", "fields", "record", "person", "member"}

// split takes apart a key of an object within the row.
func split(key string) (object, name string) {
	if i := strings.IndexByte(key, '.'); i > 0 {
		return key[:i], key[i+1:]
	}
	return "", key
}
