package roster

import (
	"bytes"
	"cmp"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/names"
)

// A Selection says which rows of an input are worked on, and in what order. The
// zero value takes every user once.
type Selection struct {
	Keep    []string    // columns that the entries carry in Kept
	Tell    []string    // columns that become ClientMetadata, by their names
	Where   []Condition // all must hold
	Only    []string    // of a report: outcomes and reasons, of which one must be the row's
	Exclude iter.Seq2[batch.Entry, error]
	Recent  func(batch.Entry) bool     // reports whether an earlier run has reset the user; nil if none has
	MayMean func(batch.Entry) []string // the subs of all users whom an entry without a Sub may mean; nil knows of nobody
	Fold    func(string) string        // as for [Unique]
	Sample  int                        // pick that many users at random; 0 takes all
	Seed    uint64                     // of the sample
	OrderBy Order
	Limit   int64 // users at most; 0 takes all
}

// Columns are what [Options].Keep must name for Apply: those to keep come first.
func (s Selection) Columns() []string {
	columns := slices.Clone(s.Keep)
	need := func(column string) {
		if column != "" && !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
	}
	for _, column := range s.Tell {
		need(column)
	}
	for _, c := range s.Where {
		need(c.Column)
	}
	if len(s.Only) > 0 {
		need(outcomeColumn)
		need(reasonColumn)
	}
	need(s.OrderBy.Column)
	return columns
}

// Apply marks what is not selected as skipped. It loses no row and, without
// OrderBy, keeps their order.
func (s Selection) Apply(entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	columns := s.Columns()
	entries = s.choose(entries, columns)
	if s.Exclude != nil {
		entries = without(entries, s.Exclude, s, batch.Excluded, "the user is among those to exclude")
	}
	if s.Recent != nil {
		entries = each(entries, func(e *batch.Entry) {
			if e.Outcome == "" && s.Recent(*e) {
				skip(e, batch.RecentlyReset, "an earlier run has reset the user since")
			}
		})
	}
	entries = Unique(entries, s.Fold)
	if s.Sample > 0 {
		entries = Sample(entries, s.Sample, s.Seed)
	}
	if s.OrderBy.Column != "" {
		entries = OrderBy(entries, columns, s.OrderBy)
	}
	if s.Limit > 0 {
		entries = Limit(entries, s.Limit)
	}
	return s.trimmed(entries, columns)
}

// Choose does of Apply what takes the columns of the rows alone: Tell, Where and
// Only. It compares no users.
func (s Selection) Choose(entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	columns := s.Columns()
	return s.trimmed(s.choose(entries, columns), columns)
}

func (s Selection) choose(entries iter.Seq2[batch.Entry, error], columns []string) iter.Seq2[batch.Entry, error] {
	if len(s.Tell) > 0 {
		entries = tell(entries, columns, s.Tell)
	}
	if len(s.Where) > 0 {
		entries = Where(entries, columns, s.Where...)
	}
	if len(s.Only) > 0 {
		entries = Only(entries, columns, s.Only...)
	}
	return entries
}

// trimmed are the entries with no more columns than Keep.
func (s Selection) trimmed(entries iter.Seq2[batch.Entry, error], columns []string) iter.Seq2[batch.Entry, error] {
	if len(columns) == len(s.Keep) {
		return entries
	}
	return each(entries, func(e *batch.Entry) {
		if e.Kept != nil {
			e.Kept = e.Kept[:len(s.Keep):len(s.Keep)]
		}
	})
}

// each changes every entry as it passes.
func each(entries iter.Seq2[batch.Entry, error], change func(*batch.Entry)) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				change(&e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func skip(e *batch.Entry, reason batch.Reason, detail string) {
	e.Outcome, e.Reason, e.Detail = batch.Skipped, reason, detail
}

// tell adds columns that are not empty to the entries' ClientMetadata, in place
// of what has the same name there.
func tell(entries iter.Seq2[batch.Entry, error], columns, names []string) iter.Seq2[batch.Entry, error] {
	return each(entries, func(e *batch.Entry) {
		if e.Kept == nil || e.Outcome != "" {
			return
		}
		told := make(map[string]string, len(names)+len(e.ClientMetadata))
		maps.Copy(told, e.ClientMetadata)
		for _, name := range names {
			if value := e.Kept[slices.Index(columns, name)]; value != "" {
				told[name] = value
			}
		}
		e.ClientMetadata = told
	})
}

// without skips users, for a reason, who are among the others: by sub or, folded,
// by username, or because one whom the row may mean is. Those are read first, and
// held in about 40 bytes a name beside the name. A row among them that gives no
// usable username is an error, for nobody can say whom it should spare.
func without(entries, others iter.Seq2[batch.Entry, error], s Selection, reason batch.Reason, detail string) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		set := names.Set{Fold: s.Fold}
		has := func(name string) bool {
			_, found := set.Find(name)
			return found && name != ""
		}
		for e, err := range others {
			if err == nil && e.Outcome == batch.Invalid {
				err = &InputError{Name: "the users to leave out", What: e.Detail}
			}
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
			for _, name := range []string{e.Sub, e.Username} {
				if name != "" {
					set.Add(name)
				}
			}
		}
		each(entries, func(e *batch.Entry) {
			if e.Outcome != "" {
				return
			}
			if has(e.Sub) || has(e.Username) {
				skip(e, reason, detail)
			} else if s.MayMean != nil && e.Sub == "" && slices.ContainsFunc(s.MayMean(*e), has) {
				skip(e, reason, detail+", or else another whom the row may mean")
			}
		})(yield)
	}
}

