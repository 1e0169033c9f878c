package report

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"cognito-reset/batch"
)

// together is how many results are handed on at once, and ahead how many such loads a
// writer may be behind the others: some thousand results, of 400 bytes and what they
// refer to.
const (
	together = 256
	ahead    = 4
)

// WriteAll writes every result to every writer, and closes them. The writers work side
// by side, each in a goroutine of its own, and get the results in their order. The first
// error of the results or of a writer ends it; the writers are then not closed.
func WriteAll(results iter.Seq2[batch.Result, error], writers ...Writer) error {
	s := &sheaf{empty: sync.Pool{New: func() any { return new(load) }}}
	var working sync.WaitGroup
	errs := make([]error, len(writers))
	for i, w := range writers {
		loads := make(chan *load, ahead)
		s.writers = append(s.writers, loads)
		working.Go(func() { errs[i] = s.write(w, loads) })
	}
	err := s.hand(results)
	for _, loads := range s.writers {
		close(loads)
	}
	working.Wait()
	if at := slices.IndexFunc(errs, func(err error) bool { return err != nil }); err == nil && at >= 0 {
		err = errs[at]
	}
	if err != nil {
		return err
	}
	for i, w := range writers {
		errs[i] = w.Close()
	}
	return errors.Join(errs...)
}

// A sheaf hands loads of results to several writers.
type sheaf struct {
	writers []chan *load
	empty   sync.Pool   // of loads that every writer has written
	failed  atomic.Bool // a writer has
}

// A load is a number of results, and how many writers are yet to write them.
type load struct {
	results []batch.Result
	left    atomic.Int32
}

// hand hands the results on, until a writer has failed.
func (s *sheaf) hand(results iter.Seq2[batch.Result, error]) error {
	l := s.next()
	for r, err := range results {
		if err != nil {
			s.pass(l)
			return err
		}
		if l.results = append(l.results, r); len(l.results) < together {
			continue
		}
		if s.failed.Load() {
			return nil // WriteAll knows why
		}
		s.pass(l)
		l = s.next()
	}
	s.pass(l)
	return nil
}

func (s *sheaf) next() *load {
	l := s.empty.Get().(*load)
	l.results = l.results[:0]
	l.left.Store(int32(len(s.writers)))
	return l
}

func (s *sheaf) pass(l *load) {
	for _, loads := range s.writers {
		loads <- l
	}
}

// write writes what is handed to a writer. After an error it takes the rest, so that
// nobody waits for it.
func (s *sheaf) write(w Writer, loads <-chan *load) (err error) {
	for l := range loads {
		for i := 0; err == nil && i < len(l.results); i++ {
			if err = w.Write(l.results[i]); err != nil {
				s.failed.Store(true)
			}
		}
		if l.left.Add(-1) == 0 {
			s.empty.Put(l)
		}
	}
	return err
}
