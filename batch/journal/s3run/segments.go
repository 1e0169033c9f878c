package s3run

import (
	"context"
	"fmt"
	"io"
)

// segments is the folder of the journal.
const segments = "journal/"

// segment is the name of a part of the journal, from 1.
func segment(n int64) string { return fmt.Sprintf("%s%020d.jsonl", segments, n) }

// readAhead is how many segments are asked for at one time.
const readAhead = 16

// A part is the content of a segment.
type part struct {
	lines []byte
	err   error
}

// copyJournal writes the journal to w, and says how many segments there are.
func (s *store) copyJournal(ctx context.Context, w io.Writer) (last int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for part := range s.parts(ctx) {
		p := <-part
		if p.err == nil {
			_, p.err = w.Write(p.lines)
		}
		if p.err != nil {
			return 0, p.err
		}
		last++
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return last, nil
}

// parts are the segments in their order, each sent once it is read.
func (s *store) parts(ctx context.Context) <-chan chan part {
	parts := make(chan chan part, readAhead)
	go func() {
		defer close(parts)
		n := int64(0)
		for name, err := range s.list(ctx, segments) {
			n++
			if want := segment(n); err == nil && name != want {
				err = fmt.Errorf("%s/%s comes where %s should: without it nobody can say who was reset; restore it from a copy, or from an older version if the bucket keeps those", s, name, want)
			}
			p := make(chan part, 1)
			select {
			case parts <- p:
			case <-ctx.Done():
				return
			}
			if err != nil {
				p <- part{nil, err}
				return
			}
			go func() {
				lines, err := s.read(ctx, name)
				p <- part{lines, err}
			}()
		}
	}()
	return parts
}
