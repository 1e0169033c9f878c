package sim

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// A handle is an open file, or a lock.
type handle struct {
	mount
	name string
	flag int
	node *node
	at   int64
}

func (f *handle) Name() string { return f.name }

func (f *handle) Close() error { return nil }

func (f *handle) Unlock() error {
	return f.do("unlock", f.name, func(fate) error {
		if f.node.lock == f {
			f.node.lock = nil
		}
		return nil
	})
}

func (f *handle) Stat() (info fs.FileInfo, err error) {
	err = f.do("stat", f.name, func(fate) error {
		info = f.node.info(filepath.Base(f.name))
		return nil
	})
	return info, err
}

func (f *handle) Read(p []byte) (n int, err error) {
	n, err = f.ReadAt(p, f.at)
	if f.at += int64(n); n > 0 {
		err = nil
	}
	return n, err
}

func (f *handle) ReadAt(p []byte, at int64) (n int, err error) {
	err = f.do("read", f.name, func(fate) error {
		if at < int64(len(f.node.data)) {
			n = copy(p, f.node.data[at:])
		}
		return nil
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (f *handle) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		f.disk.mu.Lock()
		offset += int64(len(f.node.data))
		f.disk.mu.Unlock()
	}
	f.at = offset
	return offset, nil
}

// Write tears what there is no room for.
func (f *handle) Write(p []byte) (n int, err error) {
	err = f.do("write", f.name, func(fate fate) error {
		if f.flag&os.O_APPEND != 0 {
			f.at = int64(len(f.node.data))
		}
		n = f.disk.room(len(p))
		full := n < len(p)
		if fate.half {
			n = min(n, len(p)/2)
		}
		for int64(len(f.node.data)) < f.at {
			f.node.data = append(f.node.data, 0)
		}
		f.node.data = append(f.node.data[:f.at], p[:n]...)
		if f.at += int64(n); full {
			return syscall.ENOSPC
		}
		return nil
	})
	return n, err
}

func (f *handle) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.do("write", f.name, func(fate fate) error {
		if n = len(p); fate.half {
			n = len(p) / 2
		}
		text := slices.Clone(f.node.data) // what is durable may be torn apart from it
		if over := int(at) + n - len(text); over > 0 {
			if f.disk.room(over) < over {
				n = 0
				return syscall.ENOSPC
			}
			text = append(text, make([]byte, over)...)
		}
		copy(text[at:], p[:n])
		f.node.data = text
		return nil
	})
	return n, err
}

func (f *handle) Sync() error {
	return f.do("sync", f.name, func(fate) error {
		f.node.durable = slices.Clone(f.node.data)
		return nil
	})
}

func (f *handle) Truncate(size int64) error {
	return f.do("truncate", f.name, func(fate) error {
		f.node.truncate(f.disk, size)
		return nil
	})
}

func (n *node) truncate(d *hardDisk, size int64) {
	if d.free >= 0 {
		d.free += n.reserve + max(0, len(n.data)-int(size))
	}
	n.reserve = 0
	if size < int64(len(n.data)) {
		n.data = slices.Clone(n.data[:size])
	}
}

type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
	id   uint64
}

func (n *node) info(name string) fileInfo {
	return fileInfo{name, int64(len(n.data) + n.reserve), n.mode, n.id}
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return i.id }
