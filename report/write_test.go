package report

import (
	"errors"
	"iter"
	"testing"

	"cognito-reset/batch"
)

// A noter notes the rows that it gets, and fails at one of them.
type noter struct {
	rows   []int64
	fails  int64
	closed bool
}

var errNoted = errors.New("the disk is full")

func (n *noter) Write(r batch.Result) error {
	if r.Row == n.fails {
		return errNoted
	}
	n.rows = append(n.rows, r.Row)
	return nil
}

func (n *noter) Close() error {
	n.closed = true
	return nil
}

func numbered(n int64, err error) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for row := int64(1); row <= n; row++ {
			if !yield(batch.Result{Row: row}, nil) {
				return
			}
		}
		if err != nil {
			yield(batch.Result{}, err)
		}
	}
}

func TestEveryWriterGetsEveryRowInOrder(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, together - 1, together, together + 1, 20*together + 7} {
		writers := []*noter{{}, {}, {}}
		if err := WriteAll(numbered(n, nil), writers[0], writers[1], writers[2]); err != nil {
			t.Fatal(err)
		}
		for _, w := range writers {
			if int64(len(w.rows)) != n || !w.closed {
				t.Fatalf("%d rows of %d, closed: %t", len(w.rows), n, w.closed)
			}
			for i, row := range w.rows {
				if row != int64(i+1) {
					t.Fatalf("row %d is at %d", row, i)
				}
			}
		}
	}
}

// What is written in part must not look whole.
func TestAnErrorOfAWriterOrOfTheResultsClosesNobody(t *testing.T) {
	t.Parallel()
	broken := errors.New("the journal is damaged")
	for name, c := range map[string]struct {
		results iter.Seq2[batch.Result, error]
		fails   int64
		want    error
	}{
		"a writer at once":      {numbered(1e6, nil), 1, errNoted},
		"a writer later":        {numbered(1e6, nil), 10*together + 3, errNoted},
		"a writer at the end":   {numbered(300, nil), 300, errNoted},
		"the results":           {numbered(1000, broken), 0, broken},
		"the results, at once":  {numbered(0, broken), 0, broken},
		"writer before results": {numbered(300, broken), 2, broken},
	} {
		t.Run(name, func(t *testing.T) {
			good, bad := new(noter), &noter{fails: c.fails}
			if err := WriteAll(c.results, good, bad); !errors.Is(err, c.want) {
				t.Errorf("it ended with %v", err)
			}
			if good.closed || bad.closed {
				t.Error("one of them was closed")
			}
			if len(good.rows) > 100*together {
				t.Errorf("%d more rows were read", len(good.rows))
			}
		})
	}
	if err := WriteAll(numbered(10, nil)); err != nil {
		t.Error(err)
	}
}
