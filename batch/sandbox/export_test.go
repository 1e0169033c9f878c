package sandbox

import (
	"maps"
	"slices"
)

// OperationNames are the operations that a pool answers.
func OperationNames() []string { return slices.Sorted(maps.Keys(operations)) }
