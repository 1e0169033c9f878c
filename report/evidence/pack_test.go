package evidence

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// Members are written side by side, and whichever of them fail, the first by name is the
// one whose error counts; what was written beside the bundle is gone.
func TestOfMembersThatFailTheFirstByNameIsTold(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for range 20 {
		f, err := os.Create(filepath.Join(t.TempDir(), "bundle.zip"))
		if err != nil {
			t.Fatal(err)
		}
		later, first, second := make(chan struct{}), errors.New("first"), errors.New("second")
		err = Write(f, Manifest{}, nil,
			Member{"c", func(io.Writer) error { return nil }},
			Member{"b", func(io.Writer) error { close(later); return second }},
			Member{"a", func(io.Writer) error { <-later; return first }})
		if err != first {
			t.Errorf("it is %v", err)
		}
		if f.Close() != nil {
			t.Error("it is closed")
		}
		left, err := os.ReadDir(filepath.Dir(f.Name()))
		if len(left) != 1 || err != nil {
			t.Errorf("%v, %v", left, err)
		}
	}
}

func TestSideBySideAllIsDoneOnce(t *testing.T) {
	for n := range 20 {
		done := make([]int, n)
		if err := sideBySide(n, func(i int) error { done[i]++; return nil }); err != nil || slices.ContainsFunc(done, func(times int) bool { return times != 1 }) {
			t.Errorf("%v, %v", done, err)
		}
	}
}
