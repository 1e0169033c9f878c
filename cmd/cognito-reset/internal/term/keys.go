package term

import (
	"os"
	"sync/atomic"
)

// Keys hands every key that is pressed on a terminal to a function, one by one
// and unseen, until [Restore]. It fails where that is not possible, and reads
// nothing then.
func Keys(terminal *os.File, pressed func(key byte)) error {
	restore, err := cbreak(int(terminal.Fd()))
	if err != nil {
		return err
	}
	changed.Store(&restore)
	go func() { // a read of a terminal cannot be cancelled; it ends with the process
		key := make([]byte, 1)
		for {
			if _, err := terminal.Read(key); err != nil {
				return
			}
			pressed(key[0])
		}
	}()
	return nil
}

// changed undoes what Keys did to the terminal; nil if there is nothing.
var changed atomic.Pointer[func()]

// Restore gives the terminal back as it was. It is called however the process
// ends.
func Restore() {
	if restore := changed.Swap(nil); restore != nil {
		(*restore)()
	}
}
