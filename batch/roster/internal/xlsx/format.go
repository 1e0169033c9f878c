package xlsx

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// A Kind is what a cell holds.
type Kind int

// The kinds.
const (
	Empty        Kind = iota
	Text              // exactly as it is
	Whole             // a whole number that a workbook keeps exactly, in digits
	Fraction          // a number with decimals, as the workbook keeps it
	Rounded           // a number that a workbook rounds, as it is kept
	Padded            // a whole number that is shown with leading zeros, which it does not have
	Date              // 2006-01-02, or with a time 2006-01-02T15:04:05
	Bool              // TRUE or FALSE
	Error             // such as #N/A
	Uncalculated      // a formula whose result is not in the file
)

// A Cell is what stands in one.
type Cell struct {
	Text string
	Kind Kind
}

// A format is how numbers are shown.
type format struct {
	date  bool
	zeros int // digits at least, if the format is zeros alone
}

// formatsOf are the formats of the styles of a workbook.
func formatsOf(f *excelize.File) []format {
	if f.Styles == nil || f.Styles.CellXfs == nil {
		return nil
	}
	codes := make(map[int]string)
	if f.Styles.NumFmts != nil {
		for _, n := range f.Styles.NumFmts.NumFmt {
			codes[n.NumFmtID] = n.FormatCode
		}
	}
	formats := make([]format, len(f.Styles.CellXfs.Xf))
	for i, style := range f.Styles.CellXfs.Xf {
		if style.NumFmtID != nil {
			formats[i] = formatOf(*style.NumFmtID, codes[*style.NumFmtID])
		}
	}
	return formats
}

var (
	literals = regexp.MustCompile(`"[^"]*"|\\.|\[[^\]]*\]|_.|\*.`) // of a format, what is shown as it is
	dateCode = regexp.MustCompile(`(?i)[ymdhs]`)
)

// formatOf reads a number format: a built-in one by its number (ECMA-376 part 1,
// 18.8.30), or one of the workbook's own by its code.
func formatOf(id int, code string) (f format) {
	f.date = id >= 14 && id <= 22 || id >= 27 && id <= 36 || id >= 45 && id <= 47 || id >= 50 && id <= 58
	if code == "" {
		return f
	}
	code = literals.ReplaceAllString(code, "")
	f.date = !strings.EqualFold(code, "general") && dateCode.MatchString(code)
	if code != "" && strings.Trim(code, "0") == "" {
		f.zeros = len(code)
	}
	return f
}

// maxExact is below the first whole number with more than 15 digits. Excel makes
// zeros of all digits after these.
const maxExact = 1e15

// number is a cell that holds one.
func (b *Book) number(text string, style int) Cell {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return Cell{text, Error}
	}
	var f format
	if style >= 0 && style < len(b.formats) {
		f = b.formats[style]
	}
	if f.date {
		return b.date(n, text)
	}
	if n != math.Trunc(n) {
		return Cell{text, Fraction}
	}
	if math.Abs(n) >= maxExact {
		return Cell{text, Rounded}
	}
	digits := strconv.FormatFloat(n+0, 'f', -1, 64) // +0 has no sign
	unsigned := strings.TrimPrefix(digits, "-")
	// A CSV with 4.91701E+11 in it, opened and saved as a workbook, has 491701000000.
	if len(unsigned) > 11 && strings.Trim(unsigned[6:], "0") == "" {
		return Cell{digits, Rounded}
	}
	if len(unsigned) < f.zeros {
		return Cell{digits, Padded}
	}
	return Cell{digits, Whole}
}

// date is a cell with a number of days.
func (b *Book) date(days float64, text string) Cell {
	at, err := excelize.ExcelDateToTime(days, b.date1904)
	if err != nil || days > 2958466 { // after the year 9999
		return Cell{text, Error}
	}
	if at = at.Round(time.Second); days == math.Trunc(days) {
		return Cell{at.Format(time.DateOnly), Date}
	}
	return Cell{at.Format("2006-01-02T15:04:05"), Date}
}
