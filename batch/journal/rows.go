package journal

import (
	"hash/maphash"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/names"
)

// A rowFinder finds a user's row by username or, failing that, by sub. A journal line names the row that
// the user had when it was written, which is the row still unless the roster
// was changed; so that is tried first, against a hash, and usernames are held
// in memory only if it fails.
type rowFinder struct {
	dir    *Dir
	seed   maphash.Seed
	hashes list[uint64] // of the username, by row from 0; 0 for a row without a call
	users  *names.Set
	rows   []int64 // by number of the user, or of the sub
}

func newRowFinder(d *Dir) *rowFinder { return &rowFinder{dir: d, seed: maphash.MakeSeed()} }

func (f *rowFinder) hash(username string) uint64 { return maphash.String(f.seed, username) | 1 }

func (f *rowFinder) add(e batch.Entry) {
	hash := uint64(0)
	if e.Outcome == "" {
		hash = f.hash(e.Username)
	}
	f.hashes.add(hash)
}

// isNamed reports whether the roster has this username in a row.
func (f *rowFinder) isNamed(row int64, username string) bool {
	return *f.hashes.at(row - 1) == f.hash(username)
}

func (f *rowFinder) find(row int64, username, sub string) (_ int64, ok bool, err error) {
	if row >= 1 && row <= f.hashes.len && *f.hashes.at(row - 1) == f.hash(username) {
		return row, true, nil
	}
	if f.users == nil {
		f.users = new(names.Set)
		for e, err := range f.dir.Entries() {
			if err != nil {
				return 0, false, err
			}
			if e.Outcome != "" {
				continue
			}
			for _, name := range []string{"u" + e.Username, "s" + e.Sub} {
				if _, added := f.users.Add(name); added {
					f.rows = append(f.rows, e.Row)
				}
			}
		}
	}
	id, ok := f.users.Find("u" + username)
	if !ok && sub != "" {
		id, ok = f.users.Find("s" + sub)
	}
	if !ok {
		return 0, false, nil
	}
	return f.rows[id], true, nil
}
