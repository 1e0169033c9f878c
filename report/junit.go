package report

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"cognito-reset/batch"
)

// NewJUnit writes JUnit XML, as pipelines show it: one test case a row. What failed
// or is invalid is a failure, what is unknown or was not attempted an error, each
// of the type of its reason. Characters that XML cannot hold become U+FFFD. The
// summary is that of the same results, for the counts that come before them.
func NewJUnit(w io.Writer, s Summary) Writer {
	buffered := bufio.NewWriterSize(w, 1<<16)
	enc := xml.NewEncoder(buffered)
	enc.Indent("", "  ")
	suite := xml.StartElement{Name: xml.Name{Local: "testsuite"}, Attr: []xml.Attr{
		attribute("name", "cognito-reset"),
		attribute("tests", s.Rows),
		attribute("failures", s.Outcomes[batch.Failed]+s.Outcomes[batch.Invalid]),
		attribute("errors", s.Outcomes[batch.Unknown]+s.Outcomes[batch.NotAttempted]),
		attribute("skipped", s.Outcomes[batch.Skipped]),
		attribute("time", seconds(s.ElapsedSeconds)),
		attribute("timestamp", s.StartedAt.UTC().Format("2006-01-02T15:04:05")),
	}}
	buffered.WriteString(xml.Header) // buffered: an error shows later
	enc.EncodeToken(suite)
	return &junitWriter{buffered, enc, suite.End(), s.Steps}
}

func attribute(name string, value any) xml.Attr {
	return xml.Attr{Name: xml.Name{Local: name}, Value: fmt.Sprint(value)}
}

type seconds float64

func (s seconds) String() string { return fmt.Sprintf("%.3f", float64(s)) }

type junitWriter struct {
	out *bufio.Writer
	enc *xml.Encoder
	end xml.EndElement
	of  Steps
}

type testCase struct {
	XMLName xml.Name `xml:"testcase"`
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Time    string   `xml:"time,attr"`
	Failure *verdict `xml:"failure"`
	Error   *verdict `xml:"error"`
	Skipped *verdict `xml:"skipped"`
}

// A verdict is why a test case is not a success.
type verdict struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Advice  string `xml:",chardata"`
}

func (w *junitWriter) Write(r batch.Result) error {
	row := testCase{Class: "cognito-reset", Name: fmt.Sprintf("row %d: %s", r.Row, r.Username), Time: seconds(r.Duration().Seconds()).String()}
	why := &verdict{
		Type:    cmp.Or(string(r.Reason), string(r.Outcome)),
		Message: strings.Trim(r.ErrorCode+": "+r.ErrorMessage, ": "),
		Advice:  w.of.advice(r.Reason),
	}
	switch r.Outcome {
	case batch.Failed, batch.Invalid:
		row.Failure = why
	case batch.Unknown, batch.NotAttempted:
		row.Error = why
	case batch.Skipped:
		row.Skipped = &verdict{Message: strings.TrimSuffix(string(r.Reason)+": "+r.ErrorMessage, ": ")}
	}
	return w.enc.Encode(row)
}

func (w *junitWriter) Close() error {
	if err := w.enc.EncodeToken(w.end); err != nil {
		return err
	}
	if err := w.enc.Close(); err != nil {
		return err
	}
	w.out.WriteByte('\n')
	return w.out.Flush()
}
