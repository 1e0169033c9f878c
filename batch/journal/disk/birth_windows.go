package disk

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// birth says which file this is, in a way that a copy does not keep: its number
// in the volume and when it was made.
func birth(f *os.File) (string, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return "", err
	}
	return fmt.Sprintf("file %d.%d of %d", info.FileIndexHigh, info.FileIndexLow, info.CreationTime.Nanoseconds()), nil
}
