package roster

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"cognito-reset/batch"
)

// rows generates an input of n rows without holding it.
func rows(n int, header, format string) io.Reader {
	r, w := io.Pipe()
	go func() {
		var buffer bytes.Buffer
		buffer.WriteString(header)
		for i := range n {
			fmt.Fprintf(&buffer, format, i)
			if buffer.Len() > 1<<15 || i == n-1 {
				if _, err := buffer.WriteTo(w); err != nil {
					return
				}
			}
		}
		w.Close()
	}()
	return r
}

// A gauge watches how far the heap grows, garbage included.
type gauge struct {
	sample      []metrics.Sample
	start, peak uint64
	rows        int
}

func newGauge() *gauge {
	runtime.GC()
	g := &gauge{sample: []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}}
	metrics.Read(g.sample)
	g.start = g.sample[0].Value.Uint64()
	return g
}

// row is called for every row.
func (g *gauge) row() {
	if g.rows++; g.rows%10_000 == 0 {
		metrics.Read(g.sample)
		g.peak = max(g.peak, g.sample[0].Value.Uint64()-g.start)
	}
}

func (g *gauge) report(b *testing.B) {
	perRow := float64(g.rows) / float64(b.N)
	b.ReportMetric(float64(g.rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(g.peak)/perRow, "peak-B/row")
}

// BenchmarkRows reads a million rows each way and finds no duplicate, beside encoding/csv
// alone and with a map of the usernames.
func BenchmarkRows(b *testing.B) {
	const n = 1_000_000
	const header, line, object = "id,username\n", "%[1]d,user-%[1]d@example.com\n", "{\"Username\":\"user-%[1]d@example.com\",\"id\":%[1]d}\n"
	for _, bench := range []struct {
		name, header, line string
		selection          Selection
	}{
		{"csv", header, line, Selection{}},
		{"csv/where", header, line, Selection{Where: []Condition{{Column: "id", Value: "7"}}}},
		{"csv/sample", header, line, Selection{Sample: 1000}},
		{"csv/order-by", header, line, Selection{OrderBy: Order{"id", true}}},
		{"jsonl/strings", "", "\"user-%d@example.com\"\n", Selection{}},
		{"jsonl/objects", "", object, Selection{}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			g := newGauge()
			for b.Loop() {
				r, err := Open(rows(n, bench.header, bench.line), Options{Name: "users", Keep: bench.selection.Columns()})
				if err != nil {
					b.Fatal(err)
				}
				for _, err := range bench.selection.Apply(r.Entries()) {
					if err != nil {
						b.Fatal(err)
					}
					g.row()
				}
			}
			g.report(b)
		})
	}
	for name, dedupes := range map[string]bool{"encoding-csv-alone": false, "encoding-csv-and-a-map": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			g := newGauge()
			for b.Loop() {
				r := csv.NewReader(rows(n, header, line))
				r.ReuseRecord = true
				r.Read()
				seen := make(map[string]struct{})
				for {
					record, err := r.Read()
					if err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
					if dedupes {
						seen[strings.Clone(record[1])] = struct{}{}
					}
					g.row()
				}
			}
			g.report(b)
		})
	}
}

// BenchmarkUnique finds no duplicate among ten million users with names as long
// as a UUID. With the heap's peak, garbage included, under 60 bytes a row, ten
// million rows fit into 600 MB.
func BenchmarkUnique(b *testing.B) {
	const n = 10_000_000
	var users iter.Seq2[batch.Entry, error] = func(yield func(batch.Entry, error) bool) {
		for row := int64(1); row <= n; row++ {
			if !yield(batch.Entry{Row: row, Username: fmt.Sprintf("%036d", row)}, nil) {
				return
			}
		}
	}
	g := newGauge()
	for b.Loop() {
		for range Unique(users, nil) {
			g.row()
		}
	}
	g.report(b)
}
