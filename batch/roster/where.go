package roster

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"cognito-reset/batch"
)

// A Condition is what a column must hold. [ParseCondition] makes those with an Order.
type Condition struct {
	Column  string
	Not     bool           // it must not; not with Order
	Value   string         // the whole of it
	Pattern *regexp.Regexp // instead of Value: what must occur in it
	Order   string         // <, <=, > or >=: how it must compare with Value, a number or a date; "" is equal
	bound   quantity       // Value, where Order compares with it
}

const conditionForms = "write COLUMN=VALUE, COLUMN!=VALUE, COLUMN~REGEX, or COLUMN<VALUE (also <=, > and >=) for numbers and dates"

// ParseCondition reads COLUMN=VALUE, COLUMN!=VALUE, COLUMN~REGEX, COLUMN!~REGEX, and
// COLUMN<VALUE, likewise with <=, > and >=, where the value is a number, a date such as
// 2026-01-31, or a time such as 2026-01-31T09:00:00Z. The first = ~ < or > ends the
// column. White space around column and value does not count.
func ParseCondition(text string) (Condition, error) {
	at := strings.IndexAny(text, "=~<>")
	if at < 0 {
		return Condition{}, fmt.Errorf("%q is not a condition: %s", text, conditionForms)
	}
	column, not := strings.CutSuffix(trim(text[:at]), "!")
	c := Condition{Column: trim(column), Not: not}
	value := trim(text[at+1:])
	if c.Column == "" {
		return Condition{}, fmt.Errorf("%q names no column: %s", text, conditionForms)
	}
	var err error
	switch text[at] {
	case '=':
		if c.Value = value; strings.HasPrefix(value, "=") {
			return Condition{}, fmt.Errorf("%q: write one = ; a value that begins with = is COLUMN~^=", text)
		}
	case '~':
		if c.Pattern, err = regexp.Compile(value); err != nil {
			return Condition{}, fmt.Errorf("%q: %w", text, err)
		}
	default:
		c.Order = text[at : at+1]
		if rest, ok := strings.CutPrefix(text[at+1:], "="); ok {
			c.Order, value = c.Order+"=", trim(rest)
		}
		c.Value = value
		if not {
			return Condition{}, fmt.Errorf("%q: turn the comparison round in place of the ! before it", text)
		}
		if c.bound, err = quantityOf(value); err != nil {
			return Condition{}, fmt.Errorf("%q: what stands after %s is neither a number nor a date such as 2026-01-31", text, c.Order)
		}
	}
	return c, nil
}

// String is the condition as ParseCondition reads it.
func (c Condition) String() string {
	not := ""
	if c.Not {
		not = "!"
	}
	switch {
	case c.Pattern != nil:
		return c.Column + not + "~" + c.Pattern.String()
	case c.Order != "":
		return c.Column + c.Order + c.Value
	}
	return c.Column + not + "=" + c.Value
}

// holds reports whether a column's value meets the condition. It is an error if they
// cannot be compared: whoever has no date may be the one who is meant.
func (c Condition) holds(value string) (bool, error) {
	switch {
	case c.Pattern != nil:
		return c.Pattern.MatchString(value) != c.Not, nil
	case c.Order == "":
		return (value == c.Value) != c.Not, nil
	}
	if trim(value) == "" {
		return false, fmt.Errorf("%s is empty, so it is not known whether %s; leave such rows out with a condition %s!= before this one, and take them in a run of their own with %[1]s=", c.Column, c, c.Column)
	}
	have, err := quantityOf(value)
	if err != nil || have.isTime != c.bound.isTime {
		return false, fmt.Errorf("%s is not %s, so it is not known whether %s", c.Column, c.bound.kind(), c)
	}
	order := have.compare(c.bound)
	switch c.Order {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// A quantity is a number or a time, which compare with their like.
type quantity struct {
	number float64
	time   time.Time
	isTime bool
}

// timeLayouts are those of times in columns. Without a zone they are UTC; seconds may
// have a fraction.
var timeLayouts = []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04", "2006-01-02T15:04"}

// quantityOf reads a number, a date or a time.
func quantityOf(text string) (quantity, error) {
	text = trim(text)
	if n := number(text); !math.IsNaN(n) {
		return quantity{number: n}, nil
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return quantity{time: at, isTime: true}, nil
		}
	}
	return quantity{}, fmt.Errorf("it is neither a number nor a date")
}

func (q quantity) kind() string {
	if q.isTime {
		return "a date such as 2026-01-31 or a time such as 2026-01-31T09:00:00Z"
	}
	return "a number"
}

func (q quantity) compare(other quantity) int {
	if q.isTime {
		return q.time.Compare(other.time)
	}
	return cmp.Compare(q.number, other.number)
}

// Where marks rows as excluded of which not every condition holds, even if they
// give no usable username. The first that does not hold decides. Columns name what
// entries carry in Kept. A row whose columns could not be told stays as it is. A row
// that cannot be compared is an error, the last thing it yields.
func Where(entries iter.Seq2[batch.Entry, error], columns []string, conditions ...Condition) iter.Seq2[batch.Entry, error] {
	at, details := make([]int, len(conditions)), make([]string, len(conditions))
	for i, c := range conditions {
		at[i] = slices.Index(columns, c.Column)
		details[i] = fmt.Sprintf("the row does not meet the condition %s", c)
	}
	return func(yield func(batch.Entry, error) bool) {
		for e, err := range entries {
			for i := 0; err == nil && i < len(conditions) && e.Kept != nil && e.Outcome != batch.Skipped; i++ {
				holds, unclear := conditions[i].holds(e.Kept[at[i]])
				if unclear != nil {
					err = &InputError{Name: fmt.Sprintf("row %d", e.Row), What: unclear.Error()}
				} else if !holds {
					skip(&e, batch.Excluded, details[i])
				}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
