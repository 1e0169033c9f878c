package journal

import (
	"errors"
	"io"

	"cognito-reset/batch/journal/disk"
)

// A window reads lines here and there in a file. It keeps the blocks that it
// read last, 4 MiB of them: lines of neighbouring rows stand near each other.
type window struct {
	file   disk.File
	blocks [64]block // by number, modulo
	line   []byte
}

// A block is part of a file, and the beginning of the next.
type block struct {
	start int64
	data  []byte // nil until it is read
}

const (
	blockSize = 64 << 10
	blockOver = 4 << 10 // bytes of the next
)

// read returns size bytes of the file from offset, valid until the next read.
func (w *window) read(offset int64, size int) ([]byte, error) {
	number := offset / blockSize
	b := &w.blocks[number%int64(len(w.blocks))]
	if start := number * blockSize; b.data == nil || b.start != start {
		if b.data == nil {
			b.data = make([]byte, blockSize+blockOver)
		}
		n, err := w.file.ReadAt(b.data[:cap(b.data)], start)
		if err != nil && !errors.Is(err, io.EOF) {
			b.data = nil
			return nil, err
		}
		b.start, b.data = start, b.data[:n]
	}
	if at := int(offset - b.start); at+size <= len(b.data) {
		return b.data[at : at+size], nil
	}
	if cap(w.line) < size {
		w.line = make([]byte, size)
	}
	_, err := w.file.ReadAt(w.line[:size], offset)
	return w.line[:size], err
}