// Limit marks every user after the first n as over the limit.
func Limit(entries iter.Seq2[batch.Entry, error], n int64) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		taken, detail := int64(0), fmt.Sprintf("the limit is %d users", n)
		each(entries, func(e *batch.Entry) {
			if e.Outcome != "" {
				return
			}
			if taken++; taken > n {
				skip(e, batch.OverLimit, detail)
			}
		})(yield)
	}
}

// Sample takes n users at random, each with the same chance, and marks the others as
// over the limit. The same users and seed give the same sample, in whatever
// order they come, and a larger sample holds the smaller. It holds all entries,
// in up to 400 bytes a row.
func Sample(entries iter.Seq2[batch.Entry, error], n int, seed uint64) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		all, err := collect(entries)
		if err != nil {
			yield(batch.Entry{}, err)
			return
		}
		detail := fmt.Sprintf("not in the sample of %d users", n)
		var lowest tickets
		for i, e := range all {
			if e.Outcome != "" {
				continue
			}
			heap.Push(&lowest, draw(e.Username, seed, i))
			if len(lowest) > n {
				out := heap.Pop(&lowest).(ticket)
				skip(&all[out.index], batch.OverLimit, detail)
			}
		}
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func collect(entries iter.Seq2[batch.Entry, error]) (all []batch.Entry, err error) {
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// A ticket is a user's lot. The lowest are in the sample.
type ticket struct {
	lot   [16]byte
	index int
}

func draw(username string, seed uint64, index int) ticket {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), username...))
	return ticket{[16]byte(sum[:16]), index}
}

// tickets are a heap with the highest lot on top.
type tickets []ticket

func (t tickets) Len() int           { return len(t) }
func (t tickets) Less(i, j int) bool { return bytes.Compare(t[i].lot[:], t[j].lot[:]) > 0 }
func (t tickets) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *tickets) Push(x any)        { *t = append(*t, x.(ticket)) }
func (t *tickets) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}

// An Order is a column to sort by.
type Order struct {
	Column     string
	Descending bool
}

// ParseOrder reads COLUMN, COLUMN:asc or COLUMN:desc.
func ParseOrder(text string) (Order, error) {
	column, descending := strings.CutSuffix(text, ":desc")
	o := Order{trim(strings.TrimSuffix(column, ":asc")), descending}
	if o.Column == "" {
		return Order{}, fmt.Errorf("%q names no column: write COLUMN or COLUMN:desc", text)
	}
	return o, nil
}

// OrderBy yields the rows that need no call as they come, and then the users,
// sorted by a column: numbers by value, before text by its bytes; those without
// a value come last either way. Users with the same value stay in the order of
// the input. Columns name what entries carry in Kept. It holds all users, in up
// to 500 bytes each.
func OrderBy(entries iter.Seq2[batch.Entry, error], columns []string, o Order) iter.Seq2[batch.Entry, error] {
	at := slices.Index(columns, o.Column)
	return func(yield func(batch.Entry, error) bool) {
		var users []sortable
		for e, err := range entries {
			if err == nil && e.Outcome == "" {
				users = append(users, sortable{e, number(e.Kept[at])})
			} else if !yield(e, err) || err != nil {
				return
			}
		}
		slices.SortStableFunc(users, func(a, b sortable) int { return o.compare(a, b, at) })
		for _, u := range users {
			if !yield(u.Entry, nil) {
				return
			}
		}
	}
}

type sortable struct {
	batch.Entry
	number float64 // NaN if the value is none
}

func number(value string) float64 {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

func (o Order) compare(a, b sortable, at int) int {
	x, y := a.Kept[at], b.Kept[at]
	if x == "" || y == "" {
		return cmp.Compare(len(y), len(x)) // of which at least one is 0
	}
	isText := func(s sortable) int {
		if math.IsNaN(s.number) {
			return 1
		}
		return 0
	}
	order := cmp.Or(cmp.Compare(isText(a), isText(b)), cmp.Compare(a.number, b.number))
	if isText(a)+isText(b) == 2 {
		order = strings.Compare(x, y)
	}
	if o.Descending {
		return -order
	}
	return order
}
