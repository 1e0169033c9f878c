package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// chart is an SVG drawing, with its meaning in words.
type chart struct {
	Title  string
	Words  string // what it shows, for whoever does not see it
	Legend []key
	Rows   [][2]string // the figures
	SVG    template.HTML
}

// key says what a colour stands for.
type key struct{ Class, Name string }

// The size of a chart in its own units, and the room beside its figures for the
// scale and the labels.
const (
	chartWidth, chartHeight          = 860.0, 260.0
	leftOfPlot, belowPlot, abovePlot = 64.0, 28.0, 10.0
	plotWidth                        = chartWidth - leftOfPlot - 10
	plotHeight                       = chartHeight - belowPlot - abovePlot
)

// A canvas is a chart that is being drawn: figures from 0 to top, whose colours
// html.css has.
type canvas struct {
	strings.Builder
	top float64
}

// newCanvas draws the scale of figures up to most.
func newCanvas(most float64, label func(float64) string) *canvas {
	step := roundStep(most / 4)
	c := &canvas{top: step * max(1, math.Ceil(most/step))}
	for at := 0.0; at <= c.top+step/2; at += step {
		y := c.y(at)
		fmt.Fprintf(c, `<line class="grid" x1="%g" y1="%.1f" x2="%g" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`,
			leftOfPlot, y, leftOfPlot+plotWidth, y, leftOfPlot-8, y+4, label(at))
	}
	return c
}

// roundStep is 1, 2 or 5 with zeros, and no less than step.
func roundStep(step float64) float64 {
	if step <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(step)))
	for _, n := range []float64{1, 2, 5} {
		if n*unit >= step*(1-1e-9) {
			return n * unit
		}
	}
	return 10 * unit
}

func (c *canvas) y(value float64) float64 { return abovePlot + plotHeight*(1-value/c.top) }

// label writes a text below the plot, at a share of its width.
func (c *canvas) label(share float64, anchor, text string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, leftOfPlot+plotWidth*share, chartHeight-8, anchor, template.HTMLEscapeString(text))
}

// line draws values from left to right.
func (c *canvas) line(class string, values []float64) {
	fmt.Fprintf(c, `<polyline class="%s" points="`, class)
	for i, v := range values {
		fmt.Fprintf(c, "%.1f,%.1f ", leftOfPlot+plotWidth*float64(i)/float64(len(values)-1), c.y(v))
	}
	c.WriteString(`"/>`)
}

// svg is the drawing, as wide as its place.
func (c *canvas) svg(words string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="chart" viewBox="0 0 %g %g" role="img" aria-label="%s">%s</svg>`,
		chartWidth, chartHeight, template.HTMLEscapeString(words), c.String()))
}

// charts are those for which there are figures.
func (p *Page) charts(s Summary) []chart {
	if p.pace.steps == nil {
		return nil
	}
	return []chart{p.overTime(s.RateAsked), p.latencyChart()}
}

// overTime shows users and throttled calls a second, against the rate that was
// asked for.
func (p *Page) overTime(ceiling float64) chart {
	users, throttles, times := p.pace.perSecond()
	if len(users) == 1 { // a line needs two ends
		users, throttles, times = append(users, users[0]), append(throttles, throttles[0]), append(times, times[0].Add(time.Duration(p.pace.width)*time.Second))
	}
	c := chart{Title: "Users a second", Legend: []key{{"s1", "users"}, {"s2", "throttled calls"}}}
	if ceiling > 0 {
		c.Legend = append(c.Legend, key{"s3", fmt.Sprintf("at most, %.4g", ceiling)})
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
	drawn := newCanvas(max(most, throttled, ceiling), func(f float64) string { return fmt.Sprintf("%.4g", f) })
	const labels = 5
	for i := range labels {
		anchor := "middle"
		switch i {
		case 0:
			anchor = "start"
		case labels - 1:
			anchor = "end"
		}
		share := float64(i) / (labels - 1)
		drawn.label(share, anchor, times[int(share*float64(len(times)-1))].Format(layout))
	}
	if ceiling > 0 {
		drawn.line("s3", []float64{ceiling, ceiling})
	}
	if throttled > 0 {
		drawn.line("s2", throttles)
	}
	drawn.line("s1", users)
	c.SVG = drawn.svg(c.Words)
	return c
}

// latencyChart shows how long users took, from the first call to the last answer.
func (p *Page) latencyChart() chart {
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
	most := 0.0
	for _, n := range counts {
		most = max(most, n)
	}
	drawn := newCanvas(most, func(f float64) string { return number(int64(math.Round(f))) })
	for i, n := range counts {
		width := 1 / float64(len(counts))
		fmt.Fprintf(drawn, `<rect class="s1" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`,
			leftOfPlot+plotWidth*width*(float64(i)+.15), drawn.y(n), plotWidth*width*.7, abovePlot+plotHeight-drawn.y(n))
		drawn.label(width*(float64(i)+.5), "middle", labels[i])
	}
	c.SVG = drawn.svg(c.Words)
	return c
}
