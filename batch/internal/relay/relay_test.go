package relay

import (
	"errors"
	"iter"
	"testing"
)

func TestAheadYieldsWhatItIsGiven(t *testing.T) {
	broken := errors.New("broken")
	numbers := func(n int, err error) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if err != nil {
				yield(0, err)
			}
		}
	}
	for _, n := range []int{0, 1, 255, 256, 257, 5000} {
		for _, wrong := range []error{nil, broken} {
			i := 0
			for v, err := range Ahead(numbers(n, wrong)) {
				if err != nil && (i != n || !errors.Is(err, wrong)) || err == nil && v != i {
					t.Fatalf("%d of %d is %d, %v", i, n, v, err)
				}
				if err == nil {
					i++
				} else {
					wrong = nil
				}
			}
			if i != n || wrong != nil {
				t.Errorf("%d of %d, without %v", i, n, wrong)
			}
		}
	}
	ended := false
	for range Ahead(func(yield func(int, error) bool) {
		defer func() { ended = true }()
		for yield(0, nil) {
		}
	}) {
		break
	}
	if !ended {
		t.Error("it runs on")
	}
}
