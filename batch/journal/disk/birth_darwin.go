package disk

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// birth says which file this is, in a way that a copy does not keep: its inode
// and when that was made. The device is left out: volumes change theirs as they
// are mounted again.
func birth(f *os.File) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", err
	}
	return fmt.Sprintf("inode %d of %d.%09d", st.Ino, st.Btim.Sec, st.Btim.Nsec), nil
}
