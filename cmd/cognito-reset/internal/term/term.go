// Package term is the terminal: what is printed for a person, how wide, in
// colour or not, the questions that are put to them, and the keys they press.
package term

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"
)

// Streams are the standard streams of the process.
type Streams struct{ In, Out, Err *os.File }

// Width is how many columns a text for people has, where its words allow.
const Width = 80

// Linef writes a line for a person, in which no argument steers the terminal or begins
// a line of its own: see [Visible]. A closed stream is no reason to stop.
func Linef(w io.Writer, format string, args ...any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = Visible(arg)
		case error:
			args[i] = Visible(arg.Error())
		case fmt.Stringer:
			args[i] = Visible(arg.String())
		}
	}
	io.WriteString(w, Fitted(w, fmt.Sprintf(format, args...)+"\n"))
}

// Write writes lines for a person, in which nothing steers the terminal. What comes
// from outside and may hold a line feed goes through [Visible] before. On a terminal that
// is too narrow lines are broken between words.
func Write(w io.Writer, lines string) error {
	_, err := io.WriteString(w, Fitted(w, visible(lines, "\n\t")))
	return err
}

// Visible is a text from outside, such as a name or a message of a service, with
// what steers a terminal or turns the direction of writing shown as Go writes it:
// control characters, line feeds among them, and Unicode's formatting characters.
func Visible(text string) string { return visible(text, "") }

func visible(text, keep string) string {
	steers := func(r rune) bool {
		return !strings.ContainsRune(keep, r) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r))
	}
	if !strings.ContainsFunc(text, steers) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if steers(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Coloured reports whether a stream shows colours and nobody objects (no-color.org).
func Coloured(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && IsTerminal(f)
}

// The colours of what a person must see.
const (
	Yellow = "33"
	Red    = "31"
)

// Painted is a text in a colour, where a stream is a terminal that shows it.
func Painted(w io.Writer, colour, text string) string {
	if f, ok := w.(*os.File); !ok || !Coloured(f) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// Redraws reports whether a stream is a terminal on which what was shown can be replaced.
func Redraws(f *os.File) bool { return os.Getenv("TERM") != "dumb" && IsTerminal(f) }

// Stamp is a time as it leads a line of a log.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Password reads a line from a terminal without showing it.
func Password(f *os.File) ([]byte, error) { return term.ReadPassword(int(f.Fd())) }

// Prompt asks a question and returns the line that a person types, without
// spaces around it. It fails with the cause of ctx when that ends first.
func (s Streams) Prompt(ctx context.Context, question string) (string, error) {
	_ = Write(s.Err, question) // a closed stream answers nothing
	answer := make(chan string, 1)
	go func() { // a read of a terminal cannot be cancelled; it ends with the process
		line, _ := bufio.NewReader(s.In).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case typed := <-answer:
		return typed, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Comma writes a number with commas between thousands.
func Comma[N int | int64](n N) string { return humanize.Comma(int64(n)) }

// Plural is a number of things: 1 user, 2 users.
func Plural[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Comma(n) + " " + noun + "s"
}

// Quote makes a path safe to paste into a shell.
func Quote(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:+,@%", r)
	}) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// Hang writes text behind a label, as wide as a text on a stream may be.
func Hang(w io.Writer, label, text string) string {
	return label + strings.Join(Wrap(text, Columns(w)-len(label)), "\n"+strings.Repeat(" ", len(label)))
}

// Columns is how wide a text on a stream may be: [Width], or less where a terminal has
// less.
func Columns(w io.Writer) int {
	if columns := Screen(w); columns > 0 {
		return min(columns, Width)
	}
	return Width
}

// Screen is how many columns the terminal has that a stream is, or that shows a
// [Progress]; 0 if it is none, and a line may have any length.
func Screen(w io.Writer) int {
	if p, ok := w.(Progress); ok {
		w = p.w
	}
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// Fitted is lines as a stream shows them: on a terminal that is too narrow they are broken
// between words.
func Fitted(w io.Writer, lines string) string {
	columns := Screen(w)
	if columns <= 0 {
		return lines
	}
	var b strings.Builder
	for line := range strings.Lines(lines) {
		text := strings.TrimSuffix(line, "\n")
		if wide(text) > columns {
			text = broken(text, columns)
		}
		b.WriteString(text + line[len(strings.TrimSuffix(line, "\n")):])
	}
	return b.String()
}

// broken is a line that is too long, broken between words. What follows is as far in as
// the last column of a table that the line begins with. A command of the tool stays in
// one piece to the end of its line, to be copied.
func broken(line string, columns int) string {
	head := indentOf(line, columns/2)
	indent := strings.Repeat(" ", wide(line[:head]))
	text, command := line[head:], ""
	if at := strings.LastIndex(text, "cognito-reset "); at > 0 && !sentence.MatchString(text[at:]) {
		text, command = text[:at], text[at:]
	}
	lines := Wrap(text, columns-len(indent))
	if last := len(lines) - 1; command != "" && utf8.RuneCountInString(lines[last]+" "+command) > columns-len(indent) {
		lines = append(lines, command)
	} else if command != "" {
		lines[last] += " " + command
	}
	end := line[len(strings.TrimRight(line, " ")):] // of a question
	return line[:head] + strings.TrimRight(strings.Join(lines, "\n"+indent), " ") + end
}

var (
	colours  = regexp.MustCompile("\x1b\\[[0-9;]*m")
	sentence = regexp.MustCompile("[,;:.] ") // goes on where a command would have ended
)

// wide is how many columns a text takes.
func wide(text string) int { return utf8.RuneCountInString(colours.ReplaceAllString(text, "")) }

// indentOf is where the last column of a line begins: behind its last gap of two spaces
// or more, if that is within so many bytes.
func indentOf(line string, most int) (at int) {
	for i := 2; i <= min(most, len(line)-1); i++ {
		if line[i-2:i] == "  " && line[i] != ' ' {
			at = i
		}
	}
	return at
}

// Wrap breaks a text between words into lines of at most width characters. A
// word that is longer stays whole, to be copied.
func Wrap(text string, width int) (lines []string) {
	line, used := "", 0
	for word := range strings.FieldsSeq(text) {
		size := utf8.RuneCountInString(word)
		switch {
		case used == 0:
			line, used = word, size
		case used+1+size > width:
			lines = append(lines, line)
			line, used = word, size
		default:
			line, used = line+" "+word, used+1+size
		}
	}
	return append(lines, line)
}
