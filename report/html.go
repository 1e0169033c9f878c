package report

import (
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
	// Canary and WaveSize are how many users went first, and how many followed
	// together; 0 is none, and all.
	Canary, WaveSize int
	// CSV names the file beside the page that has every row.
	CSV string

	columns   []string // of a row
	attention rowsJSON
	others    rowsJSON
	pace      series
	latency   [len(latencies) + 1]int64
	attempts  [len(attemptCounts) + 1]int64
	waves     []wave
	called    int // users who were to be called
}

// NewPage returns a page about results that carry these columns in Kept.
func NewPage(kept ...string) *Page {
	return &Page{columns: append(slices.Clone(pageColumns), kept...), pace: series{width: 1}}
}

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
	p.sum(r)
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

// sum takes a result into the sums.
func (p *Page) sum(r batch.Result) {
	if r.Outcome != batch.Skipped && r.Outcome != batch.Invalid {
		p.called++
		p.intoWave(r)
	}
	if r.Attempts == 0 || r.FinishedAt.IsZero() {
		return
	}
	p.pace.add(r.FinishedAt, 1, float64(r.Throttled))
	p.latency[place(latencies[:], r.Duration())]++
	p.attempts[place(attemptCounts[:], r.Attempts)]++
}

// place is where among rising upper bounds a value falls.
func place[T int | time.Duration](bounds []T, value T) int {
	at, _ := slices.BinarySearch(bounds, value)
	return at
}

var (
	latencies     = [...]time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute}
	attemptCounts = [...]int{1, 2, 3, 5, 10}
)

// A wave is one of the groups in which users went.
type wave struct {
	Name        string
	Users, Done int64
	Began, Over time.Time
}

// mostWaves is how many waves a page tells of.
const mostWaves = 200

// intoWave counts a result in its wave, which the order of the rows tells.
func (p *Page) intoWave(r batch.Result) {
	at, name := 0, "canary"
	if n := p.called - 1 - p.Canary; n >= 0 {
		switch {
		case p.WaveSize > 0:
			at = n / p.WaveSize
		case p.Canary == 0:
			return
		}
		name = fmt.Sprintf("wave %d", at+1)
		if p.Canary > 0 {
			at++
		}
	}
	if at >= mostWaves {
		return
	}
	if at == len(p.waves) {
		p.waves = append(p.waves, wave{Name: name})
	}
	w := &p.waves[at]
	if w.Users++; r.Outcome.Done() {
		w.Done++
	}
	if !r.StartedAt.IsZero() && (w.Began.IsZero() || r.StartedAt.Before(w.Began)) {
		w.Began = r.StartedAt
	}
	if r.FinishedAt.After(w.Over) {
		w.Over = r.FinishedAt
	}
}

// A series counts over time, in as many steps as a chart has room for.
type series struct {
	width int64 // seconds
	steps map[int64]*[2]float64
	first int64
	last  int64
}

const mostSteps = 240

func (s *series) add(at time.Time, counts ...float64) {
	if s.steps == nil {
		s.steps = make(map[int64]*[2]float64)
		s.first, s.last = at.Unix()/s.width, at.Unix()/s.width
	}
	step := at.Unix() / s.width
	s.first, s.last = min(s.first, step), max(s.last, step)
	s.at(step, counts)
	for s.last-s.first >= mostSteps {
		old := s.steps
		s.steps, s.width = make(map[int64]*[2]float64), 2*s.width
		s.first, s.last = s.first/2, s.last/2
		for step, counts := range old {
			s.at(step/2, counts[:])
		}
	}
}

func (s *series) at(step int64, counts []float64) {
	sums := s.steps[step]
	if sums == nil {
		sums = new([2]float64)
		s.steps[step] = sums
	}
	for i, n := range counts {
		sums[i] += n
	}
}

// perSecond are the counts a second, and when each step began.
func (s *series) perSecond() (users, throttles []float64, times []time.Time) {
	for step := s.first; s.steps != nil && step <= s.last; step++ {
		var sums [2]float64
		if found := s.steps[step]; found != nil {
			sums = *found
		}
		users = append(users, sums[0]/float64(s.width))
		throttles = append(throttles, sums[1]/float64(s.width))
		times = append(times, time.Unix(step*s.width, 0).UTC())
	}
	return users, throttles, times
}

