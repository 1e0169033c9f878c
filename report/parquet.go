package report

import (
	"io"
	"time"

	"github.com/parquet-go/parquet-go"

	"cognito-reset/batch"
)

// parquetRow has the columns of [Columns], with types; null where a CSV cell is
// empty.
type parquetRow struct {
	Row          int64             `parquet:"row"`
	Username     string            `parquet:"username"`
	Outcome      string            `parquet:"outcome,dict"`
	Reason       string            `parquet:"reason,optional,dict"`
	Attempts     int32             `parquet:"attempts"`
	ErrorCode    string            `parquet:"error_code,optional,dict"`
	ErrorMessage string            `parquet:"error_message,optional"`
	RequestID    string            `parquet:"request_id,optional"`
	StartedAt    *time.Time        `parquet:"started_at,optional,timestamp(millisecond:utc)"`
	FinishedAt   *time.Time        `parquet:"finished_at,optional,timestamp(millisecond:utc)"`
	DurationMS   *int64            `parquet:"duration_ms,optional"`
	SettledBy    string            `parquet:"settled_by,optional,dict"`
	Steps        string            `parquet:"steps,optional,dict"`
	StepReset    string            `parquet:"step_reset,optional,dict"`
	StepLock     string            `parquet:"step_lock,optional,dict"`
	StepDisable  string            `parquet:"step_disable,optional,dict"`
	StepInvite   string            `parquet:"step_invite,optional,dict"`
	StepSignOut  string            `parquet:"step_sign_out,optional,dict"`
	Sub          string            `parquet:"sub,optional"`
	Kept         map[string]string `parquet:"kept,optional"`
}

// rowGroup is how many rows of a Parquet file are held in memory at a time: some
// 30 MB.
const rowGroup = 1 << 17

// NewParquet writes Apache Parquet, with the columns of [Columns] in their own
// types: times are milliseconds in UTC. The columns that results carry in Kept
// are a map of their own, called kept.
func NewParquet(w io.Writer, kept ...string) Writer {
	return &parquetWriter{parquet.NewGenericWriter[parquetRow](w,
		parquet.MaxRowsPerRowGroup(rowGroup), parquet.Compression(&parquet.Zstd)), kept}
}

type parquetWriter struct {
	*parquet.GenericWriter[parquetRow]
	kept []string
}

func (w *parquetWriter) Write(r batch.Result) error {
	steps := steps(r)
	row := parquetRow{
		Row: r.Row, Username: r.Username, Outcome: string(r.Outcome), Reason: string(r.Reason), Attempts: int32(r.Attempts),
		ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage, RequestID: r.RequestID,
		StartedAt: moment(r.StartedAt), FinishedAt: moment(r.FinishedAt), SettledBy: string(r.SettledBy),
		Steps: steps[0], StepReset: steps[1], StepLock: steps[2], StepDisable: steps[3], StepInvite: steps[4], StepSignOut: steps[5],
		Sub: r.Sub, Kept: keptOf(r, w.kept),
	}
	if !r.FinishedAt.IsZero() {
		row.DurationMS = new(r.Duration().Milliseconds())
	}
	_, err := w.GenericWriter.Write([]parquetRow{row})
	return err
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
