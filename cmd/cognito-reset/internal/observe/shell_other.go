//go:build !windows

package observe

import (
	"context"
	"os/exec"
)

// shell has the system's shell run a command.
func shell(ctx context.Context, command string) *exec.Cmd {
	return exec.CommandContext(ctx, "sh", "-c", command)
}