//go:embed html.tmpl
var pageTemplate string

//go:embed html.css
var pageStyle string

//go:embed html.js
var pageScript string

// A bar is a count beside others.
type bar struct {
	Name, Text string
	Count      int64
	Class      string
	of         int64
}

// Width is how long the bar is, as SVG takes it.
func (b bar) Width() string {
	if b.Count == 0 {
		return "0"
	}
	return strconv.FormatFloat(max(0.5, 100*float64(b.Count)/float64(max(b.of, 1))), 'f', 2, 64) + "%"
}

// A pageView is what the template shows.
type pageView struct {
	*Page
	Summary
	Title             string
	Policy            string
	Style             template.CSS
	Script            template.JS
	Outcomes, Reasons []bar
	AttemptBars       []bar
	Charts            []chart
	Waves             []wave
	Shown, LeftOut    int64
}

// Render writes the page, of results that add up to a summary.
func (p *Page) Render(w io.Writer, s Summary) error {
	view := pageView{
		Page: p, Summary: s, Title: "Password resets", Policy: policy(), Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Outcomes: outcomeBars(s), Reasons: reasonBars(s), AttemptBars: p.attemptBars(), Waves: p.waves,
	}
	if s.DryRun {
		view.Title = "Password resets, a dry run"
	}
	view.Shown = min(int64(p.attention.rows+p.others.rows), PageRows)
	view.LeftOut = s.Rows - view.Shown
	view.Charts = p.charts(s)
	t, err := template.New("").Funcs(template.FuncMap{"number": number, "clock": clock, "took": short}).Parse(pageTemplate)
	if err != nil {
		return err
	}
	if err := t.ExecuteTemplate(w, "head", view); err != nil {
		return err
	}
	if err := p.rows(w); err != nil {
		return err
	}
	return t.ExecuteTemplate(w, "tail", view)
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

// policy lets the page do nothing but what is written here.
func policy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript) + "; base-uri 'none'; form-action 'none'"
}

// outcomeClasses are the colours of outcomes; those that are not here have none.
var outcomeClasses = map[batch.Outcome]string{
	batch.Reset: "good", batch.Locked: "good", batch.UserDisabled: "good", batch.Invited: "good",
	batch.WouldReset: "good", batch.WouldLock: "good", batch.WouldDisable: "good", batch.WouldInvite: "good",
	batch.Failed: "bad", batch.Invalid: "bad", batch.Unknown: "doubt", batch.NotAttempted: "doubt",
}

func outcomeBars(s Summary) (bars []bar) {
	for _, o := range batch.Outcomes {
		if n := s.Outcomes[o]; n > 0 {
			bars = append(bars, bar{string(o), s.meaning(o), n, outcomeClasses[o], s.Rows})
		}
	}
	return bars
}

func reasonBars(s Summary) (bars []bar) {
	most := int64(0)
	for _, n := range s.Reasons {
		most = max(most, n)
	}
	for _, r := range s.byUrgency() {
		class := ""
		if alarming[r] {
			class = "bad"
		}
		bars = append(bars, bar{string(r), advice[r], s.Reasons[r], class, most})
	}
	return bars
}

func (p *Page) attemptBars() (bars []bar) {
	most, lower := int64(0), 1
	for _, n := range p.attempts {
		most = max(most, n)
	}
	for i, n := range p.attempts {
		name := fmt.Sprintf("more than %d", attemptCounts[len(attemptCounts)-1])
		if i < len(attemptCounts) {
			name = fmt.Sprint(attemptCounts[i])
			if attemptCounts[i] > lower {
				name = fmt.Sprintf("%d to %d", lower, attemptCounts[i])
			}
			lower = attemptCounts[i] + 1
		}
		if n > 0 {
			bars = append(bars, bar{Name: name, Count: n, of: most})
		}
	}
	return bars
}

// number is a count for people.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
