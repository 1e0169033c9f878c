package manual

import (
	"strings"
	"unicode/utf8"

	"cognito-reset/cmd/cognito-reset/internal/term"
)

const gap = "  " // between two columns of a table

// showTable is a table of Markdown in so many columns: its cells are wrapped between
// words, or, where even that is too wide, each row is a term with what it means below.
func showTable(block string, columns int) string {
	rows := cells(block)
	widths, fit := widthsOf(rows, columns)
	var b strings.Builder
	for _, row := range rows {
		if !fit {
			writeTerm(&b, row, columns)
			continue
		}
		writeRow(&b, row, widths)
	}
	return b.String()
}

// cells are those of a table, without the line below its heading; a heading of nothing is
// left out.
func cells(block string) (rows [][]string) {
	for line := range strings.Lines(block) {
		line = strings.Trim(strings.TrimSpace(line), "|")
		if strings.Trim(line, "-|: ") == "" {
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(line, "|") {
			row = append(row, plainLinks(strings.TrimSpace(cell)))
		}
		rows = append(rows, row)
	}
	return rows
}

// widthsOf are how wide the columns of a table are: as they want, but the widest give way
// until all fit. A column is never narrower than its longest word; fit is false if they
// fit in no way.
func widthsOf(rows [][]string, columns int) (widths []int, fit bool) {
	var least []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, least = append(widths, 0), append(least, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			for word := range strings.FieldsSeq(cell) {
				least[i] = max(least[i], utf8.RuneCountInString(word))
			}
		}
	}
	sum := len(gap) * (len(widths) - 1)
	for _, width := range widths {
		sum += width
	}
	for ; sum > columns; sum-- {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return widths, false
		}
		widths[widest]--
	}
	return widths, true
}

func writeRow(b *strings.Builder, row []string, widths []int) {
	wrapped, height := make([][]string, len(row)), 0
	for i, cell := range row {
		wrapped[i] = term.Wrap(cell, widths[i])
		height = max(height, len(wrapped[i]))
	}
	for y := range height {
		line := ""
		for i, cell := range wrapped {
			text := ""
			if y < len(cell) {
				text = cell[y]
			}
			line += text + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)) + gap
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func writeTerm(b *strings.Builder, row []string, columns int) {
	for i, cell := range row {
		indent := strings.Repeat(" ", 4*min(i, 1))
		b.WriteString(indent + strings.Join(term.Wrap(cell, columns-len(indent)), "\n"+indent) + "\n")
	}
}
