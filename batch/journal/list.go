package journal

// A list grows without copying what it holds, so that no more memory is taken at
// any time than it needs in the end.
type list[T any] struct {
	chunks [][]T
	len    int64
}

// Of most runs the first chunk is all, and far from full.
const (
	firstLen = 1 << 8
	chunkLen = 1 << 16
)

func (l *list[T]) add(v T) {
	switch {
	case l.len == 0:
		l.chunks = [][]T{make([]T, firstLen)}
	case l.len == firstLen:
		l.chunks[0] = append(make([]T, 0, chunkLen), l.chunks[0]...)[:chunkLen]
	case l.len%chunkLen == 0:
		l.chunks = append(l.chunks, make([]T, chunkLen))
	}
	l.len++
	*l.at(l.len - 1) = v
}

// at is the place of the value of a number, from 0.
func (l *list[T]) at(i int64) *T { return &l.chunks[i/chunkLen][i%chunkLen] }
