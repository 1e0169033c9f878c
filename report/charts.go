package report

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/go-analyze/charts"
)

// A chart is an SVG image in two dresses, with its meaning in words.
type chart struct {
	Title  string
	Words  string // what it shows, for whoever does not see it
	Light  template.URL
	Dark   template.Srcset
	Legend []key
	Rows   [][2]string // the figures
}

// A key says what a colour stands for.
type key struct{ Class, Name string }

// The colours of charts, as html.css has them: text, lines, background and the
// series s1 to s3.
var (
	lightDress = dress("#1d2733", "#d5dbe1", "#ffffff", false, "#1f6f8b", "#c2410c", "#6b7280")
	darkDress  = dress("#e6eaee", "#3a4550", "#171e25", true, "#67c3de", "#fb923c", "#9aa5b1")
)

func dress(text, lines, background string, dark bool, series ...string) charts.ColorPalette {
	o := charts.ThemeOption{
		IsDarkMode: dark, AxisStrokeColor: charts.ColorFromHex(lines), AxisSplitLineColor: charts.ColorFromHex(lines),
		BackgroundColor: charts.ColorFromHex(background), TextColor: charts.ColorFromHex(text),
	}
	for _, hex := range series {
		o.SeriesColors = append(o.SeriesColors, charts.ColorFromHex(hex))
	}
	return charts.MakeTheme(o)
}

const chartWidth, chartHeight = 860, 260

// draw makes both dresses of a chart.
func (c *chart) draw(paint func(p *charts.Painter, theme charts.ColorPalette) error) error {
	for _, theme := range []charts.ColorPalette{lightDress, darkDress} {
		p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: chartWidth, Height: chartHeight, Theme: theme})
		if err := paint(p, theme); err != nil {
			return fmt.Errorf("the chart %q: %w", c.Title, err)
		}
		svg, err := p.Bytes()
		if err != nil {
			return fmt.Errorf("the chart %q: %w", c.Title, err)
		}
		url := "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg)
		if theme == lightDress {
			c.Light = template.URL(url)
		} else {
			c.Dark = template.Srcset(url)
		}
	}
	return nil
}

// charts are those for which there are figures.
func (p *Page) charts(s Summary) (all []chart, err error) {
	if p.pace.steps == nil {
		return nil, nil
	}
	over, err := p.overTime(s.RateAsked)
	if err != nil {
		return nil, err
	}
	latency, err := p.latencyChart()
	return []chart{over, latency}, err
}

// overTime shows users and throttled calls a second, against the rate that was
// asked for.
func (p *Page) overTime(ceiling float64) (chart, error) {
	users, throttles, times := p.pace.perSecond()
	if len(users) == 1 { // a line needs two ends
		users, throttles, times = append(users, users[0]), append(throttles, throttles[0]), append(times, times[0].Add(time.Duration(p.pace.width)*time.Second))
	}
	c := chart{Title: "Users a second", Legend: []key{{"s1", "users"}, {"s2", "throttled calls"}}}
	lines := [][]float64{users, throttles}
	if ceiling > 0 {
		c.Legend = append(c.Legend, key{"s3", fmt.Sprintf("at most, %.4g", ceiling)})
		level := make([]float64, len(users))
		for i := range level {
			level[i] = ceiling
		}
		lines = append(lines, level)
	}
	most, throttled := 0.0, 0.0
	for i, n := range users {
		most, throttled = max(most, n), max(throttled, throttles[i])
		if i%max(1, len(users)/12) == 0 {
			c.Rows = append(c.Rows, [2]string{times[i].Format("Jan 2 15:04:05"), fmt.Sprintf("%.1f users, %.1f throttled calls", n, throttles[i])})
		}
	}
	c.Words = fmt.Sprintf("From %s to %s: at most %.1f users and %.1f throttled calls a second, over %s each.",
		clock(times[0]), clock(times[len(times)-1]), most, throttled, time.Duration(p.pace.width)*time.Second)
	layout := "15:04:05"
	if times[len(times)-1].Sub(times[0]) > 20*time.Hour {
		layout = "Jan 2 15:04"
	}
	var labels []string
	for _, at := range times {
		labels = append(labels, at.Format(layout))
	}
	return c, c.draw(func(painter *charts.Painter, theme charts.ColorPalette) error {
		o := charts.NewLineChartOptionWithData(lines)
		o.Theme, o.LineStrokeWidth, o.Symbol.Shape = theme, 1.5, charts.SymbolNone
		o.XAxis.Labels, o.XAxis.LabelCount = labels, 6
		o.YAxis = []charts.YAxisOption{{Min: new(0.0), ValueFormatter: func(f float64) string { return fmt.Sprintf("%.4g", f) }}}
		return painter.LineChart(o)
	})
}

// latencyChart shows how long users took, from the first call to the last answer.
func (p *Page) latencyChart() (chart, error) {
	c := chart{Title: "How long users took", Legend: []key{{"s1", "users"}}}
	var labels []string
	var counts []float64
	total, soFar, half := int64(0), int64(0), ""
	for _, n := range p.latency {
		total += n
	}
	for i, n := range p.latency {
		label := "more"
		if i < len(latencies) {
			label = strings.Replace(latencies[i].String(), "m0s", "m", 1)
		}
		if soFar < (total+1)/2 {
			half = label
		}
		if soFar < total && soFar+n > 0 { // neither before the first nor behind the last
			labels, counts = append(labels, label), append(counts, float64(n))
			c.Rows = append(c.Rows, [2]string{"up to " + label, number(n) + " users"})
		}
		soFar += n
	}
	c.Words = fmt.Sprintf("From the first call to the last answer, up to so long; half of the users were done within %s.", half)
	return c, c.draw(func(painter *charts.Painter, theme charts.ColorPalette) error {
		o := charts.NewBarChartOptionWithData([][]float64{counts})
		o.Theme = theme
		o.CategoryAxis.Labels = labels
		o.ValueAxis = []charts.ValueAxisOption{{Min: new(0.0), ValueFormatter: func(f float64) string { return number(int64(math.Round(f))) }}}
		return painter.BarChart(o)
	})
}
