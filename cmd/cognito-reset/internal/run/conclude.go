package run

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// Finish writes the reports, prints the summary and returns the exit. stopped is why
// the session ended before its last user.
func (s *Session) Finish(stopped error) error {
	summary, err := s.Conclude(stopped)
	if summary == nil {
		return errors.Join(stopped, err)
	}
	code := summary.ExitCode
	if err == nil {
		if err = render.Print(s.Streams, *summary, s.JSON); err != nil {
			err = fmt.Errorf("the summary could not be printed: %w; it stands in %s", err, s.Record.File(rundir.SummaryFile))
		}
	}
	if stopped == nil && err != nil {
		code = exit.Failed
	}
	if text := exit.Text(errors.Join(stopped, err)); text != "" {
		_ = term.Write(s.Err, "cognito-reset: "+text+"\n")
	}
	unseen := s.JSON || err != nil || term.IsTerminal(s.Err) && !term.IsTerminal(s.Out) // the summary, which says it, too
	if stopped != nil && unseen && summary.Next != "" {
		term.Linef(s.Err, "To go on: %s", term.Visible(summary.Next))
	}
	s.Observer.Ended(*summary)
	return exit.Silent(code)
}

// Conclude writes the reports. There is no summary where the record cannot be
// read.
func (s *Session) Conclude(stopped error) (*report.Summary, error) {
	s.history = nil // of ten million rows, two would be a lot
	history, err := s.Record.Replay()
	if err != nil {
		return nil, err
	}
	summary, err := render.Files(s.Record, history, stopped)
	if stopped != nil && errors.Is(err, s3run.ErrLost) {
		err = nil // and who took the run over writes its reports
	}
	if err != nil {
		then := "report"
		if left, _ := history.Open(); left > 0 && s.Record.Spec.ForReal() {
			then = "resume"
		}
		err = fmt.Errorf("the reports could not be written: %w; the journal is whole: fix that, then run cognito-reset %s %s", err, then, term.Quote(s.Record.Path()))
	}
	return &summary, err
}

// counted lists reasons with their counts.
func counted(reasons map[batch.Reason]int64) string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		list = append(list, fmt.Sprintf("%d %s", reasons[reason], reason))
	}
	return strings.Join(list, ", ")
}
