package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

// A Fact says one thing about how a run was asked for.
type Fact struct{ Name, Value string }

// PageRows is how many rows a page has in its table: those that need attention
// first, then those that come first. A browser stays quick with so many.
const PageRows = 100_000

// A Page is a report for people to read, as one HTML file that needs no other and
// no network. It is a [Writer]; once every row was written, Render makes the
// file. It holds sums and at most two times [PageRows] rows in memory.
type Page struct {
	// Facts say how the run was asked for, in the order to show them.
	Facts []Fact
	// Reason is why the run was asked for, such as a ticket, and ApprovedBy who stands
	// for it; "" if nobody said.
	Reason, ApprovedBy string
	// Rests are when the run did not work, in the order of time.
	Rests []Rest
	// CSV names the file beside the page that has every row.
	CSV string

	columns   []string // of a row
	attention rowsJSON
	others    rowsJSON
	figures   figures
}

// NewPage returns a page about results that carry these columns in Kept.
func NewPage(kept ...string) *Page {
	return &Page{columns: append(slices.Clone(pageColumns), kept...), figures: figures{pace: series{width: 1}}}
}

// Went says when groups of users began to go, in the order of time. It comes before the
// results.
func (p *Page) Went(waves ...Wave) {
	for _, w := range waves {
		p.figures.waves = append(p.figures.waves, waveSum{Wave: w})
	}
}

// Count takes a result into the charts, and not into the rows.
func (p *Page) Count(r batch.Result) { p.figures.add(r) }

// pageColumns are those of a row of the page, in order. The script shows the
// first of them in the table, and the others when a row is chosen.
var pageColumns = []string{
	"row", "username", "outcome", "reason", "attempts", "duration_ms", "finished_at",
	"steps", "settled_by", "error_code", "error_message", "request_id", "sub",
}

// A rowsJSON is the first rows written to it, as the elements of a JSON array that
// may stand inside of HTML.
type rowsJSON struct {
	text bytes.Buffer
	rows int
}

func (j *rowsJSON) add(cells []any) error {
	if j.rows++; j.rows > 1 {
		j.text.WriteString(",\n")
	}
	return json.MarshalWrite(&j.text, cells, inHTML)
}

// inHTML makes JSON that may stand inside of a script element.
var inHTML = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.EscapeForHTML(true), jsontext.EscapeForJS(true))

// Write takes in one result.
func (p *Page) Write(r batch.Result) error {
	p.Count(r)
	rows := &p.others
	switch r.Outcome {
	case batch.Failed, batch.Invalid, batch.Unknown, batch.NotAttempted:
		rows = &p.attention
	}
	if rows.rows == PageRows {
		return nil
	}
	var cells []any
	for _, name := range pageColumns {
		cells = append(cells, columns[slices.Index(Columns, name)].cell(&r).any())
	}
	for _, value := range r.Kept {
		cells = append(cells, value)
	}
	return rows.add(cells)
}

// Close does nothing: Render writes the page.
func (p *Page) Close() error { return nil }

//go:embed html/page.tmpl
var pageTemplate string

//go:embed html/page.css
var pageStyle string

// tableScript draws the rows of a page, and liveScript what a run says that works.
var (
	//go:embed html/table.js
	tableScript string
	//go:embed html/live.js
	liveScript string
)

// A document is a whole page.
type document struct {
	panel
	Title          string
	Policy         string
	Style          template.CSS
	Script         template.JS
	Pieces         []template.HTML
	Shown, LeftOut int64
}

// newDocument is a page with a script.
func newDocument(p panel, pieces []Piece, script, connect string) document {
	d := document{panel: p, Title: p.title(), Style: template.CSS(pageStyle), Script: template.JS(script), Policy: policy(script, connect)}
	for _, piece := range pieces {
		d.Pieces = append(d.Pieces, template.HTML(piece.HTML))
	}
	return d
}

// Render writes the page, of results that add up to a summary.
func (p *Page) Render(to io.Writer, s Summary) error {
	w := bufio.NewWriterSize(to, 1<<16)
	pieces, err := p.Pieces("", s, nil)
	if err != nil {
		return err
	}
	d := newDocument(panel{p, s, nil}, pieces, tableScript, "")
	d.Shown = min(int64(p.attention.rows+p.others.rows), PageRows)
	d.LeftOut = s.Rows - d.Shown
	if err := pageTemplates.ExecuteTemplate(w, "head", d); err != nil {
		return err
	}
	if err := pageTemplates.ExecuteTemplate(w, "table", d); err != nil {
		return err
	}
	if err := p.rows(w); err != nil {
		return err
	}
	if err := pageTemplates.ExecuteTemplate(w, "tail", d); err != nil {
		return err
	}
	return w.Flush()
}

// RenderLive writes a page of pieces that are drawn anew as events of the path "events"
// tell: each is a [Piece] as JSON, and one named end says that no more come. The title is
// about the steps of the runs.
func RenderLive(w io.Writer, of Steps, pieces []Piece) error {
	d := newDocument(panel{Page: new(Page), Summary: Summary{Steps: of}}, pieces, liveScript, "'self'")
	if err := pageTemplates.ExecuteTemplate(w, "head", d); err != nil {
		return err
	}
	if err := pageTemplates.ExecuteTemplate(w, "live", d); err != nil {
		return err
	}
	return pageTemplates.ExecuteTemplate(w, "tail", d)
}

// rows writes the rows, of whose JSON nothing can end the element that holds them.
func (p *Page) rows(w io.Writer) error {
	names, err := json.Marshal(p.columns, inHTML)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "<script type=\"application/json\" id=\"rows\">{\"columns\":%s,\"rows\":[", names)
	w.Write(p.attention.text.Bytes())
	room := PageRows - p.attention.rows
	if p.attention.rows > 0 && p.others.rows > 0 && room > 0 {
		io.WriteString(w, ",\n")
	}
	for line := range bytes.Lines(p.others.text.Bytes()) {
		if room--; room < 0 {
			break
		} else if room == 0 {
			line = bytes.TrimSuffix(line, []byte(",\n"))
		}
		w.Write(line)
	}
	_, err = io.WriteString(w, "]}</script>\n") // an error of those before shows here again
	return err
}

// policy lets the page do nothing but what is written here, and connect to where it says.
func policy(script, connect string) string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	policy := "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(script) + "; base-uri 'none'; form-action 'none'"
	if connect != "" {
		policy += "; connect-src " + connect
	}
	return policy
}

// number is a count for people.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// took is a time in seconds for people.
func took(seconds float64) string {
	if seconds < 10 {
		return short(seconds).String()
	}
	return lasted(time.Duration(seconds * float64(time.Second)))
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
