package roster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/sourcetest"
	"cognito-reset/report"
)

func csvOf(usernames []string) string {
	return "id,username\n1," + strings.Join(usernames, "\n1,") + "\n"
}

func jsonlOf(usernames []string) string { return "\"" + strings.Join(usernames, "\"\n\"") + "\"\n" }

func reportOf(t *testing.T, newWriter func(io.Writer, ...string) report.Writer, usernames []string) string {
	var b bytes.Buffer
	w := newWriter(&b)
	for i, name := range usernames {
		if err := w.Write(batch.Result{Row: int64(i + 1), Username: name, Outcome: batch.Unknown, Reason: batch.Network}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every source keeps the same intents.
func TestConformance(t *testing.T) {
	inCSV := func(row, _ int) string { return fmt.Sprintf("users:%d:3", row+1) }
	inJSONL := func(row, _ int) string { return fmt.Sprintf("users:%d", row) }
	inReport := func(row, _ int) string { return fmt.Sprintf("users:%d:%d", row+1, len(fmt.Sprint(row))+2) }
	little, big := unicode.LittleEndian, unicode.BigEndian
	for _, test := range []struct {
		name      string
		store     func(t *testing.T, usernames []string) string
		place     func(row, rows int) string
		encoding  string
		selection Selection
	}{
		{name: "CSV", place: inCSV, store: func(_ *testing.T, u []string) string { return csvOf(u) }},
		{name: "CSV in gzip", place: inCSV, store: func(t *testing.T, u []string) string { return gzipped(t, csvOf(u)) }},
		{name: "CSV in zstd", place: inCSV, store: func(t *testing.T, u []string) string { return zstandard(t, csvOf(u)) }},
		{name: "CSV in UTF-8 with a BOM", place: inCSV, store: func(_ *testing.T, u []string) string { return "\ufeff" + csvOf(u) }},
		{name: "CSV in UTF-16 LE", place: inCSV, store: func(t *testing.T, u []string) string { return utf16(t, csvOf(u), little, unicode.UseBOM) }},
		{name: "CSV in UTF-16 BE without a BOM", place: inCSV, store: func(t *testing.T, u []string) string { return utf16(t, csvOf(u), big, unicode.IgnoreBOM) }},
		{name: "CSV in Windows-1252", place: inCSV, encoding: "windows-1252", store: func(t *testing.T, u []string) string {
			text, err := charmap.Windows1252.NewEncoder().String(strings.Replace(csvOf(u), "id", "Schlüssel", 1))
			if err != nil {
				t.Fatal(err)
			}
			return text
		}},
		{name: "JSON lines", place: inJSONL, store: func(_ *testing.T, u []string) string { return jsonlOf(u) }},
		{name: "JSON lines in gzip", place: inJSONL, store: func(t *testing.T, u []string) string { return gzipped(t, jsonlOf(u)) }},
		{name: "a report as CSV", place: inReport, selection: Selection{Only: []string{"unknown"}}, store: func(t *testing.T, u []string) string { return reportOf(t, report.NewCSV, u) }},
		{name: "a report as JSON lines", place: inJSONL, selection: Selection{Only: []string{"network"}}, store: func(t *testing.T, u []string) string { return reportOf(t, report.NewJSONL, u) }},
		{name: "a selection", place: inCSV, selection: Selection{Where: conditions(t, "id=1"), Limit: 1 << 20}, store: func(_ *testing.T, u []string) string { return csvOf(u) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := ""
			sourcetest.Test(t, sourcetest.Source{
				Open: func(t *testing.T, ctx context.Context, usernames []string) (iter.Seq2[batch.Entry, error], error) {
					path = filepath.Join(t.TempDir(), "users")
					if err := os.WriteFile(path, []byte(test.store(t, usernames)), 0o600); err != nil {
						return nil, err
					}
					in, err := OpenInputs(ctx, []string{path}, Places{}, Options{Encoding: test.encoding, Keep: test.selection.Columns()})
					if err != nil {
						return nil, err
					}
					return test.selection.Apply(in.Entries()), nil
				},
				Place: func(row, rows int) string { return strings.Replace(test.place(row, rows), "users", path, 1) },
			})
		})
	}

	for name, places := range map[string]func(text string) Places{
		Stdin: func(text string) Places { return Places{Stdin: strings.NewReader(text)} },
		"mem://users": func(text string) Places {
			return Places{Schemes: map[string]Opener{"mem": func(context.Context, string) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(text)), nil
			}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Test(t, sourcetest.Source{
				Open: func(_ *testing.T, ctx context.Context, usernames []string) (iter.Seq2[batch.Entry, error], error) {
					in, err := OpenInputs(ctx, []string{name}, places(csvOf(usernames)), Options{})
					if err != nil {
						return nil, err
					}
					return in.Entries(), nil
				},
				Place: func(row, rows int) string { return strings.Replace(inCSV(row, rows), "users", display(name), 1) },
			})
		})
	}

	t.Run("several files", func(t *testing.T) {
		dir := ""
		sourcetest.Test(t, sourcetest.Source{
			Open: func(t *testing.T, ctx context.Context, usernames []string) (iter.Seq2[batch.Entry, error], error) {
				dir = t.TempDir()
				half := len(usernames) / 2
				for name, part := range map[string]string{"1.csv": csvOf(usernames[:half]), "2.jsonl": jsonlOf(usernames[half:])} {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(part), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				names, err := Expand([]string{filepath.Join(dir, "*")})
				if err != nil {
					return nil, err
				}
				in, err := OpenInputs(ctx, names, Places{}, Options{})
				if err != nil {
					return nil, err
				}
				return in.Entries(), nil
			},
			Place: func(row, rows int) string {
				if row > rows/2 {
					return fmt.Sprintf("%s:%d", filepath.Join(dir, "2.jsonl"), row-rows/2)
				}
				return fmt.Sprintf("%s:%d:3", filepath.Join(dir, "1.csv"), row+1)
			},
		})
	})
}
