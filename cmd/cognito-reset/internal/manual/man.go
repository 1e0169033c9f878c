package manual

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"cognito-reset/cmd/cognito-reset/internal/term"
)

// manWidth is how long a line of the source of a manual page may be, by mandoc's taste.
const manWidth = 78

// sections are those of the manual page that a topic makes, under the names by which
// people look for them; all other topics follow in the last.
var sections = []struct{ heading, topic string }{
	{"EXIT STATUS", "exit-codes"}, {"ENVIRONMENT", "environment"}, {"FILES", "record"},
}

// Page is the manual page of a version, of a day such as 2026-01-02.
func Page(app *cli.App, version, day string) string {
	p := new(page)
	p.line(fmt.Sprintf(`.TH COGNITO-RESET 1 "%s" "cognito-reset %s"`, day, plain(version)))
	p.line(".SH NAME")
	p.text(`cognito-reset \- ` + plain(app.Usage))
	p.synopsis(app)
	p.line(".SH OPTIONS")
	for _, c := range app.VisibleCommands() {
		p.options(c)
	}
	p.examples(app)
	used := make(map[string]bool)
	for _, s := range sections {
		used[s.topic] = true
		p.line(".SH " + s.heading)
		p.topic(s.topic)
	}
	p.line(".SH TOPICS")
	for _, name := range Topics {
		if !used[name] {
			p.line(".SS " + plain(Title(name)))
			p.topic(name)
		}
	}
	return p.b.String()
}

// A page is the source of a manual page in the macros of man(7).
type page struct {
	b     strings.Builder
	fresh bool // a heading came last, which begins a paragraph by itself
}

func (p *page) line(text string) {
	p.b.WriteString(text + "\n")
	p.fresh = strings.HasPrefix(text, ".SH") || strings.HasPrefix(text, ".SS")
}

// paragraph begins one.
func (p *page) paragraph() {
	if !p.fresh {
		p.line(".PP")
	}
}

// text is a paragraph, whose lines the reader's terminal fills.
func (p *page) text(text string) {
	for _, line := range term.Wrap(text, manWidth) {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		p.line(line)
	}
}

// code is lines that stay as they are. A long one goes on in the source behind a
// backslash, and stays one line.
func (p *page) code(lines string) {
	p.paragraph()
	p.line(".nf\n.RS 4")
	for line := range strings.Lines(lines) {
		line = plain(strings.TrimRight(line, " \n"))
		for len(line) > manWidth {
			at := strings.LastIndex(line[:manWidth], " ") + 1
			if at == 0 {
				break
			}
			p.line(line[:at] + `\`)
			line = line[at:]
		}
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") || line == "" {
			line = `\&` + line
		}
		p.line(line)
	}
	p.line(".RE\n.fi")
}

// term is something and what is said of it.
func (p *page) term(head, text string) {
	p.line(".TP")
	p.line(head)
	p.text(text)
}

func (p *page) synopsis(app *cli.App) {
	p.line(".SH SYNOPSIS\n.nf")
	for _, c := range app.VisibleCommands() {
		line := `\fBcognito\-reset ` + plain(c.Name) + `\fR`
		if len(c.VisibleFlags()) > 1 {
			line += ` [\fIflags\fR]`
		}
		if c.ArgsUsage != "" {
			line += " " + plain(c.ArgsUsage)
		}
		p.line(line)
	}
	p.line(".fi\n.SH DESCRIPTION")
	for _, c := range app.VisibleCommands() {
		p.term(bold(c.Name), plain(c.Usage))
	}
}

func (p *page) options(c *cli.Command) {
	p.line(".SS " + plain(c.Name))
	if c.Description != "" {
		p.text(plain(strings.ReplaceAll(c.Description, "\n", " ")))
	}
	for _, f := range c.VisibleFlags() {
		if name, value, text, ok := describe(f); ok {
			head := bold(name)
			if value != "" {
				head += ` \fI` + plain(value) + `\fR`
			}
			p.term(head, plain(text))
		}
	}
}

func (p *page) examples(app *cli.App) {
	p.line(".SH EXAMPLES")
	for _, c := range app.VisibleCommands() {
		p.paragraph()
		p.text("To " + plain(c.Usage) + ":")
		p.code(c.UsageText)
	}
}

// topic is the text of a topic, without its heading.
func (p *page) topic(name string) {
	text, _ := Topic(name)
	_, text, _ = strings.Cut(text, "\n")
	for i, part := range strings.Split(text, "```") {
		if i%2 == 1 {
			_, lines, _ := strings.Cut(part, "\n") // behind the language
			p.code(lines)
			continue
		}
		for block := range strings.SplitSeq(part, "\n\n") {
			p.block(strings.TrimSpace(block))
		}
	}
}

func (p *page) block(block string) {
	if strings.HasPrefix(block, "|") {
		for _, row := range cells(block)[1:] {
			p.term(marked(row[0]), marked(strings.Join(row[1:], "; ")))
		}
		return
	}
	for _, item := range items(block) {
		if item, ok := strings.CutPrefix(item, "- "); ok {
			p.line(`.IP \(bu 2`)
			p.text(marked(plainLinks(item)))
		} else if item != "" {
			p.paragraph()
			p.text(marked(plainLinks(item)))
		}
	}
}

// plain is text in which nothing is a command of roff.
func plain(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "−", `\-`, "≈", `\(~=`).Replace(text)
}

func bold(text string) string { return `\fB` + plain(text) + `\fR` }

// marked is text of Markdown, with what is emphasised there, or is code, in bold.
func marked(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			b.WriteString(bold(part))
			continue
		}
		for j, part := range strings.Split(part, "**") {
			if j%2 == 1 {
				b.WriteString(bold(part))
			} else {
				b.WriteString(plain(part))
			}
		}
	}
	return b.String()
}
