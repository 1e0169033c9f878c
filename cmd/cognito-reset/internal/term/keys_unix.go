//go:build linux || darwin

package term

import (
	"errors"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// cbreak makes a terminal give its keys one by one and unseen; signals and
// output stay as they are. It refuses one that another job has the foreground
// of, which would stop this process.
func cbreak(fd int) (restore func(), err error) {
	if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
		return nil, errors.Join(errors.New("the terminal is another job's"), err)
	}
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU) // when it is put into the background later
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, setTermios, &now); err != nil {
		return nil, err
	}
	return func() { unix.IoctlSetTermios(fd, setTermios, before) }, nil
}
