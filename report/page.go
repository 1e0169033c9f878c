package report

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// A colour is what a terminal shows a line in, by its SGR parameters.
type colour string

const (
	plain  colour = ""
	green  colour = "32"
	yellow colour = "33"
	red    colour = "31"
	loud   colour = "1;31"
)

// A page is text for a terminal, built line by line.
type page struct {
	text   strings.Builder
	colour bool
}

func (p *page) blank() { p.text.WriteByte('\n') }

func (p *page) line(c colour, text string) {
	if p.colour && c != plain {
		text = "\x1b[" + string(c) + "m" + text + "\x1b[0m"
	}
	p.text.WriteString(text + "\n")
}

const (
	pageWidth = 80
	labelled  = "%-9s  %s" // a label and its text
	textWidth = pageWidth - 9 - 2
)

// tell writes a text behind its label. What is too wide goes on below, after a
// comma if there is one to the right.
func (p *page) tell(c colour, label, text string) {
	for len(text) > textWidth {
		at := strings.LastIndex(text[:textWidth+1], ", ") + 1
		if at < textWidth/2 {
			at = strings.LastIndexByte(text[:textWidth+1], ' ')
		}
		if at <= 0 {
			break
		}
		p.line(c, fmt.Sprintf(labelled, label, text[:at]))
		label, text = "", text[at+1:]
	}
	p.line(c, fmt.Sprintf(labelled, label, text))
}

// A table is lines of cells.
type table struct {
	cells   []string // of a line, with tabs between them
	colours []colour
}

func (t *table) add(c colour, cells ...string) {
	t.cells, t.colours = append(t.cells, strings.Join(cells, "\t")), append(t.colours, c)
}

func (p *page) table(t table) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(t.cells, "\n"))
	w.Flush()
	i := 0
	for line := range strings.Lines(b.String()) {
		p.line(t.colours[i], strings.TrimSuffix(line, "\n"))
		i++
	}
}
