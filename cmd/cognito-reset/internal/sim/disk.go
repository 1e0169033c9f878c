package sim

import (
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
