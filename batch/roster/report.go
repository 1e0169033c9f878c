package roster

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"

	"cognito-reset/batch"
)

// The columns of a report that say how a row ended, and that its cells are guarded
// against spreadsheets, as package report has them. Its JSON lines have what was
// kept of the input in an object of its own.
const (
	outcomeColumn = "outcome"
	reasonColumn  = "reason"
	safeColumn    = "csv_safe"
	subColumn     = "sub"
	keptKey       = "kept"
)

// reportColumns are all columns of a report. Its JSON lines leave out those that are
// empty, so that one which no row has is there nevertheless.
var reportColumns = []string{
	"row", "username", outcomeColumn, reasonColumn, "attempts", "error_code", "error_message", "request_id", "started_at", "finished_at", "duration_ms",
	"settled_by", "steps", "step_reset", "step_lock", "step_disable", "step_invite", "step_sign_out", subColumn,
}

// likeReport reports whether a text begins as a report does.
func likeReport(text []byte) bool {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	commas := bytes.Map(func(r rune) rune { // as separators of CSV go
		if r == ';' || r == '\t' {
			return ','
		}
		return r
	}, line[:min(len(line), 64)])
	return bytes.HasPrefix(commas, []byte("row,username,outcome,reason,")) ||
		bytes.HasPrefix(line, []byte(`{"row":`)) && bytes.Contains(line, []byte(`,"outcome":"`)) && bytes.Contains(line, []byte(`,"attempts":`))
}

// exact takes the apostrophes out of a guarded cell. One stands wherever a cell
// begins, or would begin if split at another separator, with what a spreadsheet
// takes for a formula or with an apostrophe.
func exact(cell string) string {
	var b []byte
	done, begins := 0, true
	for i, c := range cell {
		if begins && c == '\'' {
			b = append(b, cell[done:i]...)
			done, begins = i+1, false
			continue
		}
		begins = strings.ContainsRune(",;|\t\r\n\"", c) || begins && c == ' '
	}
	if done == 0 {
		return cell
	}
	return string(append(b, cell[done:]...))
}

// ParseOnly reads outcomes and reasons with commas between them, such as
// failed,unknown,throttled.
func ParseOnly(list string) ([]string, error) {
	var words []string
	for word := range strings.SplitSeq(list, ",") {
		if word = trim(word); word == "" {
			continue
		}
		if !slices.Contains(batch.Outcomes, batch.Outcome(word)) && !slices.Contains(batch.Reasons, batch.Reason(word)) {
			return nil, fmt.Errorf("%q is neither an outcome (%s) nor a reason (%s)", word, join(batch.Outcomes), join(batch.Reasons))
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("name one or more outcomes (%s) or reasons (%s)", join(batch.Outcomes), join(batch.Reasons))
	}
	return words, nil
}

func join[S ~string](words []S) string {
	var b strings.Builder
	for i, word := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(word))
	}
	return b.String()
}

// Only marks rows of a report as excluded that ended otherwise than by one of
// the words, which are outcomes and reasons. The report is read as any input is,
// with its outcome and reason among the columns kept.
func Only(entries iter.Seq2[batch.Entry, error], columns []string, words ...string) iter.Seq2[batch.Entry, error] {
	outcome, reason := slices.Index(columns, outcomeColumn), slices.Index(columns, reasonColumn)
	return each(entries, func(e *batch.Entry) {
		if e.Kept == nil || e.Outcome == batch.Skipped {
			return
		}
		if !slices.Contains(words, e.Kept[outcome]) && !slices.Contains(words, e.Kept[reason]) {
			skip(e, batch.Excluded, strings.TrimSpace("the report says "+e.Kept[outcome]+" "+e.Kept[reason]))
		}
	})
}
