// Package relay has one goroutine make values while another uses those before them.
package relay

import (
	"iter"
	"sync"
)

// Run runs produce in a goroutine of its own, beside consume. What produce
// passes goes to consume, and an empty buffer comes back for the next; it is told
// when consume wants no more.
func Run[T any](produce func(pass func(full []T) (empty []T, more bool)), consume func([]T) (more bool)) {
	const buffers = 4
	full, empty := make(chan []T, buffers), make(chan []T, buffers+1)
	for range buffers {
		empty <- nil
	}
	enough := make(chan struct{})
	var producer sync.WaitGroup
	producer.Go(func() {
		defer close(full)
		produce(func(buffer []T) ([]T, bool) {
			select {
			case full <- buffer:
			case <-enough:
				return nil, false
			}
			select {
			case buffer = <-empty:
				return buffer[:0], true
			case <-enough:
				return nil, false
			}
		})
	})
	defer producer.Wait()
	defer close(enough)
	for buffer := range full {
		if !consume(buffer) {
			return
		}
		empty <- buffer
	}
}

// Ahead yields what seq does, which runs in a goroutine of its own and is some
// values ahead. An error is the last thing it yields.
func Ahead[T any](seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	const together = 256
	return func(yield func(T, error) bool) {
		var broken error
		wanted := true
		Run(func(pass func([]T) ([]T, bool)) {
			var values []T
			more := true
			for v, err := range seq {
				if broken = err; err != nil {
					break
				}
				if values = append(values, v); len(values) < together {
					continue
				}
				if values, more = pass(values); !more {
					return
				}
			}
			pass(values)
		}, func(values []T) bool {
			for _, v := range values {
				if wanted = yield(v, nil); !wanted {
					break
				}
			}
			return wanted
		})
		if wanted && broken != nil {
			var none T
			yield(none, broken)
		}
	}
}
