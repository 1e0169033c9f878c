// Package report writes what people and programs read of a run: the fate of
// every row as CSV and JSON lines, and their sum. It knows results, and nothing
// of how they came to be.
package report

import (
	"cognito-reset/batch"
)

// A Writer takes the results of a run one by one, in the order of the rows.
type Writer interface {
	Write(batch.Result) error
	Close() error // writes what is pending; it does not close the file below
}
