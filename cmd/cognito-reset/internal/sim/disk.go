package sim

import (
	"cmp"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"cognito-reset/batch/journal/disk"
)

// A hardDisk keeps files in memory as a machine does: what was written is seen by
// everybody at once, and what was not synced is lost, in part or whole, when the
// machine loses its power. Names are durable apart from what they name.
type hardDisk struct {
	mu    sync.Mutex
	root  *node
	nodes uint64
	free  int // bytes; negative is no limit
	temps int
}

// A node is a file or a folder.
type node struct {
	id      uint64
	mode    fs.FileMode
	data    []byte // as processes see it
	durable []byte // as a loss of power leaves it at worst
	reserve int    // bytes that are set aside and hold nothing
	lock    *handle

	entries map[string]*node // of a folder
	synced  map[string]*node // as a loss of power leaves them at worst
	changed []change         // to synced, in their order
}

// A change of a folder that may not be durable; a nil node is a name that went.
type change struct {
	name string
	node *node
}

func newHardDisk() *hardDisk {
	d := &hardDisk{free: -1}
	d.root = d.node(fs.ModeDir | 0o755)
	for _, name := range []string{"/runs", "/tmp"} {
		folder := d.node(fs.ModeDir | 0o755)
		d.root.entries[name[1:]], d.root.synced[name[1:]] = folder, folder
	}
	return d
}

func (d *hardDisk) node(mode fs.FileMode) *node {
	d.nodes++
	n := &node{id: d.nodes, mode: mode}
	if mode.IsDir() {
		n.entries, n.synced = make(map[string]*node), make(map[string]*node)
	}
	return n
}

// find is what a path names, nil if there is nothing, and the folder it is in.
func (d *hardDisk) find(path string) (at, folder *node, name string) {
	at = d.root
	for _, name = range strings.Split(strings.Trim(filepath.ToSlash(path), "/"), "/") {
		if at == nil || at.entries == nil {
			return nil, nil, name
		}
		folder, at = at, at.entries[name]
	}
	return at, folder, name
}

func (n *node) link(name string, to *node) {
	n.entries[name] = to
	if to == nil {
		delete(n.entries, name)
	}
	n.changed = append(n.changed, change{name, to})
}

// loseWrites is a loss of power: of what was not synced, as much is lost as
// chance has it. A folder loses the last of its changes, a file the end of what
// was appended, or all that was changed.
func (d *hardDisk) loseWrites(chance *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root.loseWrites(chance)
}

func (n *node) loseWrites(chance *rand.Rand) {
	n.lock = nil
	if n.entries == nil {
		switch {
		case len(n.data) > len(n.durable) && string(n.data[:len(n.durable)]) == string(n.durable):
			n.data = n.data[:len(n.durable)+chance.IntN(len(n.data)-len(n.durable)+1)]
		case chance.IntN(2) == 0:
			n.data = slices.Clone(n.durable)
		}
		n.durable = slices.Clone(n.data)
		return
	}
	for _, c := range n.changed[:chance.IntN(len(n.changed)+1)] {
		if n.synced[c.name] = c.node; c.node == nil {
			delete(n.synced, c.name)
		}
	}
	n.changed, n.entries = nil, make(map[string]*node)
	for _, name := range sorted(n.synced) {
		n.entries[name] = n.synced[name]
		n.synced[name].loseWrites(chance)
	}
}

// copyOf is the folder as a copy of it is elsewhere: all of it new.
func (d *hardDisk) copyOf(n *node) *node {
	c := d.node(n.mode)
	c.data, c.durable, c.reserve = slices.Clone(n.data), slices.Clone(n.data), n.reserve
	for _, name := range sorted(n.entries) {
		c.entries[name] = d.copyOf(n.entries[name])
		c.synced[name] = c.entries[name]
	}
	return c
}

// change has what a file holds replaced, by somebody who is no process of the
// tool; nil deletes it. It returns what was there, nil if there is no such file.
func (d *hardDisk) change(path string, edit func([]byte) []byte) (was []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, folder, name := d.find(path)
	if n == nil && folder == nil {
		return nil
	}
	if n == nil {
		n = d.node(0o600)
		folder.entries[name], folder.synced[name] = n, n
	}
	was = slices.Clone(n.data)
	if now := edit(was); now == nil {
		delete(folder.entries, name)
		delete(folder.synced, name)
	} else {
		n.data, n.durable = slices.Clone(now), slices.Clone(now)
		folder.entries[name], folder.synced[name] = n, n
	}
	return was
}

// fill leaves so many bytes free; a negative number is no limit.
func (d *hardDisk) fill(free int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = free
}

// room takes bytes of what is free, and says how many of them there were.
func (d *hardDisk) room(bytes int) int {
	if d.free < 0 {
		return bytes
	}
	bytes = min(bytes, d.free)
	d.free -= bytes
	return bytes
}

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
