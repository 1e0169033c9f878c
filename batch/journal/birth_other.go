//go:build !linux && !darwin && !windows

package journal

import "os"

// birth would say which file this is; nothing here tells it.
func birth(*os.File) (string, error) { return "", nil }
