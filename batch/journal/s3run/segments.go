package s3run

import (
	"context"
	"fmt"
	"io"
	"strings"

	"cognito-reset/batch/internal/objects"
)

// segments is the folder of the journal.
const segments = "journal/"

// segment is the name of a part of the journal, from 1.
func segment(n int64) string { return fmt.Sprintf("%s%020d.jsonl", segments, n) }

// A journal is read many segments at a time, for each is a request whose answer takes
// its time: at most so many, and at most so many bytes of them are in memory. One with
// more than a share of these is copied when its turn comes, through no memory.
const (
	readAhead  = objects.Connections
	readMemory = 32 << 20
	readUnit   = 32 << 10
	largest    = readMemory / 8
)

// A part is the content of a segment.
type part struct {
	name  string
	size  int64
	units int // of readUnit bytes, that it takes of the memory
	large bool
	lines []byte // nil if it is large
	err   error
}

// An order is a part that is to be read, and who waits for it.
type order struct {
	part
	read chan<- part
}

// fill carries out orders, as a goroutine that many of them share: requests need a deep
// stack, which each goroutine grows anew.
func (s *store) fill(ctx context.Context, orders <-chan order) {
	for o := range orders {
		o.lines, o.err = s.read(ctx, o.name, o.size)
		o.read <- o.part
	}
}

// copyJournal writes the journal to w, and says how many segments there are.
func (s *store) copyJournal(ctx context.Context, w io.Writer) (last int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	memory := make(chan struct{}, readMemory/readUnit)
	for part := range s.parts(ctx, memory) {
		p := <-part
		switch {
		case p.err != nil:
		case p.large:
			p.err = s.copyTo(ctx, w, p.name)
		default:
			_, p.err = w.Write(p.lines)
		}
		if p.err != nil {
			return 0, p.err
		}
		for range p.units {
			<-memory
		}
		last++
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return last, nil
}

// parts are the segments in their order, each sent once it is read. Whoever receives
// one gives back what it took of the memory.
func (s *store) parts(ctx context.Context, memory chan<- struct{}) <-chan chan part {
	parts, orders := make(chan chan part, readAhead), make(chan order)
	go func() {
		defer close(parts)
		defer close(orders)
		n := int64(0)
		for o, err := range s.below(ctx, segments) {
			n++
			p := part{name: strings.TrimPrefix(o.Key, s.key("")), size: o.Size, large: o.Size > largest, err: err}
			if want := segment(n); err == nil && p.name != want {
				p.err = fmt.Errorf("%s/%s comes where %s should: without it nobody can say who was reset; restore it from a copy, or from an older version if the bucket keeps those", s, p.name, want)
			}
			if p.err == nil && !p.large {
				p.units = int(o.Size/readUnit) + 1
			}
			for range p.units {
				select {
				case memory <- struct{}{}:
				case <-ctx.Done():
					return
				}
			}
			read := make(chan part, 1)
			select {
			case parts <- read:
			case <-ctx.Done():
				return
			}
			if p.err != nil || p.large {
				if read <- p; p.err != nil {
					return
				}
				continue
			}
			if n <= readAhead {
				go s.fill(ctx, orders)
			}
			select {
			case orders <- order{p, read}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return parts
}
