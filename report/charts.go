package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"
)

// A chart is an SVG drawing, with its meaning in words. It is as wide as its place:
// all that it draws stands at shares of its width and height.
type chart struct {
	Title  string
	Words  string // what it shows, for whoever does not see it
	Legend []key
	Rows   [][2]string // the figures
	SVG    template.HTML
}

// A key says what a colour stands for.
type key struct{ Class, Name string }

// A canvas is a chart that is being drawn: figures from 0 to top, whose colours
// page.css has.
type canvas struct {
	strings.Builder
	scale strings.Builder // stands over what is drawn
	top   float64
}

// belowPlot is the share of a canvas that its labels take.
const belowPlot = 0.12

// newCanvas draws the scale of figures up to most.
func newCanvas(most float64, label func(float64) string) *canvas {
	step := roundStep(most / 3)
	c := &canvas{top: step * max(1, math.Ceil(most/step))}
	for at := step; at <= c.top+step/2; at += step {
		fmt.Fprintf(c, `<line class="grid" x1="0" x2="100%%" y1="%s" y2="%s"/>`, percent(c.y(at)), percent(c.y(at)))
		fmt.Fprintf(&c.scale, `<text class="scale" x="0" y="%s" dy="1em">%s</text>`, percent(c.y(at)), label(at))
	}
	fmt.Fprintf(c, `<line class="axis" x1="0" x2="100%%" y1="%s" y2="%s"/>`, percent(c.y(0)), percent(c.y(0)))
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

// percent is a share as SVG takes it.
func percent(share float64) string { return fmt.Sprintf("%.2f%%", 100*share) }

// y is where a figure stands, as a share from the top.
func (c *canvas) y(value float64) float64 { return (1 - belowPlot) * (1 - value/c.top) }

// bar draws a figure from one value up to another, at shares of the width.
func (c *canvas) bar(class string, left, width, from, to float64) {
	if to > from {
		fmt.Fprintf(c, `<rect class="%s" x="%s" width="%s" y="%s" height="%s"/>`, class, percent(left), percent(width), percent(c.y(to)), percent(c.y(from)-c.y(to)))
	}
}

// label writes a text below the plot, at a share of its width.
func (c *canvas) label(share float64, anchor, text string) {
	fmt.Fprintf(c, `<text x="%s" y="100%%" dy="-.2em" text-anchor="%s">%s</text>`, percent(share), anchor, template.HTMLEscapeString(text))
}

func (c *canvas) svg(words string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="chart" role="img" aria-label="%s">%s%s</svg>`, template.HTMLEscapeString(words), c.String(), c.scale.String()))
}

// charts are those for which there are figures.
func (p *Page) charts(s Summary) []chart {
	if p.figures.pace.steps == nil {
		return nil
	}
	charts := []chart{p.overTime(s.RateAsked)}
	if c, ok := p.latencyChart(); ok {
		charts = append(charts, c)
	}
	return charts
}

// overTime shows users and throttled calls a second, against the rate that was asked
// for, and when the run rested.
func (p *Page) overTime(ceiling float64) chart {
	users, throttles, times := p.figures.pace.perSecond()
	width := time.Duration(p.figures.pace.width) * time.Second
	began, span := times[0], times[len(times)-1].Add(width).Sub(times[0])
	share := func(t time.Time) float64 { return min(max(float64(t.Sub(began))/float64(span), 0), 1) }

	c := chart{Title: "Users a second", Legend: []key{{"s1", "users"}}}
	most, throttled := 0.0, 0.0
	for i, n := range users {
		most, throttled = max(most, n+throttles[i]), max(throttled, throttles[i])
		if i%max(1, len(users)/12) == 0 {
			c.Rows = append(c.Rows, [2]string{times[i].Format("Jan 2 15:04:05"), fmt.Sprintf("%.1f users, %.1f throttled calls", n, throttles[i])})
		}
	}
	if throttled > 0 {
		c.Legend = append(c.Legend, key{"s2", "throttled calls"})
	}
	if ceiling > 0 {
		c.Legend = append(c.Legend, key{"s3", fmt.Sprintf("at most, %.4g", ceiling)})
	}
	c.Words = fmt.Sprintf("From %s, for %s: at most %.1f users and throttled calls a second, over %s each.", clock(began), lasted(span), most, lasted(width))

	drawn := newCanvas(max(most, ceiling), func(f float64) string { return fmt.Sprintf("%.4g", f) })
	for _, r := range p.Rests {
		if from, to := share(r.From), share(r.To); to > from {
			fmt.Fprintf(drawn, `<rect class="rest" x="%s" width="%s" y="0" height="%s"><title>%s</title></rect>`,
				percent(from), percent(to-from), percent(1-belowPlot), template.HTMLEscapeString(r.words()))
			if to-from > 0.07 {
				fmt.Fprintf(drawn, `<text class="why" x="%s" y="44%%" text-anchor="middle">%s</text>`, percent((from+to)/2), template.HTMLEscapeString(r.Name))
			}
			c.Rows = append(c.Rows, [2]string{r.From.UTC().Format("Jan 2 15:04:05"), r.words()})
		}
	}
	if len(p.Rests) > 0 {
		c.Legend = append(c.Legend, key{"rest", "at rest"})
	}
	for _, w := range p.figures.waves {
		if w.Began.After(began) {
			fmt.Fprintf(drawn, `<line class="wave" x1="%s" x2="%s" y1="0" y2="%s"><title>%s</title></line>`,
				percent(share(w.Began)), percent(share(w.Began)), percent(1-belowPlot), template.HTMLEscapeString(w.Name))
		}
	}
	for i, n := range users {
		at, wide := float64(i)/float64(len(users)), 1/float64(len(users))
		drawn.bar("s1", at, wide, 0, n)
		drawn.bar("s2", at, wide, n, n+throttles[i])
	}
	if ceiling > 0 {
		fmt.Fprintf(drawn, `<line class="s3" x1="0" x2="100%%" y1="%s" y2="%s"/>`, percent(drawn.y(ceiling)), percent(drawn.y(ceiling)))
	}
	drawn.ticks(began, span)
	c.SVG = drawn.svg(c.Words)
	return c
}

// words are why and how long the run rested.
func (r Rest) words() string { return r.Name + " for " + lasted(r.To.Sub(r.From)) }

// lasted is how long something took, as people say it: 36s, 5m 20s, 3h 5m, 2d 4h.
func lasted(d time.Duration) string {
	units := []struct {
		name string
		long time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	d = d.Round(time.Second)
	for i, u := range units[:len(units)-1] {
		if d < u.long {
			continue
		}
		text := fmt.Sprintf("%d%s", d/u.long, u.name)
		if rest := d % u.long / units[i+1].long; rest > 0 {
			text += fmt.Sprintf(" %d%s", rest, units[i+1].name)
		}
		return text
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// tickSteps are the times between two round ones of a clock.
var tickSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour,
}

// ticks labels at most five round times, those apart that would overlap on a telephone.
func (c *canvas) ticks(began time.Time, span time.Duration) {
	step := tickSteps[len(tickSteps)-1]
	for _, s := range tickSteps {
		if span/s < 4 {
			step = s
			break
		}
	}
	layout := "15:04:05"
	switch {
	case step >= 24*time.Hour:
		layout = "Jan 2"
	case span > 20*time.Hour:
		layout = "Jan 2 15:04"
	case step >= time.Minute:
		layout = "15:04"
	}
	for at := began.Truncate(step); at.Before(began.Add(span)); at = at.Add(step) {
		share := float64(at.Sub(began)) / float64(span)
		switch {
		case share < 0:
		case share < 0.08:
			c.label(share, "start", at.Format(layout))
		case share <= 0.92:
			c.label(share, "middle", at.Format(layout))
		}
	}
}

// latencyChart shows how long calls took, of those that were the only one of their step:
// what others took is mostly the wait between two. It has none if there was none.
func (p *Page) latencyChart() (c chart, ok bool) {
	c = chart{Title: "How long a call took", Legend: []key{{"s1", "calls"}}}
	var labels []string
	var counts []float64
	total, soFar, half := int64(0), int64(0), ""
	for _, n := range p.figures.latency {
		total += n
	}
	for i, n := range p.figures.latency {
		label, words := "more", "more"
		if i < len(latencies) {
			label = latencies[i].String()
			words = "up to " + label
		}
		if soFar < (total+1)/2 {
			half = words
		}
		if soFar < total && soFar+n > 0 { // neither before the first nor behind the last
			labels, counts = append(labels, label), append(counts, float64(n))
			c.Rows = append(c.Rows, [2]string{words, number(n) + " calls"})
		}
		soFar += n
	}
	c.Words = fmt.Sprintf("%s calls that needed no second try; half of them took %s.", number(total), half)
	most := 0.0
	for _, n := range counts {
		most = max(most, n)
	}
	drawn := newCanvas(most, func(f float64) string { return number(int64(math.Round(f))) })
	for i, n := range counts {
		width := 1 / float64(len(counts))
		drawn.bar("s1", width*(float64(i)+.15), width*.7, 0, n)
		drawn.label(width*(float64(i)+.5), "middle", labels[i])
	}
	c.SVG = drawn.svg(c.Words)
	return c, total > 0
}
