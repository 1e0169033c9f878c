package seal

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report"
	"cognito-reset/report/evidence"
)

// Another version of the tool writes other columns and members. A report of its says
// what the record says if all that both versions know is the same, and what every
// version has is there.

// everyColumn are those of the rows of every version.
var everyColumn = []string{"row", "username", "outcome", "reason", "attempts", "error_code", "error_message", "request_id", "started_at", "finished_at", "duration_ms"}

// everyMember are those of the summary of every version.
var everyMember = []string{"dry_run", "rows", "outcomes", "reasons", "exit_code"}

// redefined are members of the summary that meant something else in an earlier version.
var redefined = []string{"keep_password"}

// everyLater are the columns that every version has which leaves out of its JSON lines
// what is empty.
var everyLater = []string{"settled_by", "steps", "step_reset", "step_lock", "step_disable", "step_invite", "step_sign_out", "sub"}

// complete gives both rows of a report, ours and theirs, a null for each column that is
// left out because it is empty. What a version did not know yet is no such column: its
// rows have those of every version, if need be with null.
func complete(theirs, ours map[string]any) {
	fill := func(row map[string]any, columns []string) (lacked bool) {
		for _, name := range columns {
			if _, there := row[name]; !there && row != nil {
				row[name], lacked = nil, true
			}
		}
		return lacked
	}
	fill(ours, report.Columns)
	if fill(theirs, everyColumn) {
		fill(theirs, everyLater)
	}
}

// sameBuild reports whether a bundle is of the build that reads it, so that it has its
// reports to the byte. A build without a version may be any.
func sameBuild(theirs, ours string) bool { return theirs == ours && ours != "(devel)" }

// agrees finds out whether a file of a bundle says what its record says, by what
// another version of the tool and this one both know.
func agrees(b *evidence.Bundle, m evidence.Member) error {
	theirs, ours := piped(func(w io.Writer) error { return b.Copy(w, m.Name) }), piped(m.Write)
	defer theirs.Close()
	defer ours.Close()
	var err error
	switch m.Name {
	case "report.csv":
		err = sameCells(csv.NewReader(theirs), csv.NewReader(ours))
	case "report.jsonl":
		err = sameObjects(json.NewDecoder(theirs), json.NewDecoder(ours), everyColumn, complete)
	case rundir.SummaryFile:
		err = sameObjects(json.NewDecoder(theirs), json.NewDecoder(ours), everyMember, nil)
	default:
		err = sameObjects(json.NewDecoder(theirs), json.NewDecoder(ours), nil, nil)
	}
	if differs, ok := errors.AsType[*difference](err); ok {
		return &evidence.AlteredError{Part: m.Name, What: differs.Error()}
	}
	return err
}

// piped is what write writes.
func piped(write func(io.Writer) error) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }() // it ends when the reader is closed
	return r
}

// A difference is what a report says that its record does not.
type difference struct {
	line int
	what string
}

func (d *difference) Error() string {
	return fmt.Sprintf("line %d is not what the record says: %s", d.line, d.what)
}

// ended is what the ends of two files say, or of one that cannot be read.
func ended(line int, a, b error) error {
	switch {
	case a == io.EOF && b == io.EOF:
		return nil
	case a == io.EOF || b == io.EOF:
		return &difference{line, "the one ends before the other"}
	}
	return &difference{line, fmt.Sprint(errors.Join(a, b))}
}

// sameCells compares two tables by the columns that both have.
func sameCells(theirs, ours *csv.Reader) error {
	theirs.ReuseRecord, ours.ReuseRecord = true, true
	var columns [][2]int
	for line := 1; ; line++ {
		a, errA := theirs.Read()
		b, errB := ours.Read()
		if errA != nil || errB != nil {
			return ended(line, errA, errB)
		}
		if line == 1 {
			for _, name := range everyColumn {
				if !slices.Contains(a, name) {
					return &difference{line, "there is no column " + name}
				}
			}
			for i, name := range a {
				if j := slices.Index(b, name); j >= 0 {
					columns = append(columns, [2]int{i, j})
				}
			}
		}
		for _, at := range columns {
			if a[at[0]] != b[at[1]] {
				return &difference{line, "it says something else"}
			}
		}
	}
}

// sameObjects compares two files of objects by the members that both have, once
// complete, if it is not nil, has added what they leave out.
func sameObjects(theirs, ours *json.Decoder, every []string, complete func(theirs, ours map[string]any)) error {
	theirs.UseNumber()
	ours.UseNumber()
	for line := 1; ; line++ {
		var a, b map[string]any
		errA, errB := theirs.Decode(&a), ours.Decode(&b)
		if errA != nil || errB != nil {
			return ended(line, errA, errB)
		}
		if complete != nil {
			complete(a, b)
		}
		for _, name := range every {
			if _, there := b[name]; there && a[name] == nil && b[name] != nil {
				return &difference{line, "there is no " + name}
			}
		}
		for _, name := range redefined {
			delete(a, name)
		}
		if !sameKnown(a, b) {
			return &difference{line, "it says something else"}
		}
	}
}

// sameKnown reports whether two values are the same, but for members of objects that
// only one of them has.
func sameKnown(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return false
		}
		for name, value := range a {
			if other, known := b[name]; known && !sameKnown(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameKnown)
	}
	return reflect.DeepEqual(a, b)
}
