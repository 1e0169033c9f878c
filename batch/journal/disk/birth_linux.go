package disk

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// birth says which file this is, in a way that a copy does not keep: its inode
// and, where the file system tells it, when that was made. The device is left
// out: volumes change theirs as they are mounted again.
func birth(f *os.File) (string, error) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &st)
	if err == nil && st.Mask&unix.STATX_BTIME != 0 {
		return fmt.Sprintf("inode %d of %d.%09d", st.Ino, st.Btime.Sec, st.Btime.Nsec), nil
	}
	var old unix.Stat_t // of a kernel, or a sandbox, without statx
	if err := unix.Fstat(int(f.Fd()), &old); err != nil {
		return "", err
	}
	return fmt.Sprintf("inode %d", old.Ino), nil
}
