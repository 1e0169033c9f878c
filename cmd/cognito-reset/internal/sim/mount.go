package sim

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"cognito-reset/batch/journal/disk"
)

// A mount is a hardDisk as one process sees it, whose every operation passes the
// process's gate.
type mount struct {
	disk *hardDisk
	who  gate
}

// A gate is where the operations of a process pass: it says what becomes of each.
type gate interface{ pass(op, name string) fate }

// A fate is what becomes of an operation.
type fate struct {
	err  error        // it fails, and nothing is done
	half bool         // a write is torn
	then func() error // what happens once it is done; may be nil
}

// do passes the gate and then does an operation, under the disk's lock.
func (m mount) do(op, name string, work func(fate) error) error {
	f := m.who.pass(op, name)
	err := f.err
	if err == nil {
		m.disk.mu.Lock()
		err = work(f)
		m.disk.mu.Unlock()
		if f.then != nil {
			err = cmp.Or(f.then(), err)
		}
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (m mount) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := m.open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (m mount) open(name string, flag int, perm fs.FileMode) (*handle, error) {
	f := &handle{mount: m, name: name, flag: flag}
	return f, m.do("open", name, func(fate) error {
		n, folder, base := m.disk.find(name)
		switch {
		case folder == nil, n == nil && flag&os.O_CREATE == 0:
			return fs.ErrNotExist
		case n != nil && flag&os.O_EXCL != 0:
			return fs.ErrExist
		case n == nil:
			n = m.disk.node(perm)
			folder.link(base, n)
		case n.entries != nil && flag != os.O_RDONLY:
			return syscall.EISDIR
		case flag&os.O_TRUNC != 0:
			n.truncate(m.disk, 0)
		}
		f.node = n
		return nil
	})
}

func (m mount) CreateTemp(dir, pattern string) (disk.File, error) {
	return m.OpenFile(m.temp(dir, pattern), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

func (m mount) temp(dir, pattern string) string {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if m.disk.temps++; dir == "" {
		dir = "/tmp"
	}
	before, behind, _ := strings.Cut(pattern, "*")
	return filepath.Join(dir, fmt.Sprint(before, m.disk.temps, behind))
}

func (m mount) MkdirTemp(dir, pattern string) (string, error) {
	name := m.temp(dir, pattern)
	return name, m.Mkdir(name, 0o700)
}

func (m mount) Mkdir(name string, perm fs.FileMode) error {
	return m.do("mkdir", name, func(fate) error {
		n, folder, base := m.disk.find(name)
		switch {
		case folder == nil:
			return fs.ErrNotExist
		case n != nil:
			return fs.ErrExist
		}
		folder.link(base, m.disk.node(fs.ModeDir|perm))
		return nil
	})
}

// at has work done on what a path names.
func (m mount) at(op, name string, work func(n, folder *node, base string) error) error {
	return m.do(op, name, func(fate) error {
		n, folder, base := m.disk.find(name)
		if n == nil {
			return fs.ErrNotExist
		}
		return work(n, folder, base)
	})
}

func (m mount) Chmod(name string, mode fs.FileMode) error {
	return m.at("chmod", name, func(n, _ *node, _ string) error {
		n.mode = n.mode&fs.ModeDir | mode
		return nil
	})
}

func (m mount) Stat(name string) (info fs.FileInfo, err error) {
	err = m.at("stat", name, func(n, _ *node, base string) error {
		info = n.info(base)
		return nil
	})
	return info, err
}

func (m mount) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = m.at("readdir", name, func(n, _ *node, _ string) error {
		for _, name := range sorted(n.entries) {
			entries = append(entries, fs.FileInfoToDirEntry(n.entries[name].info(name)))
		}
		return nil
	})
	return entries, err
}

func (m mount) Rename(from, to string) error {
	return m.at("rename", from, func(n, folder *node, base string) error {
		_, target, name := m.disk.find(to)
		if target == nil {
			return fs.ErrNotExist
		}
		target.link(name, n)
		folder.link(base, nil)
		return nil
	})
}

func (m mount) Remove(name string) error {
	return m.at("remove", name, func(n, folder *node, base string) error {
		if len(n.entries) > 0 {
			return syscall.ENOTEMPTY
		}
		n.truncate(m.disk, 0)
		folder.link(base, nil)
		return nil
	})
}

func (m mount) RemoveAll(name string) error {
	return m.do("removeall", name, func(fate) error {
		if n, folder, base := m.disk.find(name); n != nil {
			folder.link(base, nil)
		}
		return nil
	})
}

func (m mount) SyncDir(name string) error {
	return m.at("syncdir", name, func(n, _ *node, _ string) error {
		n.changed = nil
		clear(n.synced)
		for name, e := range n.entries {
			n.synced[name] = e
		}
		return nil
	})
}

func (m mount) Lock(name string) (disk.Lock, error) {
	h, err := m.open(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	held := false
	err = m.do("lock", name, func(fate) error {
		if held = h.node.lock == nil; held {
			h.node.lock = h
		}
		return nil
	})
	if err != nil || !held {
		return nil, err
	}
	return h, nil
}

func (m mount) Locked(name string) (locked bool) {
	err := m.at("locked", name, func(n, _ *node, _ string) error {
		locked = n.lock != nil
		return nil
	})
	return err == nil && locked
}

func (m mount) SameFile(a, b fs.FileInfo) bool { return a.Sys() == b.Sys() }

func (m mount) Birth(f disk.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	return fmt.Sprint("inode ", info.Sys()), nil
}

// releaseLocks is what the system does for a process that has died.
func (d *hardDisk) releaseLocks(who gate) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var walk func(*node)
	walk = func(n *node) {
		if n.lock != nil && n.lock.who == who {
			n.lock = nil
		}
		for _, e := range n.entries {
			walk(e)
		}
	}
	walk(d.root)
}

func (m mount) Reserve(name string, size int) error {
	return m.do("reserve", name, func(fate) error {
		_, folder, base := m.disk.find(name)
		if folder == nil {
			return fs.ErrNotExist
		}
		n := m.disk.node(0o600)
		folder.link(base, n)
		if n.reserve = m.disk.room(size); n.reserve < size {
			n.truncate(m.disk, 0)
			folder.link(base, nil)
			return syscall.ENOSPC
		}
		return nil
	})
}
